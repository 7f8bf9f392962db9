/** A machine of the simulated world: its place, its clocks and its disk. @module */
import type { Revision } from '../../gossip/documents/revision.ts';
import type { Random } from '../../gossip/ports.ts';
import type { EventQueue } from './event-queue.ts';

export interface HostOptions {
  readonly index: number;
  readonly name: string;
  readonly region: string;
  readonly random: Random;
  readonly queue: EventQueue;
}

/** Simulated time 0 on a wall clock that is right: a date, so that epochs have their real size. */
const EPOCH_MS = Date.UTC(2026, 0, 1);

export class Host {
  readonly index: number;
  readonly name: string;
  readonly address: string;
  readonly region: string;
  /** For the packets it sends. */
  readonly random: Random;
  readonly disk: Disk;
  readonly #queue: EventQueue;
  /** False = dark: no answer from it, not even a refusal. */
  isUp = true;
  /** The highest epoch that a process of this host ever took. */
  highestEpoch = 0;
  /** How far its wall clock is off. */
  wallOffsetMs = 0;
  #clockRate = 1;
  /** What its monotonic clock showed when its rate last changed, and when that was. */
  #monotonicMs = 0;
  #rateSinceMs = 0;
  /** Since when it is neither cut off nor in a part of its own: what others believe of it is fair to judge after that. */
  connectedSinceMs = 0;
  isConnected = true;
  side = 0;
  /** Until when its network interface is busy. */
  sendsFromMs = 0;

  constructor({ index, name, region, random, queue }: HostOptions) {
    this.index = index;
    this.name = name;
    this.region = region;
    this.random = random;
    this.#queue = queue;
    this.address = `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}:7946`;
    this.disk = new Disk(queue);
  }

  /** The monotonic clock, which stands for no date. */
  monotonicMs(): number {
    return this.#monotonicMs + (this.#queue.nowMs - this.#rateSinceMs) * this.#clockRate;
  }

  /** When the monotonic clock will show `ms`, if its rate stays. */
  instantOf(ms: number): number {
    return this.#rateSinceMs + (ms - this.#monotonicMs) / this.#clockRate;
  }

  /** Timers that are armed keep the instant they were planned for. */
  setClockRate(rate: number): void {
    this.#monotonicMs = this.monotonicMs();
    this.#rateSinceMs = this.#queue.nowMs;
    this.#clockRate = rate;
  }

  wallMs(): number {
    return Math.round(EPOCH_MS + this.#queue.nowMs + this.wallOffsetMs);
  }
}

/** What gossip keeps across restarts. */
export interface DiskContents {
  readonly epoch: number;
  readonly peers: readonly string[];
  /** Documents, where a scenario has any. */
  readonly revisions?: readonly Revision[];
  /** Of each document, the revisions that were in use, latest first. */
  readonly good?: Readonly<Record<string, readonly string[]>>;
}

export class Disk {
  readonly #queue: EventQueue;
  contents: DiskContents | undefined = undefined;
  writeMs = 2;
  /** Raised by a crash: writes that were under way never happened. */
  #life = 0;

  constructor(queue: EventQueue) {
    this.#queue = queue;
  }

  write(changes: Partial<DiskContents>, done?: () => void): void {
    const life = this.#life;
    this.#queue.later(this.writeMs, () => {
      if (life !== this.#life) return;
      this.contents = { epoch: 0, peers: [], ...this.contents, ...changes };
      done?.();
    });
  }

  crash(): void {
    this.#life++;
  }
}
