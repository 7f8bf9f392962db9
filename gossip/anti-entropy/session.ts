/**
 * The periodic exchange that repairs what gossip missed: compare sums, then digests of the buckets that differ, then
 * pull what the other has newer. Equal nodes part after 24 bytes each way.
 *
 * A session is a few messages and no shared state beyond "one is open": it may stop anywhere, and the next one finds
 * what is still missing. Only the initiator opens; the responder answers from what it holds at that moment.
 * @module
 */
import type { Context } from '../effects.ts';
import { arm, disarm, send } from '../effects.ts';
import type { Via } from '../members/membership.ts';
import { isSameBytes } from '../records/register.ts';
import type { DigestItem, Message } from '../wire/messages.ts';
import { LIMITS } from '../wire/messages.ts';
import { BUCKETS, type Buckets, bucketOf } from './buckets.ts';

export interface AntiEntropyHost {
  pull(peer: string, items: readonly DigestItem[], via: Via): void;
  /** A linked peer to compare with next. */
  partner(): string | undefined;
}

const SESSION_MS = 5_000;
const MAX_SESSIONS = 2;
/** Leaves room in a digest for buckets that are fuller than the average. */
const DIGEST_TARGET = LIMITS.digestItems / 2;

export class AntiEntropy {
  readonly #context: Context;
  readonly #buckets: Buckets;
  readonly #host: AntiEntropyHost;
  /** Open sessions of ours: whether more buckets differ than the digest could hold. */
  readonly #sessions = new Map<string, { more: boolean }>();
  /** Peers to compare with once a session ends: those whose links came up while all were taken. */
  readonly #waiting = new Set<string>();

  constructor(context: Context, buckets: Buckets, host: AntiEntropyHost) {
    this.#context = context;
    this.#buckets = buckets;
    this.#host = host;
  }

  /** Schedules the first periodic session. */
  start(): void {
    this.#schedule();
  }

  open(peer: string): void {
    if (this.#sessions.has(peer)) return;
    if (this.#sessions.size >= MAX_SESSIONS) {
      this.#waiting.add(peer);
      return;
    }
    this.#waiting.delete(peer);
    this.#sessions.set(peer, { more: false });
    this.#context.stats.antiEntropySessions++;
    send(this.#context, peer, { kind: 'ae-root', root: this.#buckets.root(), count: this.#buckets.count });
    arm(this.#context, 'ae-session', peer, SESSION_MS);
  }

  /** The session is over, one way or another. */
  close(peer: string): void {
    if (!this.#sessions.delete(peer)) return;
    disarm(this.#context, 'ae-session', peer);
    const [next] = this.#waiting;
    if (next !== undefined) this.open(next);
  }

  /** The link is down: nothing to compare with any more. */
  drop(peer: string): void {
    this.#waiting.delete(peer);
    this.close(peer);
  }

  firedPeriod(): void {
    const partner = this.#host.partner();
    if (partner !== undefined) this.open(partner);
    this.#schedule();
  }

  received(from: string, message: Message): void {
    if (message.kind === 'ae-root') this.#answerRoot(from, message.root);
    else if (message.kind === 'ae-equal') this.close(from);
    else if (message.kind === 'ae-sums') this.#compareSums(from, message.sums, message.count);
    else if (message.kind === 'ae-digest') this.#compareDigest(from, message);
  }

  #answerRoot(from: string, root: Uint8Array): void {
    if (isSameBytes(root, this.#buckets.root())) send(this.#context, from, { kind: 'ae-equal' });
    else send(this.#context, from, { kind: 'ae-sums', sums: this.#buckets.sums(), count: this.#buckets.count });
  }

  #compareSums(from: string, sums: Uint8Array, theirCount: number): void {
    const session = this.#sessions.get(from);
    if (session === undefined) return;
    const differing = this.#buckets.differing(sums);
    if (differing.length === 0) {
      this.close(from);
      return;
    }
    const perBucket = Math.max(this.#buckets.count, theirCount) / BUCKETS;
    const buckets = differing.slice(0, Math.max(1, Math.floor(DIGEST_TARGET / Math.max(perBucket, 1))));
    session.more = buckets.length < differing.length;
    const items = buckets.flatMap((bucket) => this.#buckets.itemsOf(bucket)).slice(0, LIMITS.digestItems);
    send(this.#context, from, { kind: 'ae-digest', buckets, items, answer: true });
  }

  #compareDigest(from: string, message: Message & { kind: 'ae-digest' }): void {
    const buckets = new Set(message.buckets);
    const theirs = new Map(message.items.filter((item) => buckets.has(bucketOf(item.name))).map((i) => [i.name, i]));
    const wanted = [...theirs.values()].filter((item) => isNewer(item, this.#buckets.get(item.name)));
    if (wanted.length > 0) this.#host.pull(from, wanted, 'repair');
    if (message.answer) this.#answerDigest(from, buckets, theirs);
    else this.#finish(from);
  }

  #answerDigest(from: string, buckets: ReadonlySet<number>, theirs: ReadonlyMap<string, DigestItem>): void {
    const items = [...buckets]
      .flatMap((bucket) => this.#buckets.itemsOf(bucket))
      .filter((item) => isNewer(item, theirs.get(item.name)))
      .slice(0, LIMITS.digestItems);
    send(this.#context, from, { kind: 'ae-digest', buckets: [...buckets], items, answer: false });
  }

  #finish(from: string): void {
    const session = this.#sessions.get(from);
    this.close(from);
    if (session?.more === true) this.open(from);
  }

  #schedule(): void {
    const { antiEntropyIntervalMs } = this.#context.settings;
    arm(this.#context, 'ae', '', antiEntropyIntervalMs * (0.8 + 0.4 * this.#context.random()));
  }
}

/** Whether a page of this version holds anything that `than` does not. */
export function isNewer(item: DigestItem, than: DigestItem | undefined): boolean {
  if (than === undefined) return true;
  if (item.epoch !== than.epoch) return item.epoch > than.epoch;
  if (item.ver > than.ver) return true;
  return item.inc > than.inc || (item.inc === than.inc && item.rank > than.rank);
}
