/**
 * Telling HTTP/1 from anything else by a client's first bytes.
 *
 * A method alone does not decide: Redis takes `GET key` as well. The first line must end in the version, or, as long as it
 * has no end, have a target that only HTTP has.
 * @module
 */

const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'CONNECT',
  'PROPFIND',
  'PROPPATCH',
  'MKCOL',
  'COPY',
  'MOVE',
  'LOCK',
  'UNLOCK',
  'REPORT',
  'SEARCH',
  'QUERY',
] as const;
const LONGEST = 10;
/** A first line longer than this is judged by its beginning. */
const MAX_LINE = 8_192;

export type Sniffed = 'http' | 'opaque' | 'more';

/** @param bytes everything the client has sent so far, at least one byte */
export function sniff(bytes: Buffer): Sniffed {
  const start = bytes.toString('latin1', 0, LONGEST + 1);
  const space = start.indexOf(' ');
  if (space === -1) {
    if (start.length > LONGEST) return 'opaque';
    return METHODS.some((method) => method.startsWith(start)) ? 'more' : 'opaque';
  }
  if (!METHODS.some((method) => method === start.slice(0, space))) return 'opaque';
  const lineEnd = bytes.indexOf('\r\n');
  if (lineEnd !== -1) return / HTTP\/1\.\d$/.test(bytes.toString('latin1', 0, lineEnd)) ? 'http' : 'opaque';
  if (bytes.includes('\n')) return 'opaque';
  if (bytes.length < MAX_LINE) return 'more';
  return /^[A-Z]+ [/*h]/.test(bytes.toString('latin1', 0, LONGEST + 2)) ? 'http' : 'opaque';
}

/** The verdict when no more bytes come: a request line that is still on its way counts as one. */
export function sniffFinal(bytes: Buffer): 'http' | 'opaque' {
  return /^[A-Z]{3,10} (\/|\*|http:)/.test(bytes.toString('latin1', 0, 20)) && sniff(bytes) !== 'opaque'
    ? 'http'
    : 'opaque';
}
