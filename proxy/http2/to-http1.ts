/**
 * Heads of HTTP/2 as HTTP/1.1 writes them (RFC 9113 §8): the one grammar that everything behind a connection reads.
 *
 * Whatever HTTP/1.1 could read differently is refused here: a line end within a value, a name that is not a lower-case token,
 * fields that speak about the connection, a Host that is not the authority. What is left goes through the strict parser like
 * the head of any stranger.
 * @module
 */

import { COLON, CR, FIELD_VALUE, HTAB, LF, SP, TARGET, TOKEN } from '../http1/grammar/characters.ts';
import { type HeaderList, LIST_STRIDE } from './hpack/header-list.ts';

/** Fields that HTTP/2 has no place for (§8.2.2). TE may only say trailers. */
const FORBIDDEN = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);

const CHUNKED = 'transfer-encoding: chunked\r\n';
const SLASH = 0x2f;

export type Malformed =
  | 'a pseudo-header after others'
  | 'a pseudo-header twice, or unknown'
  | 'a pseudo-header is missing'
  | 'a method that is no token'
  | 'a path that is none'
  | 'a scheme that is not http or https'
  | 'a name that is no lower-case token'
  | 'a value with control characters'
  | 'a value in white space'
  | 'a field about the connection'
  | 'an authority that is not Host'
  | 'a status that is none'
  | 'CONNECT';

/** The bytes of a head, or what is wrong with it. */
export type Http1Head =
  | { readonly ok: true; readonly bytes: Buffer }
  | { readonly ok: false; readonly problem: Malformed };

/**
 * @param hasBody whether data may follow: without a length it is then announced as chunked
 * @param takesConnect whether CONNECT is one of the methods
 */
export function requestToHttp1(list: HeaderList, hasBody: boolean, takesConnect = false): Http1Head {
  const pseudo = readPseudo(list, REQUEST_PSEUDO);
  if (typeof pseudo === 'string') return bad(pseudo);
  const [method, path, scheme, authority] = pseudo;
  if (takesConnect && method !== -1 && list.value(method!) === 'CONNECT') return connectToHttp1(list, pseudo);
  if (method === -1 || path === -1 || scheme === -1) return bad('a pseudo-header is missing');
  if (!isAll(TOKEN, list, method!)) return bad('a method that is no token');
  const verb = list.value(method!);
  if (verb === 'CONNECT') return bad('CONNECT');
  if (!isPath(list, path!, verb)) return bad('a path that is none');
  if (!/^https?$/.test(list.value(scheme!))) return bad('a scheme that is not http or https');
  const text = new HeadText(list);
  text.value(method!);
  text.text(' ');
  text.value(path!);
  text.text(' HTTP/1.1\r\n');
  if (authority !== -1) {
    if (!isAll(FIELD_VALUE, list, authority!)) return bad('a value with control characters');
    text.text('host: ');
    text.value(authority!);
    text.text('\r\n');
  }
  const rest = text.fields(authority === -1 ? undefined : list.value(authority!), hasBody);
  return rest ?? { ok: true, bytes: text.end() };
}

/** RFC 9113 §8.5: an authority, and neither a path nor a scheme. */
function connectToHttp1(list: HeaderList, [method, path, scheme, authority]: readonly number[]): Http1Head {
  if (authority === -1) return bad('a pseudo-header is missing');
  if (path !== -1 || scheme !== -1) return bad('CONNECT');
  if (!isAll(TARGET, list, authority!)) return bad('a value with control characters');
  const text = new HeadText(list);
  text.value(method!);
  text.text(' ');
  text.value(authority!);
  text.text(' HTTP/1.1\r\nhost: ');
  text.value(authority!);
  text.text('\r\n');
  return text.fields(list.value(authority!), false) ?? { ok: true, bytes: text.end() };
}

/** @param hasBody whether data follows; without a length it is then announced as chunked */
export function responseToHttp1(list: HeaderList, hasBody: boolean): Http1Head {
  const pseudo = readPseudo(list, RESPONSE_PSEUDO);
  if (typeof pseudo === 'string') return bad(pseudo);
  const [status] = pseudo;
  if (status === -1 || !/^[1-5]\d\d$/.test(list.value(status!))) return bad('a status that is none');
  const text = new HeadText(list);
  text.text('HTTP/1.1 ');
  text.value(status!);
  text.text(' \r\n');
  return text.fields(undefined, hasBody) ?? { ok: true, bytes: text.end() };
}

/** Trailer lines and the empty line after them. */
export function trailersToHttp1(list: HeaderList): Http1Head {
  const pseudo = readPseudo(list, []);
  if (typeof pseudo === 'string') return bad(pseudo);
  const text = new HeadText(list);
  return text.fields(undefined, false) ?? { ok: true, bytes: text.end() };
}

const REQUEST_PSEUDO = [':method', ':path', ':scheme', ':authority'];
const RESPONSE_PSEUDO = [':status'];

/** Which field is which pseudo-header, -1 for none; they come first, and once (§8.3). */
function readPseudo(list: HeaderList, names: readonly string[]): number[] | Malformed {
  const found = names.map(() => -1);
  let isPast = false;
  for (let field = 0; field < list.count; field++) {
    if (list.bytes[list.fields[field * LIST_STRIDE]!] !== COLON) {
      isPast = true;
      continue;
    }
    if (isPast) return 'a pseudo-header after others';
    const at = names.indexOf(list.name(field));
    if (at === -1 || found[at] !== -1) return 'a pseudo-header twice, or unknown';
    found[at] = field;
  }
  return found;
}

function isPath(list: HeaderList, field: number, method: string): boolean {
  const first = list.bytes[list.fields[field * LIST_STRIDE + 2]!];
  if (method === 'OPTIONS' && list.value(field) === '*') return true;
  return first === SLASH && isAll(TARGET, list, field);
}

/** Whether all bytes of a value are of a class, and there is one. */
function isAll(table: Uint8Array, list: HeaderList, field: number): boolean {
  const start = list.fields[field * LIST_STRIDE + 2]!;
  const end = list.fields[field * LIST_STRIDE + 3]!;
  for (let p = start; p < end; p++) if (table[list.bytes[p]!] !== 1) return false;
  return end > start;
}

/** A head as it grows. */
class HeadText {
  readonly #list: HeaderList;
  readonly #out: Buffer;
  #used = 0;

  constructor(list: HeaderList) {
    this.#list = list;
    this.#out = Buffer.allocUnsafe(list.used + list.count * 4 + 128);
  }

  text(text: string): void {
    this.#used += this.#out.write(text, this.#used, 'latin1');
  }

  value(field: number): void {
    this.#copy(this.#list.fields[field * LIST_STRIDE + 2]!, this.#list.fields[field * LIST_STRIDE + 3]!);
  }

  /** All fields but pseudo-headers. @returns what is wrong with one of them */
  fields(authority: string | undefined, hasBody: boolean): Http1Head | undefined {
    const { fields, bytes, count } = this.#list;
    let hasLength = false;
    let cookies = '';
    for (let field = 0; field < count; field++) {
      const at = field * LIST_STRIDE;
      const [start, nameEnd, end] = [fields[at]!, fields[at + 1]!, fields[at + 3]!];
      if (bytes[start] === COLON) continue;
      for (let p = start; p < nameEnd; p++) {
        const byte = bytes[p]!;
        if (TOKEN[byte] !== 1 || (byte >= 0x41 && byte <= 0x5a)) return bad('a name that is no lower-case token');
      }
      if (start === nameEnd) return bad('a name that is no lower-case token');
      for (let p = nameEnd; p < end; p++) {
        if (FIELD_VALUE[bytes[p]!] !== 1) return bad('a value with control characters');
      }
      if (end > nameEnd && (isBlank(bytes[nameEnd]!) || isBlank(bytes[end - 1]!))) return bad('a value in white space');
      const length = nameEnd - start;
      // Names worth a second look are of these lengths; most fields are not.
      if (length === 2 || length === 4 || length === 6 || length === 7 || length === 10 || length >= 14) {
        const name = this.#list.name(field);
        if (FORBIDDEN.has(name)) return bad('a field about the connection');
        if (name === 'te' && this.#list.value(field).toLowerCase() !== 'trailers')
          return bad('a field about the connection');
        if (name === 'content-length') hasLength = true;
        if (name === 'host' && authority !== undefined) {
          if (this.#list.value(field).toLowerCase() !== authority.toLowerCase())
            return bad('an authority that is not Host');
          continue;
        }
        if (name === 'cookie') {
          cookies += `${cookies === '' ? '' : '; '}${this.#list.value(field)}`; // §8.2.3
          continue;
        }
      }
      this.#copy(start, nameEnd);
      this.#two(COLON, SP);
      this.#copy(nameEnd, end);
      this.#two(CR, LF);
    }
    if (cookies !== '') this.text(`cookie: ${cookies}\r\n`);
    if (hasBody && !hasLength) this.text(CHUNKED);
    return undefined;
  }

  end(): Buffer {
    this.#two(CR, LF);
    return this.#out.subarray(0, this.#used);
  }

  #two(first: number, second: number): void {
    this.#out[this.#used++] = first;
    this.#out[this.#used++] = second;
  }

  #copy(start: number, end: number): void {
    this.#used += this.#list.bytes.copy(this.#out, this.#used, start, end);
  }
}

function isBlank(byte: number): boolean {
  return byte === SP || byte === HTAB;
}

function bad(problem: Malformed): Http1Head {
  return { ok: false, problem };
}
