/**
 * A small seeded world for the core: virtual time, links that are ordered and lose nothing but time, and faults.
 *
 * A lost packet is one that TCP sends again, so loss is delay. A killed process resets its links and its port refuses; a
 * dead host says nothing any more; a stalled process accepts connections and holds everything else until it wakes, when
 * its clock has not moved, as the fair clock of the edge has it. Broadcast reaches the neighbours and is forwarded by
 * whoever accepted it; there a lost message is lost.
 * @module
 */
import { Core } from '../../../gossip/core.ts';
import type { Effect, Input, LogEvent, ProbeOutcome, Settings, Timer } from '../../../gossip/effects.ts';
import type { MemberView } from '../../../gossip/outside.ts';
import { hashText } from '../../../gossip/overlay/hash.ts';
import type { Credential, Signer } from '../../../gossip/ports.ts';
import type { Endpoint } from '../../../gossip/records/endpoint.ts';
import { type Accused, decodeEvidence } from '../../../gossip/records/evidence.ts';

export const SETTINGS: Settings = {
  observers: 8,
  pingIntervalMs: 500,
  ackTimeoutMs: 1_000,
  askTimeoutMs: 250,
  freshMs: 700,
  suspicionMinMs: 500,
  suspicionMaxMs: 2_500,
  vetoMs: 1_500,
  stallMaxMs: 15_000,
  antiEntropyIntervalMs: 5_000,
  tombstoneMs: 86_400_000,
  maxMembers: 10_000,
};

export interface WorldOptions {
  readonly seed: number;
  readonly members: number;
  readonly latencyMs?: readonly [number, number];
  /** Share of packets that are sent again after 200 ms. */
  readonly lossRatio?: number;
  /** Share of broadcasts that a neighbour never gets. */
  readonly broadcastLossRatio?: number;
  readonly settings?: Partial<Settings>;
}

type Health = 'running' | 'stalled' | 'killed' | 'dark';

/** A connection takes this long to be given up when nothing comes through. */
const TCP_TIMEOUT_MS = 15_000;

/** mulberry32: small, seeded, good enough. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Signatures a simulation can afford: they name the signer and the statement, and can be forged on purpose. */
export class ToySigner implements Signer {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  sign(statement: Uint8Array): Uint8Array {
    return toySignature(this.#name, statement);
  }

  admit(chain: readonly Uint8Array[]): Credential | undefined {
    const name = Buffer.from(chain[0] ?? []).toString();
    return name === '' || name === 'intruder' ? undefined : { name };
  }

  verify(credential: Credential, statement: Uint8Array, signature: Uint8Array): boolean {
    return Buffer.from(toySignature(credential.name, statement)).equals(signature);
  }

  isRevoked(): boolean {
    return false;
  }

  mayClaim(): boolean {
    return true;
  }

  digest(bytes: Uint8Array): Uint8Array {
    return Buffer.from(String(hashText(Buffer.from(bytes).toString('latin1'))));
  }
}

export function toySignature(name: string, statement: Uint8Array): Uint8Array {
  return Buffer.from(`${name} ${hashText(Buffer.from(statement).toString('latin1'))}`);
}

class SimNode {
  readonly name: string;
  readonly core: Core;
  health: Health = 'running';
  /** Time that this node's own clock left out. */
  lostMs = 0;
  stalledAtMs = 0;
  readonly held: (() => void)[] = [];
  readonly timers = new Map<string, { timer: Timer; atMs: number }>();
  readonly endpoints = new Map<string, Endpoint>();
  /** What other nodes say that they have ejected. */
  readonly evidence = new Map<string, readonly Accused[]>();
  readonly log: { atMs: number; event: LogEvent }[] = [];
  readonly seen = new Set<string>();

  constructor(name: string, core: Core) {
    this.name = name;
    this.core = core;
  }
}

/** One connection, seen from both ends. */
interface SimLink {
  readonly ends: readonly [string, string];
  isOpen: boolean;
  /** Per direction, when the last packet arrives: later ones arrive after it. */
  readonly arrivesAtMs: Record<string, number>;
  blockedSinceMs: number | undefined;
}

interface Happening {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

export class World {
  nowMs = 0;
  readonly nodes = new Map<string, SimNode>();
  readonly random: () => number;
  readonly #options: WorldOptions;
  readonly #queue = new Heap();
  readonly #links = new Map<string, SimLink>();
  #isBlocked: (a: string, b: string) => boolean = () => false;
  /** All that happened, folded into one number: the same seed must give the same. */
  trace = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.random = seededRandom(options.seed);
    for (let i = 0; i < options.members; i++) this.boot(`n${i}`, i === 0 ? [] : ['n0:1']);
  }

  /** Starts a process; a node of that name that ran before is replaced, with a higher epoch. */
  boot(name: string, seeds: readonly string[], epoch = 1_000 + this.nowMs): SimNode {
    const core = new Core({
      self: name,
      trustDomain: 'sim.example',
      address: `${name}:1`,
      chain: [Buffer.from(name)],
      epoch,
      seeds,
      rememberedPeers: [],
      settings: { ...SETTINGS, ...this.#options.settings },
      signer: new ToySigner(name),
      random: seededRandom(hashText(name) ^ Math.floor(this.random() * 2 ** 32)),
    });
    const node = new SimNode(name, core);
    this.#closeLinks(name); // those of a former process: its host answers them with a reset
    this.nodes.set(name, node);
    this.give(node, { kind: 'start' });
    return node;
  }

  node(name: string): SimNode {
    return this.nodes.get(name)!;
  }

  runFor(ms: number): this {
    const endMs = this.nowMs + ms;
    for (let next = this.#queue.peek(); next !== undefined && next.atMs <= endMs; next = this.#queue.peek()) {
      this.#queue.pop();
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = endMs;
    return this;
  }

  /** Runs until `isSo`, looking every 10 ms. @returns how long it took; Infinity when it never came within `limitMs` */
  runUntil(isSo: () => boolean, limitMs: number): number {
    const startMs = this.nowMs;
    while (!isSo()) {
      if (this.nowMs - startMs >= limitMs) return Number.POSITIVE_INFINITY;
      this.runFor(10);
    }
    return this.nowMs - startMs;
  }

  /** The process is gone, its host is not: links are reset, its port refuses. */
  kill(name: string): void {
    this.node(name).health = 'killed';
    this.#closeLinks(name);
  }

  /** The host is gone: nothing comes from it, not even a refusal. */
  darken(name: string): void {
    this.node(name).health = 'dark';
    for (const link of this.#linksOf(name)) this.#later(TCP_TIMEOUT_MS, () => this.#closeLink(link));
  }

  stall(name: string, forMs: number): void {
    const node = this.node(name);
    if (node.health !== 'running') return;
    node.health = 'stalled';
    node.stalledAtMs = this.nowMs;
    this.#later(forMs, () => this.#wake(node));
  }

  /** Nothing passes between the two sides until `heal`; connections hold out for a while. */
  partition(isBlocked: (a: string, b: string) => boolean): void {
    this.#isBlocked = isBlocked;
    for (const link of this.#links.values()) {
      if (!isBlocked(...link.ends)) continue;
      link.blockedSinceMs = this.nowMs;
      this.#later(TCP_TIMEOUT_MS, () => {
        if (link.blockedSinceMs !== undefined) this.#closeLink(link);
      });
    }
  }

  heal(): void {
    this.#isBlocked = () => false;
    for (const link of this.#links.values()) link.blockedSinceMs = undefined;
  }

  publish(name: string, endpoints: readonly Endpoint[]): void {
    this.give(this.node(name), { kind: 'publish', endpoints });
  }

  leave(name: string): void {
    this.give(this.node(name), { kind: 'leave' });
    this.#later(200, () => this.kill(name));
  }

  stateOf(viewer: string, name: string): MemberView['state'] | undefined {
    return this.node(viewer)
      .core.members()
      .find((member) => member.name === name)?.state;
  }

  running(): SimNode[] {
    return [...this.nodes.values()].filter((node) => node.health === 'running');
  }

  /** Whether all running nodes but the named hold this state of it. */
  everyoneSees(name: string, state: MemberView['state']): boolean {
    return this.running().every((node) => node.name === name || this.stateOf(node.name, name) === state);
  }

  /** Pairs of running nodes whose tables, records or routable endpoints differ. */
  disagreements(): string[] {
    const [first, ...others] = this.running();
    const view = (node: SimNode): string =>
      `${Buffer.from(node.core.root()).toString('hex')} ${JSON.stringify([...node.endpoints].sort())}`;
    return others.filter((node) => view(node) !== view(first!)).map((node) => `${first!.name} ${node.name}`);
  }

  /** Hands an input to a node, or holds it while the node stands still. */
  give(node: SimNode, input: Input): void {
    if (node.health === 'stalled') {
      node.held.push(() => this.give(node, input));
      return;
    }
    if (node.health !== 'running' || this.nodes.get(node.name) !== node) return;
    this.trace = hashText(`${this.trace} ${this.nowMs.toFixed(3)} ${node.name} ${input.kind}`);
    for (const effect of node.core.step(this.nowMs - node.lostMs, input)) this.#perform(node, effect);
  }

  #perform(node: SimNode, effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        this.#send(node.name, effect.to, (to) => this.give(to, received(node.name, effect)));
        break;
      case 'dial':
        this.#dial(node, effect.to);
        break;
      case 'hang-up': {
        const link = this.#links.get(linkKey(node.name, effect.to));
        if (link !== undefined) this.#closeLink(link);
        break;
      }
      case 'join':
        this.#join(node, effect.seed);
        break;
      case 'probe':
        this.#probe(node, effect);
        break;
      case 'arm':
        this.#arm(node, effect.timer, effect.atMs);
        break;
      case 'disarm':
        node.timers.delete(timerKey(effect.timer));
        break;
      case 'broadcast':
        this.#broadcast(node, effect);
        break;
      case 'endpoints':
        for (const endpoint of effect.delta.upsert) node.endpoints.set(endpoint.id, endpoint);
        for (const id of effect.delta.remove) node.endpoints.delete(id);
        break;
      case 'evidence':
        if (effect.evidence === undefined) node.evidence.delete(effect.node);
        else node.evidence.set(effect.node, decodeEvidence(effect.evidence)!);
        break;
      case 'log':
        node.log.push({ atMs: this.nowMs, event: effect.event });
        break;
    }
  }

  #arm(node: SimNode, timer: Timer, atMs: number): void {
    const armed = { timer, atMs };
    node.timers.set(timerKey(timer), armed);
    this.#fireAt(node, armed);
  }

  #fireAt(node: SimNode, armed: { timer: Timer; atMs: number }): void {
    this.#later(armed.atMs + node.lostMs - this.nowMs, () => {
      if (node.timers.get(timerKey(armed.timer)) !== armed || node.health === 'stalled') return; // #wake arms it anew
      if (armed.atMs + node.lostMs > this.nowMs) return; // likewise
      node.timers.delete(timerKey(armed.timer));
      this.give(node, { kind: 'fired', timer: armed.timer });
    });
  }

  #wake(node: SimNode): void {
    if (node.health !== 'stalled') return;
    node.health = 'running';
    const forMs = this.nowMs - node.stalledAtMs;
    node.lostMs += forMs;
    this.give(node, { kind: 'stalled', forMs });
    for (const armed of node.timers.values()) this.#fireAt(node, armed);
    for (const input of node.held.splice(0)) input();
  }

  #dial(node: SimNode, to: string): void {
    if (this.#links.has(linkKey(node.name, to))) return;
    const target = this.nodes.get(to);
    if (target === undefined || target.health !== 'running' || this.#isBlocked(node.name, to)) return;
    const link: SimLink = { ends: [node.name, to], isOpen: false, arrivesAtMs: {}, blockedSinceMs: undefined };
    this.#links.set(linkKey(node.name, to), link);
    this.#later(4 * this.#latencyMs() + 5, () => {
      if (this.#links.get(linkKey(node.name, to)) !== link) return;
      link.isOpen = true;
      this.give(node, { kind: 'link-up', peer: to, opened: true });
      this.give(target, { kind: 'link-up', peer: node.name, opened: false });
    });
  }

  #join(node: SimNode, seed: string): void {
    const name = seed.split(':')[0]!;
    const isSelf = name === node.name;
    const target = this.nodes.get(name);
    this.#later(this.#latencyMs() * 4, () => {
      if (isSelf || target?.health !== 'running' || this.#isBlocked(node.name, name)) {
        this.give(node, { kind: 'join-failed', seed, isSelf });
        return;
      }
      this.#dial(node, name);
      this.give(node, { kind: 'joined', seed, peer: name });
    });
  }

  #probe(node: SimNode, { about, purpose }: Effect & { kind: 'probe' }): void {
    const health = this.nodes.get(about)?.health;
    const isCut = health === undefined || health === 'dark' || this.#isBlocked(node.name, about);
    const outcome: ProbeOutcome = isCut ? 'silent' : health === 'killed' ? 'refused' : 'connected';
    const tookMs = isCut ? 400 : 2 * this.#latencyMs();
    this.#later(tookMs, () => this.give(node, { kind: 'probed', about, purpose, outcome }));
  }

  #broadcast(from: SimNode, { delta }: Effect & { kind: 'broadcast' }): void {
    const id = `${delta.name} ${delta.epoch} ${delta.to}`;
    from.seen.add(id);
    for (const link of this.#linksOf(from.name)) {
      const to = link.ends[0] === from.name ? link.ends[1] : link.ends[0];
      if (this.random() < (this.#options.broadcastLossRatio ?? 0)) continue;
      this.#send(from.name, to, (node) => {
        if (node.seen.has(id) || node.health !== 'running') return;
        node.seen.add(id);
        const effects = node.core.step(this.nowMs - node.lostMs, { kind: 'broadcast', from: from.name, delta });
        for (const effect of effects) {
          this.#perform(node, effect);
          if (effect.kind === 'validated' && effect.forward) this.#broadcast(node, { kind: 'broadcast', delta });
        }
      });
    }
  }

  /** In order per direction; a packet that is lost holds up those behind it. */
  #send(from: string, to: string, arrive: (node: SimNode) => void): void {
    const link = this.#links.get(linkKey(from, to));
    if (link?.isOpen !== true) return;
    let delayMs = this.#latencyMs() + 0.3;
    for (let retryMs = 200; this.random() < (this.#options.lossRatio ?? 0) && retryMs < 10_000; retryMs *= 2) {
      delayMs += retryMs;
    }
    const atMs = Math.max(link.arrivesAtMs[to] ?? 0, this.nowMs + delayMs);
    link.arrivesAtMs[to] = atMs;
    const deliver = (): void => {
      if (this.#links.get(linkKey(from, to)) !== link) return;
      if (this.#isBlocked(from, to)) this.#later(200, deliver);
      else arrive(this.node(to));
    };
    this.#later(atMs - this.nowMs, deliver);
  }

  #closeLinks(name: string): void {
    for (const link of this.#linksOf(name)) this.#closeLink(link);
  }

  #closeLink(link: SimLink): void {
    const key = linkKey(...link.ends);
    if (this.#links.get(key) !== link) return;
    this.#links.delete(key);
    for (const [i, end] of link.ends.entries()) {
      const peer = link.ends[1 - i]!;
      if (link.isOpen) this.#later(this.#latencyMs(), () => this.give(this.node(end), { kind: 'link-down', peer }));
    }
  }

  #linksOf(name: string): SimLink[] {
    return [...this.#links.values()].filter((link) => link.ends.includes(name));
  }

  #latencyMs(): number {
    const [low, high] = this.#options.latencyMs ?? [0.2, 1];
    return low + this.random() * (high - low);
  }

  #later(ms: number, run: () => void): void {
    this.#queue.push(this.nowMs + Math.max(0, ms), run);
  }
}

function received(from: string, effect: Effect & { kind: 'send' }): Input {
  return { kind: 'received', from, message: effect.message };
}

function linkKey(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

function timerKey(timer: Timer): string {
  return `${timer.kind} ${timer.about}`;
}

/** A binary heap by time, first come first served within an instant. */
class Heap {
  readonly #items: Happening[] = [];
  #order = 0;

  peek(): Happening | undefined {
    return this.#items[0];
  }

  push(atMs: number, run: () => void): void {
    const items = this.#items;
    let i = items.push({ atMs, order: this.#order++, run }) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (isBefore(items[parent]!, items[i]!)) break;
      [items[parent], items[i]] = [items[i]!, items[parent]!];
      i = parent;
    }
  }

  pop(): void {
    const items = this.#items;
    const last = items.pop();
    if (last === undefined || items.length === 0) return;
    items[0] = last;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < items.length && isBefore(items[child]!, items[least]!)) least = child;
      }
      if (least === i) return;
      [items[least], items[i]] = [items[i]!, items[least]!];
      i = least;
    }
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** Seeds to replay: all from 1 to `count`, or the one in WEFT_SEED. */
export function seeds(count: number): number[] {
  const only = process.env.WEFT_SEED;
  return only === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(only)];
}
