/**
 * What the fields of a head mean for the connection: where the body ends, whether the connection stays, what does not go
 * on to the next hop (RFC 9112 §6, §9.3; RFC 9110 §7.6, §7.8, §10.1.1).
 *
 * Runs once per head, right after the parser, and writes its conclusions into the head. Everything that two parsers could
 * read differently is refused here rather than repaired.
 * @module
 */

import type { ReasonCode } from '../../reasons.ts';
import { COMMA, HTAB, SP, sameName, spells, TOKEN } from './characters.ts';
import { BODY, FIELD, FIELD_STRIDE, type Head } from './head.ts';
import { checkHost, readTarget } from './target.ts';

const MAX_CONNECTION_OPTIONS = 16;

/** Ids whose presence needs more than a glance; a head without any of them is framed in a few comparisons. */
const HOP_BY_HOP =
  (1 << FIELD.connection) |
  (1 << FIELD.keepAlive) |
  (1 << FIELD.proxyConnection) |
  (1 << FIELD.te) |
  (1 << FIELD.upgrade) |
  (1 << FIELD.http2Settings);
const LENGTHS = (1 << FIELD.contentLength) | (1 << FIELD.transferEncoding);

/** Judges and frames a request head. */
export function frameRequest(head: Head): ReasonCode | undefined {
  const refusal = checkHost(head) ?? frameLength(head);
  if (refusal !== undefined) return refusal;
  const target = readTarget(head);
  if (typeof target === 'string') return target;
  head.target = target;
  head.keepAlive = head.minor === 1; // an HTTP/1.0 client gets one response, however it asks
  if ((head.seen & HOP_BY_HOP) !== 0) {
    const bad = hopByHop(head);
    if (bad !== undefined) return bad;
    // Upgrade only as WebSocket, only where Connection names it, only without a body in the way (RFC 9110 §7.8).
    head.upgrade = head.upgrade && head.minor === 1 && head.body === BODY.none;
  }
  if (head.has(FIELD.expect)) {
    const expectation = head.find(FIELD.expect);
    if (!isExpectContinue(head.value(expectation))) return 'bad-expectation';
    head.expectContinue = head.minor === 1;
    if (head.minor === 0) head.dropAll(FIELD.expect);
  }
  if (head.body !== BODY.none && isTrace(head)) return 'trace-with-body';
  return undefined;
}

/**
 * Judges and frames a response head.
 *
 * @param toHead whether the request was HEAD: then there is no body, whatever the fields say
 */
export function frameResponse(head: Head, toHead: boolean): ReasonCode | undefined {
  const status = head.status;
  if (status < 200 || status === 204) {
    // These may not carry a length or a coding (RFC 9110 §8.6, RFC 9112 §6.1). Whoever sends one is not trusted with
    // the connection afterwards: what follows might be the body it announced.
    head.keepAlive = head.minor === 1 && (status < 200 || (head.seen & LENGTHS) === 0);
    head.dropAll(FIELD.contentLength);
    head.dropAll(FIELD.transferEncoding);
  } else {
    const refusal = frameLength(head);
    if (refusal !== undefined) return refusal;
    if (toHead || status === 304) head.body = BODY.none;
    else if ((head.seen & LENGTHS) === 0) head.body = BODY.untilClose;
    head.keepAlive = head.minor === 1 && head.body !== BODY.untilClose;
  }
  if ((head.seen & HOP_BY_HOP) !== 0) {
    const keepAlive = head.keepAlive;
    const bad = hopByHop(head);
    if (bad !== undefined) return bad;
    head.keepAlive = keepAlive && head.keepAlive;
  }
  return undefined;
}

/** Content-Length and Transfer-Encoding (RFC 9112 §6.3), stricter: never both, never two. */
function frameLength(head: Head): ReasonCode | undefined {
  const lengths = head.seen & LENGTHS;
  if (lengths === 0) return undefined;
  if (lengths === LENGTHS) return 'length-and-encoding';
  if (head.has(FIELD.transferEncoding)) return frameCoding(head);
  let found = -1;
  for (let field = 0; field < head.fieldCount; field++) {
    if (head.fields[field * FIELD_STRIDE + 4] !== FIELD.contentLength) continue;
    if (found !== -1) return 'duplicate-length';
    found = field;
  }
  const start = head.fields[found * FIELD_STRIDE + 2]!;
  const end = head.fields[found * FIELD_STRIDE + 3]!;
  if (start === end) return 'bad-length';
  let length = 0;
  for (let p = start; p < end; p++) {
    const digit = head.bytes[p]! - 0x30;
    if (digit < 0 || digit > 9) return head.bytes[p] === COMMA ? 'duplicate-length' : 'bad-length';
    length = length * 10 + digit;
    if (length > Number.MAX_SAFE_INTEGER) return 'length-too-large';
  }
  head.contentLength = length;
  head.body = length === 0 ? BODY.none : BODY.length;
  return undefined;
}

function frameCoding(head: Head): ReasonCode | undefined {
  if (head.minor === 0) return 'http10-transfer-encoding';
  let found = -1;
  for (let field = 0; field < head.fieldCount; field++) {
    if (head.fields[field * FIELD_STRIDE + 4] !== FIELD.transferEncoding) continue;
    if (found !== -1) return 'bad-transfer-encoding';
    found = field;
  }
  const start = head.fields[found * FIELD_STRIDE + 2]!;
  const end = head.fields[found * FIELD_STRIDE + 3]!;
  if (!spells(head.bytes, start, end, 'chunked')) {
    // Another coding before chunked could be passed on in principle; nobody sends one, and parsers disagree about it.
    return /^[A-Za-z-]+ *, *chunked$/i.test(head.value(found)) ? 'unknown-transfer-encoding' : 'bad-transfer-encoding';
  }
  head.body = BODY.chunked;
  return undefined;
}

/** Marks what Connection nominates and what is hop-by-hop by definition (RFC 9110 §7.6.1). */
function hopByHop(head: Head): ReasonCode | undefined {
  let namesUpgrade = false;
  if (head.has(FIELD.connection)) {
    let options = 0;
    for (let field = 0; field < head.fieldCount; field++) {
      if (head.fields[field * FIELD_STRIDE + 4] !== FIELD.connection) continue;
      let p = head.fields[field * FIELD_STRIDE + 2]!;
      const end = head.fields[field * FIELD_STRIDE + 3]!;
      while (p < end) {
        const byte = head.bytes[p]!;
        if (byte === COMMA || byte === SP || byte === HTAB) {
          p++;
          continue;
        }
        const start = p;
        while (p < end && TOKEN[head.bytes[p]!] === 1) p++;
        if (p === start || !endsMember(head.bytes, p, end)) return 'bad-connection-header';
        if (++options > MAX_CONNECTION_OPTIONS) return 'bad-connection-header';
        if (spells(head.bytes, start, p, 'close')) head.keepAlive = false;
        else if (spells(head.bytes, start, p, 'upgrade')) namesUpgrade = true;
        else if (!spells(head.bytes, start, p, 'keep-alive')) dropNominated(head, start, p);
      }
    }
    head.dropAll(FIELD.connection);
  }
  head.upgrade = namesUpgrade && isWebSocket(head);
  head.dropAll(FIELD.keepAlive);
  head.dropAll(FIELD.proxyConnection);
  head.dropAll(FIELD.te);
  head.dropAll(FIELD.upgrade);
  head.dropAll(FIELD.http2Settings);
  return undefined;
}

/** After a list member only white space may come before the next comma. */
function endsMember(bytes: Buffer, from: number, end: number): boolean {
  let p = from;
  while (p < end && (bytes[p] === SP || bytes[p] === HTAB)) p++;
  return p === end || bytes[p] === COMMA;
}

/** Framing and Host stay, whoever nominates them: without them the message would mean something else. */
function dropNominated(head: Head, start: number, end: number): void {
  for (let field = 0; field < head.fieldCount; field++) {
    const at = field * FIELD_STRIDE;
    const id = head.fields[at + 4];
    if (id === FIELD.contentLength || id === FIELD.transferEncoding || id === FIELD.host) continue;
    if (sameName(head.bytes, head.fields[at]!, head.fields[at + 1]!, head.bytes, start, end)) head.drop(field);
  }
}

/** Whether a Connection field of this head nominates `name`. For trailers; not on the hot path. */
export function isNominated(head: Head, bytes: Buffer, start: number, end: number): boolean {
  for (let field = 0; field < head.fieldCount; field++) {
    if (head.fields[field * FIELD_STRIDE + 4] !== FIELD.connection) continue;
    for (const member of head.value(field).split(',')) {
      if (spells(bytes, start, end, member.trim().toLowerCase())) return true;
    }
  }
  return false;
}

function isWebSocket(head: Head): boolean {
  const upgrade = head.find(FIELD.upgrade);
  return upgrade !== -1 && head.value(upgrade).toLowerCase() === 'websocket';
}

/** A list of nothing but 100-continue; an empty list asks for nothing. */
function isExpectContinue(value: string): boolean {
  return value.split(',').every((member) => /^(100-continue)?$/i.test(member.trim()));
}

function isTrace(head: Head): boolean {
  return head.methodEnd - head.start === 5 && head.bytes[head.start] === 0x54 && head.method() === 'TRACE';
}
