/** A stretch of time as somebody types it: from, and to or until now. Pure. @module */
import type { Zone } from './times.ts';

const LEAST_MS = 10_000;
const MOST_MS = 14 * 86_400_000;

export type OwnRange =
  | { readonly rangeMs: number /** null: until now, and live. */; readonly atMs: number | null }
  | { readonly field: 'from' | 'to'; readonly error: string };

/** @param from as `<input type="datetime-local">` has it; `to` may be empty */
export function ownRange(from: string, to: string, { zone, nowMs }: { zone: Zone; nowMs: number }): OwnRange {
  const fromMs = instantOf(from, zone);
  const atMs = to === '' ? null : instantOf(to, zone);
  if (fromMs === undefined) return { field: 'from', error: 'From: give a day and a time' };
  if (atMs === undefined) return { field: 'to', error: 'To: give a day and a time, or leave it empty for now' };
  if (atMs !== null && atMs > nowMs)
    return { field: 'to', error: 'To: it is not that late yet; leave it empty for now' };
  const rangeMs = Math.round(((atMs ?? nowMs) - fromMs) / 1_000) * 1_000;
  if (rangeMs < LEAST_MS) return { field: 'from', error: 'From: give a moment at least 10 s before the end' };
  if (rangeMs > MOST_MS) return { field: 'from', error: 'From: at most 14 d before the end; more is not kept' };
  return { rangeMs, atMs };
}

function instantOf(text: string, zone: Zone): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text)) return undefined;
  const ms = Date.parse(zone === 'utc' ? `${text}Z` : text);
  return Number.isFinite(ms) ? ms : undefined;
}

/** As `<input type="datetime-local">` wants it, to the second. */
export function inputText(atMs: number, zone: Zone): string {
  const offsetMs = zone === 'utc' ? 0 : new Date(atMs).getTimezoneOffset() * 60_000;
  return new Date(atMs - offsetMs).toISOString().slice(0, 19);
}
