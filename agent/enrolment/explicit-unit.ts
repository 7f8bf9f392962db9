/**
 * A unit without capture: one workload, whose agent listens for mTLS beside it and, for each of its `upstreams`, where its
 * programs are told to dial. Works without root, and shows nothing that capture would.
 * @module
 */
import type { ListenerSpec } from '../../proxy/listeners/listener-spec.ts';
import { formatSocketAddress } from '../addresses.ts';
import { CAPTURE_PORTS } from '../capture/constants.ts';
import { AgentError } from '../errors.ts';
import type { DataPlane } from '../threads/data-plane.ts';
import type { Workload } from '../workloads/workload.ts';
import type { OpenUnit, Unit } from './unit.ts';

export function explicitUnits(plane: DataPlane): OpenUnit {
  return async (id, [workload], opening) => {
    const unit = new ExplicitUnit(id, plane);
    try {
      opening(unit);
      await unit.update([workload!]);
      return unit;
    } catch (err) {
      await unit.close();
      throw err;
    }
  };
}

class ExplicitUnit implements Unit {
  readonly id: string;
  readonly namespace = undefined;
  readonly #plane: DataPlane;
  #specs: ReadonlyMap<string, ListenerSpec> = new Map();

  constructor(id: string, plane: DataPlane) {
    this.id = id;
    this.#plane = plane;
  }

  addressOf({ id, address }: Workload): string {
    if (address === undefined) throw new AgentError('WEFT_AGENT_WORKLOAD_NO_ADDRESS', id);
    return address;
  }

  async update([workload]: readonly Workload[]): Promise<void> {
    const wanted = new Map(this.#listenersOf(workload!).map((spec) => [spec.id, spec]));
    const before = this.#specs;
    this.#specs = new Map([...before, ...wanted]);
    for (const spec of wanted.values()) if (!before.has(spec.id)) await this.#listen(spec);
    await this.#plane.unlisten([...before.keys()].filter((id) => !wanted.has(id)));
    this.#specs = wanted;
  }

  isCurrent(): boolean {
    return true;
  }

  reopen(): readonly ListenerSpec[] {
    return [...this.#specs.values()];
  }

  listeners(): readonly string[] {
    return [...this.#specs.values()].map(
      ({ role, transport, address = '', port = 0 }) => `${role} ${transport} ${formatSocketAddress({ address, port })}`,
    );
  }

  async rules(): Promise<string> {
    return '';
  }

  async assume(): Promise<void> {}

  handOver(): void {}

  async close(): Promise<void> {
    await this.#plane.unlisten([...this.#specs.keys()]);
    this.#specs = new Map();
  }

  async #listen(spec: ListenerSpec): Promise<void> {
    await Promise.all(Array.from({ length: this.#plane.workers }, (_, worker) => this.#plane.listen(worker, spec)));
  }

  /** The id says all of it, so that a changed listener is another one. */
  #listenersOf(workload: Workload): ListenerSpec[] {
    const unit = this.id;
    const specs: Omit<ListenerSpec, 'id'>[] = workload.upstreams.map(({ service, port, listen }) => ({
      role: 'explicit',
      unit,
      workload: workload.id,
      transport: 'tcp',
      reusePort: true,
      target: { service, port },
      ...listen,
    }));
    if (workload.ports.length > 0) {
      specs.push({
        role: 'tunnel',
        unit,
        transport: 'tcp',
        reusePort: true,
        address: this.addressOf(workload),
        port: CAPTURE_PORTS.tunnel,
      });
    }
    return specs.map((spec) => ({
      ...spec,
      id: `${unit}:${spec.role}:${spec.address}:${spec.port}:${spec.target?.service}:${spec.target?.port}`,
    }));
  }
}
