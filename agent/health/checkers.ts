/**
 * Who checks an endpoint: three of the members that are there, by rendezvous hash, and never its own node, which knows by
 * itself. Every node works it out alone; when one goes, one other takes its place and the rest stay. @module
 */
import { hashText, mix } from '../../gossip/overlay/hash.ts';

export const CHECKERS = 3;

interface Hashed {
  readonly name: string;
  readonly hash: number;
}

export class Checkers {
  readonly #members: readonly Hashed[];

  /** @param members names of those that are there, this node among them */
  constructor(members: readonly string[]) {
    this.#members = members.map((name) => ({ name, hash: hashText(name) }));
  }

  /** Names, the first choice first. Fewer where there are fewer. */
  of({ id, node }: { readonly id: string; readonly node: string }): readonly string[] {
    const salt = hashText(id);
    const best: { readonly name: string; readonly rank: number }[] = [];
    for (const { name, hash } of this.#members) {
      if (name === node) continue;
      const rank = mix(hash, salt);
      if (best.length === CHECKERS && !isBefore({ name, rank }, best.at(-1)!)) continue;
      best.push({ name, rank });
      best.sort((a, b) => (isBefore(a, b) ? -1 : 1));
      best.length = Math.min(best.length, CHECKERS);
    }
    return best.map(({ name }) => name);
  }
}

function isBefore(a: { name: string; rank: number }, b: { name: string; rank: number }): boolean {
  return a.rank < b.rank || (a.rank === b.rank && a.name < b.name);
}
