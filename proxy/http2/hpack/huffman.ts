/**
 * The Huffman code of HPACK (RFC 7541 §5.2, Appendix B).
 *
 * The code is canonical: the lengths say it all. Decoding takes eight bits at a time through tables made from them.
 * @module
 */

/** Length in bits of the code of each byte, and of the end of the string. */
const LENGTHS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];

const END_OF_STRING = 256;

/**
 * Tables of 256 entries, one for each way the code can go on after a multiple of eight bits. An entry is either
 * `LEAF | length << 9 | symbol`, length being what is used of these eight bits, or the number of the next table.
 */
const LEAF = 1 << 15;
const TABLES: readonly Uint16Array[] = makeTables();

export const BAD_HUFFMAN = -1;

/**
 * Decodes bytes[start, end) to `out` at `at`.
 *
 * @returns the position after the last byte written; the end of `out` plus one if it has no room for all; or `BAD_HUFFMAN`
 */
export function decodeHuffman(bytes: Buffer, start: number, end: number, out: Buffer, at: number): number {
  let table = TABLES[0]!;
  let bits = 0;
  let held = 0;
  let to = at;
  /** Bits since the last symbol: what is left at the end must be padding. */
  let open = 0;
  for (let p = start; p < end; p++) {
    bits = ((bits << 8) | bytes[p]!) & 0xffff;
    held += 8;
    open += 8;
    while (held >= 8) {
      const entry = table[(bits >>> (held - 8)) & 0xff]!;
      if ((entry & LEAF) === 0) {
        table = TABLES[entry]!;
        held -= 8;
        continue;
      }
      const symbol = entry & 0x1ff;
      if (symbol === END_OF_STRING) return BAD_HUFFMAN;
      if (to >= out.length) return out.length + 1;
      out[to++] = symbol;
      held -= (entry >>> 9) & 0xf;
      open = held;
      table = TABLES[0]!;
    }
  }
  // What remains is shorter than eight bits: symbols that still fit, then ones.
  for (;;) {
    const entry = table[(bits << (8 - held)) & 0xff]!;
    const length = (entry >>> 9) & 0xf;
    if ((entry & LEAF) === 0 || length > held || (entry & 0x1ff) === END_OF_STRING) break;
    if (to >= out.length) return out.length + 1;
    out[to++] = entry & 0x1ff;
    held -= length;
    open = held;
    table = TABLES[0]!;
  }
  const isPadding = open < 8 && (bits & ((1 << held) - 1)) === (1 << held) - 1;
  return isPadding ? to : BAD_HUFFMAN;
}

function makeTables(): Uint16Array[] {
  const tables = [new Uint16Array(256)];
  const symbols = LENGTHS.map((_, symbol) => symbol).sort((a, b) => LENGTHS[a]! - LENGTHS[b]! || a - b);
  let code = 0;
  let length = 0;
  for (const symbol of symbols) {
    code *= 2 ** (LENGTHS[symbol]! - length);
    length = LENGTHS[symbol]!;
    place(tables, symbol, code, length);
    code++;
  }
  return tables;
}

function place(tables: Uint16Array[], symbol: number, code: number, length: number): void {
  let table = tables[0]!;
  let left = length;
  while (left > 8) {
    const at = (code >>> (left - 8)) & 0xff;
    if (table[at] === 0) {
      table[at] = tables.length;
      tables.push(new Uint16Array(256));
    }
    table = tables[table[at]!]!;
    left -= 8;
  }
  const first = (code << (8 - left)) & 0xff;
  table.fill(LEAF | (left << 9) | symbol, first, first + (1 << (8 - left)));
}
