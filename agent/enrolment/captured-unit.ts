/** A unit with capture: rules and listeners inside a network namespace, for every data-plane worker. @module */
import type { ListenerSpec } from '../../proxy/listeners/listener-spec.ts';
import { Namespace, type NamespaceLocator } from '../capture/namespace.ts';
import { readRules } from '../capture/nft.ts';
import type { CaptureSockets, UnitNamespace } from '../capture/sockets.ts';
import type { CapturedWorkload } from '../capture/spec.ts';
import { type CaptureListener, CaptureUnit, type CaptureUnitDeps } from '../capture/unit.ts';
import { AgentError } from '../errors.ts';
import type { DataPlane } from '../threads/data-plane.ts';
import type { Workload } from '../workloads/workload.ts';
import type { OpenUnit, Unit } from './unit.ts';

interface CapturedUnitDeps extends Required<CaptureUnitDeps> {
  readonly plane: DataPlane;
  /** The control thread's own sockets, for health checks. */
  readonly sockets: CaptureSockets;
  /** Whether a predecessor still has the rules and listens. */
  readonly isTakingOver: boolean;
}

interface OpeningDeps extends CapturedUnitDeps {
  readonly opening: Parameters<OpenUnit>[2];
}

export function capturedUnits(captures: Omit<CapturedUnitDeps, 'plane'>, plane: DataPlane): OpenUnit {
  const { linux, state, releases, sockets } = captures;
  return (id, workloads, opening) => {
    const { isTakingOver } = captures; // at this moment
    return CapturedUnit.open(id, workloads, { linux, state, releases, sockets, isTakingOver, plane, opening });
  };
}

class CapturedUnit implements Unit {
  readonly id: string;
  readonly #capture: CaptureUnit;
  readonly #deps: CapturedUnitDeps;
  readonly #address: string | undefined;
  /** Id to what it is bound to, for all listeners that workers hold. */
  readonly #listening = new Map<string, string>();

  private constructor(id: string, capture: CaptureUnit, deps: CapturedUnitDeps) {
    this.id = id;
    this.#capture = capture;
    this.#deps = deps;
    const addresses = capture.namespace.addresses(deps.linux);
    this.#address = (addresses.find(({ family }) => family === 4) ?? addresses[0])?.address;
  }

  static async open(id: string, workloads: readonly Workload[], deps: OpeningDeps): Promise<CapturedUnit> {
    const namespace = Namespace.open(deps.linux, locatorOf(workloads[0]!));
    const scope = workloads[0]!.runs.kind === 'host' ? 'host' : 'namespace';
    const { workers, keepsClientAddress } = deps.plane;
    const { isTakingOver: isTakeover } = deps;
    const rules = { unit: id, scope, workloads: workloads.map(captured), keepsClientAddress } as const;
    const options = { ...rules, workers, isTakeover };
    const capture = await CaptureUnit.install(namespace, options, deps);
    const unit = new CapturedUnit(id, capture, deps);
    try {
      for (const workload of workloads) unit.addressOf(workload);
      const place: UnitNamespace = {
        unit: id,
        path: namespace.path,
        identity: namespace.identity,
        keepsClientAddress: capture.keepsClientAddress,
      };
      deps.sockets.set(place);
      deps.plane.addUnit(place);
      deps.opening(unit);
      await unit.#handOut();
      return unit;
    } catch (err) {
      await unit.close();
      throw err;
    }
  }

  get namespace(): number {
    return this.#capture.namespace.fd;
  }

  addressOf(workload: Workload): string {
    const address = workload.address ?? this.#address;
    if (address === undefined) throw new AgentError('WEFT_AGENT_WORKLOAD_NO_ADDRESS', `${workload.id} (${this.id})`);
    return address;
  }

  async update(workloads: readonly Workload[]): Promise<void> {
    for (const workload of workloads) this.addressOf(workload);
    const useless = await this.#capture.update(workloads.map(captured));
    await this.#handOut();
    await this.#deps.plane.unlisten(useless);
    for (const id of useless) this.#listening.delete(id);
  }

  isCurrent(): boolean {
    const { namespace } = this.#capture;
    if (namespace.locator.kind === 'host') return true;
    try {
      using found = Namespace.open(this.#deps.linux, namespace.locator);
      return found.isSame(namespace.identity);
    } catch {
      return false;
    }
  }

  reopen(worker: number): readonly ListenerSpec[] {
    return this.#capture.reopen(worker);
  }

  listeners(): readonly string[] {
    return [...this.#listening.values()];
  }

  rules(): Promise<string> {
    return readRules(this.#deps.linux, this.#capture.namespace.fd).then((rules) => rules ?? '');
  }

  assume(workloads: readonly Workload[]): Promise<void> {
    return this.#capture.assume(workloads.map(captured));
  }

  handOver(): void {
    this.#capture.handOver();
  }

  async close(): Promise<void> {
    const { plane, sockets } = this.#deps;
    await this.#capture.close();
    await plane.unlisten([...this.#listening.keys()]);
    this.#listening.clear();
    plane.removeUnit(this.id);
    sockets.delete(this.id);
  }

  /** Gives every worker the sockets that were opened for it. */
  async #handOut(): Promise<void> {
    const { plane } = this.#deps;
    const asks = Array.from({ length: plane.workers }, (_, worker) =>
      this.#capture.take(worker).map((listener) => {
        this.#listening.set(listener.id, describe(listener));
        return plane.listen(worker, listener);
      }),
    );
    await Promise.all(asks.flat());
  }
}

export function locatorOf({ runs }: Workload): NamespaceLocator {
  if (runs.kind === 'netns') return { kind: 'path', path: runs.path };
  return runs.kind === 'pid' ? { kind: 'pid', pid: runs.pid } : { kind: 'host' };
}

function captured({ id, runs, ports, exclude }: Workload): CapturedWorkload {
  const uid = runs.kind === 'host' && runs.uid !== undefined ? { uid: runs.uid } : {};
  return { id, ...uid, ports: ports.map(({ port }) => port), exclude };
}

function describe({ role, transport, address, port }: CaptureListener): string {
  return `${role} ${transport} ${address}:${port}`;
}
