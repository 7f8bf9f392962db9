/**
 * What is taken out of a record before anything keeps or sends it: parts of paths that look like a person or a key, and the
 * user. Pure; the same for logs, traces, taps and OTLP, so that no way out is forgotten.
 *
 * A path is judged segment by segment, as it came and as it reads with percent-encoding undone, up to three times; a segment
 * that still hides something goes whole. What follows `;` in a segment (session ids, mostly) goes always.
 * @module
 */
import { createHmac } from 'node:crypto';
import { RE2JS } from 're2js';
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';
import type { RedactConfig } from '../access-log-config.ts';

const MAX_DECODINGS = 3;
const EMAIL = /[^\s/@]@[^\s/@]+\.[^\s/@]/;
const EMAILS = /[^\s/@<>()"';,]+@[^\s/@<>()"';,]+/g;
const JWT = /\beyJ[A-Za-z0-9_-]{6,}/;
/** Prefixes that well-known keys have. */
const KEY = /\b(?:sk|pk|rk)_(?:live|test)_|\bgh[opsur]_|\bgithub_pat_|\bglpat-|\bxox[abeprs]-|\bAKIA[0-9A-Z]{8}|\bAIza/;
const RUN = /[A-Za-z0-9_~+=-]{20,}/g;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Card numbers have 13 to 19 digits, as one or in groups. */
const DIGITS = /\d(?:[ .+_-]?\d){11}/;
const USER_HASH_CHARACTERS = 16;

export class Redactor {
  readonly #config: RedactConfig;
  readonly #key: string;
  readonly #patterns: readonly RE2JS[];

  /** @param key of the hash of users, where the configuration has none */
  constructor(config: RedactConfig, key: string) {
    this.#config = config;
    this.#key = config.secret === '' ? key : config.secret;
    this.#patterns = config.patterns.map((pattern) => RE2JS.compile(pattern));
  }

  record(record: RequestRecord): RequestRecord {
    return {
      ...record,
      path: this.path(record.path),
      route: this.path(record.route),
      userAgent: record.userAgent.replace(EMAILS, '{email}'),
      user: this.user(record.user),
    };
  }

  /** Also of the user that somebody searches for. */
  user(user: string): string {
    const how = this.#config.user;
    if (user === '' || how === 'remove') return '';
    if (how === 'keep') return user;
    return createHmac('sha256', this.#key).update(user).digest('hex').slice(0, USER_HASH_CHARACTERS);
  }

  get isUserHashed(): boolean {
    return this.#config.user === 'hash';
  }

  path(path: string): string {
    if (!this.#config.paths && this.#patterns.length === 0) return path;
    return path
      .split('/')
      .map((segment) => this.#segment(segment))
      .join('/');
  }

  #segment(segment: string): string {
    if (segment === '' || (segment.startsWith('{') && segment.endsWith('}') && !/[@%]/.test(segment))) return segment;
    const readings = readingsOf(segment);
    if (this.#patterns.some((pattern) => readings.some((reading) => pattern.matcher(reading).find())))
      return '{redacted}';
    if (!this.#config.paths) return segment;
    for (const reading of readings) {
      const kind = secretIn(reading);
      if (kind !== undefined) return `{${kind}}`;
    }
    if (/%[0-9a-f]{2}/i.test(readings.at(-1)!)) return '{encoded}';
    const at = segment.search(/;|%3b/i);
    return at < 0 ? segment : `${segment.slice(0, at)};{parameters}`;
  }
}

function secretIn(text: string): 'email' | 'token' | 'digits' | undefined {
  if (EMAIL.test(text)) return 'email';
  if (JWT.test(text) || KEY.test(text) || (text.match(RUN) ?? []).some(isToken)) return 'token';
  return DIGITS.test(text.replace(UUID, '')) ? 'digits' : undefined;
}

/** Mixed letters and digits, or cases, for long enough, unless they are words with numbers between them, or a UUID. */
function isToken(run: string): boolean {
  const isMixed = /[A-Za-z]/.test(run) && (/\d/.test(run) || (/[a-z]/.test(run) && /[A-Z]/.test(run)));
  return isMixed && !UUID.test(run) && !isWords(run);
}

/** `a-guide-of-2026`, `GetV2AccountSummary`: parts of letters that are long on average, few and short numbers. */
function isWords(run: string): boolean {
  const isSlug = /^[a-z0-9_-]+$/.test(run);
  const parts = isSlug ? run.split(/[_-]+/) : (run.match(/[A-Z]?[a-z]+|[A-Z]+|\d+/g) ?? []);
  const letters = parts.filter((part) => /^[A-Za-z]+$/.test(part));
  const digits = parts.filter((part) => /^\d{1,4}$/.test(part));
  const length = letters.reduce((sum, part) => sum + part.length, 0);
  return (
    letters.length + digits.length === parts.length && digits.length <= 3 && length >= (isSlug ? 3 : 4) * letters.length
  );
}

function readingsOf(segment: string): readonly string[] {
  const readings = [segment];
  for (let i = 0; i < MAX_DECODINGS; i++) {
    const last = readings.at(-1)!;
    const next = last.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    if (next === last) break;
    readings.push(next);
  }
  return readings;
}
