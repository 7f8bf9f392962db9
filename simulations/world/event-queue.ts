/**
 * What is to happen, in the order of (time, sequence): first planned, first served within one instant.
 *
 * A calendar: one slot for every eighth of a millisecond of the next four seconds, a heap for what lies beyond, and a heap
 * for the slot in progress. Most of a mesh's happenings are packets and pings that come due soon, so planning one is an
 * append, and only a few dozen are sorted at a time.
 * @module
 */

/** Something planned. `atMs` and `order` belong to the queue. */
export abstract class Happening {
  atMs = 0;
  order = 0;
  abstract run(): void;
}

/** A happening that is not worth a class of its own. */
class Call extends Happening {
  readonly #what: () => void;

  constructor(what: () => void) {
    super();
    this.#what = what;
  }

  override run(): void {
    this.#what();
  }
}

const SLOTS = 32_768;
const SLOTS_PER_MS = 8;

export class EventQueue {
  /** The instant of the happening in progress; between runs, the instant the last run ended. */
  nowMs = 0;
  /** Happenings run so far. */
  count = 0;
  /** Due within `#slot` or earlier. */
  readonly #near = new Heap();
  readonly #slots: Happening[][] = Array.from({ length: SLOTS }, () => []);
  readonly #far = new Heap();
  #slot = 0;
  #inSlots = 0;
  #order = 0;

  get size(): number {
    return this.#near.size + this.#inSlots + this.#far.size;
  }

  /** Plans `happening` for `atMs`; for now, if that is past. */
  plan(atMs: number, happening: Happening): void {
    happening.atMs = Math.max(atMs, this.nowMs);
    happening.order = this.#order++;
    const slot = slotOf(happening.atMs);
    if (slot <= this.#slot) {
      this.#near.push(happening);
    } else if (slot < this.#slot + SLOTS) {
      this.#slots[slot % SLOTS]!.push(happening);
      this.#inSlots++;
    } else {
      this.#far.push(happening);
    }
  }

  /** Runs `what` after `delayMs`. */
  later(delayMs: number, what: () => void): void {
    this.plan(this.nowMs + Math.max(0, delayMs), new Call(what));
  }

  /** Runs everything due up to and at `endMs`, also what is planned meanwhile. */
  runUntil(endMs: number): void {
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.nowMs = next.atMs;
      this.count++;
      next.run();
    }
    this.nowMs = Math.max(this.nowMs, endMs);
  }

  #next(endMs: number): Happening | undefined {
    const lastSlot = slotOf(endMs);
    while (this.#near.size === 0) {
      if (this.#inSlots === 0) {
        // Nothing for four seconds: jump to just before the next happening.
        const first = this.#far.first();
        if (first === undefined || first.atMs > endMs) return undefined;
        this.#slot = Math.max(this.#slot, slotOf(first.atMs) - 1);
      }
      if (this.#slot >= lastSlot) return undefined;
      this.#turnTo(this.#slot + 1);
    }
    const first = this.#near.first()!;
    return first.atMs <= endMs ? this.#near.pop() : undefined;
  }

  #turnTo(slot: number): void {
    this.#slot = slot;
    const due = this.#slots[slot % SLOTS]!;
    if (due.length > 0) {
      for (const happening of due) this.#near.push(happening);
      this.#inSlots -= due.length;
      due.length = 0;
    }
    for (
      let first = this.#far.first();
      first !== undefined && slotOf(first.atMs) < slot + SLOTS;
      first = this.#far.first()
    ) {
      this.#far.pop();
      const at = slotOf(first.atMs);
      if (at <= slot) {
        this.#near.push(first);
      } else {
        this.#slots[at % SLOTS]!.push(first);
        this.#inSlots++;
      }
    }
  }
}

function slotOf(atMs: number): number {
  return Math.floor(atMs * SLOTS_PER_MS);
}

/** Instants are kept beside the happenings: to compare them in place costs a visit to memory each. */
class Heap {
  readonly #items: Happening[] = [];
  readonly #atMs: number[] = [];

  get size(): number {
    return this.#items.length;
  }

  first(): Happening | undefined {
    return this.#items[0];
  }

  push(item: Happening): void {
    let at = this.#items.push(item) - 1;
    this.#atMs.push(item.atMs);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(item.atMs, item, parent)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#put(item, at);
  }

  pop(): Happening | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    const lastAtMs = this.#atMs.pop()!;
    if (last === undefined || items.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && this.#isBefore(this.#atMs[child + 1]!, items[child + 1]!, child)) child++;
      if (this.#isBefore(lastAtMs, last, child)) break;
      this.#move(child, at);
      at = child;
    }
    this.#put(last, at);
    return top;
  }

  #isBefore(atMs: number, item: Happening, than: number): boolean {
    const otherMs = this.#atMs[than]!;
    return atMs < otherMs || (atMs === otherMs && item.order < this.#items[than]!.order);
  }

  #move(from: number, to: number): void {
    this.#items[to] = this.#items[from]!;
    this.#atMs[to] = this.#atMs[from]!;
  }

  #put(item: Happening, at: number): void {
    this.#items[at] = item;
    this.#atMs[at] = item.atMs;
  }
}
