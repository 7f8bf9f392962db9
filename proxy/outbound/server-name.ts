/**
 * The name that a client of TLS asks for in its first message (RFC 8446 §4.1.2, RFC 6066 §3), read without taking part.
 *
 * Pure, and for bytes of strangers: nothing is believed that does not add up, and no more is looked at than a hello may be
 * long. Records may split the message anywhere.
 * @module
 */

/** `more`: what has come may be the beginning of a hello. `none`: it is not one, or one that asks for no name. */
export type Hello = { readonly kind: 'more' | 'none' } | { readonly kind: 'name'; readonly name: string };

/** A hello is a few hundred bytes, and some thousands with keys that withstand quantum computers. */
export const MAX_HELLO_BYTES = 16_384;

const RECORD_HEAD = 5;
const MAX_RECORD = 16_384;
/** Nobody who means well cuts a hello finer. */
const MAX_PIECES = 64;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
const MORE: Hello = { kind: 'more' };
const NONE: Hello = { kind: 'none' };

/** As a hostname is written, and no longer than one may be (RFC 1123 §2.1). An address is no name. */
const NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/;

/** @param bytes everything the client has sent so far */
export function serverNameOf(bytes: Buffer): Hello {
  const message = handshakeOf(bytes);
  return Buffer.isBuffer(message) ? nameIn(message) : message;
}

/** The first message of the handshake, without its head, out of its records. */
function handshakeOf(bytes: Buffer): Buffer | Hello {
  const pieces: Buffer[] = [];
  let have = 0;
  let at = 0;
  for (;;) {
    if (at < bytes.length && bytes[at] !== HANDSHAKE) return NONE;
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return NONE; // the major version, of TLS 1.3 too
    if (at + RECORD_HEAD > bytes.length) return MORE;
    const size = bytes.readUInt16BE(at + 3);
    if (size === 0 || size > MAX_RECORD) return NONE;
    const piece = bytes.subarray(at + RECORD_HEAD, at + RECORD_HEAD + size);
    pieces.push(piece);
    have += piece.length;
    const known = pieces.length === 1 ? piece : Buffer.concat(pieces);
    if (known.length > 0 && known[0] !== CLIENT_HELLO) return NONE;
    if (known.length >= 4) {
      const length = known.readUIntBE(1, 3);
      if (length > MAX_HELLO_BYTES) return NONE;
      if (have >= 4 + length) return known.subarray(4, 4 + length);
    }
    if (piece.length < size) return MORE;
    if (pieces.length > MAX_PIECES) return NONE;
    at += RECORD_HEAD + size;
  }
}

function nameIn(hello: Buffer): Hello {
  const reader = new Reader(hello);
  reader.skip(2 + 32); // version, random
  reader.skip(reader.number(1)); // session id
  reader.skip(reader.number(2)); // cipher suites
  reader.skip(reader.number(1)); // compression methods
  if (reader.isOver) return NONE; // no extensions, as old clients
  const extensions = reader.part(reader.number(2));
  while (!extensions.isOver && !extensions.isShort) {
    const type = extensions.number(2);
    const extension = extensions.part(extensions.number(2));
    if (type === SERVER_NAME) return extensions.isShort ? NONE : hostIn(extension);
  }
  return NONE;
}

function hostIn(extension: Reader): Hello {
  const names = extension.part(extension.number(2));
  while (!names.isOver && !names.isShort) {
    const type = names.number(1);
    const name = names.text(names.number(2)).toLowerCase().replace(/\.$/, '');
    if (type === HOST_NAME) return !names.isShort && NAME.test(name) ? { kind: 'name', name } : NONE;
  }
  return NONE;
}

/** Reads forward; past the end everything is zero and empty, and `isShort` says so. */
class Reader {
  isShort = false;
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isOver(): boolean {
    return this.#at >= this.#bytes.length;
  }

  number(size: 1 | 2): number {
    return this.#has(size) ? this.#bytes.readUIntBE(this.#at - size, size) : 0;
  }

  skip(size: number): void {
    this.#has(size);
  }

  part(size: number): Reader {
    return new Reader(this.#has(size) ? this.#bytes.subarray(this.#at - size, this.#at) : this.#bytes.subarray(0, 0));
  }

  text(size: number): string {
    return this.#has(size) ? this.#bytes.toString('latin1', this.#at - size, this.#at) : '';
  }

  #has(size: number): boolean {
    this.#at += size;
    if (this.#at <= this.#bytes.length) return !this.isShort;
    this.isShort = true;
    return false;
  }
}
