/**
 * One connection between two processes: ordered in each direction, and no packet is ever lost, only late.
 *
 * What is sent into a cut waits in the sender's kernel, which tries again after 200 ms, 400 ms and so on up to two
 * minutes. Where only the way back is cut, TCP sends what fits into its first window and then waits for acks. Nobody but TCP gives a silent connection up, after a quarter of an hour: sockets' inactivity timers start over
 * with every ping written, and yamux only logs a ping that was not answered.
 * @module
 */

import type { EventQueue } from './event-queue.ts';
import { Happening } from './event-queue.ts';
import type { Host } from './host.ts';
import type { Network } from './network.ts';
import type { Parcel } from './parcel.ts';
import type { ProcessState } from './process.ts';

/** Linux: net.ipv4.tcp_retries2 = 15. */
const TCP_TIMEOUT_MS = 924_600;
const LONGEST_RETRY_MS = 120_000;
/** How often word of a close is tried on an end that cannot be reached. */
const CLOSE_RETRY_MS = 500;
/** From a packet's arrival to the program's turn: kernel, noise, yamux. */
const PROCESSING_MS = 0.3;
const FIRST_RETRY_MS = 200;
/** Segments that TCP sends before it wants an ack. */
const WINDOW = 10;

/** A process, as its links see it. */
export interface LinkEnd {
  readonly name: string;
  readonly host: Host;
  readonly queue: EventQueue;
  readonly state: ProcessState;
  receive(link: Link, parcel: Parcel): void;
  linkClosed(link: Link): void;
}

export class Link {
  readonly opener: LinkEnd;
  readonly accepter: LinkEnd;
  isUp = false;
  isClosed = false;
  readonly #network: Network;
  readonly #there: Direction;
  readonly #back: Direction;

  constructor(opener: LinkEnd, accepter: LinkEnd, network: Network) {
    this.opener = opener;
    this.accepter = accepter;
    this.#network = network;
    this.#there = new Direction(this, opener, accepter);
    this.#back = new Direction(this, accepter, opener);
  }

  otherThan(process: LinkEnd): LinkEnd {
    return process === this.opener ? this.accepter : this.opener;
  }

  send(from: LinkEnd, parcel: Parcel, bytes: number): void {
    if (this.isClosed) return;
    const direction = from === this.opener ? this.#there : this.#back;
    const { queue, host } = from;
    const sentAtMs = this.#network.sentAtMs(host, bytes, queue.nowMs);
    const arrivesAtMs = sentAtMs + this.#network.delayMs(host, direction.to.host) + PROCESSING_MS;
    direction.lastArrivalMs = Math.max(direction.lastArrivalMs, arrivesAtMs);
    queue.plan(direction.lastArrivalMs, new Delivery(direction, parcel));
  }

  /** `by` knows at once; the other end when word of it, or the answer to its next packet, gets through. */
  close(by: LinkEnd): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const other = this.otherThan(by);
    by.queue.later(0, () => by.linkClosed(this));
    this.#tellClosed(by, other);
  }

  #tellClosed(by: LinkEnd, other: LinkEnd): void {
    by.queue.later(this.#network.latencyMs(by.host, other.host), () => {
      const isReached = by.host.isUp && !this.#network.isCutEitherWay(by.host, other.host);
      if (isReached) other.linkClosed(this);
      else if (other.state !== 'ended') by.queue.later(CLOSE_RETRY_MS, () => this.#tellClosed(by, other));
    });
  }

  isCut(from: Host, to: Host): boolean {
    return this.#network.hasCuts && this.#network.isCut(from, to);
  }
}

/** One way of a link. */
export class Direction {
  readonly link: Link;
  readonly from: LinkEnd;
  readonly to: LinkEnd;
  lastArrivalMs = 0;
  /** What the sender's kernel holds back because nothing gets through. */
  #held: Parcel[] = [];
  #heldSinceMs = 0;
  #retryMs = FIRST_RETRY_MS;
  /** Packets that arrived and whose acks do not. */
  #unacked = 0;

  constructor(link: Link, from: LinkEnd, to: LinkEnd) {
    this.link = link;
    this.from = from;
    this.to = to;
  }

  arrived(parcel: Parcel): void {
    const { link, to } = this;
    if (link.isClosed) return;
    if (this.#held.length === 0 && this.#isOpen()) {
      to.receive(link, parcel);
      return;
    }
    this.#held.push(parcel);
    if (this.#held.length > 1) return;
    this.#heldSinceMs = to.queue.nowMs;
    this.#retryMs = FIRST_RETRY_MS;
    this.#retryLater();
  }

  #isOpen(): boolean {
    const { link, from, to } = this;
    if (!to.host.isUp || link.isCut(from.host, to.host)) return false;
    this.#unacked = link.isCut(to.host, from.host) ? this.#unacked + 1 : 0;
    return this.#unacked <= WINDOW;
  }

  #retryLater(): void {
    this.to.queue.later(this.#retryMs, () => this.#retry());
  }

  #retry(): void {
    const { link, to } = this;
    if (link.isClosed) return;
    if (this.#isOpen()) {
      for (const parcel of this.#held.splice(0)) to.receive(link, parcel);
      return;
    }
    if (to.queue.nowMs - this.#heldSinceMs >= TCP_TIMEOUT_MS) {
      link.close(this.from);
      return;
    }
    this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS);
    this.#retryLater();
  }
}

class Delivery extends Happening {
  readonly #direction: Direction;
  readonly #parcel: Parcel;

  constructor(direction: Direction, parcel: Parcel) {
    super();
    this.#direction = direction;
    this.#parcel = parcel;
  }

  override run(): void {
    this.#direction.arrived(this.#parcel);
  }
}
