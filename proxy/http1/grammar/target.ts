/**
 * Request targets and authorities (RFC 9112 §3.2; RFC 3986 §3.2 narrowed to what a mesh can route).
 * @module
 */

import type { ReasonCode } from '../../reasons.ts';
import { COLON, HEX, HOST, spells } from './characters.ts';
import { AS_IT_IS, FIELD, FIELD_STRIDE, type Head, type Target } from './head.ts';

const SLASH = 0x2f;
const QUESTION = 0x3f;
const ASTERISK = 0x2a;

/** Judges the target of a request head. */
export function readTarget(head: Head): ReasonCode | Target {
  const { bytes, targetStart, targetEnd } = head;
  const first = bytes[targetStart]!;
  if (isConnect(head)) return isHostPort(bytes, targetStart, targetEnd) ? 'connect-not-supported' : 'bad-target';
  if (first === SLASH) return AS_IT_IS;
  if (first === ASTERISK) {
    return targetEnd - targetStart === 1 &&
      spells(bytes, head.start, head.methodEnd, 'options') &&
      bytes[head.start] === 0x4f
      ? AS_IT_IS
      : 'bad-target';
  }
  if (!spells(bytes, targetStart, targetStart + 7, 'http://') || targetEnd - targetStart < 7) return 'bad-target';
  return absolute(head, targetStart + 7);
}

function absolute(head: Head, authorityStart: number): ReasonCode | Target {
  const { bytes, targetEnd } = head;
  let authorityEnd = authorityStart;
  while (authorityEnd < targetEnd && bytes[authorityEnd] !== SLASH && bytes[authorityEnd] !== QUESTION) authorityEnd++;
  if (!isAuthority(bytes, authorityStart, authorityEnd)) return 'bad-target';
  let prefix = '';
  if (bytes[authorityEnd] === QUESTION && authorityEnd < targetEnd) prefix = '/';
  else if (authorityEnd === targetEnd) prefix = head.method() === 'OPTIONS' ? '*' : '/';
  return {
    pathStart: authorityEnd,
    pathEnd: targetEnd,
    prefix,
    authority: bytes.toString('latin1', authorityStart, authorityEnd),
  };
}

function isConnect(head: Head): boolean {
  return head.methodEnd - head.start === 7 && head.bytes[head.start] === 0x43 && head.method() === 'CONNECT';
}

/** Host: exactly one in HTTP/1.1, at most one in HTTP/1.0, and well-formed. */
export function checkHost(head: Head): ReasonCode | undefined {
  const host = head.find(FIELD.host);
  if (host === -1) return head.minor === 0 ? undefined : 'missing-host';
  for (let field = host + 1; field < head.fieldCount; field++) {
    if (head.fields[field * FIELD_STRIDE + 4] === FIELD.host) return 'duplicate-host';
  }
  const at = host * FIELD_STRIDE;
  return isAuthority(head.bytes, head.fields[at + 2]!, head.fields[at + 3]!) ? undefined : 'bad-host';
}

function isHostPort(bytes: Buffer, start: number, end: number): boolean {
  return isAuthority(bytes, start, end) && /:\d+$/.test(bytes.toString('latin1', start, end));
}

/** host [ ":" port ], never empty, no userinfo, port up to 65535 or empty (RFC 3986 §3.2.3 allows that). */
export function isAuthority(bytes: Buffer, start: number, end: number): boolean {
  let p = start;
  if (bytes[p] === 0x5b && p < end) {
    p++;
    const inner = p;
    while (p < end && (HEX[bytes[p]!] !== 255 || bytes[p] === COLON || bytes[p] === 0x2e)) p++;
    if (p === end || bytes[p] !== 0x5d || p - inner < 2 || p - inner > 45) return false;
    p++;
  } else {
    while (p < end && HOST[bytes[p]!] === 1) p++;
    if (p === start || p - start > 255) return false;
  }
  if (p === end) return true;
  if (bytes[p] !== COLON) return false;
  let port = 0;
  for (p++; p < end; p++) {
    const digit = bytes[p]! - 0x30;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
    if (port > 65_535) return false;
  }
  return true;
}
