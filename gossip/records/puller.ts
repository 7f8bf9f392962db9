/**
 * Asks peers for pages, a few at a time: after a gap, and for whatever anti-entropy found to be newer elsewhere.
 *
 * One request per peer is out at once and a page is asked of one peer at a time, so the one that answers sets the pace
 * and a joiner does not fetch the mesh from everybody it meets. Others that offered the page meanwhile are remembered,
 * and asked when the first stays mute, or when what they offered is newer than what came.
 * @module
 */
import type { Context } from '../effects.ts';
import { arm, disarm, send } from '../effects.ts';
import type { Via } from '../members/membership.ts';
import { compareLine } from '../members/standing.ts';
import type { DigestItem, PullItem } from '../wire/messages.ts';
import { LIMITS } from '../wire/messages.ts';

export interface PullerHost {
  /** What we have of a page now. */
  known(name: string): PullItem;
  /** Whether a page of this version would be news. */
  isNews(item: DigestItem): boolean;
}

interface Queue {
  readonly waiting: Map<string, Via>;
  asked: Map<string, Via> | undefined;
  /** Pages that came with the last answer. */
  got: string[];
}

/** Somebody else has the page as well, perhaps a newer one. */
interface Offer {
  readonly peer: string;
  readonly item: DigestItem;
  readonly via: Via;
}

const ANSWER_MS = 1_500;
const MAX_WAITING = 10_000;
const MAX_OTHERS = 3;

export class Puller {
  readonly #context: Context;
  readonly #host: PullerHost;
  readonly #queues = new Map<string, Queue>();
  /** Names asked of somebody or waiting for their turn, and who else has them. */
  readonly #underway = new Map<string, Offer[]>();

  constructor(context: Context, host: PullerHost) {
    this.#context = context;
    this.#host = host;
  }

  /** @param via how we came to want it: decides what the answer is worth */
  pull(peer: string, items: readonly DigestItem[], via: Via): void {
    const queue = this.#queueOf(peer);
    for (const item of items) {
      const others = this.#underway.get(item.name);
      if (others !== undefined) {
        note(others, { peer, item, via });
        continue;
      }
      if (this.#underway.size >= MAX_WAITING) break;
      this.#underway.set(item.name, []);
      queue.waiting.set(item.name, via);
    }
    this.#next(peer);
  }

  /**
   * Pages arrived: why we had asked for each, by name. Names without a page get another turn as long as each answer
   * brings something, because an answer ends where its frame is full.
   */
  answered(peer: string, names: readonly string[]): ReadonlyMap<string, Via> {
    const queue = this.#queues.get(peer);
    const asked = queue?.asked;
    if (queue === undefined || asked === undefined) return new Map();
    queue.asked = undefined;
    disarm(this.#context, 'pull', peer);
    const got = new Set(names.filter((name) => asked.has(name)));
    for (const [name, via] of asked) {
      if (got.size > 0 && !got.has(name)) queue.waiting.set(name, via);
    }
    queue.got = got.size > 0 ? [...got] : [...asked.keys()];
    return asked;
  }

  /** Call after the pages of `answered` were merged: what we know now decides the next request. */
  resume(peer: string): void {
    const queue = this.#queues.get(peer);
    if (queue === undefined) return;
    for (const name of queue.got.splice(0)) this.#askOthers(name);
    this.#next(peer);
  }

  /** The peer is gone or mute: ask others that have what it owes, and forget the rest. Anti-entropy will find it. */
  drop(peer: string): void {
    const queue = this.#queues.get(peer);
    if (queue === undefined) return;
    this.#queues.delete(peer);
    disarm(this.#context, 'pull', peer);
    for (const name of [...(queue.asked?.keys() ?? []), ...queue.waiting.keys()]) this.#askOthers(name, peer);
  }

  /** Nobody is asked for this page any more: who offered it meanwhile is, if that is still news. */
  #askOthers(name: string, gone?: string): void {
    const others = this.#underway.get(name) ?? [];
    this.#underway.delete(name);
    for (const { peer, item, via } of others) {
      if (peer !== gone && this.#host.isNews(item)) this.pull(peer, [item], via);
    }
  }

  #queueOf(peer: string): Queue {
    let queue = this.#queues.get(peer);
    if (queue === undefined) {
      queue = { waiting: new Map(), asked: undefined, got: [] };
      this.#queues.set(peer, queue);
    }
    return queue;
  }

  #next(peer: string): void {
    const queue = this.#queues.get(peer);
    if (queue === undefined || queue.asked !== undefined) return;
    if (queue.waiting.size === 0) {
      this.#queues.delete(peer);
      return;
    }
    const asked = new Map<string, Via>();
    for (const [name, via] of queue.waiting) {
      if (asked.size === LIMITS.pullItems) break;
      asked.set(name, via);
      queue.waiting.delete(name);
    }
    queue.asked = asked;
    send(this.#context, peer, { kind: 'pull', items: [...asked.keys()].map((name) => this.#host.known(name)) });
    arm(this.#context, 'pull', peer, ANSWER_MS);
  }
}

/** Keeps the newest offer of every peer, and of the oldest ones no more than there is room for. */
function note(offers: Offer[], offer: Offer): void {
  const older = offers.findIndex(({ peer }) => peer === offer.peer);
  if (older >= 0) offers[older] = offer;
  else if (offers.length < MAX_OTHERS) offers.push(offer);
  else {
    const least = offers.findIndex(({ item }) => compareLine(item, offer.item) < 0);
    if (least >= 0) offers[least] = offer;
  }
}
