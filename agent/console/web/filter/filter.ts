/**
 * The one language that narrows graph, tables, traces and logs: `ns:pay,shop health:bad p99>500ms failed>1% -kind:outside text`.
 * Terms are joined by AND, values inside one by OR, a minus negates. Pure.
 * @module
 */
export type Term =
  | { readonly kind: 'word'; readonly key: string; readonly values: readonly string[]; readonly isNot: boolean }
  | {
      readonly kind: 'number';
      readonly key: string;
      readonly sign: Sign;
      readonly value: number;
      readonly isNot: boolean;
    }
  | { readonly kind: 'text'; readonly text: string; readonly isNot: boolean };
type Sign = '>' | '<' | '>=' | '<=';

export interface Filter {
  readonly terms: readonly Term[];
  /** What was not understood, in words; such terms are left out. */
  readonly problems: readonly string[];
}

/** What a row offers to be asked for. */
export interface Fields {
  readonly words: Readonly<Record<string, readonly string[]>>;
  /** Ratios 0..1, times in ms, rates a second. Null is not known: it fits no comparison. */
  readonly numbers: Readonly<Record<string, number | null>>;
  /** Looked through by plain text. */
  readonly text: string;
}

/** Other spellings of keys. */
const SAME: Readonly<Record<string, string>> = {
  namespace: 'ns',
  proto: 'protocol',
  rps: 'rate',
  fail: 'failed',
  version: 'v',
};
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  ms: 1,
  s: 1_000,
  min: 60_000,
  h: 3_600_000,
  '%': 0.01,
  '/s': 1,
  k: 1_000,
};

/** Quotes keep spaces: `owner:"team pay"`. */
export function parseFilter(text: string): Filter {
  const terms: Term[] = [];
  const problems: string[] = [];
  for (const [raw] of text.matchAll(/(?:[^\s"]|"[^"]*"?)+/g)) {
    const isNot = raw.length > 1 && raw.startsWith('-');
    const body = isNot ? raw.slice(1) : raw;
    const number = /^([a-z][\w.]*)(>=|<=|>|<)(.*)$/i.exec(body);
    const word = /^([a-z][\w.]*):(.*)$/is.exec(body);
    if (number !== null) {
      const value = parseNumber(number[3]!);
      if (value === undefined) problems.push(`${body}: a number is wanted after ${number[2]}, such as 500ms or 1%`);
      else terms.push({ kind: 'number', key: keyOf(number[1]!), sign: number[2] as Sign, value, isNot });
    } else if (word !== null && !body.includes('://')) {
      const values = word[2]!.split(',').map(unquoted).filter(Boolean);
      if (values.length === 0) problems.push(`${body}: a value is wanted after the colon`);
      else terms.push({ kind: 'word', key: keyOf(word[1]!), values, isNot });
    } else terms.push({ kind: 'text', text: unquoted(body), isNot });
  }
  return { terms, problems };
}

export function fits({ terms }: Filter, fields: Fields): boolean {
  return terms.every((term) => holds(term, fields) !== term.isNot);
}

function holds(term: Term, { words, numbers, text }: Fields): boolean {
  if (term.kind === 'text') return text.toLowerCase().includes(term.text);
  if (term.kind === 'word') {
    const known = (words[term.key] ?? []).map((word) => word.toLowerCase());
    return term.values.some((value) =>
      known.some((word) => word === value || (value.endsWith('*') && word.startsWith(value.slice(0, -1)))),
    );
  }
  const value = numbers[term.key] ?? null;
  if (value === null) return false;
  if (term.sign === '>') return value > term.value;
  if (term.sign === '<') return value < term.value;
  return term.sign === '>=' ? value >= term.value : value <= term.value;
}

function parseNumber(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|min|h|%|\/s|k|)$/.exec(text.toLowerCase());
  return match === null ? undefined : Number(match[1]) * UNITS[match[2]!]!;
}

function keyOf(key: string): string {
  const lower = key.toLowerCase();
  return SAME[lower] ?? lower;
}

function unquoted(text: string): string {
  return text.replaceAll('"', '').toLowerCase();
}
