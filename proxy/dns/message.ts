/**
 * DNS messages (RFC 1035 §4), as far as a server for one small zone needs them: reads a query, writes an answer.
 *
 * Strict and bounded: one question, no compression in it, at most MAX_ADDITIONAL records after it. What does not read
 * as such is undefined here, and passed on unread by the server. Pure bytes.
 * @module
 */

export const TYPE = { A: 1, SOA: 6, AAAA: 28, OPT: 41, ANY: 255 } as const;
export const CLASS = { IN: 1, ANY: 255 } as const;
export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5, BADVERS: 16 } as const;
export type Rcode = (typeof RCODE)[keyof typeof RCODE];

export interface Query {
  readonly id: number;
  readonly isRecursionDesired: boolean;
  /** The name's labels in lower case, from the host down to the top-level name. Bytes above 127 are kept as Latin-1. */
  readonly labels: readonly string[];
  readonly type: number;
  readonly class: number;
  /** The question as it came, to be repeated letter for letter. */
  readonly question: Buffer;
  /** EDNS (RFC 6891); undefined when the client does not speak it. */
  readonly edns: { readonly version: number; readonly udpBytes: number } | undefined;
  /** Whether what follows the question is anything but one EDNS record. */
  readonly isMalformed: boolean;
}

export interface ResourceRecord {
  /** The owner's name in wire form; undefined: the name asked for. */
  readonly owner?: Buffer;
  readonly type: number;
  readonly ttlS: number;
  readonly data: Buffer;
}

export interface Answer {
  readonly rcode: Rcode;
  readonly answers: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
}

const HEADER_BYTES = 12;
const MAX_NAME_BYTES = 255;
const MAX_LABEL_BYTES = 63;
const RECORD_FIXED_BYTES = 10;
/** Clients send an EDNS record, and perhaps a signature; whatever sends more is not a client. */
const MAX_ADDITIONAL = 4;
/** What fits a datagram without EDNS (RFC 1035 §4.2.1) and what is safe with it (DNS flag day 2020). */
const PLAIN_UDP_BYTES = 512;
const SAFE_UDP_BYTES = 1_232;
export const MAX_TCP_BYTES = 65_535;
const FLAG_RESPONSE = 0x8000;
const FLAG_AUTHORITATIVE = 0x0400;
const FLAG_TRUNCATED = 0x0200;
const FLAG_RECURSION_DESIRED = 0x0100;
const FLAG_RECURSION_AVAILABLE = 0x0080;
const OPCODE_MASK = 0x7800;
/** A pointer (RFC 1035 §4.1.4) to the question's name, which always starts after the header. */
const QUESTION_POINTER = Buffer.from([0xc0, HEADER_BYTES]);

/** Reads a standard query with one question. undefined: something else. */
export function readQuery(message: Buffer): Query | undefined {
  if (message.length < HEADER_BYTES) return undefined;
  const flags = message.readUInt16BE(2);
  if ((flags & (FLAG_RESPONSE | OPCODE_MASK)) !== 0 || message.readUInt16BE(4) !== 1) return undefined;
  const name = readName(message, HEADER_BYTES);
  if (name === undefined || name.end + 4 > message.length) return undefined;
  const hasRecords = message.readUInt16BE(6) !== 0 || message.readUInt16BE(8) !== 0;
  const additional = readAdditional(message, name.end + 4);
  return {
    id: message.readUInt16BE(0),
    isRecursionDesired: (flags & FLAG_RECURSION_DESIRED) !== 0,
    labels: name.labels,
    type: message.readUInt16BE(name.end),
    class: message.readUInt16BE(name.end + 2),
    question: message.subarray(HEADER_BYTES, name.end + 4),
    edns: additional?.edns,
    isMalformed: hasRecords || additional === undefined,
  };
}

/** How long an answer to this query may be over UDP. */
export function udpLimit({ edns }: Query): number {
  return edns === undefined ? PLAIN_UDP_BYTES : Math.max(PLAIN_UDP_BYTES, Math.min(edns.udpBytes, SAFE_UDP_BYTES));
}

/** Writes the answer; whole records are left out from where it would exceed `maxBytes`, and it then says that it is cut. */
export function writeAnswer(query: Query, { rcode, answers, authority }: Answer, maxBytes: number): Buffer {
  const opt = query.edns === undefined ? [] : [writeOpt(rcode)];
  const optBytes = opt.length * (1 + RECORD_FIXED_BYTES);
  let room = maxBytes - HEADER_BYTES - query.question.length - optBytes;
  const fit = (records: readonly ResourceRecord[]): Buffer[] => {
    const written: Buffer[] = [];
    for (const bytes of records.map(writeRecord)) {
      if (bytes.length > room) break;
      room -= bytes.length;
      written.push(bytes);
    }
    return written;
  };
  const answered = fit(answers);
  const named = fit(authority);
  const isCut = answered.length < answers.length || named.length < authority.length;
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(query.id, 0);
  header.writeUInt16BE(answerFlags(query, rcode, isCut), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answered.length, 6);
  header.writeUInt16BE(named.length, 8);
  header.writeUInt16BE(opt.length, 10);
  return Buffer.concat([header, query.question, ...answered, ...named, ...opt]);
}

/** SERVFAIL to whatever was asked, so that a client tries its next resolver now rather than after its timeout. */
export function writeFailure(message: Buffer): Buffer | undefined {
  const query = readQuery(message);
  if (query === undefined) return undefined;
  const answer = writeAnswer(query, { rcode: RCODE.SERVFAIL, answers: [], authority: [] }, PLAIN_UDP_BYTES);
  answer.writeUInt16BE(answer.readUInt16BE(2) & ~FLAG_AUTHORITATIVE, 2);
  return answer;
}

/** A name in wire form. The labels must be valid: 1 to 63 bytes each. */
export function writeName(...labels: readonly string[]): Buffer {
  const parts = labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')]));
  return Buffer.concat([...parts, Buffer.from([0])]);
}

function answerFlags(query: Query, rcode: Rcode, isCut: boolean): number {
  return (
    FLAG_RESPONSE |
    FLAG_AUTHORITATIVE |
    FLAG_RECURSION_AVAILABLE |
    (query.isRecursionDesired ? FLAG_RECURSION_DESIRED : 0) |
    (isCut ? FLAG_TRUNCATED : 0) |
    (rcode & 0xf)
  );
}

function writeRecord({ owner, type, ttlS, data }: ResourceRecord): Buffer {
  const fixed = Buffer.alloc(RECORD_FIXED_BYTES);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(CLASS.IN, 2);
  fixed.writeUInt32BE(ttlS, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner ?? QUESTION_POINTER, fixed, data]);
}

/** The OPT pseudo-record: the class is our datagram size, the first byte of the TTL the upper bits of the rcode. */
function writeOpt(rcode: Rcode): Buffer {
  const opt = Buffer.alloc(1 + RECORD_FIXED_BYTES);
  opt.writeUInt16BE(TYPE.OPT, 1);
  opt.writeUInt16BE(SAFE_UDP_BYTES, 3);
  opt[5] = rcode >> 4;
  return opt;
}

function readName(message: Buffer, start: number): { labels: string[]; end: number } | undefined {
  const labels: string[] = [];
  for (let offset = start; ; ) {
    const bytes = message[offset];
    if (bytes === undefined || bytes > MAX_LABEL_BYTES) return undefined; // also every compression pointer
    const end = offset + 1 + bytes;
    if (end > message.length || end - start > MAX_NAME_BYTES) return undefined;
    if (bytes === 0) return { labels, end };
    labels.push(message.toString('latin1', offset + 1, end).toLowerCase());
    offset = end;
  }
}

/** undefined: the records do not fill the message exactly, or are too many, or not what a query carries. */
function readAdditional(message: Buffer, start: number): { edns: Query['edns'] } | undefined {
  const count = message.readUInt16BE(10);
  if (count > MAX_ADDITIONAL) return undefined;
  let offset = start;
  let edns: Query['edns'];
  for (let index = 0; index < count; index++) {
    const name = readName(message, offset);
    if (name === undefined || name.end + RECORD_FIXED_BYTES > message.length) return undefined;
    if (message.readUInt16BE(name.end) === TYPE.OPT) {
      if (edns !== undefined || name.labels.length > 0) return undefined;
      edns = { udpBytes: message.readUInt16BE(name.end + 2), version: message[name.end + 5]! };
    }
    offset = name.end + RECORD_FIXED_BYTES + message.readUInt16BE(name.end + 8);
  }
  return offset === message.length ? { edns } : undefined;
}
