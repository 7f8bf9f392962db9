/**
 * Documents, as one part of the gossip core: what comes in by any way goes through the library, what is news goes to disk,
 * to the rest of the agent and on to others.
 *
 * Fresh revisions go by broadcast when they are small; large ones are announced from link to link and pulled, so that no
 * node sends what its neighbour already holds. Comparison on every new link and from time to time repairs the rest.
 * @module
 */
import type { Context } from '../effects.ts';
import { arm, send } from '../effects.ts';
import type { Message } from '../wire/messages.ts';
import { LIMITS } from '../wire/messages.ts';
import { Exchange } from './exchange.ts';
import type { DocumentOffer } from './library.ts';
import { Library } from './library.ts';
import { type Arrival, type DocumentNote, noteOf } from './note.ts';
import type { RestoreOutcome, WriteOutcome } from './outcome.ts';
import type { DocumentAuthority } from './ports.ts';
import type { Held, Revision } from './revision.ts';
import { describeKey, keyText, revisionBytes, shortId } from './revision.ts';
import { isCall, isRevocation, MAX_REVOCATIONS } from './revocation.ts';

export interface DocumentOptions {
  readonly authority: DocumentAuthority;
  /** What this node's disk held; judged like anything else. */
  readonly initial: readonly Revision[];
  readonly maxDocuments: number;
}

export interface DocumentHost {
  /** Peers that we can send to, and since when. */
  links(): ReadonlyMap<string, number>;
  /** A linked peer to compare with next. */
  partner(): string | undefined;
}

export type DocumentMessage = Extract<Message, { kind: `doc${string}` }>;

/** Broadcast as a whole up to this size; gossipsub sends a message several times over. */
const BROADCAST_BYTES = 64 * 1024;
/** Longest that gossipsub may take to carry messages over a new link. */
const UNGRAFTED_MS = 5_000;

export class Documents {
  readonly library: Library;
  readonly #context: Context;
  readonly #host: DocumentHost;
  readonly #exchange: Exchange;
  readonly #authority: DocumentAuthority;
  /** Of what the disk held, until there is somebody to tell. */
  readonly #early: DocumentNote[] = [];

  constructor(context: Context, options: DocumentOptions, host: DocumentHost) {
    const { authority, initial, maxDocuments } = options;
    this.#context = context;
    this.#host = host;
    this.#authority = authority;
    const { trustDomain, stats, settings } = context;
    const { tombstoneMs } = settings;
    this.library = new Library({ trustDomain, authority, maxDocuments, tombstoneMs, stats: stats.documents });
    this.#exchange = new Exchange(context, this.library);
    this.library.load(initial, (revision, offer) => {
      this.#early.push(this.#refused(revision, { via: 'disk' }, offer));
    });
    this.library.takeFallout(); // nobody was told of anything else
  }

  start(): void {
    if (this.#early.length > 0) this.#context.out.push({ kind: 'document-notes', notes: this.#early.splice(0) });
    this.#tellRevocations();
    const heads = [...this.library.chains()].map(([, chain]) => chain.head);
    if (heads.length > 0) this.#context.out.push({ kind: 'documents', heads });
    this.#schedule();
  }

  linkUp(peer: string, opened: boolean): void {
    if (opened) this.#exchange.open(peer);
  }

  linkDown(peer: string): void {
    this.#exchange.drop(peer);
  }

  firedPeriod(): void {
    const partner = this.#host.partner();
    const forgotten = this.library.forget();
    if (forgotten.length > 0) this.#context.out.push({ kind: 'documents-gone', keys: forgotten });
    if (partner !== undefined) this.#exchange.open(partner);
    this.#schedule();
  }

  firedSession(peer: string): void {
    this.#exchange.close(peer);
  }

  firedPull(peer: string): void {
    this.#exchange.abandon(peer);
  }

  /** An operator's write: unlike news from elsewhere, it must replace the revision in force. */
  write(revision: Revision, isDryRun: boolean): WriteOutcome {
    const outcome = this.#write(revision, isDryRun);
    if (!isDryRun && (outcome.kind === 'conflict' || outcome.kind === 'refused')) {
      const reason = outcome.kind === 'conflict' ? 'conflict' : outcome.reason;
      this.#note([this.#refused(revision, { via: 'operator' }, { reason, detail: outcome.detail })]);
    }
    return outcome;
  }

  #write(revision: Revision, isDryRun: boolean): WriteOutcome {
    const offer = this.library.examine(revision, { isFresh: true });
    if (offer.kind === 'refused') {
      this.#context.stats.documents.refused[offer.reason]++;
      return offer;
    }
    if (offer.kind === 'known') return this.#again(revision, offer.id);
    const conflict = this.#conflict(revision);
    if (conflict !== undefined) return conflict;
    if (offer.kind === 'old' || !offer.isHead || revision.number !== this.#nextNumber(revision)) {
      const detail = 'its number and its time must follow those of the revision it replaces';
      return { kind: 'refused', reason: 'malformed', detail };
    }
    if (isDryRun) return { kind: 'written', id: offer.held.id };
    this.library.offer(revision);
    this.#took([offer.held], { via: 'operator' });
    this.#spread(offer.held);
    return { kind: 'written', id: offer.held.id };
  }

  /** What is in force may be written again, to no effect. What was replaced is not brought back by who still has a copy. */
  #again(revision: Revision, id: string): WriteOutcome {
    const head = this.library.get(keyText(revision))!.head;
    if (head.id === id) return { kind: 'known', id };
    this.#context.stats.documents.refused.replayed++;
    const detail = `revision ${shortId(id)} was replaced; ${describeHead(head)} is in force. weft undo signs it anew`;
    return { kind: 'refused', reason: 'replayed', detail };
  }

  /** Revisions of a snapshot: taken if they are news, never instead of later ones. */
  restore(revisions: readonly Revision[]): RestoreOutcome {
    const refused: string[] = [];
    const taken: Held[] = [];
    for (const revision of revisions) {
      const offer = this.#offer(revision, { via: 'snapshot' });
      if (offer.kind === 'news') taken.push(offer.held);
      else if (offer.kind === 'refused') refused.push(`${describeKey(revision)}: ${offer.detail}`);
    }
    this.#took(taken, { via: 'snapshot' });
    this.#announce(taken, undefined);
    return { taken: taken.length, refused };
  }

  /** @returns whether to pass it on */
  broadcast(revision: Revision): boolean {
    const arrival = { via: 'peer', from: '' } as const;
    const offer = this.#offer(revision, arrival);
    if (offer.kind !== 'news') return false;
    this.#took([offer.held], arrival);
    this.#announceToUngrafted(offer.held);
    return true;
  }

  /** A root is trusted no more, and what only it vouched for is of no effect. */
  rootDropped(): void {
    this.library.forgetUncertified();
    this.#tellFallout([]);
  }

  received(from: string, message: DocumentMessage): void {
    switch (message.kind) {
      case 'doc-have':
        this.#heard(from, message.items);
        break;
      case 'doc-root':
        this.#exchange.answerRoot(from, message.root);
        break;
      case 'doc-equal':
        this.#exchange.close(from);
        break;
      case 'doc-sums':
        this.#exchange.compareSums(from, message.sums, message.count);
        break;
      case 'doc-digest':
        this.#exchange.compareDigest(from, message);
        break;
      case 'doc-pull':
        this.#exchange.answerPull(from, message.items);
        break;
      case 'doc-pages':
        this.#takePages(from, message);
        break;
      case 'doc': // belongs on gossipsub
        this.#context.stats.dropped['out-of-place']++;
        break;
    }
  }

  #heard(from: string, items: readonly (readonly [key: string, id: string])[]): void {
    const wanted = items.filter(([key, id]) => this.library.get(key)?.has(id) !== true).map(([key]) => key);
    this.#exchange.pull(from, [...new Set(wanted)]);
  }

  #takePages(from: string, message: Extract<Message, { kind: 'doc-pages' }>): void {
    if (!this.#exchange.expects(from)) {
      this.#context.stats.dropped['out-of-place']++;
      return;
    }
    const news: Held[] = [];
    const arrival = { via: 'peer', from } as const;
    for (const revision of message.revisions) {
      const offer = this.#offer(revision, arrival);
      if (offer.kind === 'news') news.push(offer.held);
    }
    this.#took(news, arrival);
    this.#exchange.resume(from, message, news.length);
    this.#announce(news, from);
  }

  /** What writers are told whose base is not in force: both revisions, with who wrote the other and when. */
  #conflict(revision: Revision): WriteOutcome | undefined {
    const head = this.library.get(keyText(revision))?.head;
    if (head === undefined && this.library.isFull && !isCall(revision)) {
      const { size, deletions } = this.library;
      const detail = `the mesh holds ${size} documents and ${deletions} deletions, and takes no more new ones`;
      return { kind: 'refused', reason: 'full', detail };
    }
    const { revocations } = this.library;
    if (head === undefined && isRevocation(revision) && !isCall(revision) && revocations.size >= MAX_REVOCATIONS) {
      const detail = `the mesh holds ${revocations.size} revocations; delete some whose spec.expires is over`;
      return { kind: 'refused', reason: 'full', detail };
    }
    if (revision.base === (head?.id ?? '')) return undefined;
    this.#context.stats.documents.conflicts++;
    const wanted = revision.base === '' ? 'a first revision' : `a revision that replaces ${shortId(revision.base)}`;
    const found = head === undefined ? 'it has none' : `${describeHead(head)} is in force`;
    const detail = `${describeKey(revision)}: this is ${wanted}, but ${found}`;
    return { kind: 'conflict', current: head?.id ?? '', detail };
  }

  #nextNumber(revision: Revision): number {
    return (this.library.get(keyText(revision))?.head.revision.number ?? 0) + 1;
  }

  /** Offers what came from elsewhere to the library; what that does not take is noted. */
  #offer(revision: Revision, arrival: Arrival): DocumentOffer {
    const offer = this.library.offer(revision);
    if (offer.kind === 'refused') this.#note([this.#refused(revision, arrival, offer)]);
    if (offer.kind === 'old' && this.library.get(keyText(revision)) !== undefined) {
      const detail = 'it is older than all revisions that are kept of it';
      this.#note([noteOf({ id: offer.id, revision }, arrival, { reason: 'replayed', detail })]);
    }
    return offer;
  }

  #refused(
    revision: Revision,
    arrival: Arrival,
    { reason, detail }: NonNullable<DocumentNote['refusal']>,
  ): DocumentNote {
    const hasId = reason !== 'malformed' && reason !== 'too-large';
    const id = hasId ? this.library.identify(revision).id : '';
    return noteOf({ id, revision }, arrival, { reason, detail });
  }

  #note(notes: readonly DocumentNote[]): void {
    this.#context.out.push({ kind: 'document-notes', notes });
  }

  #took(news: readonly Held[], arrival: Arrival): void {
    if (news.length === 0) return;
    this.#note(news.map((held) => noteOf(held, arrival)));
    this.#context.out.push({ kind: 'keep-revisions', revisions: news.map((held) => held.revision) });
    this.#tellFallout(news);
  }

  /** @param news what came in, and may have put other revisions into force */
  #tellFallout(news: readonly Held[]): void {
    const { heads: uncovered, gone } = this.library.takeFallout();
    // Before the documents: once they are said to be in use, they are.
    if (news.some((held) => isRevocation(held.revision)) || uncovered.length + gone.length > 0) this.#tellRevocations();
    if (gone.length > 0) this.#context.out.push({ kind: 'documents-gone', keys: gone });
    const changed = [...news, ...uncovered].map((held) => this.library.get(keyText(held.revision))?.head);
    const heads = new Set(changed.filter((head) => head !== undefined)); // what came may be revoked by what came with it
    if (heads.size > 0) this.#context.out.push({ kind: 'documents', heads: [...heads] });
  }

  #tellRevocations(): void {
    const entries = this.library.revocations.entries(this.#authority.wallMs());
    this.#context.out.push({ kind: 'revocations', entries });
  }

  #spread(held: Held): void {
    if (revisionBytes(held.revision) > BROADCAST_BYTES) {
      this.#announce([held], undefined);
      return;
    }
    this.#context.out.push({ kind: 'broadcast-document', revision: held.revision });
    this.#announceToUngrafted(held);
  }

  /** gossipsub loses what is said before a new link was grafted, so those who are new to us hear of it directly. */
  #announceToUngrafted(held: Held): void {
    for (const [peer, sinceMs] of this.#host.links()) {
      if (this.#context.nowMs - sinceMs < UNGRAFTED_MS) this.#tell(peer, [held]);
    }
  }

  #announce(news: readonly Held[], except: string | undefined): void {
    if (news.length === 0) return;
    for (const peer of this.#host.links().keys()) {
      if (peer === except) continue;
      if (news.length <= LIMITS.documentPulls) this.#tell(peer, news);
      else this.#exchange.open(peer); // so much news is found faster by comparing
    }
  }

  #tell(peer: string, news: readonly Held[]): void {
    send(this.#context, peer, { kind: 'doc-have', items: news.map(({ id, revision }) => [keyText(revision), id]) });
  }

  #schedule(): void {
    const { antiEntropyIntervalMs } = this.#context.settings;
    arm(this.#context, 'doc-ae', '', antiEntropyIntervalMs * (0.8 + 0.4 * this.#context.random()));
  }
}

function describeHead({ id, revision }: Held): string {
  const { number, author, hlc } = revision;
  const name = author.slice(author.lastIndexOf('/') + 1);
  return `${shortId(id)} (revision ${number} by ${name} at ${new Date(hlc.ms).toISOString()})`;
}
