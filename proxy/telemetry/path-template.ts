/**
 * What paths have in common: a path with what looks like the name of one thing replaced by `{id}`, so that
 * `/v1/accounts/4711` and `/v1/accounts/4712` are one route. Pure, one pass, and the template of a template is itself.
 * @module
 */

export const ID = '{id}';
/** Stands for all segments after the eighth. */
export const REST = '{rest}';
export const MAX_SEGMENTS = 8;

/** Nobody calls a resource by so long a name. */
const MAX_WORD = 40;
/** From here on a digit makes it a token. */
const LONG_WORD = 24;
const MIN_HEX = 8;
/** Years, dates, numbers of orders: `report-2026-01-02`, `order-12345`. */
const MIN_DIGITS_IN_A_ROW = 4;
const UUID_LENGTH = 36;

/** @param path as on the wire, without its query; parameters behind `;`, a slash at the end and empty segments are left out */
export function pathTemplate(path: string): string {
  if (!path.startsWith('/')) return path === '*' ? path : ID;
  let template = '';
  let segments = 0;
  for (let start = 1; start <= path.length; ) {
    let end = path.indexOf('/', start);
    if (end === -1) end = path.length;
    const parameters = path.indexOf(';', start);
    const wordEnd = parameters === -1 || parameters > end ? end : parameters;
    if (wordEnd > start) {
      if (segments++ === MAX_SEGMENTS) return `${template}/${REST}`;
      const word = path.slice(start, wordEnd);
      template += isName(word) ? `/${ID}` : `/${word}`;
    }
    start = end + 1;
  }
  return template === '' ? '/' : template;
}

/** Whether a segment is the name of one thing: a number, UUID, hash, token, address of mail. */
function isName(word: string): boolean {
  const { length } = word;
  if (length > MAX_WORD) return true;
  let digits = 0;
  let inARow = 0;
  let hex = 0;
  let dashes = 0;
  for (let i = 0; i < length; i++) {
    const code = word.charCodeAt(i);
    if (code >= 0x30 && code <= 0x39) {
      digits++;
      hex++;
      if (++inARow === MIN_DIGITS_IN_A_ROW) return true;
      continue;
    }
    inARow = 0;
    const letter = code | 0x20;
    if (letter >= 0x61 && letter <= 0x66) hex++;
    else if (code === 0x2d) dashes++;
    else if (code === 0x40 && i > 0 && i < length - 1)
      return true; // an @ with something on either side
    else if (code === 0x25 && word.startsWith('%40', i) && i > 0 && i < length - 3) return true;
  }
  if (digits > 0 && digits + (word.startsWith('-') ? 1 : 0) === length) return true;
  if (hex === length && length >= MIN_HEX) return true;
  if (length === UUID_LENGTH && dashes === 4 && hex === length - dashes) return true;
  return digits > 0 && length >= LONG_WORD;
}

/** Of a call of gRPC: its path, if it is one. */
export function grpcRoute(path: string): string {
  return path.length <= 200 && /^\/[\w.]+\/\w+$/.test(path) ? path : ID;
}
