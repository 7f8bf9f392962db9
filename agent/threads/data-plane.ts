/**
 * The data-plane workers as the control thread sees them: one thread a core, each told the same, each restarted when it
 * dies while the others go on.
 *
 * The control thread's copy of the snapshot is what a restarted worker is born with. Listening descriptors are opened here,
 * one a worker, because a descriptor handed to a worker belongs to it and dies with it.
 */
import { closeSync, fstatSync } from 'node:fs';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Logger } from 'pino';
import type { ProxyConfig } from '../../proxy/config.ts';
import type { ListenerSpec } from '../../proxy/listeners/listener-spec.ts';
import { createSharedBuffer, SharedTable } from '../../proxy/resilience/shared-table.ts';
import type { Delta, SnapshotUpdate } from '../../proxy/snapshot.ts';
import { StatsReader } from '../../proxy/telemetry/stats-reader.ts';
import { clearStatsBuffer, createStatsBuffer } from '../../proxy/telemetry/stats-table.ts';
import type { UnitNamespace } from '../capture/sockets.ts';
import type { LogLevel } from '../log.ts';
import { RecordHub, type RecordHubOptions } from '../telemetry/records.ts';
import type { FromWorker, ToWorker, WorkerData } from './data-plane-protocol.ts';

/** The pause before a dead worker is started again; doubled for each death within a minute of its start. */
const RESTART_MIN_MS = 50;
const RESTART_MAX_MS = 5_000;
const STABLE_MS = 60_000;
/** How long open requests and connections may go on when the agent stops. */
const DRAIN_MS = 5_000;
/** How often slots of shared state, and series, are looked through for those that nobody uses. */
const SWEEP_MS = 60_000;

export interface DataPlaneOptions {
  readonly config: ProxyConfig;
  readonly workers: number;
  readonly logLevel: LogLevel;
  readonly isCapturing: boolean;
  /** Rows of statistics, of each worker and of all together. */
  readonly maxSeries?: number;
  readonly log: Logger;
  /** Opens a restarted worker's own descriptors: the listeners of every unit, for that worker. */
  readonly reopen: (worker: number) => readonly ListenerSpec[];
  /** Told of a port of a workload that may take no more connections; by each worker at most ten times a second for each. */
  readonly unreachable?: (workload: string, port: number) => void;
  /** The module a worker runs; tests wrap it. */
  readonly entry?: URL;
}

interface Pending {
  readonly resolve: (port: number) => void;
  readonly reject: (reason: Error) => void;
  /** A listening descriptor on its way to the worker, and the socket it is; undefined for other requests. */
  readonly handed: { readonly fd: number; readonly inode: number } | undefined;
}

/** One life of one worker. */
interface Slot {
  readonly thread: Worker;
  readonly startedAtMs: number;
  /** The pause before the next life, should this one be short. */
  readonly restartMs: number;
  readonly pending: Map<number, Pending>;
  /** Ids of what it listens on. */
  readonly listening: Set<string>;
  /** Whether it is told of single listeners; before that, and once it has ended, `reopen` will tell its next life of all. */
  isServing: boolean;
  hasEnded: boolean;
}

/** A snapshot part kept whole, so that it can be told to a worker that starts later. */
class Table<T extends { readonly id: string }> {
  readonly #rows = new Map<string, T>();

  apply(delta: Delta<T> | undefined): void {
    for (const id of delta?.remove ?? []) this.#rows.delete(id);
    for (const row of delta?.upsert ?? []) this.#rows.set(row.id, row);
  }

  whole(): Delta<T> {
    return { upsert: [...this.#rows.values()], remove: [] };
  }
}

type Row<K extends 'workloads' | 'services' | 'endpoints'> = NonNullable<SnapshotUpdate[K]>['upsert'][number];

export class DataPlane implements AsyncDisposable {
  readonly stats: StatsReader;
  /** What workers tell of requests. */
  readonly records: RecordHub;
  /** What all workers know together; this thread is a member too. */
  readonly shared: SharedTable;
  readonly #shared: SharedArrayBuffer;
  /** Statistics by worker; what a dead one counted is added up, and the next life gets its table. */
  readonly #tallies: SharedArrayBuffer[] = [];
  readonly #sweeping: NodeJS.Timeout;
  readonly #options: DataPlaneOptions;
  readonly #slots: Slot[] = [];
  readonly #tables = {
    workloads: new Table<Row<'workloads'>>(),
    services: new Table<Row<'services'>>(),
    endpoints: new Table<Row<'endpoints'>>(),
  };
  readonly #units = new Map<string, UnitNamespace>();
  readonly #restarts = new Set<NodeJS.Timeout>();
  #trust: SnapshotUpdate['trust'];
  #access: SnapshotUpdate['access'];
  #traffic: SnapshotUpdate['traffic'];
  #revocations: NonNullable<SnapshotUpdate['revocations']> = [];
  #version = 0;
  #nextRequest = 1;
  #restarted = 0;
  #closing: Promise<void> | undefined;

  private constructor(options: DataPlaneOptions) {
    this.#options = options;
    this.stats = new StatsReader(options.maxSeries);
    this.#shared = createSharedBuffer(options.workers);
    this.shared = new SharedTable(this.#shared, options.workers);
    const watch: RecordHubOptions['watch'] = (taps) => {
      for (const slot of this.#slots) this.#send(slot, { kind: 'taps', taps });
    };
    this.records = new RecordHub({ watch, log: options.log });
    this.#sweeping = setInterval(() => {
      this.shared.sweep();
      this.stats.sweep();
    }, SWEEP_MS).unref();
  }

  /** Starts all workers; resolves when each says it is ready, rejects when one fails to start. */
  static async start(options: DataPlaneOptions): Promise<DataPlane> {
    const plane = new DataPlane(options);
    await Promise.all(Array.from({ length: options.workers }, (_, index) => plane.#startWorker(index, RESTART_MIN_MS)));
    for (const [index, slot] of plane.#slots.entries()) {
      // It may have been ready, and have died before the others were.
      if (slot.hasEnded) plane.#restartLater(index, slot);
      else slot.isServing = true;
    }
    return plane;
  }

  get workers(): number {
    return this.#options.workers;
  }

  /** Whether applications are to see the addresses of their clients, where their namespace allows it. */
  get keepsClientAddress(): boolean {
    return this.#options.config.clientAddress === 'transparent';
  }

  /** How many workers have died and been started again. */
  get restarted(): number {
    return this.#restarted;
  }

  /** Tells every worker what changed. */
  apply(change: Omit<SnapshotUpdate, 'version'>): void {
    const { workloads, services, endpoints } = this.#tables;
    this.#trust = change.trust ?? this.#trust;
    this.#access = change.access ?? this.#access;
    this.#traffic = change.traffic ?? this.#traffic;
    this.#revocations = change.revocations ?? this.#revocations;
    workloads.apply(change.workloads);
    services.apply(change.services);
    endpoints.apply(change.endpoints);
    const update: SnapshotUpdate = { version: ++this.#version, ...change };
    for (const slot of this.#slots) this.#send(slot, { kind: 'update', update });
  }

  /** Resolves when every worker that is up has taken in all it was told so far. */
  async settled(): Promise<void> {
    const asks = this.#slots
      .filter(({ hasEnded }) => !hasEnded)
      .map((slot) => this.#ask(slot, (request) => ({ kind: 'sync', request })));
    await Promise.allSettled(asks); // one that dies meanwhile is told everything when it is back
  }

  /** Tells every worker where the sockets of a unit are opened; before the first listener of that unit. */
  addUnit(place: UnitNamespace): void {
    this.#units.set(place.unit, place);
    for (const slot of this.#slots) this.#send(slot, { kind: 'unit', place });
  }

  removeUnit(unit: string): void {
    this.#units.delete(unit);
    for (const slot of this.#slots) this.#send(slot, { kind: 'unit-gone', unit });
  }

  /**
   * A worker that is down now will be told when it is back, by `reopen`; a descriptor meant for it is closed.
   *
   * @returns the port in use. Rejects with the worker's reason, for example a port in use.
   */
  async listen(worker: number, spec: ListenerSpec): Promise<number> {
    const slot = this.#slots[worker]!;
    if (slot.isServing) return this.#listen(slot, spec);
    if (spec.fd !== undefined) closeSync(spec.fd);
    return spec.port ?? 0;
  }

  async unlisten(ids: readonly string[]): Promise<void> {
    const asks = this.#slots
      .filter(({ hasEnded }) => !hasEnded)
      .flatMap((slot) => ids.map((id) => this.#unlisten(slot, id)));
    await Promise.allSettled(asks); // a worker that died meanwhile holds no listener any more
  }

  /** Ids of what a worker listens on. */
  listening(worker: number): readonly string[] {
    return [...this.#slots[worker]!.listening];
  }

  /** Drains every worker until `deadlineMs` from now, then ends it. @param idleMs see `Proxy.close` */
  close(deadlineMs = DRAIN_MS, idleMs = 0): Promise<void> {
    this.#closing ??= this.#close(deadlineMs, idleMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(deadlineMs: number, idleMs: number): Promise<void> {
    clearInterval(this.#sweeping);
    for (const timer of this.#restarts) clearTimeout(timer);
    await Promise.all(
      this.#slots.map(async ({ thread, hasEnded }) => {
        if (hasEnded) return;
        const exited = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
        thread.postMessage({ kind: 'close', deadlineMs, idleMs } satisfies ToWorker);
        const timer = setTimeout(() => void thread.terminate(), deadlineMs + 1_000);
        await exited;
        clearTimeout(timer);
      }),
    );
  }

  #startWorker(index: number, restartMs: number): Promise<void> {
    const { config, logLevel, isCapturing } = this.#options;
    const stats = this.#emptyTally(index);
    this.stats.attach(String(index), stats);
    const workerData: WorkerData = { index, config, logLevel, isCapturing, stats, shared: this.#shared };
    const { entry = new URL(`./data-plane-worker${extname(import.meta.url)}`, import.meta.url) } = this.#options;
    const thread = new Worker(entry, { workerData, name: `data-plane-${index}` });
    const slot: Slot = {
      thread,
      startedAtMs: performance.now(),
      restartMs,
      pending: new Map(),
      listening: new Set(),
      isServing: false,
      hasEnded: false,
    };
    this.#slots[index] = slot;
    return new Promise((resolve, reject) => {
      thread.on('message', (message: FromWorker) => {
        if (message.kind === 'ready') resolve();
        else if (message.kind === 'series') this.#registerSeries(slot, index, message);
        else if (message.kind === 'access-series')
          this.stats.registerAccess(String(index), message.row, message.labels);
        else if (message.kind === 'records') this.records.deliver(message.records);
        else if (message.kind === 'unreachable') this.#options.unreachable?.(message.workload, message.port);
        else settle(slot, message);
      });
      thread.on('error', (err) => this.#options.log.error({ err, worker: index }, 'data-plane worker failed'));
      thread.on('exit', (code) => {
        const reason = new Error(`data-plane worker ${index} ended with code ${code}`);
        for (const ask of slot.pending.values()) abandon(ask, reason);
        slot.pending.clear();
        slot.listening.clear();
        slot.hasEnded = true;
        this.shared.workerGone(index);
        const hasServed = slot.isServing;
        slot.isServing = false;
        if (!hasServed) reject(reason);
        else if (this.#closing === undefined) this.#restartLater(index, slot);
      });
    });
  }

  /**
   * One table a worker, whatever the number of its lives: those of the dead are garbage of the control thread, which makes little
   * and collects rarely, and what malloc is given back between smaller blocks, it keeps. Clearing one takes 10 to 40 ms.
   */
  #emptyTally(index: number): SharedArrayBuffer {
    this.stats.detach(String(index));
    const known = this.#tallies[index];
    if (known !== undefined) clearStatsBuffer(known);
    this.#tallies[index] = known ?? createStatsBuffer(this.#options.maxSeries);
    return this.#tallies[index];
  }

  #registerSeries(slot: Slot, index: number, { row, labels }: Extract<FromWorker, { readonly kind: 'series' }>): void {
    this.stats.register(String(index), row, labels);
    if (labels === undefined) this.#send(slot, { kind: 'series-freed', row });
  }

  #restartLater(index: number, dead: Slot): void {
    const lived = performance.now() - dead.startedAtMs;
    const waitMs = lived > STABLE_MS ? RESTART_MIN_MS : dead.restartMs;
    this.#restarted++;
    this.#options.log.error(
      { worker: index, livedMs: Math.round(lived), waitMs },
      'data-plane worker died and is started again',
    );
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      void this.#restart(index, Math.min(waitMs * 2, RESTART_MAX_MS));
    }, waitMs);
    this.#restarts.add(timer);
  }

  async #restart(index: number, restartMs: number): Promise<void> {
    const { log, reopen } = this.#options;
    try {
      await this.#startWorker(index, restartMs);
    } catch (err) {
      log.error({ err, worker: index }, 'data-plane worker could not be started again');
      if (this.#closing === undefined) this.#restartLater(index, this.#slots[index]!);
      return;
    }
    const slot = this.#slots[index]!;
    if (this.#closing !== undefined) {
      await slot.thread.terminate();
      return;
    }
    for (const place of this.#units.values()) this.#send(slot, { kind: 'unit', place });
    this.#send(slot, { kind: 'update', update: this.#whole() });
    if (this.records.taps.length > 0) this.#send(slot, { kind: 'taps', taps: this.records.taps });
    slot.isServing = true; // from here on single listeners are told; those until now are what `reopen` gives
    const listens = await Promise.allSettled(reopen(index).map((spec) => this.#listen(slot, spec)));
    for (const result of listens) {
      if (result.status === 'rejected' && !slot.hasEnded)
        log.error({ err: result.reason as Error, worker: index }, 'a listener could not be opened again');
    }
  }

  #whole(): SnapshotUpdate {
    const { workloads, services, endpoints } = this.#tables;
    const trust = this.#trust === undefined ? {} : { trust: this.#trust };
    return {
      version: this.#version,
      ...trust,
      ...(this.#access === undefined ? {} : { access: this.#access }),
      ...(this.#traffic === undefined ? {} : { traffic: this.#traffic }),
      revocations: this.#revocations,
      workloads: workloads.whole(),
      services: services.whole(),
      endpoints: endpoints.whole(),
    };
  }

  async #listen(slot: Slot, spec: ListenerSpec): Promise<number> {
    const port = await this.#ask(slot, (request) => ({ kind: 'listen', request, spec }));
    slot.listening.add(spec.id);
    return port;
  }

  async #unlisten(slot: Slot, id: string): Promise<void> {
    await this.#ask(slot, (request) => ({ kind: 'unlisten', request, id }));
    slot.listening.delete(id);
  }

  #ask(slot: Slot, message: (request: number) => ToWorker): Promise<number> {
    const request = this.#nextRequest++;
    return new Promise((resolve, reject) => {
      const asked = message(request);
      const fd = asked.kind === 'listen' ? asked.spec.fd : undefined;
      const handed = fd === undefined ? undefined : { fd, inode: fstatSync(fd).ino };
      slot.pending.set(request, { resolve, reject, handed });
      this.#send(slot, asked);
    });
  }

  #send(slot: Slot, message: ToWorker): void {
    slot.thread.postMessage(message);
  }
}

function settle({ pending }: Slot, answer: Extract<FromWorker, { readonly request: number }>): void {
  const ask = pending.get(answer.request);
  pending.delete(answer.request);
  if (answer.kind === 'done') ask?.resolve(answer.port);
  else ask?.reject(new Error(answer.message));
}

/**
 * The worker died before it answered. A descriptor it did not adopt any more would go on taking its share of connections,
 * with nobody to accept them; one it did adopt was closed with it, and its number may mean another file by now.
 */
function abandon({ reject, handed }: Pending, reason: Error): void {
  if (handed !== undefined && isSocket(handed)) closeSync(handed.fd);
  reject(reason);
}

function isSocket({ fd, inode }: { readonly fd: number; readonly inode: number }): boolean {
  try {
    return fstatSync(fd).ino === inode;
  } catch {
    return false; // closed
  }
}
