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
import type { Random } from '../ports.ts';
import { hashText, mix } from './hash.ts';
import { distance, Ring, type Spot, type Step } from './ring.ts';

/** A set of members and their order on every ring, computed once for any number of nodes that know them all. */
export class RingOrder {
  readonly places: ReadonlyMap<string, number>;
  readonly rings: readonly Ring[];

  constructor(names: Iterable<string>, k: number) {
    this.places = new Map([...names].map((name) => [name, hashText(name)]));
    this.rings = Array.from(
      { length: k },
      (_, ring) => new Ring(this.places.keys(), (name) => mix(this.places.get(name)!, ring)),
    );
  }
}

export class Rings {
  readonly #self: string;
  readonly #k: number;
  /** Everybody on the rings, ourselves included, with the hash its places derive from. */
  readonly #places: LayeredMap<string, number>;
  readonly #known: RingOrder | undefined;
  /** Those whom `#known` does not have. */
  readonly #added: readonly Ring[];
  readonly #has = (name: string): boolean => this.#places.has(name);
  /** Per ring, the member after us and the member before us; they change only when a neighbour comes or goes. */
  readonly #after: (string | undefined)[];
  readonly #before: (string | undefined)[];

  /** @param known members to begin with, ourselves among them */
  constructor(self: string, k: number, known?: RingOrder) {
    this.#self = self;
    this.#k = k;
    this.#places = new LayeredMap(known?.places);
    this.#known = known;
    this.#added = Array.from({ length: k }, () => new Ring());
    this.#after = new Array<string | undefined>(k).fill(undefined);
    this.#before = new Array<string | undefined>(k).fill(undefined);
    if (!this.#places.has(self)) this.#place(self);
    this.#findNeighbours();
  }

  get size(): number {
    return this.#places.size;
  }

  has(name: string): boolean {
    return this.#places.has(name);
  }

  add(name: string): void {
    if (this.#places.has(name)) return;
    this.#place(name);
    for (let ring = 0; ring < this.#k; ring++) {
      if (this.#isCloser(ring, 1, name, this.#after[ring])) this.#after[ring] = name;
      if (this.#isCloser(ring, -1, name, this.#before[ring])) this.#before[ring] = name;
    }
  }

  remove(name: string): void {
    const hash = this.#places.get(name);
    if (name === this.#self || hash === undefined) return;
    this.#places.delete(name);
    if (this.#known?.places.has(name) !== true) {
      for (const [ring, added] of this.#added.entries()) added.remove(mix(hash, ring), name);
    }
    this.#findNeighbours(name);
  }

  /** The members that we watch. */
  subjects(): Set<string> {
    return this.#isFullMesh() ? this.#allBut(this.#self) : setOf(this.#after);
  }

  /** The members that watch us. */
  observers(): Set<string> {
    return this.#isFullMesh() ? this.#allBut(this.#self) : setOf(this.#before);
  }

  /** The members that watch `name`. */
  observersOf(name: string): Set<string> {
    if (name === this.#self) return this.observers();
    if (this.#isFullMesh()) return this.#allBut(name);
    const hash = this.#places.get(name) ?? hashText(name);
    return setOf(this.#added.map((_, ring) => this.#neighbour(ring, { place: mix(hash, ring), name }, -1)));
  }

  /** Any member but ourselves; undefined when there is none. Who follows wide gaps on most rings is chosen more often. */
  random(random: Random): string | undefined {
    const ring = Math.floor(random() * this.#k);
    const place = Math.floor(random() * 0x1_0000_0000);
    const chosen = this.#neighbour(ring, { place, name: '' }, 1);
    return chosen === this.#self ? this.#after[ring] : chosen;
  }

  #isFullMesh(): boolean {
    return this.#places.size <= this.#k + 1;
  }

  #allBut(name: string): Set<string> {
    const names = new Set(this.#places.keys());
    names.delete(name);
    return names;
  }

  #place(name: string): void {
    const hash = this.#known?.places.get(name) ?? hashText(name);
    this.#places.set(name, hash);
    if (this.#known?.places.has(name) === true) return;
    for (const [ring, added] of this.#added.entries()) added.insert(mix(hash, ring), name);
  }

  /** Looks for our neighbours on every ring, or only where `gone` was one. */
  #findNeighbours(gone?: string): void {
    for (let ring = 0; ring < this.#k; ring++) {
      const self = this.#spot(ring, this.#self);
      if (this.#after[ring] === gone) this.#after[ring] = this.#neighbour(ring, self, 1);
      if (this.#before[ring] === gone) this.#before[ring] = this.#neighbour(ring, self, -1);
    }
  }

  #neighbour(ring: number, spot: Spot, step: Step): string | undefined {
    const known = this.#known?.rings[ring]?.neighbour(spot.place, spot.name, step, this.#has);
    const added = this.#added[ring]!.neighbour(spot.place, spot.name, step, this.#has);
    if (known === undefined || added === undefined) return known ?? added;
    const knownDistance = distance(step, spot, this.#spot(ring, known));
    const addedDistance = distance(step, spot, this.#spot(ring, added));
    if (knownDistance !== addedDistance) return knownDistance < addedDistance ? known : added;
    return known < added === (step === 1) ? known : added;
  }

  #isCloser(ring: number, step: Step, name: string, than: string | undefined): boolean {
    if (than === undefined) return true;
    const self = this.#spot(ring, this.#self);
    const here = distance(step, self, this.#spot(ring, name));
    const there = distance(step, self, this.#spot(ring, than));
    return here < there || (here === there && name < than === (step === 1));
  }

  #spot(ring: number, name: string): Spot {
    return { name, place: mix(this.#places.get(name)!, ring) };
  }
}

function setOf(names: readonly (string | undefined)[]): Set<string> {
  return new Set(names.filter((name) => name !== undefined));
}
