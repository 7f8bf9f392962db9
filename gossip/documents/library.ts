/**
 * All documents a node holds, and the one gate through which every revision enters: from a peer, from an operator, from a
 * snapshot, from this node's own disk. What does not pass is neither stored nor passed on.
 *
 * What a revoked operator wrote is refused. What is held of it is set aside: out of force and no longer passed on, but not
 * lost, because a thief's revocation of an honest operator may be undone.
 * @module
 */
import { Buckets } from '../anti-entropy/buckets.ts';
import { hashText } from '../overlay/hash.ts';
import type { DocumentStats } from '../stats.ts';
import { Chain, compareHeld } from './chain.ts';
import type { DocumentAuthority } from './ports.ts';
import type { DocumentKey, DocumentRefusal, Held, Revision } from './revision.ts';
import {
  describeKey,
  keyText,
  MAX_BODY_BYTES,
  revisionBytes,
  revisionId,
  revisionProblem,
  revisionStatement,
} from './revision.ts';
import { isCall, isRevocation, MAX_CALL_BYTES, MAX_CALLS, MAX_REVOCATIONS } from './revocation.ts';
import { RevocationBook } from './revocation-book.ts';

export type DocumentOffer =
  | { readonly kind: 'news'; readonly held: Held; readonly isHead: boolean }
  | { readonly kind: 'known'; readonly id: string }
  | { readonly kind: 'old'; readonly id: string }
  | { readonly kind: 'refused'; readonly reason: DocumentRefusal; readonly detail: string };

export interface LibraryOptions {
  readonly trustDomain: string;
  readonly authority: DocumentAuthority;
  /** Documents that are not deleted; of old deletions no more are kept either. */
  readonly maxDocuments: number;
  /** How long every deletion is kept. */
  readonly tombstoneMs: number;
  readonly stats: DocumentStats;
}

/** How far the clocks of a writer and a reader may be apart. */
export const MAX_AHEAD_MS = 60_000;
/** Writers are told "full" at the maximum; peers may bring a little more, written at the same time elsewhere. */
const HEADROOM = 1.1;
/** Of all revisions together, in memory and again on disk. */
const MAX_BYTES = 128 * 1024 * 1024;

/** What revocations did to other documents. */
export interface Fallout {
  /** The revisions in force of documents where others were before. */
  readonly heads: readonly Held[];
  /** Documents of which nothing is left in force. */
  readonly gone: readonly DocumentKey[];
}

type Refused = Extract<DocumentOffer, { kind: 'refused' }>;

export class Library {
  readonly #options: LibraryOptions;
  readonly #chains = new Map<string, Chain>();
  /** Documents that were deleted, but for those that revoke: these are kept for good. */
  readonly #deleted = new Set<string>();
  /** The latest deletion that was forgotten: peers may still have it and others before it. */
  #forgotten: Held | undefined;
  /** Revisions of revoked operators. */
  readonly #setAside = new Map<string, Chain>();
  readonly revocations: RevocationBook;
  /** When the authors of revisions were certified. */
  readonly #issuedAtMs = new WeakMap<Revision, number>();
  readonly buckets = new Buckets();
  #revisions = 0;
  #bytes = 0;
  #asideBytes = 0;
  #isLoading = false;
  readonly #fallout = new Map<string, DocumentKey>();

  constructor(options: LibraryOptions) {
    this.#options = options;
    this.revocations = new RevocationBook(options.trustDomain);
  }

  /** Documents that are not deleted, but for those about operators. */
  get size(): number {
    return this.#chains.size - this.revocations.calls - this.#deleted.size;
  }

  /** Deletions that are kept. */
  get deletions(): number {
    return this.#deleted.size;
  }

  get revisions(): number {
    return this.#revisions;
  }

  get isFull(): boolean {
    const { maxDocuments } = this.#options;
    return this.size >= maxDocuments || this.size + this.deletions >= 2 * maxDocuments;
  }

  get(key: string): Chain | undefined {
    return this.#chains.get(key);
  }

  chains(): Iterable<[string, Chain]> {
    return this.#chains;
  }

  /** All that is worth a place on disk. */
  *kept(): Iterable<Revision> {
    for (const chains of [this.#chains, this.#setAside]) {
      for (const chain of chains.values()) for (const held of chain.held) yield held.revision;
    }
  }

  /** Takes in what the disk held, in any order: what revokes may lie behind what it revokes. */
  load(revisions: Iterable<Revision>, refused: (revision: Revision, offer: Refused) => void): void {
    this.#isLoading = true;
    for (const revision of revisions) {
      const offer = this.offer(revision);
      if (offer.kind === 'refused') refused(revision, offer);
    }
    this.#isLoading = false;
    for (const [key, { head }] of [...this.#chains]) if (isRevocation(head.revision)) this.#reckon(key);
  }

  /**
   * Forgets deletions: those older than `tombstoneMs`, oldest first, as far as there are more than `maxDocuments` of all.
   *
   * Which ones is the same on all nodes that hold the same. A replica that was out of touch for longer than that may still
   * hold what was deleted, and nobody would be left to tell it so; the more of them are kept, the seldomer that is.
   *
   * @returns the documents that are forgotten
   */
  forget(): DocumentKey[] {
    const excess = this.#deleted.size - this.#options.maxDocuments;
    if (excess <= 0) return [];
    const heads = [...this.#deleted].map((key) => this.#chains.get(key)!.head);
    const expired = heads.filter((head) => this.#isExpired(head)).sort(compareHeld);
    const gone = expired.slice(0, excess);
    for (const { revision } of gone) {
      const key = keyText(revision);
      this.#chains.delete(key);
      this.#deleted.delete(key);
      this.buckets.remove(key);
    }
    this.#forgotten = gone.at(-1) ?? this.#forgotten;
    if (gone.length > 0) this.#weigh();
    return gone.map(({ revision: { kind, namespace, name } }) => ({ kind, namespace, name }));
  }

  /** What revocations did since this was last asked. */
  takeFallout(): Fallout {
    const touched = [...this.#fallout];
    this.#fallout.clear();
    return {
      heads: touched.map(([key]) => this.#chains.get(key)?.head).filter((head) => head !== undefined),
      gone: touched.filter(([key]) => !this.#chains.has(key)).map(([, key]) => key),
    };
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
    if (this.#bytes > MAX_BYTES) this.#dropSetAside();
    stats.taken++;
    this.#count();
    if (isRevocation(revision) && !this.#isLoading) this.#reckon(key);
    if (isCall(revision)) this.#makeRoom();
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
    if (judged === 'old' || (chain === undefined && this.#isForgotten(held))) return { kind: 'old', id };
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

  #isExpired({ revision }: Held): boolean {
    return this.#options.authority.wallMs() - revision.hlc.ms > this.#options.tombstoneMs;
  }

  /** A deletion that was forgotten here, and that a peer has yet to forget. */
  #isForgotten(held: Held): boolean {
    const isDeletion = held.revision.body === null && !isRevocation(held.revision);
    return isDeletion && this.#forgotten !== undefined && compareHeld(held, this.#forgotten) <= 0;
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
    if (isCall(revision)) {
      const bytes = revision.body?.length ?? 0; // how many there may be, #checkCalls knows
      return bytes <= MAX_CALL_BYTES
        ? undefined
        : refuse('too-large', `it has ${bytes} bytes, at most ${MAX_CALL_BYTES}`);
    }
    const isCrowded = this.size >= maxDocuments * HEADROOM || this.#chains.size >= 2 * maxDocuments * HEADROOM;
    if (chain === undefined && isCrowded) {
      return refuse('full', `this node already holds ${this.size} documents and ${this.deletions} deletions`);
    }
    if (chain === undefined && isRevocation(revision) && this.revocations.size >= MAX_REVOCATIONS * HEADROOM) {
      return refuse('full', `this node already holds ${this.revocations.size} revocations`);
    }
    const bytes = this.#bytes - this.#asideBytes;
    if (revision.body === null || bytes + revisionBytes(revision) <= MAX_BYTES) return undefined;
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
    const { issuedAtMs } = judgement;
    this.#issuedAtMs.set(revision, issuedAtMs);
    const isVoid = this.revocations.operators.covers({ spiffeId: author, issuedAtMs });
    if (isVoid && !this.#isLoading && !isCall(revision)) {
      return refuse('revoked', `${author} was revoked; nothing that it signed counts any more`);
    }
    if (judgement.mayWrite(kind, namespace)) return this.#checkCalls(revision, issuedAtMs);
    return refuse('scope', `${author} may not write ${describeKey(revision)}`);
  }

  /** When there are too many documents about operators, the word of a younger operator takes the place of an older one's. */
  #checkCalls(revision: Revision, issuedAtMs: number): Refused | undefined {
    const { revocations } = this;
    if (!isCall(revision) || revocations.calls < MAX_CALLS || this.#chains.has(keyText(revision))) return undefined;
    if (issuedAtMs > revocations.leastCall()!.issuedAtMs) return undefined;
    return refuse(
      'full',
      `this node already holds ${revocations.calls} revocations of operators, all by younger operators`,
    );
  }

  #makeRoom(): void {
    const { revocations } = this;
    if (revocations.calls <= MAX_CALLS) return;
    const { key } = revocations.leastCall()!;
    this.#chains.delete(key);
    this.buckets.remove(key);
    if (revocations.drop(key)) this.#sweep();
    this.#weigh();
  }

  /** A document of kind Revocation changed: what it says takes effect. */
  #reckon(key: string): void {
    const isOther = this.revocations.note(key, this.#chains.get(key)?.held ?? [], (held) => this.#issued(held));
    if (isOther) this.#sweep();
  }

  /**
   * A root is trusted no more: forgets what only it vouched for, as whoever starts now would not take it. Otherwise those
   * who start later would seem to miss something for ever.
   */
  forgetUncertified(): void {
    const { authority } = this.#options;
    const isLost = ({ revision }: Held): boolean => !authority.certifies(revision.certificate);
    const revoking = [...this.#chains].filter(([, { head }]) => isRevocation(head.revision)).map(([key]) => key);
    this.#rearrange(() => {
      for (const chains of [this.#chains, this.#setAside]) move(chains, new Map(), isLost);
    });
    const others = revoking.filter((key) => this.#noteAgain(key));
    if (others.length > 0) this.#sweep();
  }

  /** @returns whether it changed which operators are revoked */
  #noteAgain(key: string): boolean {
    const held = this.#chains.get(key)?.held ?? [];
    const isOther = this.revocations.note(key, held, (one) => this.#issued(one));
    return held.length === 0 ? this.revocations.drop(key) : isOther;
  }

  /** Sorts all that is held by whether its author counts. */
  #sweep(): void {
    const { operators } = this.revocations;
    const isRevoked = (held: Held): boolean =>
      !isCall(held.revision) && operators.covers({ spiffeId: held.revision.author, issuedAtMs: this.#issued(held) });
    this.#rearrange(() => {
      move(this.#chains, this.#setAside, isRevoked);
      move(this.#setAside, this.#chains, (held) => !isRevoked(held));
    });
  }

  /** Moves revisions, and notes of which documents another one is in force, or none. */
  #rearrange(change: () => void): void {
    const before = new Map([...this.#chains].map(([key, chain]) => [key, chain.head]));
    change();
    this.#weigh();
    for (const key of new Set([...before.keys(), ...this.#chains.keys()])) {
      const [was, is] = [before.get(key), this.#chains.get(key)];
      if (is === undefined) {
        this.buckets.remove(key);
        this.#deleted.delete(key);
      } else {
        this.#stamp(key, is);
      }
      if (was === is?.head) continue;
      const { kind, namespace, name } = (is?.head ?? was!).revision;
      this.#fallout.set(key, { kind, namespace, name });
      if (isRevocation({ kind, namespace })) this.revocations.note(key, is?.held ?? [], (held) => this.#issued(held));
    }
  }

  /** When the author of what is held was certified. */
  #issued({ revision }: Held): number {
    return this.#issuedAtMs.get(revision)!; // noted when it was offered
  }

  #dropSetAside(): void {
    this.#setAside.clear();
    this.#weigh();
  }

  #weigh(): void {
    const sum = (chains: Map<string, Chain>): number => chains.values().reduce((all, { bytes }) => all + bytes, 0);
    this.#asideBytes = sum(this.#setAside);
    this.#bytes = sum(this.#chains) + this.#asideBytes;
    this.#revisions = this.#chains.values().reduce((all, { held }) => all + held.length, 0);
    this.#count();
  }

  #count(): void {
    const { stats } = this.#options;
    stats.held = this.#chains.size;
    stats.revisions = this.#revisions;
    stats.bytes = this.#bytes;
  }

  /** Notes whether a document is deleted, and its line in the digest: the instant of its head, and a hash of all that is kept of it. */
  #stamp(key: string, chain: Chain): void {
    const { hlc, body } = chain.head.revision;
    if (body === null && !isRevocation(chain.head.revision)) this.#deleted.add(key);
    else this.#deleted.delete(key);
    const ids = chain.held.map((one) => one.id).join();
    this.buckets.put({ name: key, epoch: hlc.ms, ver: hlc.count, inc: hashText(ids), rank: chain.held.length });
  }
}

/** Moves revisions between two sets of chains; a chain that holds none is given up. */
function move(from: Map<string, Chain>, to: Map<string, Chain>, isMeant: (held: Held) => boolean): void {
  for (const [key, chain] of from) {
    const moved = chain.remove(isMeant);
    if (moved.length === 0) continue;
    if (chain.held.length === 0) from.delete(key);
    const other = to.get(key) ?? new Chain();
    for (const held of moved) other.add(held);
    to.set(key, other);
  }
}

function refuse(reason: DocumentRefusal, detail: string): Refused {
  return { kind: 'refused', reason, detail };
}
