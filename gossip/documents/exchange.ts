/**
 * How two nodes come to hold the same documents: compare sums, then a digest of what differs, then pull what is missing.
 *
 * Equal nodes part after some twenty bytes. A pull names the revisions already held, so the answer is exactly the rest. One
 * pull per peer is out at a time and a document is asked of one peer at a time; whatever is lost on the way, the next
 * comparison finds again.
 * @module
 */
import { bucketOf } from '../anti-entropy/buckets.ts';
import type { Context } from '../effects.ts';
import { arm, disarm, send } from '../effects.ts';
import { isSameBytes } from '../records/register.ts';
import type { DocumentDigest, DocumentPull, Message } from '../wire/messages.ts';
import { LIMITS } from '../wire/messages.ts';
import type { Chain } from './chain.ts';
import type { Library } from './library.ts';
import type { Revision } from './revision.ts';
import { revisionBytes } from './revision.ts';

const ANSWER_MS = 3_000;
const SESSION_MS = 5_000;
/** Revisions of one answer, in bytes; a frame has room for one of the largest above it. */
const PAGES_BYTES = 256 * 1024;
const MAX_WAITING = 20_000;

interface Queue {
  readonly waiting: Set<string>;
  asked: readonly string[] | undefined;
}

type Pages = Extract<Message, { kind: 'doc-pages' }>;

export class Exchange {
  readonly #context: Context;
  readonly #library: Library;
  /** Peers we opened a comparison with, and whether more differs than one digest could hold. */
  readonly #sessions = new Map<string, { more: boolean }>();
  readonly #queues = new Map<string, Queue>();
  /** Keys asked of somebody, or waiting for their turn. */
  readonly #underway = new Set<string>();

  constructor(context: Context, library: Library) {
    this.#context = context;
    this.#library = library;
  }

  /** Begins to compare with a linked peer, unless that is under way. */
  open(peer: string): void {
    if (this.#sessions.has(peer)) return;
    this.#sessions.set(peer, { more: false });
    const { buckets } = this.#library;
    send(this.#context, peer, { kind: 'doc-root', root: buckets.root(), count: buckets.count });
    arm(this.#context, 'doc-session', peer, SESSION_MS);
  }

  close(peer: string): void {
    if (this.#sessions.delete(peer)) disarm(this.#context, 'doc-session', peer);
  }

  /** The link is down. */
  drop(peer: string): void {
    this.close(peer);
    this.abandon(peer);
  }

  /** The peer owes an answer for too long: what it was asked for may be asked of others. */
  abandon(peer: string): void {
    const queue = this.#queues.get(peer);
    if (queue === undefined) return;
    this.#queues.delete(peer);
    disarm(this.#context, 'doc-pull', peer);
    for (const key of [...(queue.asked ?? []), ...queue.waiting]) this.#underway.delete(key);
  }

  answerRoot(from: string, root: Uint8Array): void {
    const { buckets } = this.#library;
    const isEqual = isSameBytes(root, buckets.root());
    send(
      this.#context,
      from,
      isEqual ? { kind: 'doc-equal' } : { kind: 'doc-sums', sums: buckets.sums(), count: buckets.count },
    );
  }

  compareSums(from: string, sums: Uint8Array, theirCount: number): void {
    const session = this.#sessions.get(from);
    if (session === undefined) return;
    const { buckets } = this.#library;
    const differing = buckets.differing(sums);
    if (differing.length === 0) {
      this.close(from);
      return;
    }
    const perBucket = Math.max(1, Math.max(buckets.count, theirCount) / 256);
    const chosen = differing.slice(0, Math.max(1, Math.floor(LIMITS.documentDigests / 2 / perBucket)));
    session.more = chosen.length < differing.length;
    send(this.#context, from, { kind: 'doc-digest', buckets: chosen, items: this.#digests(chosen), answer: true });
  }

  compareDigest(from: string, message: Extract<Message, { kind: 'doc-digest' }>): void {
    const buckets = new Set(message.buckets);
    const theirs = new Map(message.items.filter((item) => buckets.has(bucketOf(item.key))).map((i) => [i.key, i]));
    this.pull(
      from,
      [...theirs.values()].filter((item) => this.#differs(item)).map((item) => item.key),
    );
    if (!message.answer) {
      const session = this.#sessions.get(from);
      this.close(from);
      if (session?.more === true) this.open(from);
      return;
    }
    const items = this.#digests([...buckets]).filter((item) => isDifferent(item, theirs.get(item.key)));
    send(this.#context, from, { kind: 'doc-digest', buckets: [...buckets], items, answer: false });
  }

  pull(peer: string, keys: readonly string[]): void {
    const queue = this.#queueOf(peer);
    for (const key of keys) {
      if (this.#underway.has(key) || this.#underway.size >= MAX_WAITING) continue;
      this.#underway.add(key);
      queue.waiting.add(key);
    }
    this.#next(peer, queue);
  }

  /** Sends what the asker lacks, as much of it as one message takes, in the order asked. */
  answerPull(from: string, items: readonly DocumentPull[]): void {
    const revisions: Revision[] = [];
    let bytes = 0;
    let served = 0;
    for (const { key, known } of items) {
      const missing = (this.#library.get(key)?.held ?? []).filter((held) => !known.includes(held.id));
      for (const { revision } of missing) {
        bytes += revisionBytes(revision);
        if (bytes > PAGES_BYTES && revisions.length > 0) {
          send(this.#context, from, { kind: 'doc-pages', revisions, served });
          return;
        }
        revisions.push(revision);
      }
      served++;
    }
    send(this.#context, from, { kind: 'doc-pages', revisions, served });
  }

  /** Whether pages of this peer were asked for; call `resume` once they were taken in. */
  expects(from: string): boolean {
    return this.#queues.get(from)?.asked !== undefined;
  }

  /** @param news how many revisions of the answer were new: without any, what was not served is given up */
  resume(from: string, { served }: Pages, news: number): void {
    const queue = this.#queues.get(from);
    if (queue?.asked === undefined) return;
    disarm(this.#context, 'doc-pull', from);
    const { asked } = queue;
    queue.asked = undefined;
    const again = served > 0 || news > 0 ? asked.slice(served) : [];
    for (const key of asked) {
      if (again.includes(key)) queue.waiting.add(key);
      else this.#underway.delete(key);
    }
    this.#next(from, queue);
  }

  #next(peer: string, queue: Queue): void {
    if (queue.asked !== undefined) return;
    const asked = [...queue.waiting].slice(0, LIMITS.documentPulls);
    if (asked.length === 0) {
      this.#queues.delete(peer);
      return;
    }
    for (const key of asked) queue.waiting.delete(key);
    queue.asked = asked;
    const items = asked.map((key) => ({ key, known: idsOf(this.#library.get(key)) }));
    send(this.#context, peer, { kind: 'doc-pull', items });
    arm(this.#context, 'doc-pull', peer, ANSWER_MS);
  }

  #queueOf(peer: string): Queue {
    let queue = this.#queues.get(peer);
    if (queue === undefined) {
      queue = { waiting: new Set(), asked: undefined };
      this.#queues.set(peer, queue);
    }
    return queue;
  }

  #digests(buckets: readonly number[]): DocumentDigest[] {
    const items = buckets.flatMap((bucket) => this.#library.buckets.itemsOf(bucket)).slice(0, LIMITS.documentDigests);
    return items.map(({ name, epoch, ver, inc, rank }) => ({ key: name, ms: epoch, count: ver, set: inc, size: rank }));
  }

  #differs(theirs: DocumentDigest): boolean {
    const ours = this.#library.buckets.get(theirs.key);
    if (ours === undefined) return true;
    return isDifferent(theirs, { key: ours.name, ms: ours.epoch, count: ours.ver, set: ours.inc, size: ours.rank });
  }
}

function isDifferent(a: DocumentDigest, b: DocumentDigest | undefined): boolean {
  return b === undefined || a.ms !== b.ms || a.count !== b.count || a.set !== b.set || a.size !== b.size;
}

function idsOf(chain: Chain | undefined): string[] {
  return (chain?.held ?? []).map((held) => held.id);
}
