/**
 * What was seen, by key, with when first and when last. Pure: instants come in.
 *
 * Holds `limit` entries; when it is full, the one that was seen longest ago gives way.
 * @module
 */

export interface Seen {
  /** ms since 1970. */
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
}

export class SeenTable<V> {
  readonly #limit: number;
  /** In the order they were last seen. */
  readonly #entries = new Map<string, V & Seen>();

  constructor(limit: number, entries: Iterable<readonly [string, V & Seen]> = []) {
    this.#limit = limit;
    const byAge = [...entries].sort(([, a], [, b]) => a.lastSeenMs - b.lastSeenMs);
    for (const [key, entry] of byAge.slice(-limit)) this.#entries.set(key, entry);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): (V & Seen) | undefined {
    return this.#entries.get(key);
  }

  entries(): IterableIterator<[string, V & Seen]> {
    return this.#entries.entries();
  }

  values(): (V & Seen)[] {
    return [...this.#entries.values()];
  }

  /**
   * @param value from what was known of it
   * @param firstSeenMs of an entry that is new here
   */
  saw(key: string, nowMs: number, value: (before: V | undefined) => V, firstSeenMs = nowMs): void {
    const before = this.#entries.get(key);
    this.#entries.delete(key);
    if (this.#entries.size >= this.#limit) {
      const [oldest] = this.#entries.keys();
      this.#entries.delete(oldest!);
    }
    // A clock that was set back makes nothing younger than it was.
    const lastSeenMs = Math.max(nowMs, before?.lastSeenMs ?? 0);
    this.#entries.set(key, { ...value(before), firstSeenMs: before?.firstSeenMs ?? firstSeenMs, lastSeenMs });
  }

  /** Takes out what was last seen before `beforeMs`. @returns what it was */
  forget(beforeMs: number): readonly [string, V & Seen][] {
    const gone = [...this.#entries].filter(([, { lastSeenMs }]) => lastSeenMs < beforeMs);
    for (const [key] of gone) this.#entries.delete(key);
    return gone;
  }
}
