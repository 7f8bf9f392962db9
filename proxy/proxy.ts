/**
 * The front door of the data plane: one Proxy a worker thread.
 *
 * It is told what the mesh looks like (`apply`) and where to listen (`listen`), and carries traffic until it is closed.
 * @module
 */

import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { CertificateMemory } from '../certs/memory.ts';
import type { ProxyConfig } from './config.ts';
import { Deadlines } from './deadlines.ts';
import { ProxyError } from './errors.ts';
import { GarbagePace } from './garbage.ts';
import type { Drainable } from './http/exchange.ts';
import { AccessRecorder } from './inbound/access-recorder.ts';
import { GuardedConnections } from './inbound/guarded.ts';
import { acceptPlaintext } from './inbound/plaintext.ts';
import { Tunnel, type TunnelContext } from './inbound/tunnel.ts';
import { ConnectionBudget } from './listeners/connection-budget.ts';
import type { ListenerSpec } from './listeners/listener-spec.ts';
import { SharedReader } from './listeners/shared-reader.ts';
import { TcpListener } from './listeners/tcp-listener.ts';
import { acceptOutbound } from './outbound/outbound.ts';
import type { SharedTable } from './resilience/shared-table.ts';
import { MeshSessions } from './sessions.ts';
import type { SnapshotUpdate } from './snapshot.ts';
import type { Sockets } from './sockets.ts';
import type { OpaqueRelay } from './tcp/relay.ts';
import type { RequestRecord } from './telemetry/record.ts';
import { RecordKeeper } from './telemetry/record-keeper.ts';
import type { StatsWriter } from './telemetry/stats-writer.ts';
import type { TapFilter } from './telemetry/taps.ts';
import { TraceIds } from './telemetry/trace-ids.ts';
import { TlsSessions } from './upstream/tls-sessions.ts';
import { World } from './world.ts';

export type { ListenerRole, ListenerSpec } from './listeners/listener-spec.ts';

/** A server that answers for a listener of role 'dns'; `lookup` gives the virtual addresses of a name of the mesh. */
export type DnsFactory = (
  spec: ListenerSpec,
  lookup: (name: string) => readonly string[] | undefined,
) => Promise<AsyncDisposable & { readonly port?: number }>;

export interface ProxyDeps {
  readonly sockets: Sockets;
  readonly stats: StatsWriter;
  /** What all workers of the node know together. */
  readonly shared: SharedTable;
  readonly log: Logger;
  readonly random: () => number;
  readonly dns?: DnsFactory;
  /** Told of a port of a workload of this node that may take no more connections; for each at most ten times a second. */
  readonly unreachable?: (workload: string, port: number) => void;
  /** Takes what is told of requests, in batches; left out: nobody wants to know. */
  readonly records?: (records: readonly RequestRecord[]) => void;
  /** Of the ids of traces, four words; left out: the system's randomness. */
  readonly traceSeed?: Int32Array;
  /** Runs a young collection of this thread's heap, at once. */
  readonly collectGarbage?: () => void;
}

interface OpenListener {
  readonly port: number;
  /** Accept no more. */
  readonly stop: () => Promise<void> | void;
  readonly destroy: () => void;
}

/** How late a timeout of a policy, or the end of a pause, may be. */
const ALARM_TICK_MS = 10;
/** How often draining looks whether all is done; it also ends as soon as the last connection closes. */
const DRAIN_CHECK_MS = 20;
/** Longest wait between two looks at what time does to access rules: a clock that is set moves their instants. */
const CLOCK_CHECK_MS = 10_000;

export class Proxy implements AsyncDisposable {
  readonly #deps: ProxyDeps;
  readonly #world: World;
  readonly #deadlines = new Deadlines();
  readonly #alarms = new Deadlines(ALARM_TICK_MS);
  readonly #connections = new Set<Drainable>();
  readonly #relays = new Set<OpaqueRelay>();
  readonly #sessions = new MeshSessions();
  readonly #guarded: GuardedConnections;
  readonly #budget: ConnectionBudget;
  readonly #context: TunnelContext;
  readonly #records: RecordKeeper;
  readonly #listeners = new Map<string, OpenListener>();
  #clock: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  private constructor(config: ProxyConfig, deps: ProxyDeps) {
    const { sockets, stats, shared, log, random } = deps;
    this.#deps = deps;
    this.#world = new World({ log, stats, shared, place: { node: config.node, zone: config.zone } });
    this.#guarded = new GuardedConnections(stats);
    this.#budget = new ConnectionBudget(config.maxConnections);
    const ids = new TraceIds(deps.traceSeed ?? randomSeed());
    this.#records = new RecordKeeper({ config: config.telemetry, ids, stats, send: deps.records ?? (() => {}) });
    this.#context = {
      node: config.node,
      clientAddress: config.clientAddress,
      http: config.http,
      upstream: config.upstream,
      tcp: config.tcp,
      tunnel: config.tunnel,
      http2: config.http2,
      stats,
      shared,
      sockets,
      reader: new SharedReader(),
      random,
      records: this.#records,
      unreachable: deps.unreachable ?? (() => {}),
      world: this.#world,
      memory: new CertificateMemory(),
      sessions: this.#sessions,
      tlsSessions: new TlsSessions(config.tunnel.resumeMs),
      access: this.#world.access,
      recorder: new AccessRecorder(stats, log),
      guarded: this.#guarded,
      deadlines: this.#deadlines,
      alarms: this.#alarms,
      garbage: new GarbagePace(deps.collectGarbage ?? (() => {})),
      connections: this.#connections,
      relays: this.#relays,
      budget: this.#budget,
      handshakes: { inProgress: 0 },
    };
  }

  static start(config: ProxyConfig, deps: ProxyDeps): Proxy {
    return new Proxy(config, deps);
  }

  /** Connections accepted and not yet closed, and those that came as streams of another. */
  get openConnections(): number {
    return this.#budget.open;
  }

  /** Version of the last snapshot update. */
  get version(): number {
    return this.#world.version;
  }

  apply(update: SnapshotUpdate): void {
    this.#world.apply(update);
    if (update.revocations !== undefined) this.#cutRevoked();
    this.#judgeAgain(update);
  }

  /** Which requests are told of because somebody watches; replaces those before. */
  watch(taps: readonly TapFilter[]): void {
    this.#records.watch(taps);
  }

  /** @throws ProxyError when the listener is incomplete or its address cannot be bound */
  async listen(spec: ListenerSpec): Promise<{ readonly port: number }> {
    if (this.#closing !== undefined) throw new ProxyError('WEFT_PROXY_CLOSED', `listener ${spec.id}`);
    if (this.#listeners.has(spec.id)) throw new ProxyError('WEFT_PROXY_LISTENER_EXISTS', `listener ${spec.id}`);
    checkSpec(spec);
    const listener = spec.role === 'dns' ? await this.#listenDns(spec) : await this.#listenTcp(spec);
    this.#listeners.set(spec.id, listener);
    return { port: listener.port };
  }

  /** Accepts no more there; what is open goes on. */
  async unlisten(id: string): Promise<void> {
    const listener = this.#listeners.get(id);
    this.#listeners.delete(id);
    await listener?.stop();
  }

  /**
   * Accepts no more, lets open requests and connections end until the deadline, then destroys the rest.
   *
   * @param idleMs how long an idle connection of HTTP/1.1 may wait for one more request, which is then its last
   */
  close(deadlineMs = 5_000, idleMs = 0): Promise<void> {
    this.#closing ??= this.#close(deadlineMs, idleMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #cutRevoked(): void {
    const { stats, log } = this.#deps;
    const connections = this.#sessions.cut(this.#world.revocations);
    if (connections === 0) return;
    stats.count('sessionsCutRevoked', connections);
    log.warn({ connections }, 'connections cut because the certificate of the other side was revoked');
  }

  /** Open connections are held to the rules of now; labels of callers and workloads are a part of these. */
  #judgeAgain({ access, workloads, endpoints }: Partial<SnapshotUpdate>): void {
    const board = this.#world.access;
    if (access !== undefined || workloads !== undefined || (endpoints !== undefined && board.readsLabels)) this.#shut();
    if (access !== undefined) this.#watchClock();
  }

  #shut(): void {
    const { stats, log } = this.#deps;
    const connections = this.#guarded.judgeAgain();
    if (connections === 0) return;
    stats.count('accessShut', connections);
    log.info({ connections }, 'connections shut because access rules do not let them in any more');
  }

  /** Rules may begin and end with time. */
  #watchClock(): void {
    clearTimeout(this.#clock);
    const board = this.#world.access;
    if (board.untilMs === Number.POSITIVE_INFINITY) return;
    const waitMs = Math.min(Math.max(board.untilMs - Date.now(), 0), CLOCK_CHECK_MS);
    this.#clock = setTimeout(() => {
      if (board.advance(Date.now())) this.#shut();
      this.#watchClock();
    }, waitMs).unref();
  }

  async #close(deadlineMs: number, idleMs: number): Promise<void> {
    clearTimeout(this.#clock);
    const listeners = [...this.#listeners.values()];
    this.#listeners.clear();
    await Promise.all(listeners.map((listener) => listener.stop()));
    await this.#drained(deadlineMs, idleMs);
    for (const connection of this.#connections) connection.destroy();
    for (const relay of this.#relays) relay.destroy();
    for (const listener of listeners) listener.destroy();
    this.#records.close();
    this.#world.close();
    this.#deadlines.close();
    this.#alarms.close();
  }

  /** What was accepted and has yet to say what it is (a handshake, say) is waited for too, and drained in its turn. */
  async #drained(deadlineMs: number, idleMs: number): Promise<void> {
    const untilMs = performance.now() + deadlineMs;
    const told = new WeakSet<Drainable>();
    for (;;) {
      for (const connection of this.#connections) {
        if (told.has(connection)) continue;
        told.add(connection);
        connection.drain(idleMs);
      }
      const isDone = this.#connections.size + this.#relays.size + this.#budget.open === 0;
      if (isDone || performance.now() >= untilMs) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      setTimeout(resolve, Math.min(DRAIN_CHECK_MS, untilMs - performance.now()));
      await promise;
    }
  }

  async #listenTcp(spec: ListenerSpec): Promise<OpenListener> {
    const { stats, sockets } = this.#deps;
    const listener = await TcpListener.start({
      spec,
      budget: this.#budget,
      stats,
      sockets,
      ...(spec.role === 'tunnel' ? {} : { reader: this.#context.reader }),
      onConnection: this.#handlerOf(spec),
    });
    return { port: listener.port, stop: () => listener.stop(), destroy: () => listener.destroy() };
  }

  #handlerOf(spec: ListenerSpec): (socket: Socket) => void {
    const { log } = this.#deps;
    switch (spec.role) {
      case 'inbound':
        return (socket) => acceptPlaintext(socket, spec, this.#context);
      case 'tunnel': {
        const tunnel = new Tunnel(spec.unit, this.#context, log.child({ listener: spec.id }));
        return (socket) => tunnel.accept(socket);
      }
      default:
        return (socket) => acceptOutbound(socket, spec, this.#context);
    }
  }

  async #listenDns(spec: ListenerSpec): Promise<OpenListener> {
    const { dns } = this.#deps;
    if (dns === undefined) throw new ProxyError('WEFT_PROXY_BAD_LISTENER', `listener ${spec.id}: no DNS server here`);
    const server = await dns(spec, (name) => this.#world.lookup(name));
    const stop = (): Promise<void> => Promise.resolve(server[Symbol.asyncDispose]());
    return { port: server.port ?? spec.port ?? 0, stop, destroy: () => undefined };
  }
}

function randomSeed(): Int32Array {
  return new Int32Array(Uint8Array.from(randomBytes(16)).buffer);
}

function checkSpec(spec: ListenerSpec): void {
  const problem = problemOf(spec);
  if (problem !== undefined) throw new ProxyError('WEFT_PROXY_BAD_LISTENER', `listener ${spec.id}: ${problem}`);
}

function problemOf({ role, transport, workload, target }: ListenerSpec): string | undefined {
  if (role !== 'dns' && transport !== 'tcp') return `transport ${transport} with role ${role}, only dns takes udp`;
  if (role === 'explicit' && target === undefined) return 'role explicit without a target';
  if (role !== 'explicit' && target !== undefined) return `a target with role ${role}, only explicit takes one`;
  if ((role === 'explicit' || role === 'outbound') && workload === undefined) return `role ${role} without a workload`;
  return undefined;
}
