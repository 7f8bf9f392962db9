/**
 * The one small language that logs, traces and taps are searched by: `service:shop/cart status:5xx,429 path:/v1/* -reason:overflow
 * failed duration>100ms text`. AND by space, OR by comma inside a value, minus negates; nothing else. Pure.
 *
 * A name without namespace fits in any; `*` stands for any characters; a word alone is looked for in paths, routes, services
 * and reasons.
 * @module
 */
import { z } from 'zod';
import type { RequestRecord } from '../../proxy/telemetry/record.ts';
import { callerOf, isNamed } from '../../proxy/telemetry/workload-name.ts';

export const FILTER_FIELDS = [
  'service',
  'ns',
  'from',
  'to',
  'method',
  'path',
  'route',
  'status',
  'reason',
  'user',
  'trace',
  'proto',
  'version',
  'endpoint',
  'direction',
  'duration',
  'is',
  'text',
] as const;
export type FilterField = (typeof FILTER_FIELDS)[number];

const MAX_TERMS = 32;
const MAX_VALUES = 256;
const MAX_TEXT = 1_024;

export const filterTerm = z.strictObject({
  field: z.enum(FILTER_FIELDS),
  /** One of them is enough. */
  values: z.array(z.string().min(1).max(MAX_TEXT)).min(1).max(MAX_VALUES),
  isNegated: z.boolean(),
});
export type FilterTerm = z.infer<typeof filterTerm>;
export const filterTerms = z.array(filterTerm).max(MAX_TERMS);

export type ParsedFilter =
  | { readonly ok: true; readonly terms: readonly FilterTerm[] }
  | { readonly ok: false; readonly problem: string };

/** Reads what somebody typed. */
export function parseFilter(text: string): ParsedFilter {
  const terms: FilterTerm[] = [];
  for (const word of text.split(/\s+/).filter((one) => one !== '')) {
    const term = toTerm(word);
    if (typeof term === 'string') return { ok: false, problem: term };
    terms.push(term);
  }
  const checked = filterTerms.safeParse(terms);
  if (checked.success) return { ok: true, terms };
  return { ok: false, problem: `too much to search for: at most ${MAX_TERMS} terms of ${MAX_VALUES} values` };
}

/** A term of a field, as options of commands give it; commas separate values. */
export function fieldTerm(field: FilterField, text: string): FilterTerm {
  return { field, values: text.split(',').filter((value) => value !== ''), isNegated: false };
}

/** @param userOf what records have instead of a user's name */
export function withUsers(terms: readonly FilterTerm[], userOf: (user: string) => string): readonly FilterTerm[] {
  return terms.map((term) =>
    term.field === 'user' ? { ...term, values: term.values.flatMap((user) => [user, userOf(user)]) } : term,
  );
}

export function fits(record: RequestRecord, terms: readonly FilterTerm[]): boolean {
  return terms.every(({ field, values, isNegated }) => values.some((value) => has(record, field, value)) !== isNegated);
}

function toTerm(word: string): FilterTerm | string {
  const isNegated = word.length > 1 && word.startsWith('-');
  const bare = isNegated ? word.slice(1) : word;
  const [, longer] = /^duration(>=?\d.*|<=?\d.*)$/.exec(bare) ?? [];
  if (longer !== undefined) {
    return durationBound(longer) === undefined
      ? `${word}: write duration>100ms or duration<2s`
      : { field: 'duration', values: [longer], isNegated };
  }
  if (bare === 'failed' || bare === 'slow' || bare === 'mirror') return { field: 'is', values: [bare], isNegated };
  const at = bare.indexOf(':');
  const name = bare.slice(0, Math.max(0, at));
  if (at <= 0 || bare.startsWith('/')) return { field: 'text', values: [bare], isNegated };
  if (!isField(name) || name === 'text' || name === 'duration') return `${word}: no such field; known: ${KNOWN}`;
  const term = { ...fieldTerm(name, bare.slice(at + 1)), isNegated };
  return term.values.length === 0 ? `${word}: a value is missing after the colon` : term;
}

const KNOWN = `${FILTER_FIELDS.filter((field) => field !== 'text' && field !== 'duration').join(' ')}, failed, slow, mirror, duration>100ms`;

function isField(name: string): name is FilterField {
  return (FILTER_FIELDS as readonly string[]).includes(name);
}

function has(record: RequestRecord, field: FilterField, value: string): boolean {
  switch (field) {
    case 'service':
      return isNamed(record.destination, value) || isNamed(callerOf(record), value);
    case 'ns':
      return [record.destination, callerOf(record)].some((service) => service.startsWith(`${value}/`));
    case 'from':
      return isNamed(callerOf(record), value) || record.source === value;
    case 'to':
      return isNamed(record.destination, value);
    case 'method':
      return record.method.toLowerCase() === value.toLowerCase();
    case 'path':
      return isLike(record.path, value);
    case 'route':
      return isLike(record.route, value);
    case 'status':
      return isStatus(record.status, value);
    case 'reason':
      return isLike(record.reason, value);
    case 'user':
      return record.user !== '' && record.user === value;
    case 'trace':
      return record.traceId === value.toLowerCase();
    case 'proto':
      return record.protocol === value;
    case 'version':
      return record.version === value;
    case 'endpoint':
      return isLike(record.endpoint, value);
    case 'direction':
      return record.direction === value;
    case 'duration':
      return isWithin(record.tookMs, value);
    case 'is':
      return isSo(record, value);
    case 'text':
      return [record.path, record.route, record.destination, callerOf(record), record.reason].some((part) =>
        part.includes(value),
      );
  }
}

function isSo({ kept, isMirror }: RequestRecord, value: string): boolean {
  if (value === 'mirror') return isMirror;
  return value === 'failed' ? kept.failed : value === 'slow' && kept.slow;
}

/** `503`, `5xx`. */
function isStatus(status: number, value: string): boolean {
  return /^[1-5]xx$/i.test(value) ? Math.floor(status / 100) === Number(value[0]) : String(status) === value;
}

/** Greedy from the left, part by part: linear, whatever is asked. */
function isLike(text: string, value: string): boolean {
  if (!value.includes('*')) return text === value;
  const parts = value.split('*');
  const first = parts[0]!;
  const last = parts.at(-1)!;
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= text.length - last.length;
}

function isWithin(ms: number, value: string): boolean {
  const bound = durationBound(value);
  if (bound === undefined) return false;
  return bound.isLonger ? ms >= bound.ms : ms <= bound.ms;
}

/** `>100ms`, `<2s`; undefined for what is none. */
export function durationBound(text: string): { isLonger: boolean; ms: number } | undefined {
  const [, sign = '', count = '', unit = 'ms'] = /^([<>]=?)(\d{1,9}(?:\.\d{1,3})?)(ms|s|m)?$/.exec(text) ?? [];
  if (sign === '') return undefined;
  return {
    isLonger: sign.startsWith('>'),
    ms: Number(count) * { ms: 1, s: 1_000, m: 60_000 }[unit as 'ms' | 's' | 'm'],
  };
}
