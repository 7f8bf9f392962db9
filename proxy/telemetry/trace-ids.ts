/**
 * Ids of traces and spans, as words of 32 bits: drawn from a generator that was seeded once, because asking the system for
 * randomness costs more than the rest of what is done for a request. Ids are no secrets; they have to differ.
 * @module
 */

const DIGITS = Buffer.from('0123456789abcdef', 'latin1');
/** What a byte is worth as a lower-case hexadecimal digit; over 15 for any other. */
const VALUES = new Uint8Array(256).fill(0x80);
for (let value = 0; value < DIGITS.length; value++) VALUES[DIGITS[value]!] = value;

const scratch = Buffer.alloc(32);

/** Xorshift of 128 bits (Marsaglia 2003, §4). */
export class TraceIds {
  readonly #state: Int32Array;

  /** @param seed four words */
  constructor(seed: Int32Array) {
    this.#state = Int32Array.from(seed.subarray(0, 4));
    if (this.#state.every((word) => word === 0)) this.#state[0] = 1; // it would stay there
  }

  /** Writes an id, which is never zero. @param count of words */
  next(words: Int32Array, at: number, count: number): void {
    const state = this.#state;
    let any = 0;
    for (let i = 0; i < count; i++) {
      const t = state[0]! ^ (state[0]! << 11);
      const last = state[3]!;
      state[0] = state[1]!;
      state[1] = state[2]!;
      state[2] = last;
      const word = last ^ (last >>> 19) ^ t ^ (t >>> 8);
      state[3] = word;
      words[at + i] = word;
      any |= word;
    }
    if (any === 0) words[at] = 1;
  }
}

/** Reads 8 digits a word. @returns false where they are not all lower-case hexadecimal digits, or all zero */
export function readId(bytes: Uint8Array, from: number, words: Int32Array, at: number, count: number): boolean {
  let seen = 0;
  let any = 0;
  for (let i = 0; i < count; i++) {
    let word = 0;
    for (let digit = from + i * 8; digit < from + i * 8 + 8; digit++) {
      const value = VALUES[bytes[digit]!]!;
      seen |= value;
      word = (word << 4) | value;
    }
    words[at + i] = word;
    any |= word;
  }
  return seen < 16 && any !== 0;
}

/** One digit; over 15 where it is none. */
export function digitAt(bytes: Uint8Array, at: number): number {
  return VALUES[bytes[at]!]!;
}

export function writeId(words: Int32Array, at: number, count: number, out: Uint8Array, to: number): void {
  for (let i = 0; i < count; i++) {
    const word = words[at + i]!;
    for (let digit = 0; digit < 8; digit++) out[to + i * 8 + digit] = DIGITS[(word >>> (28 - digit * 4)) & 15]!;
  }
}

export function idText(words: Int32Array, at: number, count: number): string {
  writeId(words, at, count, scratch, 0);
  return scratch.toString('latin1', 0, count * 8);
}

/** Whether a trace is among the share that is told of: the same wherever it is asked, as it goes by the id alone. */
export function isChosen(words: Int32Array, at: number, ratio: number): boolean {
  let hash = words[at + 2]! ^ Math.imul(words[at + 3]!, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000 < ratio;
}
