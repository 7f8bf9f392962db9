/**
 * The open streams of one connection, by number.
 *
 * A `Map` would do, but for what it leaves behind: where numbers come and go, as one does with each request, it makes itself
 * a new table every few requests, and V8 lets an old table point to the new one. One that has grown old thus keeps all that
 * follow until a full collection: 85 % of what outlived young ones under load. Slots with linear probing make nothing.
 * There are as many as the most streams that were open at once needed, which a connection bounds, and they stay.
 * @module
 */

/** A power of two, as all sizes are. At most half of the slots are taken, so that an empty one is near. */
const FIRST_SLOTS = 16;

export class StreamTable<T> {
  /** 0: empty. No stream has that number in either protocol. */
  #ids = new Int32Array(FIRST_SLOTS);
  #streams: (T | undefined)[] = new Array(FIRST_SLOTS).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): T | undefined {
    return this.#streams[this.#slotOf(id)];
  }

  /** @param id 1 to 2^31 - 1 */
  set(id: number, stream: T): void {
    let slot = this.#slotOf(id);
    if (this.#ids[slot] === 0) {
      if (++this.#size * 2 > this.#ids.length) {
        this.#grow();
        slot = this.#slotOf(id);
      }
      this.#ids[slot] = id;
    }
    this.#streams[slot] = stream;
  }

  delete(id: number): boolean {
    const ids = this.#ids;
    const streams = this.#streams;
    const mask = ids.length - 1;
    let hole = this.#slotOf(id);
    if (ids[hole] === 0) return false;
    // Those behind it move up, as far as each may stand before the place it would have in an empty table.
    for (let slot = (hole + 1) & mask; ids[slot] !== 0; slot = (slot + 1) & mask) {
      if (((slot - homeOf(ids[slot]!)) & mask) < ((slot - hole) & mask)) continue;
      ids[hole] = ids[slot]!;
      streams[hole] = streams[slot];
      hole = slot;
    }
    ids[hole] = 0;
    streams[hole] = undefined;
    this.#size--;
    return true;
  }

  clear(): void {
    this.#ids.fill(0);
    this.#streams.fill(undefined);
    this.#size = 0;
  }

  /** A copy, which does not mind what becomes of the table; oldest first. */
  values(): T[] {
    const ids = this.#ids.filter((id) => id !== 0).sort();
    return Array.from(ids, (id) => this.get(id)!);
  }

  /** Where a number is, or the empty slot where it would be. */
  #slotOf(id: number): number {
    const ids = this.#ids;
    const mask = ids.length - 1;
    let slot = homeOf(id) & mask;
    while (ids[slot] !== id && ids[slot] !== 0) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const ids = this.#ids;
    const streams = this.#streams;
    this.#ids = new Int32Array(ids.length * 2);
    this.#streams = new Array(ids.length * 2).fill(undefined);
    for (const [slot, id] of ids.entries()) {
      if (id === 0) continue;
      const place = this.#slotOf(id);
      this.#ids[place] = id;
      this.#streams[place] = streams[slot];
    }
  }
}

/** Numbers that follow one another, odd or not, stand apart: in a table that is half full 2 to 4 in a row, 8 in the smallest. */
function homeOf(id: number): number {
  return Math.imul(id, 0x9e37_79b1) >>> 12;
}
