/**
 * One ring: members sorted by place, and by name where two share a place, so that all nodes see one order.
 * @module
 */

export type Step = 1 | -1;

export class Ring {
  readonly #names: string[];
  readonly #places: number[];

  /** @param placeOf a member's place on this ring, 32 bits */
  constructor(names: Iterable<string> = [], placeOf: (name: string) => number = () => 0) {
    const spots = Array.from(names, (name) => ({ name, place: placeOf(name) }));
    spots.sort((a, b) => a.place - b.place || (a.name < b.name ? -1 : 1));
    this.#names = spots.map(({ name }) => name);
    this.#places = spots.map(({ place }) => place);
  }

  insert(place: number, name: string): void {
    const at = this.#indexAfter(place, name);
    this.#names.splice(at, 0, name);
    this.#places.splice(at, 0, place);
  }

  remove(place: number, name: string): void {
    const at = this.#indexAfter(place, name) - 1;
    if (this.#names[at] !== name) return;
    this.#names.splice(at, 1);
    this.#places.splice(at, 1);
  }

  /** The nearest fit member after (`step` 1) or before (-1) this spot, which need not be on the ring; never its own. */
  neighbour(place: number, name: string, step: Step, isFit: (name: string) => boolean): string | undefined {
    const size = this.#names.length;
    let at = this.#indexAfter(place, name);
    if (step === -1) at -= this.#names[at - 1] === name ? 2 : 1;
    for (let tried = 0; tried < size; tried++, at += step) {
      const other = this.#names[(at + size) % size]!;
      if (other !== name && isFit(other)) return other;
    }
    return undefined;
  }

  #indexAfter(place: number, name: string): number {
    let low = 0;
    let high = this.#names.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#places[middle]!;
      if (other < place || (other === place && this.#names[middle]! <= name)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** How far apart two spots are, going in one direction; up to 2^32, where a spot before another on the same place is. */
export function distance(step: Step, from: Spot, to: Spot): number {
  const apart = (step === 1 ? to.place - from.place : from.place - to.place) >>> 0;
  const isBehind = step === 1 ? to.name < from.name : to.name > from.name;
  return apart === 0 && isBehind ? 0x1_0000_0000 : apart;
}

export interface Spot {
  readonly place: number;
  readonly name: string;
}
