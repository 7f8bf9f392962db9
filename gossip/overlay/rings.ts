/**
 * Who watches whom: K rings on which every member has a place by hash, as in Rapid (Suresh et al., USENIX ATC 2018, §4).
 *
 * On each ring a member watches the next one after it. So each is watched by up to K others, each watches up to K, and
 * the links that follow are an expander with high probability. The rings are computed from the member table alone:
 * nobody coordinates them, and two nodes with the same table see the same rings. Up to K + 1 members everybody watches
 * everybody.
 * @module
 */
import { LayeredMap } from '../layered-map.ts';
import { hashText, mix } from './hash.ts';

/** A set of members and their order on every ring, computed once for any number of nodes that know them all. */
export class RingOrder {
  readonly places: ReadonlyMap<string, number>;
  readonly #rings: readonly (readonly string[])[];
  readonly #positions: readonly ReadonlyMap<string, number>[];

  constructor(names: Iterable<string>, k: number) {
    this.places = new Map([...names].map((name) => [name, hashText(name)]));
    this.#rings = Array.from({ length: k }, (_, ring) => {
      const at = new Map([...this.places].map(([name, hash]) => [name, mix(hash, ring)]));
      return [...at.keys()].sort((a, b) => at.get(a)! - at.get(b)! || (a < b ? -1 : 1));
    });
    this.#positions = this.#rings.map((ring) => new Map(ring.map((name, i) => [name, i])));
  }

  /** The nearest present member after this one on the ring (`step` 1) or before it (-1). */
  neighbour(ring: number, name: string, step: 1 | -1, isPresent: (name: string) => boolean): string | undefined {
    const names = this.#rings[ring]!;
    const from = this.#positions[ring]!.get(name)!;
    for (let distance = 1; distance < names.length; distance++) {
      const other = names[(from + step * distance + names.length) % names.length]!;
      if (isPresent(other)) return other;
    }
    return undefined;
  }
}

export class Rings {
  readonly #self: string;
  readonly #k: number;
  /** Everybody on the rings, ourselves included, with the hash its places derive from. */
  readonly #places: LayeredMap<string, number>;
  readonly #known: RingOrder | undefined;
  /** Those whom `#known` does not have. */
  readonly #added = new Map<string, number>();
  readonly #has = (name: string): boolean => this.#places.has(name);
  /** Per ring, the member after us and the member before us; they change only when a neighbour comes or goes. */
  readonly #after: (string | undefined)[];
  readonly #before: (string | undefined)[];

  /** @param known members to begin with, ourselves among them */
  constructor(self: string, k: number, known?: RingOrder) {
    this.#self = self;
    this.#k = k;
    this.#places = new LayeredMap(known?.places);
    this.#places.set(self, hashText(self));
    this.#known = known;
    this.#after = Array.from({ length: k }, (_, ring) => known?.neighbour(ring, self, 1, this.#has));
    this.#before = Array.from({ length: k }, (_, ring) => known?.neighbour(ring, self, -1, this.#has));
  }

  get size(): number {
    return this.#places.size;
  }

  has(name: string): boolean {
    return this.#places.has(name);
  }

  add(name: string): void {
    if (this.#places.has(name)) return;
    this.#places.set(name, hashText(name));
    if (this.#known?.places.has(name) === false) this.#added.set(name, this.#places.get(name)!);
    for (let ring = 0; ring < this.#k; ring++) {
      const self = this.#place(ring, this.#self);
      const distance = (this.#place(ring, name) - self) >>> 0;
      const after = this.#after[ring];
      if (after === undefined || this.#closer(distance, name, (this.#place(ring, after) - self) >>> 0, after)) {
        this.#after[ring] = name;
      }
      const before = this.#before[ring];
      const behind = -distance >>> 0;
      if (before === undefined || this.#closer(behind, name, (self - this.#place(ring, before)) >>> 0, before)) {
        this.#before[ring] = name;
      }
    }
  }

  remove(name: string): void {
    if (name === this.#self || !this.#places.delete(name)) return;
    this.#added.delete(name);
    for (let ring = 0; ring < this.#k; ring++) {
      if (this.#after[ring] === name) this.#after[ring] = this.#neighbour(ring, this.#self, 'after');
      if (this.#before[ring] === name) this.#before[ring] = this.#neighbour(ring, this.#self, 'before');
    }
  }

  /** The members that we watch. */
  subjects(): Set<string> {
    return this.#isFullMesh() ? this.#allBut(this.#self) : setOf(this.#after);
  }

  /** The members that watch us. */
  observers(): Set<string> {
    return this.#isFullMesh() ? this.#allBut(this.#self) : setOf(this.#before);
  }

  /** The members that watch `name`. Walks all members: meant for the few that observe an accused, not for every node. */
  observersOf(name: string): Set<string> {
    if (name === this.#self) return this.observers();
    if (this.#isFullMesh()) return this.#allBut(name);
    const observers = new Set<string>();
    for (let ring = 0; ring < this.#k; ring++) {
      const observer = this.#neighbour(ring, name, 'before');
      if (observer !== undefined) observers.add(observer);
    }
    return observers;
  }

  #isFullMesh(): boolean {
    return this.#places.size <= this.#k + 1;
  }

  #allBut(name: string): Set<string> {
    const names = new Set(this.#places.keys());
    names.delete(name);
    return names;
  }

  #neighbour(ring: number, of: string, side: 'after' | 'before'): string | undefined {
    const origin = mix(this.#places.get(of) ?? hashText(of), ring);
    const distanceTo = (hash: number): number => {
      const ahead = (mix(hash, ring) - origin) >>> 0;
      return side === 'after' ? ahead : -ahead >>> 0;
    };
    const isKnown = this.#known?.places.has(of) === true;
    let best = isKnown ? this.#known?.neighbour(ring, of, side === 'after' ? 1 : -1, this.#has) : undefined;
    let bestDistance = best === undefined ? 0 : distanceTo(this.#places.get(best)!);
    for (const [name, hash] of isKnown ? this.#added : this.#places) {
      if (name === of) continue;
      const distance = distanceTo(hash);
      if (best === undefined || this.#closer(distance, name, bestDistance, best)) {
        best = name;
        bestDistance = distance;
      }
    }
    return best;
  }

  #place(ring: number, name: string): number {
    return mix(this.#places.get(name)!, ring);
  }

  /** Two members on one spot are told apart by name, so that all nodes choose the same one. */
  #closer(distance: number, name: string, bestDistance: number, best: string): boolean {
    return distance < bestDistance || (distance === bestDistance && name < best);
  }
}

function setOf(names: readonly (string | undefined)[]): Set<string> {
  return new Set(names.filter((name) => name !== undefined));
}
