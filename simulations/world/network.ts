/**
 * The network between hosts: how long a packet takes, which ones are lost, and who cannot reach whom.
 *
 * Everything rides on TCP, so a lost packet is a late one: it is sent again after 200 ms, 400 ms, 800 ms and so on. A cut
 * is directed; nothing that is sent into it arrives until it is lifted.
 * @module
 */
import type { Random } from '../../gossip/ports.ts';
import type { Host } from './host.ts';
import { normal } from './random.ts';

export interface NetworkOptions {
  /** One way, between hosts of one region: the fastest packet, and one of a hundred is slower than the second. */
  readonly latencyMs: readonly [low: number, high: number];
  readonly shape: 'uniform' | 'lognormal';
  /** Added one way between hosts of different regions. */
  readonly regionLatencyMs: number;
  readonly lossRatio: number;
  /** What a host can send; undefined = more than it ever would. */
  readonly megabitsPerSecond?: number | undefined;
}

const RETRANSMIT_MS = 200;
const LONGEST_RETRANSMIT_MS = 6_400;

export class Network {
  readonly #options: NetworkOptions;
  #lossRatio: number;
  /** Directed: `from * 65536 + to`. */
  readonly #cuts = new Set<number>();
  /** How many directed cuts touch a host. */
  readonly #cutsOf = new Map<number, number>();
  #groups: Uint8Array | undefined;

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#lossRatio = options.lossRatio;
  }

  get lossRatio(): number {
    return this.#lossRatio;
  }

  set lossRatio(ratio: number) {
    this.#lossRatio = ratio;
  }

  get hasCuts(): boolean {
    return this.#groups !== undefined || this.#cuts.size > 0;
  }

  isCut(from: Host, to: Host): boolean {
    if (this.#groups !== undefined && this.#groups[from.index] !== this.#groups[to.index]) return true;
    return this.#cuts.size > 0 && this.#cuts.has(from.index * 65_536 + to.index);
  }

  isCutEitherWay(a: Host, b: Host): boolean {
    return this.hasCuts && (this.isCut(a, b) || this.isCut(b, a));
  }

  /** Whether the two are in one part of the mesh, if there are parts. */
  isSameSide(a: Host, b: Host): boolean {
    return this.#groups === undefined || this.#groups[a.index] === this.#groups[b.index];
  }

  /** Which part the host is in; 0 without a partition. */
  sideOf(host: Host): number {
    return this.#groups?.[host.index] ?? 0;
  }

  /** Directed cuts from and to this host, those of a partition aside. */
  cutsOf(host: Host): number {
    return this.#cutsOf.get(host.index) ?? 0;
  }

  /** Splits the hosts into groups that do not reach each other; undefined joins them again. */
  partition(groups: Uint8Array | undefined): void {
    this.#groups = groups;
  }

  cut(from: Host, to: Host): void {
    const key = from.index * 65_536 + to.index;
    if (this.#cuts.has(key)) return;
    this.#cuts.add(key);
    for (const { index } of [from, to]) this.#cutsOf.set(index, (this.#cutsOf.get(index) ?? 0) + 1);
  }

  mend(from: Host, to: Host): void {
    if (!this.#cuts.delete(from.index * 65_536 + to.index)) return;
    for (const { index } of [from, to]) this.#cutsOf.set(index, (this.#cutsOf.get(index) ?? 0) - 1);
  }

  /** Lifts every cut. */
  heal(): void {
    this.#groups = undefined;
    this.#cuts.clear();
    this.#cutsOf.clear();
  }

  /** One way, for a packet that is not lost. */
  latencyMs(from: Host, to: Host): number {
    const [low, high] = this.#options.latencyMs;
    const { random } = from;
    const withinMs = this.#options.shape === 'uniform' ? low + random() * (high - low) : lognormal(low, high, random);
    return from.region === to.region ? withinMs : withinMs + this.#options.regionLatencyMs;
  }

  /** One way, with what it costs to send lost packets again. */
  delayMs(from: Host, to: Host): number {
    let delayMs = this.latencyMs(from, to);
    if (this.#lossRatio === 0) return delayMs;
    for (let waitMs = RETRANSMIT_MS; waitMs <= LONGEST_RETRANSMIT_MS; waitMs *= 2) {
      if (from.random() >= this.#lossRatio) break;
      delayMs += waitMs;
    }
    return delayMs;
  }

  /** Whether a packet that nobody sends again gets through. */
  arrives(from: Host, to: Host): boolean {
    return !this.isCut(from, to) && (this.#lossRatio === 0 || from.random() >= this.#lossRatio);
  }

  /** When the host's interface has sent these bytes. */
  sentAtMs(from: Host, bytes: number, nowMs: number): number {
    const { megabitsPerSecond } = this.#options;
    if (megabitsPerSecond === undefined) return nowMs;
    from.sendsFromMs = Math.max(from.sendsFromMs, nowMs) + (bytes * 8) / (megabitsPerSecond * 1_000);
    return from.sendsFromMs;
  }
}

/** Seldom below `low`'s neighbourhood, above `high` once in a hundred. */
function lognormal(low: number, high: number, random: Random): number {
  const median = Math.sqrt(low * high);
  const sigma = Math.log(high / median) / 2.326;
  return Math.max(low, median * Math.exp(sigma * normal(random)));
}
