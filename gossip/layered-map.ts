/**
 * A Map that begins with what another one holds and never writes to it: reads look through, writes stay in this layer.
 *
 * Ten thousand simulated nodes that know each other would otherwise hold a hundred million entries. Without a base it is
 * a plain Map with one more check.
 * @module
 */

/** What a layer reads through to: a Map or another layer. */
export interface Readable<K, V> extends Iterable<[K, V]> {
  readonly size: number;
  get(key: K): V | undefined;
  has(key: K): boolean;
}

const GONE = Symbol('deleted from the base');

export class LayeredMap<K, V extends object | number | string> implements Readable<K, V> {
  readonly #base: Readable<K, V> | undefined;
  readonly #own = new Map<K, V | typeof GONE>();
  #size: number;

  /** @param base must not change any more */
  constructor(base?: Readable<K, V>) {
    this.#base = base;
    this.#size = base?.size ?? 0;
  }

  get size(): number {
    return this.#size;
  }

  get(key: K): V | undefined {
    const own = this.#own.get(key);
    if (own === undefined) return this.#base?.get(key);
    return own === GONE ? undefined : own;
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  set(key: K, value: V): void {
    if (!this.has(key)) this.#size++;
    this.#own.set(key, value);
  }

  /** False when there was no such key. */
  delete(key: K): boolean {
    if (!this.has(key)) return false;
    this.#size--;
    if (this.#base?.has(key) === true) this.#own.set(key, GONE);
    else this.#own.delete(key);
    return true;
  }

  /** Those of the base first, as far as this layer has not replaced them. */
  *entries(): IterableIterator<[K, V]> {
    if (this.#base !== undefined) for (const [key, value] of this.#base) if (!this.#own.has(key)) yield [key, value];
    for (const [key, value] of this.#own) if (value !== GONE) yield [key, value];
  }

  *keys(): IterableIterator<K> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): IterableIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.entries();
  }
}
