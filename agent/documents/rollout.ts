/**
 * Who takes a new revision first, and when the others follow: rules only, no time and no effects.
 *
 * A tenth of the nodes, chosen by hash of node and revision, take it at once. The others wait until all of these say that
 * it works, or for a while when some stay mute. What a first taker rejects is held back everywhere. Every node works this
 * out by itself from the members it knows; views differ for moments only, and a rejection is heard from a few nodes more
 * than would be chosen, so that such a moment does no harm.
 * @module
 */
import type { DocumentState } from '../../gossip/documents/report.ts';
import { hashText, mix } from '../../gossip/overlay/hash.ts';

const SHARE = 0.1;
/** A node that two views may disagree on: among the first by a view with fewer members. */
const SLACK = 2;

export interface Said {
  readonly state: DocumentState;
  readonly isFirst: boolean;
  readonly why: string;
}

export interface Situation {
  readonly revision: string;
  readonly self: string;
  /** Names of the members that are alive, this one among them. */
  readonly members: readonly string[];
  /** What other nodes said of this very revision. */
  readonly said: ReadonlyMap<string, Said>;
  /** How long this node has known it, or how long ago it was written when that is longer ago for certain. */
  readonly ageMs: number;
  /** The others follow after this long even when first takers stay mute. */
  readonly patienceMs: number;
}

export type Decision =
  | { readonly kind: 'take'; readonly isFirst: boolean }
  | { readonly kind: 'wait'; readonly for: readonly string[] }
  | { readonly kind: 'hold'; readonly by: string; readonly why: string };

export function decide(situation: Situation): Decision {
  const { revision, self, members, said, ageMs, patienceMs } = situation;
  const order = inOrder(revision, members);
  const count = Math.max(1, Math.ceil(members.length * SHARE));
  for (const name of order.slice(0, Math.max(count + 1, count * SLACK))) {
    const word = said.get(name);
    if (name !== self && word?.state === 'rejected' && word.isFirst) return { kind: 'hold', by: name, why: word.why };
  }
  const first = order.slice(0, count);
  if (first.includes(self)) return { kind: 'take', isFirst: true };
  const mute = first.filter((name) => said.get(name)?.state !== 'applied');
  if (mute.length === 0 || ageMs >= patienceMs) return { kind: 'take', isFirst: false };
  return { kind: 'wait', for: mute };
}

/** Another order for every revision, the same on every node. */
function inOrder(revision: string, members: readonly string[]): string[] {
  const salt = hashText(revision);
  const ranked = members.map((name) => ({ name, rank: mix(hashText(name), salt) }));
  return ranked.sort((a, b) => a.rank - b.rank || (a.name < b.name ? -1 : 1)).map(({ name }) => name);
}
