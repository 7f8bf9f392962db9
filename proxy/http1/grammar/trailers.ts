/**
 * Which trailer fields go on to the next hop.
 *
 * RFC 9110 §6.5.1: a trailer must not carry what frames, routes, authenticates or controls a message, because a recipient
 * may merge it into the head. Such fields, and those that Connection nominates, are left out; the others pass.
 * @module
 */

import { isNominated } from './framing.ts';
import { FIELD_STRIDE, type Head } from './head.ts';

const FORBIDDEN = new Set([
  'authorization',
  'age',
  'cache-control',
  'connection',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'cookie',
  'date',
  'expect',
  'expires',
  'forwarded',
  'host',
  'keep-alive',
  'location',
  'max-forwards',
  'pragma',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'range',
  'retry-after',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'vary',
  'warning',
  'www-authenticate',
]);

/** The trailer lines that pass, with their line ends, without the empty line; '' for none. Latin-1, byte for byte. */
export function passingTrailers(trailers: Head, head: Head): string {
  let passing = '';
  for (let field = 0; field < trailers.fieldCount; field++) {
    const at = field * FIELD_STRIDE;
    const start = trailers.fields[at]!;
    const name = trailers.name(field).toLowerCase();
    if (FORBIDDEN.has(name) || /^(if|x-forwarded|weft|access-control)-/.test(name)) continue;
    if (isNominated(head, trailers.bytes, start, trailers.fields[at + 1]!)) continue;
    const next = field + 1 < trailers.fieldCount ? trailers.fields[at + FIELD_STRIDE]! : trailers.end - 2;
    passing += trailers.bytes.toString('latin1', start, next);
  }
  return passing;
}
