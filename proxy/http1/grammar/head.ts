/**
 * One parsed head: the raw bytes as they came and an index over them.
 *
 * Nothing is copied or decoded: names and values are offsets into `bytes`, so what is passed on is what was received,
 * in its own case and order. One Head belongs to one parser and is filled anew for each message; every field exists from
 * the start so that all heads share one shape.
 * @module
 */

import { spells } from './characters.ts';

/** Header names the engine acts on. `other` is passed on unread. */
export const FIELD = {
  other: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  keepAlive: 5,
  proxyConnection: 6,
  te: 7,
  upgrade: 8,
  http2Settings: 9,
  expect: 10,
  maxForwards: 11,
  weftReason: 12,
  weftNode: 13,
  weftPolicy: 14,
  grpcTimeout: 15,
  weftDeadline: 16,
  traceparent: 17,
  tracestate: 18,
  /** `b3`, and all of `x-b3-`. */
  b3: 19,
} as const;

/** How the end of a message's body is found (RFC 9112 §6.3). */
export const BODY = { none: 0, length: 1, chunked: 2, untilClose: 3 } as const;
export type BodyKind = (typeof BODY)[keyof typeof BODY];

/**
 * Numbers kept per field: name start and end, value start and end (without white space), id, and whether it is passed on: 0 if
 * so, 1 if not, 2 if an edit took it away, which `restore` undoes.
 */
export const FIELD_STRIDE = 6;

/** The last of these numbers, of a field that an edit took away. */
export const TAKEN = 2;

/**
 * What the request line is to say when it goes on, where that is not what came: origin-form always (RFC 9112 §3.2.2: a proxy
 * replaces Host by the authority of an absolute-form target), or what a route rewrites it to.
 */
export interface Target {
  /** Where the path starts in the head's bytes; equal to pathEnd when the path is empty. */
  readonly pathStart: number;
  readonly pathEnd: number;
  /** Put before the path: '' or '/' or, for OPTIONS without a path, '*', or the rewritten part; one byte a character. */
  readonly prefix: string;
  /** To replace Host: the authority of an absolute-form target, or a rewritten one. */
  readonly authority: string | undefined;
}

/** The target goes on as it came. The common case costs no object; told by identity. */
export const AS_IT_IS: Target = { pathStart: 0, pathEnd: 0, prefix: '', authority: undefined };

const EMPTY = Buffer.alloc(0);
const QUESTION = 0x3f;

export class Head {
  bytes: Buffer = EMPTY;
  /** First byte of the start line. */
  start = 0;
  /** One past the empty line that ends the head. */
  end = 0;
  /** Position of the CR that ends the start line. */
  lineEnd = 0;
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  /** The x of HTTP/1.x: 0, or 1 for everything later. */
  minor = 1;
  /** 0 in a request. */
  status = 0;
  fieldCount = 0;
  readonly fields: Int32Array;
  /** Bit n is set when a field of id n is present. */
  seen = 0;

  // What framing.ts concludes from the fields.
  body: BodyKind = BODY.none;
  contentLength = 0;
  /** Whether the sender keeps the connection open after this message. */
  keepAlive = true;
  /** A well-formed `Upgrade: websocket` that `Connection` names. */
  upgrade = false;
  expectContinue = false;
  /** Number of fields not passed on. */
  dropped = 0;
  /** How many of these an edit took away. */
  taken = 0;
  /** What becomes of the request target. */
  target: Target = AS_IT_IS;
  #path: string | undefined = undefined;
  /** How the head ends when it goes on, where not as it came: complete lines and the empty line, not owned. Empty: as it came. */
  tail: Buffer = EMPTY;

  constructor(maxFields: number) {
    this.fields = new Int32Array(maxFields * FIELD_STRIDE);
  }

  reset(bytes: Buffer, start: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = start;
    this.lineEnd = start;
    this.methodEnd = start;
    this.targetStart = start;
    this.targetEnd = start;
    this.minor = 1;
    this.status = 0;
    this.fieldCount = 0;
    this.seen = 0;
    this.body = BODY.none;
    this.contentLength = 0;
    this.keepAlive = true;
    this.upgrade = false;
    this.expectContinue = false;
    this.dropped = 0;
    this.taken = 0;
    this.target = AS_IT_IS;
    this.#path = undefined;
    this.tail = EMPTY;
  }

  /** One of the same content, with bytes of its own. */
  copy(): Head {
    const copy = new Head(this.fieldCount);
    const { start } = this;
    copy.bytes = Buffer.from(this.bytes.subarray(start, this.end));
    copy.end = this.end - start;
    copy.lineEnd = this.lineEnd - start;
    copy.methodEnd = this.methodEnd - start;
    copy.targetStart = this.targetStart - start;
    copy.targetEnd = this.targetEnd - start;
    copy.minor = this.minor;
    copy.status = this.status;
    copy.fieldCount = this.fieldCount;
    copy.seen = this.seen;
    copy.body = this.body;
    copy.contentLength = this.contentLength;
    copy.keepAlive = this.keepAlive;
    copy.upgrade = this.upgrade;
    copy.expectContinue = this.expectContinue;
    copy.dropped = this.dropped;
    copy.#path = this.#path;
    const { target } = this;
    copy.target =
      target === AS_IT_IS
        ? target
        : { ...target, pathStart: target.pathStart - start, pathEnd: target.pathEnd - start };
    for (let at = 0; at < this.fieldCount * FIELD_STRIDE; at++) {
      const isPlace = at % FIELD_STRIDE < 4;
      copy.fields[at] = this.fields[at]! - (isPlace ? start : 0);
    }
    return copy;
  }

  /** Lets go of the bytes, which may be a small slice of a large read. */
  release(): void {
    this.bytes = EMPTY;
    this.fieldCount = 0;
  }

  has(id: number): boolean {
    return (this.seen & (1 << id)) !== 0;
  }

  /** Marks a field as not passed on. */
  drop(field: number): void {
    const at = field * FIELD_STRIDE + 5;
    if (this.fields[at] === 0) this.dropped++;
    else if (this.fields[at] === TAKEN) this.taken--;
    this.fields[at] = 1;
  }

  /** Marks every field of this name, given in lower case, as not passed on until `restore`. */
  take(name: string): void {
    for (let field = 0; field < this.fieldCount; field++) {
      const at = field * FIELD_STRIDE;
      if (this.fields[at + 5] !== 0 || !spells(this.bytes, this.fields[at]!, this.fields[at + 1]!, name)) continue;
      this.fields[at + 5] = TAKEN;
      this.dropped++;
      this.taken++;
    }
  }

  /** Undoes every `take`: the head may be sent again with other edits. */
  restore(): void {
    if (this.taken === 0) return;
    for (let field = 0; field < this.fieldCount; field++) {
      if (this.fields[field * FIELD_STRIDE + 5] === TAKEN) this.fields[field * FIELD_STRIDE + 5] = 0;
    }
    this.dropped -= this.taken;
    this.taken = 0;
  }

  /** Marks every field of this id as not passed on. */
  dropAll(id: number): void {
    if (!this.has(id)) return;
    for (let field = 0; field < this.fieldCount; field++) {
      if (this.fields[field * FIELD_STRIDE + 4] === id) this.drop(field);
    }
  }

  /** Marks every field of this id as not passed on, and takes it for not being there. */
  disown(id: number): void {
    this.dropAll(id);
    this.seen &= ~(1 << id);
  }

  /** First field of this id, or -1. */
  find(id: number): number {
    if (!this.has(id)) return -1;
    for (let field = 0; field < this.fieldCount; field++) {
      if (this.fields[field * FIELD_STRIDE + 4] === id) return field;
    }
    return -1;
  }

  /** Method as text. Not for the hot path. */
  method(): string {
    return this.bytes.toString('latin1', this.start, this.methodEnd);
  }

  /**
   * The path without its query, one byte a character, decoded once. First asked for before anything is rewritten, it stays what
   * the client sent.
   */
  path(): string {
    this.#path ??= this.#readPath();
    return this.#path;
  }

  #readPath(): string {
    const { bytes, target } = this;
    const isWhole = target === AS_IT_IS;
    const start = isWhole ? this.targetStart : target.pathStart;
    const end = isWhole ? this.targetEnd : target.pathEnd;
    let pathEnd = start;
    while (pathEnd < end && bytes[pathEnd] !== QUESTION) pathEnd++;
    return target.prefix + bytes.toString('latin1', start, pathEnd);
  }

  /** Request target as text, as it came. Not for the hot path. */
  rawTarget(): string {
    return this.bytes.toString('latin1', this.targetStart, this.targetEnd);
  }

  name(field: number): string {
    const at = field * FIELD_STRIDE;
    return this.bytes.toString('latin1', this.fields[at]!, this.fields[at + 1]!);
  }

  value(field: number): string {
    const at = field * FIELD_STRIDE;
    return this.bytes.toString('latin1', this.fields[at + 2]!, this.fields[at + 3]!);
  }
}

/** The id of a header name, or `FIELD.other`. The bytes are known to be a token. */
export function fieldId(bytes: Buffer, start: number, end: number): number {
  // The length narrows it to two names at most, the first letter to one: most fields cost two comparisons.
  const first = bytes[start]! | 0x20;
  switch (end - start) {
    case 2:
      if (first === 0x62) return bytes[start + 1] === 0x33 ? FIELD.b3 : FIELD.other;
      return matches(bytes, start, 'te') ? FIELD.te : FIELD.other;
    case 4:
      return first === 0x68 && matches(bytes, start, 'host') ? FIELD.host : FIELD.other;
    case 6:
      return first === 0x65 && matches(bytes, start, 'expect') ? FIELD.expect : FIELD.other;
    case 7:
      return first === 0x75 && matches(bytes, start, 'upgrade') ? FIELD.upgrade : FIELD.other;
    case 9:
      return first === 0x77 && matches(bytes, start, 'weft-node') ? FIELD.weftNode : FIELD.other;
    case 10:
      if (first === 0x63 && matches(bytes, start, 'connection')) return FIELD.connection;
      if (first === 0x74 && matches(bytes, start, 'tracestate')) return FIELD.tracestate;
      if (first === 0x78) return b3Id(bytes, start);
      return first === 0x6b && matches(bytes, start, 'keep-alive') ? FIELD.keepAlive : FIELD.other;
    case 11:
      if (first === 0x74) return matches(bytes, start, 'traceparent') ? FIELD.traceparent : FIELD.other;
      if (first === 0x78) return b3Id(bytes, start);
      if (first === 0x77 && matches(bytes, start, 'weft-reason')) return FIELD.weftReason;
      return first === 0x77 && matches(bytes, start, 'weft-policy') ? FIELD.weftPolicy : FIELD.other;
    case 12:
      if (first === 0x6d && matches(bytes, start, 'max-forwards')) return FIELD.maxForwards;
      if (first === 0x78) return b3Id(bytes, start);
      return first === 0x67 && matches(bytes, start, 'grpc-timeout') ? FIELD.grpcTimeout : FIELD.other;
    case 14:
      if (first === 0x63 && matches(bytes, start, 'content-length')) return FIELD.contentLength;
      return first === 0x68 && matches(bytes, start, 'http2-settings') ? FIELD.http2Settings : FIELD.other;
    case 16:
      if (first === 0x77 && matches(bytes, start, 'weft-deadline-ms')) return FIELD.weftDeadline;
      return first === 0x70 && matches(bytes, start, 'proxy-connection') ? FIELD.proxyConnection : FIELD.other;
    case 17:
      if (first === 0x78) return b3Id(bytes, start);
      return first === 0x74 && matches(bytes, start, 'transfer-encoding') ? FIELD.transferEncoding : FIELD.other;
    default:
      return FIELD.other;
  }
}

/** Of a name that begins with x and has the length of one of B3's. */
function b3Id(bytes: Buffer, start: number): number {
  return matches(bytes, start, 'x-b3-') ? FIELD.b3 : FIELD.other;
}

/** Folding by `| 0x20` is exact here: among token bytes only letters fold onto letters, and only `-` onto `-`. */
function matches(bytes: Buffer, start: number, lower: string): boolean {
  for (let i = 0; i < lower.length; i++) {
    if ((bytes[start + i]! | 0x20) !== lower.charCodeAt(i)) return false;
  }
  return true;
}
