/**
 * Asks peers for pages, a few at a time: after a gap, and for whatever anti-entropy found to be newer elsewhere.
 *
 * One request per peer is out at once and a page is asked of one peer at a time, so the one that answers sets the pace
 * and a joiner does not fetch the mesh from everybody it meets. Others that offered the page meanwhile are remembered,
 * and asked when the first stays mute.
 * @module
 */
import type { Context } from '../effects.ts';
import { arm, disarm, send } from '../effects.ts';
import type { Via } from '../members/membership.ts';
import type { PullItem } from '../wire/messages.ts';
import { LIMITS } from '../wire/messages.ts';

interface Queue {
  readonly waiting: Map<string, Via>;
  asked: Map<string, Via> | undefined;
}

const ANSWER_MS = 1_500;
const MAX_WAITING = 10_000;
const MAX_OTHERS = 3;

export class Puller {
  readonly #context: Context;
  readonly #known: (name: string) => PullItem;
  readonly #queues = new Map<string, Queue>();
  /** Names asked of somebody or waiting for their turn, and who else has them. */
  readonly #underway = new Map<string, string[]>();

  /** @param known what we have of a page now */
  constructor(context: Context, known: (name: string) => PullItem) {
    this.#context = context;
    this.#known = known;
  }

  /** @param via how we came to want it: decides what the answer is worth */
  pull(peer: string, names: readonly string[], via: Via): void {
    const queue = this.#queueOf(peer);
    for (const name of names) {
      const others = this.#underway.get(name);
      if (others !== undefined) {
        if (others.length < MAX_OTHERS && !others.includes(peer)) others.push(peer);
        continue;
      }
      if (this.#underway.size >= MAX_WAITING) break;
      this.#underway.set(name, []);
      queue.waiting.set(name, via);
    }
    this.#next(peer, queue);
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
      else this.#underway.delete(name);
    }
    return asked;
  }

  /** Call after the pages of `answered` were merged: what we know now decides the next request. */
  resume(peer: string): void {
    const queue = this.#queues.get(peer);
    if (queue !== undefined) this.#next(peer, queue);
  }

  /** The peer is gone or mute: ask others that have what it owes, and forget the rest. Anti-entropy will find it. */
  drop(peer: string): void {
    const queue = this.#queues.get(peer);
    if (queue === undefined) return;
    this.#queues.delete(peer);
    disarm(this.#context, 'pull', peer);
    for (const [name, via] of [...(queue.asked ?? []), ...queue.waiting]) {
      const others = this.#underway.get(name)?.filter((other) => other !== peer) ?? [];
      this.#underway.delete(name);
      const [next, ...rest] = others;
      if (next === undefined) continue;
      this.pull(next, [name], via);
      for (const other of rest) this.pull(other, [name], via);
    }
  }

  #queueOf(peer: string): Queue {
    let queue = this.#queues.get(peer);
    if (queue === undefined) {
      queue = { waiting: new Map(), asked: undefined };
      this.#queues.set(peer, queue);
    }
    return queue;
  }

  #next(peer: string, queue: Queue): void {
    if (queue.asked !== undefined) return;
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
    send(this.#context, peer, { kind: 'pull', items: [...asked.keys()].map(this.#known) });
    arm(this.#context, 'pull', peer, ANSWER_MS);
  }
}
