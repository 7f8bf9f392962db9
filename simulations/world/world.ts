/**
 * The simulated world: hosts, a network between them, processes on them, and the faults that befall both. Virtual time;
 * every choice comes from the seed, so the same seed gives the same run, step for step.
 * @module
 */
import type { Settings } from '../../gossip/effects.ts';
import { hashText, mix } from '../../gossip/overlay/hash.ts';
import type { Random } from '../../gossip/ports.ts';
import { EventQueue } from './event-queue.ts';
import { Host } from './host.ts';
import type { NetworkOptions } from './network.ts';
import { Network } from './network.ts';
import type { PageVersion, ShownPage } from './pages.ts';
import { firstPage, nextPage } from './pages.ts';
import type { Edge, Process } from './process.ts';
import { randomFor } from './random.ts';
import type { Surroundings } from './surroundings.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly regions: number;
  readonly network: NetworkOptions;
  readonly settings: Settings;
  readonly endpointsPerNode: number;
  readonly edge: Edge;
  readonly isEncoded: boolean;
  readonly program: Program;
}

export interface Boot {
  readonly host: Host;
  readonly world: World;
  readonly random: Random;
  /** Above the last epoch on disk, and at least the wall clock. */
  readonly epoch: number;
  readonly seeds: readonly string[];
  readonly rememberedPeers: readonly string[];
}

/** Makes the processes of hosts: Weft's agent, or a baseline. */
export interface Program {
  start(boot: Boot): Process;
  /** Processes started from here on know each other already. */
  form(world: World): void;
  /** Processes started from here on know nobody. */
  formed(): void;
  /** Makes the process of a host lie until then. */
  turnHostile(world: World, host: Host, untilMs: number): void;
}

/** Told what happens in the world, as it happens. */
export interface Watcher {
  /** A process started; its page will follow. */
  booted?(process: Process): void;
  /** A process ended: `how` it ended is what others can notice. */
  ended?(process: Process, how: Ending): void;
  stalled?(process: Process): void;
  woke?(process: Process): void;
  published?(process: Process, page: PageVersion): void;
  /** A node will start that others know from the beginning, with this page. */
  known?(owner: string, page: PageVersion): void;
  sighted?(viewer: Process, about: string, state: string): void;
  showed?(viewer: Process, owner: string, page: ShownPage | undefined, before: ShownPage | undefined): void;
  /** The step in which `viewer` sighted or showed something is over. */
  settled?(viewer: Process): void;
  linked?(opener: Process, accepter: Process): void;
  /** Cuts came, went or changed. */
  networkChanged?(): void;
  /** A virtual second is over. */
  second?(): void;
}

/** Left in order; killed with its host alive, so its port refuses; dark, host and all. */
export type Ending = 'left' | 'killed' | 'dark';

/** Longer than a disk takes for the first epoch. */
const FIRST_WRITE_MS = 2;
/** Time for a goodbye to be passed on, as the agent's `leaveLingerMs`. */
const LINGER_MS = 200;

export class World implements Surroundings {
  readonly queue = new EventQueue();
  readonly network: Network;
  readonly hosts: Host[] = [];
  readonly options: WorldOptions;
  readonly watchers: Watcher[] = [];
  /** For the choices of scenarios. */
  readonly random: Random;
  readonly pages = new Map<string, PageVersion>();
  readonly #byKind = new Map<string, { bytes: number }>();
  /** Bytes sent, by host. */
  readonly bytesByHost: number[] = [];
  /** The last process of each host. */
  readonly #processes: (Process | undefined)[] = [];
  readonly #byAddress = new Map<string, Host>();
  readonly #byName = new Map<string, Host>();
  readonly #boots = new Map<string, number>();
  #traceLow = 0x811c9dc5;
  #traceHigh = 0x01000193;

  constructor(options: WorldOptions) {
    this.options = options;
    this.network = new Network(options.network);
    this.random = randomFor(options.seed, 'world');
    for (let i = 0; i < options.nodes; i++) this.addHost();
    this.queue.later(1_000, () => this.#second());
  }

  /** Bytes sent, by kind of message. */
  bytesByKind(): Map<string, number> {
    return new Map([...this.#byKind].map(([kind, { bytes }]) => [kind, bytes]));
  }

  get nowMs(): number {
    return this.queue.nowMs;
  }

  /** 64 bits over every step of every program so far. */
  get traceHash(): string {
    return [this.#traceHigh, this.#traceLow].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  runFor(ms: number): void {
    this.queue.runUntil(this.queue.nowMs + ms);
  }

  running(): Process[] {
    const processes: Process[] = [];
    for (const process of this.#processes) if (process?.state === 'running') processes.push(process);
    return processes;
  }

  /** Starts all hosts as a mesh that has long formed. */
  bootFormed(): void {
    const { program } = this.options;
    program.form(this);
    for (const host of this.hosts) {
      for (const watcher of this.watchers) watcher.known?.(host.name, this.pages.get(host.name)!);
    }
    // Nobody needs a seed: in a mesh that has long formed they are not all dialled in the same instant.
    for (const host of this.hosts) this.boot(host, []);
    this.queue.later(2 * FIRST_WRITE_MS, () => program.formed());
  }

  /** A further host, with no process yet. */
  addHost(): Host {
    const index = this.hosts.length;
    const { seed, regions, endpointsPerNode } = this.options;
    const host = new Host({
      index,
      name: `n${index}`,
      region: `r${index % regions}`,
      random: randomFor(seed, `packets of n${index}`),
      queue: this.queue,
    });
    this.hosts.push(host);
    this.#byAddress.set(host.address, host);
    this.#byName.set(host.name, host);
    this.pages.set(host.name, firstPage(host.name, endpointsPerNode));
    this.bytesByHost.push(0);
    return host;
  }

  /** Starts a process on the host, from what its disk holds. The epoch is on disk before anybody hears of it. */
  boot(host: Host, seeds: readonly string[] = this.seedsFor(host)): void {
    if (this.#isOccupied(host)) throw new Error(`${host.name} is running`);
    host.isUp = true;
    const { contents } = host.disk;
    const epoch = Math.max(host.wallMs(), contents === undefined ? 0 : contents.epoch + 1);
    host.disk.write({ epoch }, () => {
      if (this.#isOccupied(host)) return;
      const count = (this.#boots.get(host.name) ?? 0) + 1;
      this.#boots.set(host.name, count);
      const random = randomFor(this.options.seed, `${host.name} life ${count}`);
      const rememberedPeers = contents?.peers ?? [];
      const process = this.options.program.start({ host, world: this, random, epoch, seeds, rememberedPeers });
      this.#processes[host.index] = process;
      for (const watcher of this.watchers) watcher.booted?.(process);
      process.start();
      this.publish(host, this.pages.get(host.name)!);
    });
  }

  /** Three hosts that each node knows to begin with: of a hundred nodes one is such a host, and there are at least three. */
  seedsFor(host: Host): readonly string[] {
    const count = Math.max(3, Math.ceil(this.options.nodes / 100));
    const seeds = [0, 1, 2].map((i) => this.hosts[(host.index + i) % count]);
    return seeds.filter((seed) => seed !== undefined && seed !== host).map((seed) => seed!.address);
  }

  /** Changes what a host offers. */
  change(host: Host): void {
    this.publish(host, nextPage(host.name, this.pages.get(host.name)!, this.random));
  }

  publish(host: Host, page: PageVersion): void {
    const process = this.processOn(host);
    if (process === undefined || process.state !== 'running' || process.isLeaving) return;
    this.pages.set(host.name, page);
    for (const watcher of this.watchers) watcher.published?.(process, page);
    process.publish(page);
  }

  /** Ends the process; with its host if it goes dark. */
  end(host: Host, how: Ending): void {
    const process = this.processOn(host);
    if (process === undefined || process.state === 'ended') return;
    host.disk.crash();
    if (how === 'dark') host.isUp = false;
    process.end(how === 'dark');
    for (const watcher of this.watchers) watcher.ended?.(process, how);
  }

  leave(host: Host): void {
    const process = this.processOn(host);
    if (process?.state !== 'running' || process.isLeaving) return;
    process.isLeaving = true;
    for (const watcher of this.watchers) watcher.ended?.(process, 'left');
    process.leave();
    this.queue.later(LINGER_MS, () => process.end(false));
  }

  stall(host: Host, forMs: number): void {
    const process = this.processOn(host);
    if (process?.state !== 'running') return;
    process.stall();
    for (const watcher of this.watchers) watcher.stalled?.(process);
    this.queue.later(forMs, () => {
      if (process.state !== 'stalled') return;
      process.wake();
      for (const watcher of this.watchers) watcher.woke?.(process);
    });
  }

  /** Call after changing cuts. */
  networkChanged(): void {
    for (const host of this.hosts) {
      // Each pair counts twice when it is cut both ways; half of all pairs is the line.
      const isConnected = this.network.cutsOf(host) < this.hosts.length / 2;
      const side = this.network.sideOf(host);
      if (isConnected !== host.isConnected || side !== host.side) host.connectedSinceMs = this.queue.nowMs;
      host.isConnected = isConnected;
      host.side = side;
    }
    for (const watcher of this.watchers) watcher.networkChanged?.();
  }

  hostAt(address: string): Host | undefined {
    return this.#byAddress.get(address);
  }

  hostNamed(name: string): Host | undefined {
    return this.#byName.get(name);
  }

  trace(process: Process, input: string, effects: number): void {
    const what = (input.charCodeAt(0) << 16) ^ (input.length << 8) ^ effects;
    this.#traceLow = Math.imul(this.#traceLow ^ (this.queue.nowMs * 1_000), 0x01000193) ^ what;
    this.#traceHigh = mix(this.#traceHigh ^ process.host.index, this.#traceLow);
  }

  sent(process: Process, kind: string, bytes: number): void {
    const counter = this.#byKind.get(kind);
    if (counter === undefined) this.#byKind.set(kind, { bytes });
    else counter.bytes += bytes;
    this.bytesByHost[process.host.index]! += bytes;
  }

  sighted(viewer: Process, about: string, state: string): void {
    this.#traceLow ^= hashText(state);
    for (const watcher of this.watchers) watcher.sighted?.(viewer, about, state);
  }

  showed(viewer: Process, owner: string, page: ShownPage | undefined, before: ShownPage | undefined): void {
    for (const watcher of this.watchers) watcher.showed?.(viewer, owner, page, before);
  }

  settled(viewer: Process): void {
    for (const watcher of this.watchers) watcher.settled?.(viewer);
  }

  linked(opener: Process, accepter: Process): void {
    for (const watcher of this.watchers) watcher.linked?.(opener, accepter);
  }

  processOn(host: Host): Process | undefined {
    return this.#processes[host.index];
  }

  #isOccupied(host: Host): boolean {
    const process = this.processOn(host);
    return process !== undefined && process.state !== 'ended';
  }

  #second(): void {
    for (const watcher of this.watchers) watcher.second?.();
    this.queue.later(1_000, () => this.#second());
  }
}
