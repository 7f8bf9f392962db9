/**
 * What a request path may mean to an application.
 *
 * The bytes go on unchanged, and nobody knows how the application reads them: with or without dot segments, empty segments
 * and parameters (`;x=1`) taken out, or as a reference to another host (`//host/path`, WHATWG URL). So a path has several
 * readings. A DENY holds when any reading matches, an ALLOW only when all of them do. Percent-encoding is taken off first:
 * RFC 3986 §6.2.2.2 makes the encoded and the plain letter one, and so are patterns read. Where even that has two answers,
 * such as for an encoded slash, the path cannot be read, and a rule that asks for it lets nobody in.
 * @module
 */

/** A path that rules cannot be held against, and why. */
export interface UnreadablePath {
  readonly unreadable: string;
}

/** Anything that may give a path a second reading. */
const TRICKY = /[%;\\]|\/\.{0,2}\/|\/\.{1,2}$/;
/** Work on a tricky path grows with its length; honest ones are far shorter. */
const MAX_TRICKY_LENGTH = 4_096;

const READERS: readonly ((path: string) => string)[] = [
  withoutHost,
  (path) => path.replace(/[?#].*$/s, ''), // decoded and split again
  (path) => path.replace(/;[^/]*/g, ''),
  withoutEmptySegments,
  withoutDotSegments,
  withoutEmptySegments, // which taking dots out may have left
];

/**
 * All readings of a path, the plainest first.
 *
 * @param raw as on the wire, without its query
 */
export function readPath(raw: string): readonly string[] | UnreadablePath {
  if (!TRICKY.test(raw)) return [raw];
  if (raw.length > MAX_TRICKY_LENGTH) return { unreadable: 'too long for what is in it' };
  const decoded = decodePath(raw);
  if (typeof decoded !== 'string') return decoded;
  const readings = new Set([decoded]);
  for (const reader of READERS) {
    for (const reading of [...readings]) readings.add(reader(reading));
  }
  return [...readings];
}

/** Percent-decoding that has one answer only. */
export function decodePath(raw: string): string | UnreadablePath {
  if (raw.includes('\\')) return { unreadable: 'a backslash' };
  if (!raw.includes('%')) return raw;
  if (/%(?![0-9a-f]{2})/i.test(raw)) return { unreadable: 'a percent sign that encodes nothing' };
  if (/%(?:2f|5c)/i.test(raw)) return { unreadable: 'an encoded slash or backslash' };
  if (/%(?:[01][0-9a-f]|7f)/i.test(raw)) return { unreadable: 'an encoded control character' };
  let decoded: string;
  try {
    decoded = decodeURIComponent(raw);
  } catch {
    return { unreadable: 'not UTF-8' }; // overlong encodings of a slash are among these
  }
  return /%[0-9a-f]{2}/i.test(decoded) ? { unreadable: 'encoded twice' } : decoded;
}

/**
 * Readings for rules that must not be missed: in one case, and with and without a slash at the end, for many routers tell
 * neither apart.
 */
export function foldReadings(readings: readonly string[]): readonly string[] {
  if (readings.length === 1) return foldReading(readings[0]!);
  return [...new Set(readings.flatMap(foldReading))];
}

function foldReading(reading: string): readonly string[] {
  const folded = reading.toLowerCase();
  if (!folded.endsWith('/')) return [folded, `${folded}/`];
  const trimmed = folded.replace(/\/+$/, '');
  return trimmed === '' ? [folded] : [folded, trimmed];
}

function withoutHost(path: string): string {
  if (!path.startsWith('//')) return path;
  const rest = path.replace(/^\/+[^/]*/, '');
  return rest === '' ? '/' : rest;
}

function withoutEmptySegments(path: string): string {
  return path.replace(/\/{2,}/g, '/');
}

/** RFC 3986 §5.2.4. */
function withoutDotSegments(path: string): string {
  if (!path.startsWith('/')) return path;
  const kept: string[] = [];
  const segments = path.slice(1).split('/');
  for (const segment of segments) {
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
  }
  const last = segments.at(-1);
  if (last === '.' || last === '..') kept.push('');
  return `/${kept.join('/')}`;
}

/** An authority in the one spelling that rules compare: lower case, no dot at the end, no empty port. */
export interface CanonicalHost {
  readonly name: string;
  /** With its port, where it has one. */
  readonly full: string;
}

/** @param authority well-formed, as the grammar of heads makes sure */
export function readHost(authority: string): CanonicalHost {
  const match = /^(.*?)\.?(?::(\d*))?$/s.exec(authority.toLowerCase())!;
  const name = match[1]!;
  const port = match[2] ?? '';
  return { name, full: port === '' ? name : `${name}:${port}` };
}
