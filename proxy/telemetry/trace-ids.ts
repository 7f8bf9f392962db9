/**
 * Ids of traces and spans, as words of 32 bits: drawn from a generator that was seeded once, because asking the system for
 * randomness costs more than the rest of what is done for a request. Ids are no secrets; they have to differ.
 * @module
 */

const DIGITS = Buffer.from('0123456789abcdef', 'latin1');
/** What a byte is worth as a lower-case hexadecimal digit; over 15 for any other. */
const VALUES = new Uint8Array(256).fill(0x80);
for (let value = 0; value < DIGITS.length; value++) VALUES[DIGITS[value]!] = value;
/** The two digits of a byte, the first in the lower half. */
const PAIRS = Uint16Array.from({ length: 256 }, (_, byte) => DIGITS[byte >>> 4]! | (DIGITS[byte & 15]! << 8));

/** How many traces have the first half of their id in common; the second half alone tells these apart. */
const TRACES_A_HALF = 65_536;

/** Xorshift of 128 bits (Marsaglia 2003, §4). */
export class TraceIds {
  /** The first half of the ids of traces that begin now: to write it anew for each would cost. */
  readonly #half = new Int32Array(2);
  readonly #state: Int32Array;
  #left = 0;

  /** @param seed four words */
  constructor(seed: Int32Array) {
    this.#state = Int32Array.from(seed.subarray(0, 4));
    if (this.#state.every((word) => word === 0)) this.#state[0] = 1; // it would stay there
  }

  /** Writes the id of a new trace: four words. */
  beginTrace(words: Int32Array, at: number): void {
    if (this.#left-- === 0) {
      this.#left = TRACES_A_HALF;
      this.span(this.#half, 0);
    }
    words[at] = this.#half[0]!;
    words[at + 1] = this.#half[1]!;
    this.span(words, at + 2);
  }

  /** Writes an id of two words, which is never zero. */
  span(words: Int32Array, at: number): void {
    const first = this.#next();
    const second = this.#next();
    words[at] = first;
    words[at + 1] = (first | second) === 0 ? 1 : second;
  }

  #next(): number {
    const state = this.#state;
    const t = state[0]! ^ (state[0]! << 11);
    const last = state[3]!;
    state[0] = state[1]!;
    state[1] = state[2]!;
    state[2] = last;
    const word = last ^ (last >>> 19) ^ t ^ (t >>> 8);
    state[3] = word;
    return word;
  }
}

/** Reads 8 digits a word. @returns false where they are not all lower-case hexadecimal digits, or all zero */
export function readId(bytes: Uint8Array, from: number, words: Int32Array, at: number, count: number): boolean {
  let seen = 0;
  let any = 0;
  let place = from;
  for (let i = 0; i < count; i++) {
    const a = VALUES[bytes[place]!]!;
    const b = VALUES[bytes[place + 1]!]!;
    const c = VALUES[bytes[place + 2]!]!;
    const d = VALUES[bytes[place + 3]!]!;
    const e = VALUES[bytes[place + 4]!]!;
    const f = VALUES[bytes[place + 5]!]!;
    const g = VALUES[bytes[place + 6]!]!;
    const h = VALUES[bytes[place + 7]!]!;
    seen |= a | b | c | d | e | f | g | h;
    const word = (a << 28) | (b << 24) | (c << 20) | (d << 16) | (e << 12) | (f << 8) | (g << 4) | h;
    words[at + i] = word;
    any |= word;
    place += 8;
  }
  return seen < 16 && any !== 0;
}

/** One digit; over 15 where it is none. */
export function digitAt(bytes: Uint8Array, at: number): number {
  return VALUES[bytes[at]!]!;
}

/** Writes two words as 16 digits. */
export function writeSpan(words: Int32Array, at: number, out: Uint8Array, to: number): void {
  writeWord(words[at]!, out, to);
  writeWord(words[at + 1]!, out, to + 8);
}

function writeWord(word: number, out: Uint8Array, to: number): void {
  const a = PAIRS[word >>> 24]!;
  const b = PAIRS[(word >>> 16) & 0xff]!;
  const c = PAIRS[(word >>> 8) & 0xff]!;
  const d = PAIRS[word & 0xff]!;
  out[to] = a;
  out[to + 1] = a >>> 8;
  out[to + 2] = b;
  out[to + 3] = b >>> 8;
  out[to + 4] = c;
  out[to + 5] = c >>> 8;
  out[to + 6] = d;
  out[to + 7] = d >>> 8;
}

/** Words as digits. Not for the hot path. */
export function idText(words: Int32Array, at: number, count: number): string {
  let text = '';
  for (let i = 0; i < count; i++) text += (words[at + i]! >>> 0).toString(16).padStart(8, '0');
  return text;
}

/** Whether a trace is among the share that is told of: the same wherever it is asked, as it goes by the id alone. */
export function isChosen(words: Int32Array, at: number, ratio: number): boolean {
  let hash = words[at + 2]! ^ Math.imul(words[at + 3]!, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000 < ratio;
}
