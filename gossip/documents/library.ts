/**
 * All documents a node holds, and the one gate through which every revision enters: from a peer, from an operator, from a
 * snapshot, from this node's own disk. What does not pass is neither stored nor passed on.
 * @module
 */
import { Buckets } from '../anti-entropy/buckets.ts';
import { hashText } from '../overlay/hash.ts';
import type { DocumentStats } from '../stats.ts';
import { Chain, compareHeld } from './chain.ts';
import type { DocumentAuthority } from './ports.ts';
import type { DocumentRefusal, Held, Revision } from './revision.ts';
import {
  describeKey,
  keyText,
  MAX_BODY_BYTES,
  revisionBytes,
  revisionId,
  revisionProblem,
  revisionStatement,
} from './revision.ts';

export type DocumentOffer =
  | { readonly kind: 'news'; readonly held: Held; readonly isHead: boolean }
  | { readonly kind: 'known'; readonly id: string }
  | { readonly kind: 'old'; readonly id: string }
  | { readonly kind: 'refused'; readonly reason: DocumentRefusal; readonly detail: string };

export interface LibraryOptions {
  readonly trustDomain: string;
  readonly authority: DocumentAuthority;
  /** Documents, deleted ones included. */
  readonly maxDocuments: number;
  readonly stats: DocumentStats;
}

/** How far the clocks of a writer and a reader may be apart. */
export const MAX_AHEAD_MS = 60_000;
/** Writers are told "full" at the maximum; peers may bring a little more, written at the same time elsewhere. */
const HEADROOM = 1.1;
/** Of all revisions together, in memory and again on disk. */
const MAX_BYTES = 128 * 1024 * 1024;

type Refused = Extract<DocumentOffer, { kind: 'refused' }>;

export class Library {
  readonly #options: LibraryOptions;
  readonly #chains = new Map<string, Chain>();
  readonly buckets = new Buckets();
  #revisions = 0;
  #bytes = 0;

  constructor(options: LibraryOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#chains.size;
  }

  get revisions(): number {
    return this.#revisions;
  }

  get isFull(): boolean {
    return this.#chains.size >= this.#options.maxDocuments;
  }

  get(key: string): Chain | undefined {
    return this.#chains.get(key);
  }

  chains(): Iterable<[string, Chain]> {
    return this.#chains;
  }

  /** The id a revision has, whether it is held or not. */
  identify(revision: Revision): { readonly id: string; readonly statement: Uint8Array } {
    const { authority, trustDomain } = this.#options;
    const digest = (bytes: Uint8Array): Uint8Array => authority.digest(bytes);
    const statement = revisionStatement(trustDomain, revision, digest);
    return { id: revisionId(statement, digest), statement };
  }

  /** Takes a revision in, or says why not. Only what is not held yet costs a signature check. */
  offer(revision: Revision): DocumentOffer {
    const offer = this.examine(revision);
    const { stats } = this.#options;
    if (offer.kind === 'refused') stats.refused[offer.reason]++;
    if (offer.kind === 'old') stats.stale++;
    if (offer.kind !== 'news') return offer;
    const key = keyText(revision);
    const chain = this.#chains.get(key) ?? new Chain();
    this.#revisions -= chain.held.length;
    this.#bytes -= chain.bytes;
    chain.add(offer.held);
    this.#revisions += chain.held.length;
    this.#bytes += chain.bytes;
    this.#chains.set(key, chain);
    this.#stamp(key, chain);
    stats.taken++;
    stats.held = this.#chains.size;
    stats.revisions = this.#revisions;
    stats.bytes = this.#bytes;
    return offer;
  }

  /**
   * As `offer`, without taking it in.
   *
   * @param options.isFresh it was written just now: its author's certificate must still be in its time
   */
  examine(revision: Revision, { isFresh = false } = {}): DocumentOffer {
    const problem = revisionProblem(revision);
    if (problem !== undefined) {
      const isLarge = (revision.body?.length ?? 0) > MAX_BODY_BYTES;
      return refuse(isLarge ? 'too-large' : 'malformed', problem);
    }
    const { id, statement } = this.identify(revision);
    const held = { id, revision };
    const chain = this.#chains.get(keyText(revision));
    const judged = chain?.judge(held) ?? 'news';
    if (judged === 'known') return { kind: 'known', id };
    if (judged === 'old') return { kind: 'old', id };
    return (
      this.#checkTime(revision) ??
      this.#checkRoom(revision, chain) ??
      this.#checkAuthor(revision, statement, isFresh) ?? {
        kind: 'news',
        held,
        isHead: chain === undefined || compareHeld(held, chain.head) > 0,
      }
    );
  }

  #checkTime({ hlc }: Revision): Refused | undefined {
    const aheadMs = hlc.ms - this.#options.authority.wallMs();
    if (aheadMs <= MAX_AHEAD_MS) return undefined;
    const detail = `it is dated ${Math.round(aheadMs / 1_000)} s ahead of this node's clock, at most 60 s are allowed`;
    return refuse('future', detail);
  }

  /** A deletion always passes: it makes room. */
  #checkRoom(revision: Revision, chain: Chain | undefined): Refused | undefined {
    const { maxDocuments } = this.#options;
    if (chain === undefined && this.#chains.size >= maxDocuments * HEADROOM) {
      return refuse('full', `this node already holds ${this.#chains.size} documents, deleted ones included`);
    }
    if (revision.body === null || this.#bytes + revisionBytes(revision) <= MAX_BYTES) return undefined;
    return refuse('full', `all documents together would take more than ${MAX_BYTES} bytes; delete some`);
  }

  #checkAuthor(revision: Revision, statement: Uint8Array, isFresh: boolean): Refused | undefined {
    const { certificate, signature, hlc, author, kind, namespace } = revision;
    const { authority } = this.#options;
    const judgeAt = (atMs: number) => authority.judge({ certificate, statement, signature, atMs });
    const judgement = judgeAt(hlc.ms);
    const today = isFresh && judgement.ok ? judgeAt(authority.wallMs()) : judgement;
    if (!today.ok) return refuse(today.reason, today.detail);
    if (!judgement.ok) return refuse(judgement.reason, judgement.detail);
    if (judgement.author !== author) {
      return refuse('author', `it names ${author} as its author, its certificate is of ${judgement.author}`);
    }
    if (judgement.mayWrite(kind, namespace)) return undefined;
    return refuse('scope', `${author} may not write ${describeKey(revision)}`);
  }

  /** The line of a document in the digest: the instant of its head, and a hash of all that is kept of it. */
  #stamp(key: string, chain: Chain): void {
    const { hlc } = chain.head.revision;
    const ids = chain.held.map((one) => one.id).join();
    this.buckets.put({ name: key, epoch: hlc.ms, ver: hlc.count, inc: hashText(ids), rank: chain.held.length });
  }
}

function refuse(reason: DocumentRefusal, detail: string): Refused {
  return { kind: 'refused', reason, detail };
}
