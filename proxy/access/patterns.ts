/**
 * Text patterns of access rules, and an index that finds those of a thousand that match a text without trying each.
 *
 * Prefixes lie sorted, each with a link to the longest other one that begins it. All prefixes of a text lie on one chain
 * of links, and the chain starts at the greatest prefix that does not sort behind the text: one binary search. Suffixes
 * are prefixes of the text read backwards.
 * @module
 */

export interface Pattern {
  readonly kind: 'exact' | 'prefix' | 'suffix';
  readonly text: string;
}

/** Reads `exact`, `prefix*`, `*suffix` or `*`; undefined where a star stands anywhere else. */
export function parsePattern(text: string): Pattern | undefined {
  const star = text.indexOf('*');
  if (star === -1) return { kind: 'exact', text };
  if (star === text.length - 1) return { kind: 'prefix', text: text.slice(0, -1) };
  if (star === 0 && !text.includes('*', 1)) return { kind: 'suffix', text: text.slice(1) };
  return undefined;
}

export class PatternIndex {
  readonly #exact = new Map<string, number[]>();
  readonly #prefixes: PrefixIndex;
  readonly #suffixes: PrefixIndex;

  /** @param entries patterns with a number each, which is what a search finds */
  constructor(entries: Iterable<readonly [Pattern, number]>) {
    const prefixes = new Map<string, number[]>();
    const suffixes = new Map<string, number[]>();
    for (const [{ kind, text }, value] of entries) {
      if (kind === 'exact') put(this.#exact, text, value);
      else if (kind === 'prefix') put(prefixes, text, value);
      else put(suffixes, backwards(text), value);
    }
    this.#prefixes = new PrefixIndex(prefixes);
    this.#suffixes = new PrefixIndex(suffixes);
  }

  has(text: string): boolean {
    if (this.hasFromStart(text)) return true;
    return !this.#suffixes.isEmpty && this.#suffixes.has(backwards(text));
  }

  /** The same without suffixes: for the end of a text whose whole was looked up. */
  hasFromStart(text: string): boolean {
    return this.#exact.has(text) || this.#prefixes.has(text);
  }

  /** Appends the numbers of all patterns that match; one may come twice. */
  collect(text: string, into: number[]): void {
    this.collectFromStart(text, into);
    if (!this.#suffixes.isEmpty) this.#suffixes.collect(backwards(text), into);
  }

  /** `collect` without suffixes. */
  collectFromStart(text: string, into: number[]): void {
    const exact = this.#exact.get(text);
    if (exact !== undefined) append(exact, into);
    this.#prefixes.collect(text, into);
  }
}

class PrefixIndex {
  readonly #keys: readonly string[];
  readonly #values: readonly (readonly number[])[];
  /** Position of the longest other key that begins this one, or -1. */
  readonly #parents: Int32Array;

  constructor(entries: ReadonlyMap<string, readonly number[]>) {
    this.#keys = [...entries.keys()].sort(byCodeUnits);
    this.#values = this.#keys.map((key) => entries.get(key)!);
    this.#parents = new Int32Array(this.#keys.length).fill(-1);
    const open: number[] = []; // keys that begin the one before
    for (const [i, key] of this.#keys.entries()) {
      while (open.length > 0 && !key.startsWith(this.#keys[open.at(-1)!]!)) open.pop();
      this.#parents[i] = open.at(-1) ?? -1;
      open.push(i);
    }
  }

  get isEmpty(): boolean {
    return this.#keys.length === 0;
  }

  has(text: string): boolean {
    return this.#longest(text) !== -1;
  }

  collect(text: string, into: number[]): void {
    for (let at = this.#longest(text); at !== -1; at = this.#parents[at]!) append(this.#values[at]!, into);
  }

  /** Position of the longest key that begins the text, or -1. */
  #longest(text: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys[middle]! <= text) low = middle + 1;
      else high = middle;
    }
    let at = low - 1;
    while (at !== -1 && !text.startsWith(this.#keys[at]!)) at = this.#parents[at]!;
    return at;
  }
}

function put(into: Map<string, number[]>, key: string, value: number): void {
  const known = into.get(key);
  if (known === undefined) into.set(key, [value]);
  else known.push(value);
}

function append(values: readonly number[], into: number[]): void {
  for (let i = 0; i < values.length; i++) into.push(values[i]!);
}

/** The order that `<` knows, which is the one `#longest` relies on. */
function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : 1;
}

/** Byte by byte: all that matters is that two texts turn the same way. Many times quicker than letter by letter. */
function backwards(text: string): string {
  return Buffer.from(text, 'utf16le').reverse().toString('latin1');
}
