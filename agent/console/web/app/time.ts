/** Which stretch of time and which namespaces the console shows: `ns=pay,shop`, `t=15m`, `at=2026-09-21T14:02:20Z`. @module */
import { useMemo } from 'react';
import type { Zone } from '../format/times.ts';
import { setPaused } from '../state/store.ts';
import { type Place, setQuery, usePlace } from './router.tsx';

export const RANGES = [
  { key: '5m', words: 'Last 5 min', ms: 300_000 },
  { key: '15m', words: 'Last 15 min', ms: 900_000 },
  { key: '1h', words: 'Last 1 h', ms: 3_600_000 },
  { key: '6h', words: 'Last 6 h', ms: 21_600_000 },
  { key: '24h', words: 'Last 24 h', ms: 86_400_000 },
] as const;
const DEFAULT_MS = 900_000;
const MAX_MS = 14 * 86_400_000;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export interface Range {
  readonly rangeMs: number;
  /** null: now, and live. */
  readonly atMs: number | null;
  readonly namespaces: readonly string[];
  readonly zone: Zone;
  /** `ns=pay&rangeMs=900000&atMs=…`, for a path of the API. */
  readonly api: string;
  /** `?atMs=…`, or nothing: for a path of the API that has no range. */
  readonly atApi: string;
}

export function useRange(): Range {
  const place = usePlace();
  return useMemo(() => rangeOf(place), [place]);
}

export function rangeOf({ query }: Place): Range {
  const rangeMs = parseRange(query.get('t')) ?? DEFAULT_MS;
  const atMs = parseInstant(query.get('at'));
  const namespaces = (query.get('ns') ?? '').split(',').filter(Boolean);
  const params = new URLSearchParams();
  if (namespaces.length > 0) params.set('ns', namespaces.join(','));
  params.set('rangeMs', String(rangeMs));
  if (atMs !== null) params.set('atMs', String(atMs));
  const zone = query.get('tz') === 'utc' ? 'utc' : 'local';
  return { rangeMs, atMs, namespaces, zone, api: params.toString(), atApi: atMs === null ? '' : `?atMs=${atMs}` };
}

/** `90s`, `15m`, `6h`, `14d`. */
export function parseRange(text: string | null): number | undefined {
  const match = /^(\d{1,6})([smhd])$/.exec(text ?? '');
  if (match === null) return undefined;
  const ms = Number(match[1]) * UNIT_MS[match[2]!]!;
  return ms >= 10_000 && ms <= MAX_MS ? ms : undefined;
}

export function writeRange(ms: number): string {
  for (const unit of ['d', 'h', 'm']) {
    if (ms % UNIT_MS[unit]! === 0 && !(unit === 'd' && ms === 86_400_000)) return `${ms / UNIT_MS[unit]!}${unit}`;
  }
  return `${Math.round(ms / 1_000)}s`;
}

export function parseInstant(text: string | null): number | null {
  if (text === null || text === '') return null;
  const ms = /^\d{12,14}$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isFinite(ms) ? ms : null;
}

export function writeInstant(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** Neither in the past nor paused. */
export function goLive(): void {
  setPaused(false);
  setQuery({ at: null }, { replace: false });
}
