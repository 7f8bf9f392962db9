/**
 * A capture unit: one network namespace, its rules, and the sockets where what they redirect arrives.
 *
 * Sockets come first and rules second, so that nothing is redirected to where nobody listens; rules go first and sockets
 * second at the end, for the same reason. Each worker thread has sockets of its own, sharing ports by SO_REUSEPORT. A
 * socket belongs to this unit until `take` or `reopen` hands it out, and from then on to whoever took it.
 * @module
 */
import { writeFileSync } from 'node:fs';
import { CAPTURE_PORTS, type CapturePorts } from './constants.ts';
import { CaptureError, SystemCallError } from './errors.ts';
import { type BindOptions, type Family, isSameNamespace, type Linux } from './linux.ts';
import { describeLocator, type Namespace } from './namespace.ts';
import { applyRuleset } from './nft.ts';
import { type Releases, removeCapture } from './releases.ts';
import { addReturnPath, removeReturnPath } from './return-path.ts';
import { captureRuleset } from './rules.ts';
import { type CapturedWorkload, checkWorkloads, type UnitSettings, unitRules, type WorkloadPorts } from './spec.ts';
import type { CaptureState } from './state.ts';

/** A socket for a worker's proxy; what it calls a ListenerSpec. */
export interface CaptureListener {
  /** The same for every worker. */
  readonly id: string;
  readonly role: 'outbound' | 'inbound' | 'tunnel' | 'dns';
  readonly unit: string;
  readonly workload?: string;
  readonly transport: 'tcp' | 'udp';
  /** Listening (tcp) or bound (udp). */
  readonly fd: number;
  /** What it is bound to. */
  readonly address: string;
  readonly port: number;
}

export interface CaptureUnitOptions {
  readonly unit: string;
  readonly scope: 'namespace' | 'host';
  readonly workloads: readonly CapturedWorkload[];
  readonly workers: number;
  /** Default: CAPTURE_PORTS. */
  readonly ports?: CapturePorts;
  /** Whether DNS queries are redirected too. Default: true. */
  readonly isDnsCaptured?: boolean;
  /**
   * Whether applications are to see the addresses of their clients. Default: false. Never in the host's namespace, whose
   * routing is not ours to change.
   */
  readonly keepsClientAddress?: boolean;
  /**
   * The sockets of a predecessor still listen and are to be shared, as in a hot upgrade; its rules stay as they are until
   * `assume`. Default: false, they are in the way.
   */
  readonly isTakeover?: boolean;
}

export interface CaptureUnitDeps {
  readonly linux: Linux;
  /** Where it is written down that this namespace holds our rules. */
  readonly state: CaptureState;
  /** Without it, connections in a client's name lose their way back as soon as the unit is closed. */
  readonly releases?: Releases;
}

/** A listener before it is opened. */
interface Planned {
  readonly id: string;
  readonly role: CaptureListener['role'];
  readonly workload?: string;
  readonly transport: 'tcp' | 'udp';
  readonly family: Family;
  readonly address: string;
  readonly port: number;
}

const LOOPBACK = { 4: '127.0.0.1', 6: '::1' } as const;
const ANY = { 4: '0.0.0.0', 6: '::' } as const;
/** Read and written in the namespace of the thread that opens it. */
const MIGRATE_REQUESTS = '/proc/sys/net/ipv4/tcp_migrate_req';
/** A port free over IPv4 may be taken over IPv6; so many are tried until one is free everywhere. */
const PORT_ATTEMPTS = 16;

export class CaptureUnit implements AsyncDisposable {
  readonly unit: string;
  readonly namespace: Namespace;
  readonly #deps: CaptureUnitDeps;
  readonly #settings: UnitSettings;
  readonly #workers: number;
  /** Whether the rules are another agent's: of a predecessor until `assume`, of a successor from `handOver` on. */
  #isShared: boolean;
  readonly #families: readonly Family[];
  readonly #planned = new Map<string, Planned>();
  /** A map a worker of the sockets not handed out yet, by listener id. */
  readonly #sockets: readonly Map<string, number>[];
  readonly #ports = new Map<string, WorkloadPorts>();
  #closing: Promise<void> | undefined;

  private constructor(namespace: Namespace, options: CaptureUnitOptions, deps: CaptureUnitDeps) {
    const { unit, scope, ports = CAPTURE_PORTS, isDnsCaptured = true } = options;
    this.unit = unit;
    this.namespace = namespace;
    this.#deps = deps;
    const keepsClientAddress = scope === 'namespace' && (options.keepsClientAddress ?? false);
    this.#settings = { unit, scope, ports, isDnsCaptured, keepsClientAddress };
    this.#workers = options.workers;
    this.#isShared = options.isTakeover ?? false;
    this.#sockets = Array.from({ length: options.workers }, () => new Map());
    this.#families = redirectableFamilies(deps.linux, namespace);
  }

  /**
   * Captures the traffic of a namespace. Installing what is installed replaces it.
   *
   * @param namespace owned, and closed, by the unit from here on, also when this fails
   * @throws CaptureError or SystemCallError; nothing is captured then. Rules that were there before are left alone when
   * the sockets could not be had, because whoever has them may be the agent that made those rules.
   */
  static async install(namespace: Namespace, options: CaptureUnitOptions, deps: CaptureUnitDeps): Promise<CaptureUnit> {
    let unit: CaptureUnit;
    try {
      unit = new CaptureUnit(namespace, options, deps);
      unit.#openAll(options.workloads);
    } catch (err) {
      namespace.close();
      throw err;
    }
    if (unit.#isShared) return unit;
    try {
      await unit.#install(options.workloads);
      return unit;
    } catch (err) {
      await unit.close().catch(() => {}); // what went wrong first is what to tell
      throw err;
    }
  }

  /** Whether sockets may be bound to the addresses of clients. */
  get keepsClientAddress(): boolean {
    return this.#settings.keepsClientAddress;
  }

  /** Hands out the sockets of one worker that were opened since the last call. The caller owns them. */
  take(worker: number): readonly CaptureListener[] {
    const sockets = this.#sockets[worker]!;
    const taken = [...sockets].map(([id, fd]) => this.#listener(id, fd));
    sockets.clear();
    return taken;
  }

  /** Hands out new sockets for a worker that was started again; the old ones died with its predecessor. */
  reopen(worker: number): readonly CaptureListener[] {
    this.#closeSockets(worker);
    this.#open(worker, [...this.#planned.values()]);
    return this.take(worker);
  }

  /** After a takeover: the rules are this unit's from here on, and lead to its sockets. */
  async assume(workloads: readonly CapturedWorkload[]): Promise<void> {
    await this.#install(workloads);
    this.#isShared = false;
  }

  /** A successor has assumed the rules, or is about to: `close` leaves them alone. */
  handOver(): void {
    this.#isShared = true;
  }

  /**
   * Captures other workloads in this namespace from now on, in one step. What is new is there to `take`.
   *
   * @returns the ids of listeners that are of no more use, for workers to close
   * @throws CaptureError or SystemCallError; everything is then as it was
   */
  async update(workloads: readonly CapturedWorkload[]): Promise<readonly string[]> {
    checkWorkloads(this.#settings, workloads, this.#agentUid());
    const before = new Set(this.#ports.keys());
    const added = workloads.filter(({ id }) => !before.has(id));
    try {
      for (const workload of added) this.#prepareWorkload(workload);
      if (!this.#isShared) await this.#apply(workloads);
    } catch (err) {
      for (const { id } of added) this.#forgetWorkload(id);
      throw err;
    }
    const wanted = new Set(workloads.map(({ id }) => id));
    return [...before].filter((id) => !wanted.has(id)).flatMap((id) => this.#forgetWorkload(id));
  }

  /**
   * Removes the rules, then closes what was not handed out. Connections that are open stay open, those made in a client's
   * name for as long as `Releases` waits. Twice is fine.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #openAll(workloads: readonly CapturedWorkload[]): void {
    checkWorkloads(this.#settings, workloads, this.#agentUid());
    const { inbound, tunnel } = this.#settings.ports;
    try {
      this.#prepare([
        ...this.#plan({ role: 'inbound', transport: 'tcp', addresses: ANY, port: inbound }),
        ...this.#plan({ role: 'tunnel', transport: 'tcp', addresses: ANY, port: tunnel }),
      ]);
      for (const workload of workloads) this.#prepareWorkload(workload);
    } catch (err) {
      this.#closeAllSockets();
      throw err;
    }
  }

  async #install(workloads: readonly CapturedWorkload[]): Promise<void> {
    const { state, releases } = this.#deps;
    const { identity, locator } = this.namespace;
    await releases?.reclaim(identity);
    await state.put({ unit: this.unit, identity, locator }); // before there is anything to clean up
    this.#migrateRequests();
    await this.#apply(workloads);
  }

  /**
   * A connection that the kernel has completed and nobody accepted moves to another socket of its port when its own is
   * closed: to that of a successor, or of another worker (Linux 5.14). Without it, it is reset.
   */
  #migrateRequests(): void {
    if (this.#settings.scope === 'host') return; // the settings of the host are not ours to change
    try {
      this.#deps.linux.inNamespace(this.namespace.fd, () => writeFileSync(MIGRATE_REQUESTS, '1'));
    } catch {
      // An older kernel, or /proc/sys is read-only here.
    }
  }

  async #apply(workloads: readonly CapturedWorkload[]): Promise<void> {
    const { linux } = this.#deps;
    const rules = unitRules(this.#settings, workloads, (id) => this.#ports.get(id)!);
    // Routes cannot be part of nft's transaction, and change nothing without marks: they come first and go last.
    if (rules.keepsClientAddress) addReturnPath(linux, this.namespace.fd, this.#families);
    await applyRuleset(linux, this.namespace.fd, captureRuleset(rules));
    if (!rules.keepsClientAddress) removeReturnPath(linux, this.namespace.fd); // of an earlier run
  }

  async #close(): Promise<void> {
    const { linux, state, releases } = this.#deps;
    if (this.#isShared) {
      this.#closeAllSockets();
      this.namespace.close();
      return;
    }
    const removed = (): Promise<void> => state.delete(this.unit);
    try {
      if (releases !== undefined && this.keepsClientAddress) await releases.release(this.namespace, removed);
      else {
        await removeCapture(linux, this.namespace.fd);
        await removed();
      }
    } finally {
      this.#closeAllSockets();
      if (releases === undefined || !this.keepsClientAddress) this.namespace.close();
    }
  }

  /** A workload that has the namespace to itself gets the well-known ports, others what the kernel has free. */
  #prepareWorkload({ id, uid }: CapturedWorkload): void {
    const { ports, isDnsCaptured } = this.#settings;
    const isAlone = uid === undefined;
    const outbound = this.#prepareGroup(isAlone ? ports.outbound : undefined, (port) =>
      this.#plan({ role: 'outbound', workload: id, transport: 'tcp', addresses: LOOPBACK, port }),
    );
    const dns = isDnsCaptured
      ? this.#prepareGroup(isAlone ? ports.dns : undefined, (port) => [
          ...this.#plan({ role: 'dns', workload: id, transport: 'udp', addresses: LOOPBACK, port }),
          ...this.#plan({ role: 'dns', workload: id, transport: 'tcp', addresses: LOOPBACK, port }),
        ])
      : undefined;
    this.#ports.set(id, { outbound, dns });
  }

  /** Opens sockets that share one port. @param fixed undefined: one that is free for all of them */
  #prepareGroup(fixed: number | undefined, plan: (port: number) => Planned[]): number {
    if (fixed !== undefined) {
      this.#prepare(plan(fixed));
      return fixed;
    }
    for (let attempt = 1; ; attempt++) {
      const port = this.#freePort();
      try {
        this.#prepare(plan(port));
        return port;
      } catch (err) {
        const isTaken = err instanceof CaptureError && err.code === 'WEFT_CAPTURE_PORT_IN_USE';
        if (!isTaken || attempt === PORT_ATTEMPTS) throw err;
      }
    }
  }

  #freePort(): number {
    const { linux } = this.#deps;
    const fd = linux.openListener({ namespace: this.namespace.fd, family: 4, address: LOOPBACK[4], port: 0 });
    try {
      return linux.localAddress(fd).port;
    } finally {
      linux.close(fd);
    }
  }

  /** Opens these listeners for all workers, or none. */
  #prepare(planned: readonly Planned[]): void {
    try {
      if (!this.#isShared) this.#checkFree(planned);
      for (const listener of planned) this.#planned.set(listener.id, listener);
      for (let worker = 0; worker < this.#workers; worker++) this.#open(worker, planned);
    } catch (err) {
      for (const { id } of planned) this.#discard(id);
      throw this.#explained(err);
    }
  }

  /** SO_REUSEPORT would share a port with any process of our user, such as an older agent. Without it, the kernel refuses. */
  #checkFree(planned: readonly Planned[]): void {
    const { linux } = this.#deps;
    for (const listener of planned) linux.close(this.#openOne(listener, false));
  }

  #open(worker: number, planned: readonly Planned[]): void {
    for (const listener of planned) this.#sockets[worker]!.set(listener.id, this.#openOne(listener, true));
  }

  #openOne({ transport, family, address, port }: Planned, reusePort: boolean): number {
    const { linux } = this.#deps;
    const options: BindOptions = { namespace: this.namespace.fd, family, address, port, reusePort };
    return transport === 'tcp' ? linux.openListener(options) : linux.openUdp(options);
  }

  #plan(group: {
    role: Planned['role'];
    workload?: string;
    transport: 'tcp' | 'udp';
    addresses: Readonly<Record<Family, string>>;
    port: number;
  }): Planned[] {
    const { addresses, ...common } = group;
    const name = [this.unit, group.role, group.workload].filter((part) => part !== undefined).join(':');
    return this.#families.map((family) => ({
      ...common,
      id: `${name}:${group.transport}${family}`,
      family,
      address: addresses[family],
    }));
  }

  #forgetWorkload(workload: string): readonly string[] {
    this.#ports.delete(workload);
    const ids = [...this.#planned.values()].filter((planned) => planned.workload === workload).map(({ id }) => id);
    for (const id of ids) this.#discard(id);
    return ids;
  }

  #discard(id: string): void {
    this.#planned.delete(id);
    for (const sockets of this.#sockets) {
      const fd = sockets.get(id);
      if (fd !== undefined) this.#deps.linux.close(fd);
      sockets.delete(id);
    }
  }

  #closeAllSockets(): void {
    for (let worker = 0; worker < this.#workers; worker++) this.#closeSockets(worker);
  }

  #closeSockets(worker: number): void {
    const sockets = this.#sockets[worker]!;
    for (const fd of sockets.values()) this.#deps.linux.close(fd);
    sockets.clear();
  }

  #listener(id: string, fd: number): CaptureListener {
    const { role, workload, transport, address, port } = this.#planned.get(id)!;
    return { id, role, unit: this.unit, ...(workload === undefined ? {} : { workload }), transport, fd, address, port };
  }

  #agentUid(): number | undefined {
    const isShared = isSameNamespace(this.namespace.identity, this.#deps.linux.homeIdentity);
    return isShared ? process.geteuid?.() : undefined;
  }

  #explained(err: unknown): unknown {
    if (!(err instanceof SystemCallError) || err.code !== 'EADDRINUSE') return err;
    const where = `${this.unit} (${describeLocator(this.namespace.locator)}): ${err.message}`;
    return new CaptureError('WEFT_CAPTURE_PORT_IN_USE', where, { cause: err });
  }
}

/** IPv6 may be switched off in a namespace; without IPv4 loopback nothing redirected would arrive. */
function redirectableFamilies(linux: Linux, namespace: Namespace): readonly Family[] {
  const addresses = namespace.loopbackAddresses(linux);
  if (!addresses.includes(LOOPBACK[4])) {
    throw new CaptureError('WEFT_CAPTURE_LOOPBACK_DOWN', describeLocator(namespace.locator));
  }
  return addresses.includes(LOOPBACK[6]) ? [4, 6] : [4];
}
