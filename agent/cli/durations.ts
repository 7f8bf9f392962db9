/** Lengths of time as people type them. @module */
import { InvalidArgumentError } from 'commander';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `15m`, `12h`, `7d` in milliseconds; undefined for anything else, and for none at all. */
export function durationMs(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
  return ms > 0 ? ms : undefined;
}

/** As an option of a command. */
export function toMs(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined) throw new InvalidArgumentError('Write a number and a unit: 90s, 15m, 12h or 7d.');
  return ms;
}

/** As an option: an instant, or how long ago, as a function of now. */
export function toInstant(text: string): (nowMs: number) => number {
  const agoMs = durationMs(text);
  if (agoMs !== undefined) return (nowMs) => nowMs - agoMs;
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new InvalidArgumentError('Write 2026-03-01T12:00:00Z, or 90s, 15m, 12h, 7d.');
  return () => ms;
}
