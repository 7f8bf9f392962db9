/**
 * A machine like HashiCorp's memberlist with its LAN defaults, in the same world, to compare with: SWIM (Das et al. 2002)
 * with Lifeguard (arXiv:1707.00788), gossip over UDP, full state exchange over TCP.
 *
 * Written from its published defaults and the papers, not a port: random probing in shuffled rounds, three indirect
 * probes and a TCP probe, suspicion that shrinks as two others confirm, awareness of own slowness, piggybacked broadcasts
 * sent 4 log10(n) times, push and pull every 30 s. Pages of endpoints travel as user broadcasts and in the exchange; in
 * Consul they would go through servers instead. Serf, not memberlist, dials dead members again, so a healed partition
 * stays apart here.
 * @module
 */
import { LayeredMap } from '../../gossip/layered-map.ts';
import type { Random } from '../../gossip/ports.ts';
import type { Host } from '../world/host.ts';
import type { PageVersion, ShownPage } from '../world/pages.ts';
import { Process } from '../world/process.ts';
import { shuffled } from '../world/random.ts';
import type { Surroundings } from '../world/surroundings.ts';

export const LAN = {
  probeIntervalMs: 1_000,
  probeTimeoutMs: 500,
  indirectChecks: 3,
  suspicionMult: 4,
  suspicionMaxTimeoutMult: 6,
  retransmitMult: 4,
  gossipIntervalMs: 200,
  gossipNodes: 3,
  gossipToTheDeadMs: 30_000,
  pushPullIntervalMs: 30_000,
  awarenessMax: 8,
  udpBytes: 1_400,
} as const;

export type State = 'alive' | 'suspect' | 'dead' | 'left';

export interface Member {
  readonly name: string;
  readonly inc: number;
  readonly state: State;
  readonly sinceMs: number;
}

type Rumour =
  | { readonly kind: 'alive'; readonly about: string; readonly inc: number }
  | { readonly kind: 'suspect'; readonly about: string; readonly inc: number; readonly by: string }
  | { readonly kind: 'dead'; readonly about: string; readonly inc: number; readonly by: string }
  | { readonly kind: 'page'; readonly about: string; readonly page: ShownPage };

type Packet =
  | { readonly kind: 'ping'; readonly seq: number }
  | { readonly kind: 'ping-for'; readonly seq: number; readonly target: string }
  | { readonly kind: 'ack' | 'nack'; readonly seq: number }
  | { readonly kind: 'gossip' };

/** What push and pull exchange. */
interface FullState {
  readonly members: readonly Member[];
  readonly pages: readonly [string, ShownPage][];
}

interface Suspicion {
  readonly startedMs: number;
  readonly confirmations: Set<string>;
}

interface Probe {
  readonly target: string;
  readonly endsMs: number;
  isAcked: boolean;
  nacks: number;
  asked: number;
}

const HEADER_BYTES = 28; // IPv4 and UDP
const RUMOUR_BYTES = { alive: 90, suspect: 60, dead: 60, page: 320 } as const;
const MEMBER_BYTES = 70;

export interface MemberlistOptions {
  readonly host: Host;
  readonly world: Surroundings;
  readonly random: Random;
  readonly seeds: readonly string[];
  readonly known:
    | { readonly members: LayeredMap<string, Member>; readonly shown: LayeredMap<string, ShownPage> }
    | undefined;
  readonly inc: number;
}

export class MemberlistProcess extends Process {
  readonly #world: Surroundings;
  readonly #random: Random;
  readonly #seeds: readonly string[];
  readonly #members: LayeredMap<string, Member>;
  readonly #suspicions = new Map<string, Suspicion>();
  readonly #queue = new Map<string, { rumour: Rumour; sent: number }>();
  readonly #probes = new Map<number, Probe>();
  readonly #relayed = new Map<number, { from: string; seq: number }>();
  #round: string[] = [];
  #seq = 0;
  #inc: number;
  #awareness = 0;
  #hasLeft = false;

  constructor(options: MemberlistOptions) {
    super(options.host, options.world.queue, 'naive', options.known?.shown);
    this.#world = options.world;
    this.#random = options.random;
    this.#seeds = options.seeds;
    this.#inc = options.inc;
    this.#members = new LayeredMap(options.known?.members);
    this.#members.delete(this.name);
  }

  override start(): void {
    this.arm('probe', '', this.nowMs() + this.#random() * LAN.probeIntervalMs);
    this.arm('gossip', '', this.nowMs() + this.#random() * LAN.gossipIntervalMs);
    this.arm('push-pull', '', this.nowMs() + this.#random() * this.#pushPullMs());
    this.#spread({ kind: 'alive', about: this.name, inc: this.#inc });
    if (this.#members.size === 0) for (const seed of this.#seeds) this.#exchange(this.#world.hostAt(seed));
  }

  override publish(page: PageVersion): void {
    const endpoints = new Map(page.endpoints.map((endpoint) => [endpoint.id, endpoint]));
    this.#learn(this.name, { number: page.number, endpoints });
  }

  override leave(): void {
    this.#hasLeft = true;
    this.#spread({ kind: 'dead', about: this.name, inc: this.#inc, by: this.name });
    this.#gossip();
  }

  protected override stalled(): void {}
  protected override closed(): void {}

  protected override fired(kind: string, about: string): void {
    if (kind === 'probe') this.#probe();
    else if (kind === 'gossip') this.#gossip();
    else if (kind === 'push-pull') this.#pushPull();
    else if (kind === 'timeout') this.#askOthers(Number(about));
    else if (kind === 'verdict') this.#verdict(Number(about));
    else if (kind === 'suspicion') this.#suspicionOver(about);
  }

  #probe(): void {
    const intervalMs = LAN.probeIntervalMs * (1 + this.#awareness);
    this.arm('probe', '', this.nowMs() + intervalMs);
    const target = this.#nextTarget();
    if (target === undefined) return;
    const seq = ++this.#seq;
    this.#probes.set(seq, { target, endsMs: this.nowMs() + intervalMs, isAcked: false, nacks: 0, asked: 0 });
    this.#send(target, { kind: 'ping', seq });
    this.arm('timeout', String(seq), this.nowMs() + LAN.probeTimeoutMs * (1 + this.#awareness));
    this.arm('verdict', String(seq), this.nowMs() + intervalMs);
  }

  /** The next in a shuffled round over all members that are not dead. */
  #nextTarget(): string | undefined {
    for (let tries = 0; tries <= this.#members.size; tries++) {
      if (this.#round.length === 0) this.#round = shuffled([...this.#members.keys()], this.#random);
      const name = this.#round.pop();
      const member = name === undefined ? undefined : this.#members.get(name);
      if (member !== undefined && (member.state === 'alive' || member.state === 'suspect')) return name;
    }
    return undefined;
  }

  #askOthers(seq: number): void {
    const probe = this.#probes.get(seq);
    if (probe === undefined || probe.isAcked) return;
    const helpers = this.#choose(LAN.indirectChecks, (one) => one.name !== probe.target && one.state === 'alive');
    probe.asked = helpers.length;
    for (const helper of helpers) this.#send(helper, { kind: 'ping-for', seq, target: probe.target });
    this.#pingByTcp(seq, probe);
  }

  #pingByTcp(seq: number, probe: Probe): void {
    const host = this.#world.hostNamed(probe.target)!;
    this.#stream(host, 80, (process) => {
      process.#reply(this, 80, () => this.#acked(seq));
    });
  }

  #verdict(seq: number): void {
    const probe = this.#probes.get(seq);
    this.#probes.delete(seq);
    if (probe === undefined) return;
    if (probe.isAcked) {
      this.#awareness = Math.max(0, this.#awareness - 1);
      return;
    }
    const missed = probe.asked > 0 ? probe.asked - probe.nacks : 1;
    this.#awareness = Math.min(LAN.awarenessMax - 1, this.#awareness + missed);
    const member = this.#members.get(probe.target);
    if (member !== undefined) this.#hear({ kind: 'suspect', about: member.name, inc: member.inc, by: this.name });
  }

  #acked(seq: number): void {
    const probe = this.#probes.get(seq);
    if (probe !== undefined) {
      if (this.nowMs() <= probe.endsMs) probe.isAcked = true;
      return;
    }
    const relayed = this.#relayed.get(seq);
    this.#relayed.delete(seq);
    if (relayed !== undefined) this.#send(relayed.from, { kind: 'ack', seq: relayed.seq });
  }

  #gossip(): void {
    if (!this.#hasLeft) this.arm('gossip', '', this.nowMs() + LAN.gossipIntervalMs);
    if (this.#queue.size === 0) return;
    const nowMs = this.nowMs();
    const fit = (one: Member): boolean =>
      one.state === 'alive' || one.state === 'suspect' || nowMs - one.sinceMs < LAN.gossipToTheDeadMs;
    for (const name of this.#choose(LAN.gossipNodes, fit))
      if (this.#queue.size > 0) this.#send(name, { kind: 'gossip' });
  }

  #pushPull(): void {
    this.arm('push-pull', '', this.nowMs() + this.#pushPullMs());
    const [partner] = this.#choose(1, (one) => one.state === 'alive');
    if (partner !== undefined) this.#exchange(this.#world.hostNamed(partner));
  }

  /** Stretched above 32 nodes. */
  #pushPullMs(): number {
    const nodes = this.#members.size + 1;
    return nodes <= 32 ? LAN.pushPullIntervalMs : LAN.pushPullIntervalMs * (Math.ceil(Math.log2(nodes) - 5) + 1);
  }

  #exchange(host: Host | undefined): void {
    if (host === undefined || host === this.host) return;
    this.#stream(host, this.#stateBytes(), (process) => {
      const theirs = process.#state();
      process.#merge(this.#state());
      process.#reply(this, process.#stateBytes(), () => this.#merge(theirs));
    });
  }

  #state(): FullState {
    const self: Member = { name: this.name, inc: this.#inc, state: this.#hasLeft ? 'left' : 'alive', sinceMs: 0 };
    return { members: [...this.#members.values(), self], pages: [...this.shown] };
  }

  #stateBytes(): number {
    return (this.#members.size + 1) * MEMBER_BYTES + this.shown.size * RUMOUR_BYTES.page;
  }

  #merge({ members, pages }: FullState): void {
    for (const { name, inc, state } of members) {
      if (state === 'alive') this.#hear({ kind: 'alive', about: name, inc });
      else if (state === 'left') this.#hear({ kind: 'dead', about: name, inc, by: name });
      else this.#hear({ kind: 'suspect', about: name, inc, by: this.name }); // a remote death is only suspected
    }
    for (const [owner, page] of pages) if (owner !== this.name) this.#learn(owner, page);
  }

  #hear(rumour: Rumour): void {
    if (rumour.kind === 'page') {
      if (rumour.about !== this.name) this.#learn(rumour.about, rumour.page);
    } else if (rumour.about === this.name) {
      this.#defend(rumour);
    } else if (rumour.kind === 'alive') {
      this.#alive(rumour);
    } else if (rumour.kind === 'suspect') {
      this.#suspect(rumour);
    } else {
      this.#dead(rumour);
    }
  }

  #defend(rumour: Rumour & { kind: 'alive' | 'suspect' | 'dead' }): void {
    if (this.#hasLeft || rumour.inc < this.#inc || (rumour.kind === 'alive' && rumour.inc === this.#inc)) return;
    this.#inc = rumour.inc + 1;
    this.#awareness = Math.min(LAN.awarenessMax - 1, this.#awareness + 1);
    this.#spread({ kind: 'alive', about: this.name, inc: this.#inc });
  }

  #alive(rumour: Rumour & { kind: 'alive' }): void {
    const known = this.#members.get(rumour.about);
    if (known !== undefined && rumour.inc <= known.inc) return;
    this.#set({ name: rumour.about, inc: rumour.inc, state: 'alive' });
    this.#suspicions.delete(rumour.about);
    this.disarm('suspicion', rumour.about);
    this.#spread(rumour);
  }

  #suspect(rumour: Rumour & { kind: 'suspect' }): void {
    const known = this.#members.get(rumour.about);
    if (known === undefined || rumour.inc < known.inc) return;
    const suspicion = this.#suspicions.get(rumour.about);
    if (suspicion !== undefined) {
      if (suspicion.confirmations.size >= this.#wanted() || suspicion.confirmations.has(rumour.by)) return;
      suspicion.confirmations.add(rumour.by);
      this.arm('suspicion', rumour.about, this.#deadlineMs(suspicion));
      this.#spread(rumour);
      return;
    }
    if (known.state !== 'alive') return;
    this.#set({ name: rumour.about, inc: rumour.inc, state: 'suspect' });
    const fresh = { startedMs: this.nowMs(), confirmations: new Set<string>() };
    this.#suspicions.set(rumour.about, fresh);
    this.arm('suspicion', rumour.about, this.#deadlineMs(fresh));
    this.#spread(rumour);
  }

  #dead(rumour: Rumour & { kind: 'dead' }): void {
    const known = this.#members.get(rumour.about);
    if (known === undefined || rumour.inc < known.inc || known.state === 'dead' || known.state === 'left') return;
    this.#set({ name: rumour.about, inc: rumour.inc, state: rumour.by === rumour.about ? 'left' : 'dead' });
    this.#suspicions.delete(rumour.about);
    this.disarm('suspicion', rumour.about);
    this.#spread(rumour);
  }

  #suspicionOver(name: string): void {
    const member = this.#members.get(name);
    if (member?.state === 'suspect') this.#hear({ kind: 'dead', about: name, inc: member.inc, by: this.name });
  }

  /** Confirmations that make the wait shortest. */
  #wanted(): number {
    const wanted = LAN.suspicionMult - 2;
    return this.#members.size - 1 < wanted ? 0 : wanted;
  }

  #deadlineMs({ startedMs, confirmations }: Suspicion): number {
    const scale = Math.max(1, Math.log10(Math.max(1, this.#members.size + 1)));
    const minMs = LAN.suspicionMult * scale * LAN.probeIntervalMs;
    const wanted = this.#wanted();
    if (wanted === 0) return startedMs + minMs;
    const maxMs = minMs * LAN.suspicionMaxTimeoutMult;
    const share = Math.log(confirmations.size + 1) / Math.log(wanted + 1);
    return startedMs + Math.max(minMs, maxMs - share * (maxMs - minMs));
  }

  #set({ name, inc, state }: { name: string; inc: number; state: State }): void {
    const before = this.#members.get(name)?.state;
    this.#members.set(name, { name, inc, state, sinceMs: this.nowMs() });
    if (before === state) return;
    this.#world.sighted(this, name, state);
    const shown = this.shown.get(name);
    if ((state === 'dead' || state === 'left') && shown !== undefined) {
      this.shown.delete(name);
      this.#world.showed(this, name, undefined, shown);
    }
  }

  #learn(owner: string, page: ShownPage): void {
    const before = this.shown.get(owner);
    const isGone = owner !== this.name && !this.#isPresent(owner);
    if (isGone || (before?.number ?? 0) >= (page.number ?? 0)) return;
    this.shown.set(owner, page);
    this.#world.showed(this, owner, page, before);
    this.#spread({ kind: 'page', about: owner, page });
  }

  #isPresent(name: string): boolean {
    const state = this.#members.get(name)?.state;
    return state === 'alive' || state === 'suspect';
  }

  /** Queues a rumour; it takes the place of older ones about the same. */
  #spread(rumour: Rumour): void {
    this.#queue.set(`${rumour.kind === 'page' ? 'page' : 'member'} ${rumour.about}`, { rumour, sent: 0 });
  }

  /** What fits into a packet, those sent least first. */
  #broadcasts(roomBytes: number): Rumour[] {
    if (this.#queue.size === 0) return [];
    const limit = LAN.retransmitMult * Math.ceil(Math.log10(this.#members.size + 2));
    const chosen: Rumour[] = [];
    let left = roomBytes;
    for (const [key, queued] of [...this.#queue].sort(([, a], [, b]) => a.sent - b.sent)) {
      const bytes = RUMOUR_BYTES[queued.rumour.kind];
      if (bytes > left) continue;
      left -= bytes;
      chosen.push(queued.rumour);
      if (++queued.sent >= limit) this.#queue.delete(key);
    }
    return chosen;
  }

  #choose(count: number, isFit: (member: Member) => boolean): string[] {
    if (this.#members.size === 0) return [];
    // As memberlist: a few random tries instead of a walk over all.
    const names = this.#names();
    const chosen = new Set<string>();
    for (let tries = 0; tries < 3 * names.length && tries < 40 && chosen.size < count; tries++) {
      const name = names[Math.floor(this.#random() * names.length)]!;
      const member = this.#members.get(name);
      if (member !== undefined && isFit(member)) chosen.add(name);
    }
    return [...chosen];
  }

  #namesCache: string[] = [];

  #names(): string[] {
    if (this.#namesCache.length !== this.#members.size) this.#namesCache = [...this.#members.keys()];
    return this.#namesCache;
  }

  /** By UDP: what is lost is lost. */
  #send(to: string, packet: Packet): void {
    const host = this.#world.hostNamed(to)!;
    const rumours = this.#broadcasts(LAN.udpBytes - 30);
    const suspected = this.#suspicions.has(to) ? this.#members.get(to) : undefined;
    if (suspected !== undefined) rumours.push({ kind: 'suspect', about: to, inc: suspected.inc, by: this.name });
    const bytes = HEADER_BYTES + 30 + rumours.reduce((sum, rumour) => sum + RUMOUR_BYTES[rumour.kind], 0);
    this.#world.sent(this, packet.kind, bytes);
    const { network, queue } = this.#world;
    if (!network.arrives(this.host, host)) return;
    queue.later(network.latencyMs(this.host, host) + 0.1, () => {
      const process = this.#world.processOn(host);
      if (process instanceof MemberlistProcess) process.whenAwake(() => process.#received(this.name, packet, rumours));
    });
  }

  #received(from: string, packet: Packet, rumours: readonly Rumour[]): void {
    this.#world.trace(this, packet.kind, rumours.length);
    for (const rumour of rumours) this.#hear(rumour);
    switch (packet.kind) {
      case 'ping':
        this.#send(from, { kind: 'ack', seq: packet.seq });
        break;
      case 'ping-for': {
        const seq = ++this.#seq;
        this.#relayed.set(seq, { from, seq: packet.seq });
        this.#send(packet.target, { kind: 'ping', seq });
        this.queue.later(LAN.probeTimeoutMs * 0.8, () => {
          if (this.#relayed.delete(seq)) this.whenAwake(() => this.#send(from, { kind: 'nack', seq: packet.seq }));
        });
        break;
      }
      case 'ack':
        this.#acked(packet.seq);
        break;
      case 'nack': {
        const probe = this.#probes.get(packet.seq);
        if (probe !== undefined) probe.nacks++;
        break;
      }
      case 'gossip':
        break;
    }
  }

  /** By TCP: late instead of lost; nothing happens when nobody accepts. */
  #stream(host: Host, bytes: number, arrived: (process: MemberlistProcess) => void): void {
    const { network, queue } = this.#world;
    this.#world.sent(this, 'stream', bytes);
    const delayMs = network.delayMs(this.host, host) * 2 + network.delayMs(this.host, host);
    queue.later(delayMs, () => {
      const process = this.#world.processOn(host);
      const isReached = host.isUp && !network.isCutEitherWay(this.host, host) && this.state !== 'ended';
      if (isReached && process instanceof MemberlistProcess) process.whenAwake(() => arrived(process));
    });
  }

  #reply(to: MemberlistProcess, bytes: number, arrived: () => void): void {
    const { network, queue } = this.#world;
    this.#world.sent(this, 'stream', bytes);
    queue.later(network.delayMs(this.host, to.host), () => {
      if (!network.isCutEitherWay(this.host, to.host)) to.whenAwake(arrived);
    });
  }
}
