/**
 * A model of gossipsub 1.2 for one topic, with the settings of gossip/libp2p/node.ts: eager push along a mesh of about
 * six links, own messages to all links (flood publish), and every heartbeat a few ids (IHAVE) to links outside the mesh,
 * which may ask for what they lack (IWANT). A message is remembered for 120 s and kept for five heartbeats. What is said
 * before a link was subscribed is lost to it, and so is what only mesh links said and none of them got.
 * @module
 */
import type { Random } from '../../gossip/ports.ts';
import type { EventQueue } from './event-queue.ts';
import type { Link } from './link.ts';
import type { PubsubPacket } from './parcel.ts';
import { shuffled } from './random.ts';
import { wireBytes } from './wire-size.ts';

/** The process that it is part of, and the topic, which carries news of kind `T`. */
export interface PubsubHost<T> {
  readonly queue: EventQueue;
  idOf(news: T): string;
  bytesOf(news: T): number;
  /** Whether the news may be passed on. `link` = where it came from. */
  validate(link: Link, news: T): boolean;
  sendOn(link: Link, packet: PubsubPacket<T>, bytes: number): void;
}

const D = 6;
const D_LOW = 4;
const D_HIGH = 12;
const D_LAZY = 6;
export const HEARTBEAT_MS = 700;
/** Heartbeats that a message is kept for, and for how many of them it is offered. */
const HISTORY = 5;
const GOSSIPED = 3;
const SEEN_MS = 120_000;
const PRUNED_MS = 60_000;
/** From a link's beginning to the subscription: identify has to ask first. */
const IDENTIFY_MS = 20;
const ID_BYTES = 18;
const CONTROL_BYTES = 40;

export class Pubsub<T> {
  readonly #process: PubsubHost<T>;
  readonly #random: Random;
  readonly #subscribed = new Set<Link>();
  readonly #mesh = new Set<Link>();
  readonly #prunedUntilMs = new Map<Link, number>();
  readonly #seen = new Map<string, number>();
  #history: Map<string, T>[] = [new Map()];

  constructor(process: PubsubHost<T>, random: Random) {
    this.#process = process;
    this.#random = random;
  }

  linkUp(link: Link): void {
    this.#process.queue.later(IDENTIFY_MS, () => this.#send(link, { kind: 'subscribe' }, CONTROL_BYTES));
  }

  linkDown(link: Link): void {
    this.#subscribed.delete(link);
    this.#mesh.delete(link);
    this.#prunedUntilMs.delete(link);
  }

  publish(news: T): void {
    const id = this.#process.idOf(news);
    this.#seen.set(id, this.#process.queue.nowMs);
    this.#history[0]!.set(id, news);
    for (const link of this.#subscribed) this.#pass(link, id, news);
  }

  received(link: Link, packet: PubsubPacket<T>): void {
    switch (packet.kind) {
      case 'pubsub':
        this.#message(link, packet.id, packet.news);
        break;
      case 'ihave': {
        const ids = packet.ids.filter((id) => !this.#seen.has(id));
        if (ids.length > 0) this.#send(link, { kind: 'iwant', ids }, ids.length * ID_BYTES);
        break;
      }
      case 'iwant':
        for (const id of packet.ids) {
          const news = this.#history.find((window) => window.has(id))?.get(id);
          if (news !== undefined) this.#pass(link, id, news);
        }
        break;
      case 'subscribe':
        this.#subscribed.add(link);
        if (this.#mesh.size < D_LOW) this.#graft(link);
        break;
      case 'graft':
        if (this.#mesh.size >= D_HIGH || !this.#subscribed.has(link))
          this.#send(link, { kind: 'prune' }, CONTROL_BYTES);
        else this.#mesh.add(link);
        break;
      case 'prune':
        this.#mesh.delete(link);
        this.#prunedUntilMs.set(link, this.#process.queue.nowMs + PRUNED_MS);
        break;
    }
  }

  heartbeat(): void {
    const { nowMs } = this.#process.queue;
    if (this.#mesh.size < D_LOW) this.#growMesh(nowMs);
    else if (this.#mesh.size > D_HIGH) this.#shrinkMesh();
    this.#offer();
    this.#history = [new Map(), ...this.#history.slice(0, HISTORY - 1)];
    for (const [id, atMs] of this.#seen) {
      if (nowMs - atMs < SEEN_MS) break;
      this.#seen.delete(id);
    }
  }

  #message(link: Link, id: string, news: T): void {
    if (this.#seen.has(id)) return;
    this.#seen.set(id, this.#process.queue.nowMs);
    if (!this.#process.validate(link, news)) return;
    this.#history[0]!.set(id, news);
    for (const other of this.#mesh) if (other !== link) this.#pass(other, id, news);
  }

  #growMesh(nowMs: number): void {
    const free = [...this.#subscribed].filter(
      (link) => !this.#mesh.has(link) && (this.#prunedUntilMs.get(link) ?? 0) <= nowMs,
    );
    for (const link of shuffled(free, this.#random).slice(0, D - this.#mesh.size)) this.#graft(link);
  }

  #shrinkMesh(): void {
    for (const link of shuffled([...this.#mesh], this.#random).slice(D)) {
      this.#mesh.delete(link);
      this.#send(link, { kind: 'prune' }, CONTROL_BYTES);
    }
  }

  #graft(link: Link): void {
    this.#mesh.add(link);
    this.#send(link, { kind: 'graft' }, CONTROL_BYTES);
  }

  #offer(): void {
    const ids = this.#history.slice(0, GOSSIPED).flatMap((window) => [...window.keys()]);
    if (ids.length === 0) return;
    const others = [...this.#subscribed].filter((link) => !this.#mesh.has(link));
    for (const link of shuffled(others, this.#random).slice(0, D_LAZY)) {
      this.#send(link, { kind: 'ihave', ids }, CONTROL_BYTES + ids.length * ID_BYTES);
    }
  }

  #pass(link: Link, id: string, news: T): void {
    this.#send(link, { kind: 'pubsub', id, news }, CONTROL_BYTES + this.#process.bytesOf(news));
  }

  #send(link: Link, packet: PubsubPacket<T>, bytes: number): void {
    this.#process.sendOn(link, packet, wireBytes(bytes));
  }
}
