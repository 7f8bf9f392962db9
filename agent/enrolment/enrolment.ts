/**
 * Brings the workloads of this node into the mesh and takes them out again: SVID, unit, listeners, health, endpoints.
 *
 * It is told the whole set each time and works towards it, one round at a time. What fails is reported and tried again
 * every few seconds, because the usual reason is a network namespace that is not there yet. A namespace that was replaced
 * under the same path (a restarted pod) is noticed by the same clock.
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { workloadId } from '../../certs/spiffe.ts';
import type { Svid } from '../../certs/svid.ts';
import type { Endpoint, EndpointState } from '../../gossip/records/endpoint.ts';
import type { ListenerSpec } from '../../proxy/listeners/listener-spec.ts';
import type { LocalWorkload } from '../../proxy/snapshot.ts';
import { CAPTURE_PORTS } from '../capture/constants.ts';
import { messageOf } from '../errors.ts';
import type { SvidKeeper } from '../svids.ts';
import type { DataPlane } from '../threads/data-plane.ts';
import type { HealthChecker } from '../workloads/health.ts';
import type { RefusedPorts } from '../workloads/refused-ports.ts';
import { unitOf, type Workload } from '../workloads/workload.ts';
import type { OpenUnit, Unit } from './unit.ts';

const RETRY_MS = 2_000;
/** How often it is looked whether namespaces are still there: nobody says so when a pod is deleted. */
const LOOK_MS = 500;
/** A workload that is taken out is called draining for so long before it leaves: callers everywhere know by then. */
const DRAIN_MS = 1_000;

export interface EnrolmentOptions {
  readonly node: string;
  readonly zone: string;
  readonly trustDomain: string;
  /** Without capture each workload is a unit of its own, whatever namespace it names. */
  readonly isCapturing: boolean;
  readonly openUnit: OpenUnit;
  readonly svids: SvidKeeper;
  readonly plane: DataPlane;
  readonly health: HealthChecker;
  readonly refused: RefusedPorts;
  readonly log: Logger;
  /** Called with this node's whole page whenever it may have changed. */
  readonly publish: (endpoints: readonly Endpoint[]) => void;
}

interface Enrolled {
  readonly unit: Unit;
  readonly workloads: readonly Workload[];
}

interface Draining {
  readonly timer: NodeJS.Timeout;
  isOver: boolean;
}

export interface EnrolledView {
  readonly workload: Workload;
  readonly identity: string;
  readonly unit: string;
  /** Empty while it could not be brought in. */
  readonly address: string;
  readonly state: EndpointState;
  /** Why it is not ready; empty when it is. */
  readonly detail: string;
}

export class Enrolment implements AsyncDisposable {
  readonly #options: EnrolmentOptions;
  readonly #units = new Map<string, Enrolled>();
  /** Unit id to why its workloads are not in the mesh, or not as their files say. */
  readonly #failures = new Map<string, string>();
  #wanted: ReadonlyMap<string, readonly Workload[]> = new Map();
  #working: Promise<void> | undefined;
  #isStale = false;
  #isClosed = false;
  #clock: NodeJS.Timeout | undefined;
  #retriedAtMs = 0;
  /** By id, units that are to be taken out and serve as before until then. */
  readonly #draining = new Map<string, Draining>();

  constructor(options: EnrolmentOptions) {
    this.#options = options;
  }

  /** Resolves when a round that saw these workloads is over, whatever came of it. */
  apply(workloads: readonly Workload[]): Promise<void> {
    this.#wanted = Map.groupBy(workloads, (workload) => this.#unitOf(workload));
    this.#clock ??= setInterval(() => void this.#look(), LOOK_MS).unref();
    return this.#work();
  }

  /** A worker was started again: what it listens on, sockets included. */
  reopen(worker: number): readonly ListenerSpec[] {
    return [...this.#units.values()].flatMap(({ unit }) => unit.reopen(worker));
  }

  /** The health of a workload changed. */
  healthChanged(): void {
    this.#options.publish(this.#endpoints());
  }

  /** A renewed SVID goes to the workers; connections that are open keep what they have. */
  renewed(svid: Svid): void {
    const touched = this.#enrolled().filter(({ workload }) => this.#identity(workload) === svid.spiffeId);
    const upsert = touched.map(({ unit, workload }) => this.#local(unit, workload, svid));
    this.#options.plane.apply({ workloads: { upsert, remove: [] } });
  }

  units(): readonly Enrolled[] {
    return [...this.#units.values()];
  }

  /** All workloads the files ask for, brought in or not. */
  view(): readonly EnrolledView[] {
    return [...this.#wanted].flatMap(([id, workloads]) =>
      workloads.map((workload) => {
        const enrolled = this.#units.get(id);
        const isIn = enrolled?.workloads.some((known) => known.id === workload.id) ?? false;
        const failure = this.#failures.get(id);
        const detail = failure ?? (isIn ? this.#complaint(workload) : 'being brought in');
        const address = isIn ? enrolled!.unit.addressOf(workload) : '';
        return {
          workload,
          identity: this.#identity(workload),
          unit: id,
          address,
          state: isIn && !this.#isAllRefused(workload) ? this.#state(workload) : 'unready',
          detail,
        };
      }),
    );
  }

  /** After a takeover: captures what was the predecessor's until now. */
  async assume(): Promise<void> {
    await this.#working;
    for (const { unit, workloads } of this.#units.values()) await unit.assume(workloads);
  }

  /** A successor serves all of these from here on. Nothing changes any more, and closing leaves capture in place. */
  async handOver(): Promise<void> {
    this.#stop();
    await this.#working;
    for (const { unit } of this.#units.values()) unit.handOver();
  }

  /** Takes every workload out of the mesh: nobody is told of it here, gossip has left by then. */
  async close(): Promise<void> {
    this.#stop();
    await this.#working;
    await Promise.allSettled([...this.#units.values()].map((enrolled) => this.#leave(enrolled)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #stop(): void {
    this.#isClosed = true;
    clearInterval(this.#clock);
    for (const { timer } of this.#draining.values()) clearTimeout(timer);
  }

  #work(): Promise<void> {
    this.#isStale = true;
    this.#working ??= this.#workUntilFresh().finally(() => {
      this.#working = undefined;
    });
    return this.#working;
  }

  async #workUntilFresh(): Promise<void> {
    while (this.#isStale && !this.#isClosed) {
      this.#isStale = false;
      await this.#round();
    }
  }

  /** Something to try again, or a namespace that is another one by now? */
  async #look(): Promise<void> {
    const isLost = [...this.#units.values()].some(({ unit }) => !unit.isCurrent());
    const isDue = this.#failures.size > 0 && performance.now() - this.#retriedAtMs >= RETRY_MS;
    if (isLost || isDue) await this.#work();
  }

  async #round(): Promise<void> {
    const wanted = this.#wanted;
    this.#retriedAtMs = performance.now();
    const leaving = [...this.#units.values()].filter((enrolled) => this.#isToLeave(enrolled, wanted));
    for (const { unit } of leaving) this.#units.delete(unit.id);
    // Before anything is taken away: nobody is to call what is not there.
    if (leaving.length + this.#draining.size > 0) this.#options.publish(this.#endpoints());
    for (const enrolled of leaving) {
      await this.#leave(enrolled).catch((err: unknown) =>
        this.#options.log.error({ err, unit: enrolled.unit.id }, 'capture could not be removed'),
      );
    }
    for (const id of this.#failures.keys()) if (!wanted.has(id)) this.#failures.delete(id);
    await Promise.all([...wanted].map(([id, workloads]) => this.#bring(id, workloads)));
    this.#watchHealth();
    this.#options.publish(this.#endpoints());
  }

  /** At once where its namespace is gone, or what runs in it moves to another; else when it has been draining for a while. */
  #isToLeave({ unit, workloads }: Enrolled, wanted: ReadonlyMap<string, readonly Workload[]>): boolean {
    const { id } = unit;
    const draining = this.#draining.get(id);
    const isWanted = wanted.has(id);
    const isLost = !unit.isCurrent();
    if (isWanted || isLost || this.#moves(workloads, wanted)) {
      clearTimeout(draining?.timer);
      this.#draining.delete(id);
      return isLost || !isWanted;
    }
    if (draining !== undefined) return draining.isOver && this.#draining.delete(id);
    const timer = setTimeout(() => {
      begun.isOver = true;
      void this.#work();
    }, DRAIN_MS).unref();
    const begun: Draining = { timer, isOver: false };
    this.#draining.set(id, begun);
    return false;
  }

  #moves(workloads: readonly Workload[], wanted: ReadonlyMap<string, readonly Workload[]>): boolean {
    const ids = new Set([...wanted.values()].flatMap((others) => others.map(({ id }) => id)));
    return workloads.some(({ id }) => ids.has(id));
  }

  async #bring(id: string, workloads: readonly Workload[]): Promise<void> {
    const { log } = this.#options;
    const before = this.#units.get(id);
    if (before !== undefined && isDeepStrictEqual(before.workloads, workloads)) return;
    try {
      await (before === undefined ? this.#enter(id, workloads) : this.#change(before, workloads));
      this.#failures.delete(id);
      log.info({ unit: id, workloads: workloads.map((workload) => workload.id) }, 'workloads are in the mesh');
    } catch (err) {
      const reason = messageOf(err);
      if (this.#failures.get(id) !== reason)
        log.error({ err, unit: id }, 'workloads could not be brought into the mesh');
      this.#failures.set(id, reason);
    }
  }

  async #enter(id: string, workloads: readonly Workload[]): Promise<void> {
    const svids = this.#hold(workloads);
    try {
      // Its listeners are given connections as soon as they are open: workers know whose they are before.
      const unit = await this.#options.openUnit(id, workloads, (opening) => this.#tell(opening, workloads, svids));
      this.#units.set(id, { unit, workloads });
    } catch (err) {
      this.#options.plane.apply({ workloads: { upsert: [], remove: workloads.map((workload) => workload.id) } });
      this.#release(workloads);
      throw err;
    }
  }

  async #change({ unit, workloads: before }: Enrolled, workloads: readonly Workload[]): Promise<void> {
    const svids = this.#hold(workloads);
    try {
      await unit.update(workloads);
    } catch (err) {
      this.#release(workloads);
      throw err;
    }
    this.#units.set(unit.id, { unit, workloads });
    this.#tell(unit, workloads, svids);
    const stay = new Set(workloads.map(({ id }) => id));
    const remove = before.map(({ id }) => id).filter((id) => !stay.has(id));
    this.#options.plane.apply({ workloads: { upsert: [], remove } });
    this.#release(before);
  }

  async #leave({ unit, workloads }: Enrolled): Promise<void> {
    this.#units.delete(unit.id);
    try {
      await unit.close();
    } finally {
      this.#options.plane.apply({ workloads: { upsert: [], remove: workloads.map(({ id }) => id) } });
      this.#release(workloads);
      this.#options.log.info(
        { unit: unit.id, workloads: workloads.map(({ id }) => id) },
        'workloads have left the mesh',
      );
    }
  }

  #tell(unit: Unit, workloads: readonly Workload[], svids: readonly Svid[]): void {
    const upsert = workloads.map((workload, index) => this.#local(unit, workload, svids[index]!));
    this.#options.plane.apply({ workloads: { upsert, remove: [] } });
  }

  #hold(workloads: readonly Workload[]): Svid[] {
    const held: Workload[] = [];
    try {
      return workloads.map((workload) => {
        const svid = this.#options.svids.hold(this.#identity(workload));
        held.push(workload);
        return svid;
      });
    } catch (err) {
      this.#release(held);
      throw err;
    }
  }

  #release(workloads: readonly Workload[]): void {
    for (const workload of workloads) this.#options.svids.release(this.#identity(workload));
  }

  #watchHealth(): void {
    const targets = this.#enrolled().map(({ unit, workload }) => ({
      id: workload.id,
      unit: unit.id,
      address: unit.addressOf(workload),
      check: workload.healthCheck,
    }));
    this.#options.health.watch(targets);
    const ports = this.#enrolled().flatMap(({ unit, workload }) =>
      workload.ports.map(({ port }) => ({
        workload: workload.id,
        unit: unit.id,
        address: unit.addressOf(workload),
        port,
      })),
    );
    this.#options.refused.watch(ports);
  }

  #local(unit: Unit, workload: Workload, { certificateChainPem, privateKeyPem, expiresAtMs }: Svid): LocalWorkload {
    const { id, namespace, service, ports } = workload;
    return {
      id,
      unit: unit.id,
      namespace,
      service,
      identity: this.#identity(workload),
      labels: workload.labels,
      version: workload.version,
      address: unit.addressOf(workload),
      ports: ports.map((port) => ({
        ...port,
        endpointId: this.#endpointId(workload, port.name),
        address: unit.addressOf(workload),
      })),
      svid: { certificateChainPem, privateKeyPem, expiresAtMs },
    };
  }

  #endpoints(): readonly Endpoint[] {
    return this.#enrolled().flatMap(({ unit, workload }) =>
      workload.ports.map((port) => ({
        id: this.#endpointId(workload, port.name),
        node: this.#options.node,
        namespace: workload.namespace,
        service: workload.service,
        workload: workload.name,
        identity: this.#identity(workload),
        address: unit.addressOf(workload),
        port: port.port,
        servicePort: port.servicePort,
        portName: port.name,
        protocol: port.protocol,
        tunnelPort: CAPTURE_PORTS.tunnel,
        version: workload.version,
        labels: workload.labels,
        zone: workload.zone === '' ? this.#options.zone : workload.zone,
        weight: workload.weight,
        state: this.#portState(unit, workload, port.port),
      })),
    );
  }

  #enrolled(): { readonly unit: Unit; readonly workload: Workload }[] {
    return [...this.#units.values()].flatMap(({ unit, workloads }) =>
      workloads.map((workload) => ({ unit, workload })),
    );
  }

  #state(workload: Workload): EndpointState {
    return this.#options.health.report(workload.id)?.health ?? 'unready';
  }

  /** Why it is not ready, as a whole or in part; empty when it is. */
  #complaint(workload: Workload): string {
    const refused = this.#refusedPorts(workload);
    const told = this.#options.health.report(workload.id)?.detail ?? '';
    return refused.length === 0 ? told : `takes no connections on port ${refused.join(', ')}`;
  }

  #isAllRefused(workload: Workload): boolean {
    return workload.ports.length > 0 && this.#refusedPorts(workload).length === workload.ports.length;
  }

  #refusedPorts({ id, ports }: Workload): readonly number[] {
    return ports.map(({ port }) => port).filter((port) => this.#options.refused.isRefused(id, port));
  }

  #portState({ id }: Unit, workload: Workload, port: number): EndpointState {
    if (this.#draining.has(id)) return 'draining';
    return this.#options.refused.isRefused(workload.id, port) ? 'unready' : this.#state(workload);
  }

  #identity({ namespace, serviceAccount }: Workload): string {
    return workloadId(this.#options.trustDomain, namespace, serviceAccount);
  }

  #endpointId({ namespace, name }: Workload, port: string): string {
    return `${this.#options.node}/${namespace}/${name}/${port}`;
  }

  #unitOf(workload: Workload): string {
    return this.#options.isCapturing ? unitOf(workload) : `explicit:${workload.id}`;
  }
}
