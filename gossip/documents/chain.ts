/**
 * The revisions of one document that a node keeps: the latest few, in one order that is the same everywhere.
 *
 * Later by hybrid logical clock wins, and by id where clocks are equal. What is kept is the latest of all that was ever
 * offered, whatever the order of arrival: a set that only grows, cut at its old end, so replicas that saw the same hold the
 * same. It is cut by number and by size, and what is cut off now would be cut off of any larger set too. A deletion is a
 * revision like any other and is only undone by one that is later.
 * @module
 */
import { isSameBytes } from '../records/register.ts';
import { compareHlc } from './hlc.ts';
import type { Held, Revision } from './revision.ts';
import { revisionBytes } from './revision.ts';

export const KEPT_REVISIONS = 10;
/**
 * The latest revision of each of so many authors, who wrote last, is kept however many others are later: it is what comes
 * back into force when these authors turn out to be thieves.
 */
export const KEPT_AUTHORS = 6;
/** The most that is ever held. */
export const MAX_HELD = KEPT_REVISIONS + KEPT_AUTHORS - 1;
/** A revision is kept as long as those later than it together take no more than this. */
export const KEPT_BYTES = 512 * 1024;

/** `replaced` = the current one was built on it; `superseded` = written at the same time on another side, and lost. */
export type Standing = 'current' | 'replaced' | 'superseded';

export type Added = 'news' | 'known' | 'old';

/** Above 0 when `a` wins over `b`. */
export function compareHeld(a: Held, b: Held): number {
  const byTime = compareHlc(a.revision.hlc, b.revision.hlc);
  if (byTime !== 0) return byTime;
  return a.id === b.id ? 0 : a.id > b.id ? 1 : -1;
}

export class Chain {
  /** Latest first. */
  #held: readonly Held[] = [];

  /** The revision in force. A chain that holds none is given up, so there always is one. */
  get head(): Held {
    return this.#held[0]!;
  }

  get held(): readonly Held[] {
    return this.#held;
  }

  has(id: string): boolean {
    return this.#held.some((one) => one.id === id);
  }

  /** What all that is kept takes. */
  get bytes(): number {
    return this.#held.reduce((sum, held) => sum + revisionBytes(held.revision), 0);
  }

  /** Whether this revision would change what is kept. */
  judge(candidate: Held): Added {
    if (this.has(candidate.id)) return 'known';
    return this.#with(candidate).includes(candidate) ? 'news' : 'old';
  }

  add(candidate: Held): Added {
    const added = this.judge(candidate);
    if (added === 'news') this.#held = this.#with(candidate);
    return added;
  }

  #with(candidate: Held): Held[] {
    const all = [...this.#held, candidate].sort((a, b) => compareHeld(b, a));
    let laterBytes = 0;
    let authors = 0;
    return all.filter(({ revision }, i) => {
      // Its own size does not count: else a small old one would fit in again once a large one was forgotten.
      const isRecent = i < KEPT_REVISIONS && laterBytes <= KEPT_BYTES;
      laterBytes += revisionBytes(revision);
      const isLatestOfAuthor = !all.slice(0, i).some((later) => isSameAuthor(later.revision, revision));
      if (isLatestOfAuthor) authors++;
      return isRecent || (isLatestOfAuthor && authors <= KEPT_AUTHORS);
    });
  }

  /** Takes out revisions that count for nothing any more. @returns these */
  remove(isWorthless: (held: Held) => boolean): Held[] {
    const removed = this.#held.filter(isWorthless);
    if (removed.length > 0) this.#held = this.#held.filter((held) => !removed.includes(held));
    return removed;
  }

  /** Each revision with its standing, latest first. */
  standings(): { readonly held: Held; readonly standing: Standing }[] {
    const ancestors = this.#ancestors();
    const oldest = Math.min(...this.#held.filter((one) => ancestors.has(one.id)).map((one) => one.revision.number));
    return this.#held.map((held, i) => {
      if (i === 0) return { held, standing: 'current' };
      // Below the end of the known line nobody can tell any more; most of it was simply replaced.
      const isOnLine = ancestors.has(held.id) || held.revision.number < oldest;
      return { held, standing: isOnLine ? 'replaced' : 'superseded' };
    });
  }

  /** The head and what it was built on, as far back as we hold it. */
  #ancestors(): Set<string> {
    const line = new Set<string>();
    let at: Held | undefined = this.head;
    while (at !== undefined && !line.has(at.id)) {
      line.add(at.id);
      const base: string = at.revision.base;
      at = this.#held.find((one) => one.id === base);
    }
    return line;
  }
}

/** By certificate: an operator who was certified anew is another one, as far as revocation goes. */
function isSameAuthor(a: Revision, b: Revision): boolean {
  return a.author === b.author && isSameBytes(a.certificate, b.certificate);
}
