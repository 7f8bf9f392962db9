/** What a question to the API says: which time, how fine, which namespaces. Pure. @module */

const DAY_MS = 86_400_000;
const MIN_RANGE_MS = 10_000;
const MAX_RANGE_MS = 14 * DAY_MS;
const DEFAULT_RANGE_MS = 900_000;
/** Steps are of 10 s for a day, of 5 min before that. */
const FINE_MS = 10_000;
const COARSE_MS = 300_000;
const WANTED_STEPS = 120;
const MAX_STEPS = 1_000;

export interface Range {
  readonly fromMs: number;
  readonly toMs: number;
  readonly rangeMs: number;
  readonly stepMs: number;
  /** About an earlier moment: what was so then counts, not what is so now. */
  readonly isPast: boolean;
}

/** A mistake in a question, told to whoever asked. */
export class BadQuestion extends Error {
  override readonly name = 'BadQuestion';
  readonly status: 400 | 401 | 403;

  constructor(message: string, status: 400 | 401 | 403 = 400) {
    super(message);
    this.status = status;
  }
}

/** @throws BadQuestion naming the field */
export function rangeOf(asked: URLSearchParams, nowMs: number): Range {
  const rangeMs = numberOf(asked, 'rangeMs', { min: MIN_RANGE_MS, max: MAX_RANGE_MS }) ?? DEFAULT_RANGE_MS;
  const atMs = atOf(asked, nowMs);
  const isCoarse = nowMs - ((atMs ?? nowMs) - rangeMs) > DAY_MS;
  const unitMs = isCoarse ? COARSE_MS : FINE_MS;
  // A step that ended later would tell of what came after that moment.
  const toMs = atMs === undefined ? nowMs : Math.floor(atMs / unitMs) * unitMs;
  const given = numberOf(asked, 'stepMs', { min: unitMs, max: Math.max(rangeMs, unitMs) });
  const stepMs = Math.ceil((given ?? rangeMs / WANTED_STEPS) / unitMs) * unitMs;
  if (rangeMs / stepMs > MAX_STEPS) throw new BadQuestion(`stepMs: at most ${MAX_STEPS} steps are answered`);
  return { fromMs: toMs - rangeMs, toMs, rangeMs, stepMs, isPast: atMs !== undefined };
}

/** The earlier moment that is asked about; undefined: now. */
export function atOf(asked: URLSearchParams, nowMs: number): number | undefined {
  return numberOf(asked, 'atMs', { min: 0, max: nowMs });
}

export function numberOf(
  asked: URLSearchParams,
  name: string,
  { min, max }: { readonly min: number; readonly max: number },
): number | undefined {
  const text = asked.get(name);
  if (text === null || text === '') return undefined;
  const value = Number(text);
  if (Number.isFinite(value) && value >= min && value <= max) return value;
  throw new BadQuestion(`${name}: ${text.slice(0, 40)} is not a number from ${min} to ${max}`);
}

/** @param seen what the viewer may see; undefined: all */
export function namespacesOf(
  asked: URLSearchParams,
  seen: ReadonlySet<string> | undefined,
): ReadonlySet<string> | undefined {
  const wanted = asked.getAll('ns').flatMap((text) => text.split(','));
  const named = wanted.filter((name) => name !== '');
  if (named.length === 0) return seen;
  return new Set(seen === undefined ? named : named.filter((name) => seen.has(name)));
}
