/** Instants and ages in words; the zone is the browser's unless the address says `tz=utc`. @module */
import { UNKNOWN } from './numbers.ts';

export type Zone = 'local' | 'utc';
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `48 s ago`, `11 min ago`, `5 h ago`, `12 d ago`. */
export function ago(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return UNKNOWN;
  return ms < 1_500 ? 'just now' : `${age(ms)} ago`;
}

/** One unit only: `48 s`, `11 min`, `5 h`, `12 d`. */
export function age(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return UNKNOWN;
  const length = Math.max(0, ms);
  if (length < MINUTE) return `${Math.round(length / 1000)}\u00a0s`;
  if (length < HOUR) return `${Math.floor(length / MINUTE)}\u00a0min`;
  if (length < 2 * DAY) return `${Math.floor(length / HOUR)}\u00a0h`;
  return `${Math.floor(length / DAY)}\u00a0d`;
}

/** `14:02`. */
export function clock(atMs: number | null | undefined, zone: Zone = 'local'): string {
  return atMs === null || atMs === undefined ? UNKNOWN : clockSeconds(atMs, zone).slice(0, 5);
}

/** `14:02:20`. */
export function clockSeconds(atMs: number | null | undefined, zone: Zone = 'local'): string {
  if (atMs === null || atMs === undefined) return UNKNOWN;
  const at = new Date(atMs);
  const parts =
    zone === 'utc'
      ? [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()]
      : [at.getHours(), at.getMinutes(), at.getSeconds()];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}

/** `14:02:20` of today, `26 Nov 14:02:20` of another day. */
export function moment(atMs: number | null | undefined, nowMs: number, zone: Zone = 'local'): string {
  if (atMs === null || atMs === undefined) return UNKNOWN;
  const day = (ms: number) =>
    new Date(ms).toLocaleDateString('en-GB', {
      day: 'numeric',
      month: 'short',
      ...(zone === 'utc' ? { timeZone: 'UTC' } : {}),
    });
  return day(atMs) === day(nowMs) ? clockSeconds(atMs, zone) : `${day(atMs)} ${clockSeconds(atMs, zone)}`;
}

/** With date and offset, for a title: `2026-09-21 14:02:20 +02:00`. */
export function exact(atMs: number | null | undefined): string {
  if (atMs === null || atMs === undefined) return 'not known';
  const at = new Date(atMs);
  const minutes = -at.getTimezoneOffset();
  const two = (value: number) => String(Math.trunc(Math.abs(value))).padStart(2, '0');
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${date} ${clockSeconds(atMs)} ${minutes < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`;
}
