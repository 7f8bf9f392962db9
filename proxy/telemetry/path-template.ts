/**
 * What paths have in common: a path with what looks like the name of one thing replaced by `{id}`, so that
 * `/v1/accounts/4711` and `/v1/accounts/4712` are one route. The template of a template is itself.
 *
 * Read from bytes, in one pass and without making a string: it is done for each request.
 * @module
 */

export const ID = '{id}';
/** Stands for all segments after the eighth. */
export const REST = '{rest}';
export const MAX_SEGMENTS = 8;

/** Nobody calls a resource by so long a name. */
const MAX_WORD = 40;
/** From here on a digit makes it a token. */
const LONG_WORD = 24;
const MIN_HEX = 8;
/** Years, dates, numbers of orders: `report-2026-01-02`, `order-12345`. */
const MIN_DIGITS_IN_A_ROW = 4;
const UUID_LENGTH = 36;
/** Service and method of gRPC together. */
const MAX_CALL = 200;

const SLASH = 0x2f;
const QUESTION = 0x3f;
const SEMICOLON = 0x3b;
const ASTERISK = 0x2a;

/** The segments of the path that was read last. Parameters behind `;`, a slash at the end and empty segments are left out. */
export class PathSegments {
  count = 0;
  /** Whether there are more than are looked at. */
  hasRest = false;
  /** The same for paths of one template, and mostly another for others. */
  hash = 0;
  readonly starts = new Int32Array(MAX_SEGMENTS);
  readonly ends = new Int32Array(MAX_SEGMENTS);
  /** 1 where a segment is the name of one thing. */
  readonly names = new Uint8Array(MAX_SEGMENTS);

  /** @param isCall of gRPC: nothing in it is a name. @param end a query ends it before */
  read(bytes: Buffer, start: number, end: number, isCall: boolean): void {
    this.count = 0;
    this.hasRest = false;
    this.hash = Number(isCall);
    let at = start;
    while (at < end && bytes[at] !== QUESTION) {
      if (bytes[at] === SLASH) {
        at++;
        continue;
      }
      if (bytes[at] === SEMICOLON) {
        while (at < end && bytes[at] !== SLASH && bytes[at] !== QUESTION) at++;
        continue;
      }
      if (this.count === MAX_SEGMENTS) {
        this.hasRest = true;
        return;
      }
      at = this.#segment(bytes, at, end, isCall);
    }
  }

  /** One segment, in which numbers and names are told from words. @returns where it ends */
  #segment(bytes: Buffer, start: number, end: number, isCall: boolean): number {
    let hash = Math.imul(this.hash, 31);
    let digits = 0;
    let inARow = 0;
    let hex = 0;
    let dashes = 0;
    let isName = false;
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === SLASH || byte === QUESTION || byte === SEMICOLON) break;
      hash = (Math.imul(hash, 31) + byte) | 0;
      if (byte >= 0x30 && byte <= 0x39) {
        digits++;
        hex++;
        if (++inARow === MIN_DIGITS_IN_A_ROW) isName = true;
        continue;
      }
      inARow = 0;
      const letter = byte | 0x20;
      if (letter >= 0x61 && letter <= 0x66) hex++;
      else if (byte === 0x2d) dashes++;
      else if (byte === 0x40 && at > start)
        isName = true; // jane@example.com, but not @jane
      else if (byte === 0x25 && at > start && bytes[at + 1] === 0x34 && bytes[at + 2] === 0x30) isName = true; // %40
    }
    const length = at - start;
    isName ||=
      length > MAX_WORD ||
      (digits > 0 && (digits === length || (digits === length - 1 && bytes[start] === 0x2d))) ||
      (hex === length && length >= MIN_HEX) ||
      (length === UUID_LENGTH && dashes === 4 && hex === length - dashes) ||
      (digits > 0 && length >= LONG_WORD);
    const i = this.count++;
    this.starts[i] = start;
    this.ends[i] = at;
    this.names[i] = isName && !isCall ? 1 : 0;
    this.hash = isName && !isCall ? Math.imul(this.hash, 31) + 1 : hash;
    return at;
  }

  /** What to compare others with: the words, undefined for names. */
  words(bytes: Buffer): readonly (Buffer | undefined)[] {
    return Array.from({ length: this.count }, (_, i) =>
      this.names[i] === 1 ? undefined : Buffer.from(bytes.subarray(this.starts[i], this.ends[i])),
    );
  }

  /** Whether these are the words of another path; whether there is more behind is not compared. */
  are(words: readonly (Buffer | undefined)[], bytes: Buffer): boolean {
    if (words.length !== this.count) return false;
    for (let i = 0; i < words.length; i++) {
      const word = words[i];
      if ((word === undefined) !== (this.names[i] === 1)) return false;
      if (word !== undefined && !isAt(word, bytes, this.starts[i]!, this.ends[i]!)) return false;
    }
    return true;
  }

  /** What they have in common with others, as text. */
  template(bytes: Buffer): string {
    let text = '';
    for (let i = 0; i < this.count; i++) {
      text += `/${this.names[i] === 1 ? ID : bytes.toString('latin1', this.starts[i], this.ends[i])}`;
    }
    if (this.hasRest) text += `/${REST}`;
    return text === '' ? '/' : text;
  }

  /** The route of a call of gRPC: service and method, if that is what they are. */
  call(bytes: Buffer): string {
    const text = this.template(bytes);
    return text.length <= MAX_CALL && /^\/[\w.]+\/\w+$/.test(text) ? text : `/${ID}`;
  }
}

/** @param path as on the wire, one byte a character; a query is left out. `*` is its own template */
export function pathTemplate(path: string, isCall = false): string {
  const bytes = Buffer.from(path, 'latin1');
  if (bytes[0] === ASTERISK && bytes.length === 1) return path;
  const segments = new PathSegments();
  segments.read(bytes, 0, bytes.length, isCall);
  return isCall ? segments.call(bytes) : segments.template(bytes);
}

function isAt(word: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (word.length !== end - start) return false;
  for (let i = 0; i < word.length; i++) if (word[i] !== bytes[start + i]) return false;
  return true;
}
