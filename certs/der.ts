/**
 * A small strict DER reader (X.690), for what Node's X509Certificate does not tell: path lengths, criticality, our grant.
 *
 * It only walks forward over one buffer, copies nothing, and descends only where its caller says, so hostile nesting
 * costs nothing. It throws `DerError`, which the caller turns into a value at the edge of a certificate.
 * @module
 */

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  /** Context tags of a certificate and its extensions. */
  context6: 0x86,
  explicit0: 0xa0,
  explicit3: 0xa3,
} as const;

export class DerError extends Error {
  override readonly name = 'DerError';
}

export class DerReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The tag of the next element, undefined at the end. */
  peek(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** The content of the next element, which must have this tag. */
  read(tag: number): Buffer {
    return this.#next(tag).content;
  }

  /** The next element with its tag and length, as it is signed or compared. */
  readWhole(tag: number): Buffer {
    return this.#next(tag).whole;
  }

  /** The content of the next element if it has this tag; undefined, and nothing consumed, if not. */
  readOptional(tag: number): Buffer | undefined {
    return this.peek() === tag ? this.read(tag) : undefined;
  }

  /** A reader inside the next element. */
  enter(tag: number): DerReader {
    return new DerReader(this.read(tag));
  }

  /** Steps over the next element whatever it is. */
  readAny(): { readonly tag: number; readonly content: Buffer } {
    const tag = this.peek();
    if (tag === undefined) throw new DerError('ends early');
    return { tag, content: this.read(tag) };
  }

  /** Nothing may follow: bytes that a lenient reader would skip are bytes that two readers may disagree on. */
  end(): void {
    if (!this.isAtEnd) throw new DerError('bytes after the end of an element');
  }

  #next(tag: number): { readonly whole: Buffer; readonly content: Buffer } {
    const bytes = this.#bytes;
    const start = this.#at;
    if (bytes[start] !== tag) throw new DerError(`expected tag ${hex(tag)}, found ${hex(bytes[start])}`);
    if ((tag & 0x1f) === 0x1f) throw new DerError('tags of more than one byte are not used in certificates');
    const { lengthBytes, length } = this.#length(start + 1);
    const from = start + 1 + lengthBytes;
    if (length > bytes.length - from) throw new DerError('an element is longer than what holds it');
    this.#at = from + length;
    return { whole: bytes.subarray(start, this.#at), content: bytes.subarray(from, this.#at) };
  }

  /** Definite and minimal lengths only (X.690 §10.1), below 16 MiB. */
  #length(at: number): { readonly lengthBytes: number; readonly length: number } {
    const first = this.#bytes[at];
    if (first === undefined) throw new DerError('ends early');
    if (first < 0x80) return { lengthBytes: 1, length: first };
    const count = first & 0x7f;
    if (count === 0 || count > 3 || at + count >= this.#bytes.length) throw new DerError('bad length');
    const length = this.#bytes.readUIntBE(at + 1, count);
    if (length < 0x80 || length < 256 ** (count - 1)) throw new DerError('length is not minimal');
    return { lengthBytes: 1 + count, length };
  }
}

/** DER knows one true, 0xff; false is the default of every field we read, and a default is left out. */
export function isTrue(content: Buffer | undefined): boolean {
  if (content === undefined) return false;
  if (content.length !== 1 || content[0] !== 0xff) throw new DerError('bad boolean');
  return true;
}

/** A small non-negative integer, such as a path length. */
export function smallInteger(content: Buffer): number {
  if (content.length !== 1 || content[0]! >= 0x80) throw new DerError('integer out of range');
  return content[0]!;
}

/** The first eight bits of a BIT STRING, most significant first; the later ones of a key usage mean nothing to us. */
export function firstBits(content: Buffer): number {
  const unused = content[0];
  const last = content[content.length - 1];
  if (unused === undefined || last === undefined || unused > 7 || content.length < 2)
    throw new DerError('bad bit string');
  if ((last & ((1 << unused) - 1)) !== 0) throw new DerError('unused bits are set');
  return content[1]!;
}

/** UTCTime or GeneralizedTime in the one form RFC 5280 §4.1.2.5 allows: seconds present, Zulu. */
export function instantMs(tag: number, content: Buffer): number {
  const text = content.toString('latin1');
  const digits = tag === TAG.utcTime ? `${text < '5' ? '20' : '19'}${text}` : text;
  if ((tag !== TAG.utcTime && tag !== TAG.generalizedTime) || !/^\d{14}Z$/.test(digits)) throw new DerError('bad time');
  const iso = digits.replace(/^(....)(..)(..)(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6.000Z');
  const ms = Date.parse(iso);
  if (Number.isNaN(ms) || new Date(ms).toISOString() !== iso) throw new DerError('bad time'); // 30 February
  return ms;
}

function hex(byte: number | undefined): string {
  return byte === undefined ? 'the end' : `0x${byte.toString(16).padStart(2, '0')}`;
}
