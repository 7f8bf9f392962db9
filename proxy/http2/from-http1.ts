/** Heads on their way out over HTTP/2 (RFC 9113 §8): fields in lower case, nothing about the connection. @module */

import { AS_IT_IS, FIELD, FIELD_STRIDE, type Head } from '../http1/grammar/head.ts';
import { type ByteSink, encodeField, encodeIndexed, encodePlace } from './hpack/encoder.ts';

/** Credentials are not for the tables of whoever comes next (RFC 7541 §7.1.3). */
const SENSITIVE = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie']);
const SENSITIVE_LENGTHS = new Set([...SENSITIVE].map(({ length }) => length));

/** Entries of the static table (RFC 7541 Appendix A). */
const AUTHORITY = 1;
const PATH = 4;

/** @param extra complete header lines to add; a Host among them becomes the authority */
export function encodeRequest(out: ByteSink, head: Head, extra: string): void {
  const { target, bytes, fields } = head;
  encodeField(out, ':method', head.method());
  encodeField(out, ':scheme', 'http');
  if (target === AS_IT_IS) encodeIndexed(out, PATH, bytes, head.targetStart, head.targetEnd);
  else encodeField(out, ':path', target.prefix + bytes.toString('latin1', target.pathStart, target.pathEnd));
  if (target.authority !== undefined) encodeField(out, ':authority', target.authority);
  else {
    const host = head.find(FIELD.host) * FIELD_STRIDE;
    if (host >= 0) encodeIndexed(out, AUTHORITY, bytes, fields[host + 2]!, fields[host + 3]!);
    else {
      const added = lineOf(extra, 'host');
      if (added !== undefined) encodeField(out, ':authority', added);
    }
  }
  encodeFields(out, head);
  // gRPC servers refuse a call without it, and no other server minds: this hop does take trailers.
  encodeField(out, 'te', 'trailers');
  encodeLines(out, extra);
  if (head.tail.length > 0) encodeLines(out, head.tail.toString('latin1'));
}

export function encodeResponse(out: ByteSink, head: Head, extra: string): void {
  encodeField(out, ':status', String(head.status));
  encodeFields(out, head);
  encodeLines(out, extra);
}

/** Trailers, or any complete header lines; Host and what is about the connection are left out. */
export function encodeLines(out: ByteSink, lines: string): void {
  if (lines === '') return;
  for (const line of lines.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon === -1) continue;
    const name = line.slice(0, colon).toLowerCase();
    if (name === 'host' || name === 'connection' || name === 'upgrade' || name === 'transfer-encoding') continue;
    encodeField(out, name, line.slice(colon + 1).trim(), SENSITIVE.has(name));
  }
}

function encodeFields(out: ByteSink, head: Head): void {
  const { bytes, fields } = head;
  for (let field = 0; field < head.fieldCount; field++) {
    const at = field * FIELD_STRIDE;
    const id = fields[at + 4];
    if (fields[at + 5] !== 0 || id === FIELD.host || id === FIELD.transferEncoding) continue;
    const nameStart = fields[at]!;
    const nameEnd = fields[at + 1]!;
    const place = { bytes, nameStart, nameEnd, valueStart: fields[at + 2]!, valueEnd: fields[at + 3]! };
    const maySense = SENSITIVE_LENGTHS.has(nameEnd - nameStart);
    encodePlace(out, place, maySense && SENSITIVE.has(head.name(field).toLowerCase()));
  }
}

function lineOf(lines: string, name: string): string | undefined {
  const line = lines.split('\r\n').find((one) => one.toLowerCase().startsWith(`${name}:`));
  return line?.slice(name.length + 1).trim();
}
