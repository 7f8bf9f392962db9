/**
 * How far above or below a limit a request may go: by what it matters, and by what its caller has open already. Each step
 * down keeps room for those above it, so the least important are refused first.
 * @module
 */

/** From most to least important. */
export type Priority = 0 | 1 | 2 | 3;

/** What part of the limit they may fill. */
const PARTS = [1.5, 1, 0.85, 0.7] as const;
/** Small limits need more room than a part of them for what matters most. */
const FOR_FIRST = 16;
/** Over the limit, for callers within their share. */
const GRACE_PART = 0.25;
const GRACE = 4;
/** What a caller may have open is an equal part and twice what that varies by chance, and never all where others call too. */
const VARIATION = 2;
const NOT_ALL = 0.75;

export interface Asking {
  readonly limit: number;
  readonly priority: Priority;
  /** How many callers there were lately. */
  readonly callers: number;
  /** What this one has open. */
  readonly held: number;
}

/** How many requests may be open together, this one among them; at least 1. */
export function ceilingOf({ limit, priority, callers, held }: Asking): number {
  const base = limit * PARTS[priority] + (priority === 0 ? FOR_FIRST : 0);
  const part = limit / Math.max(1, callers);
  const share = Math.max(1, Math.min(part + VARIATION * Math.sqrt(part), limit * NOT_ALL));
  const isWithinShare = callers > 1 && held + 1 <= share;
  return Math.max(1, Math.floor(isWithinShare ? base + GRACE + limit * GRACE_PART : base));
}

/** Of the text of a header: 0 to 3, anything else is as if it were not there. */
export function priorityOf(text: string | undefined, otherwise: number): Priority {
  const asked = text !== undefined && /^[0-3]$/.test(text) ? Number(text) : otherwise;
  return (asked >= 0 && asked <= 3 ? Math.floor(asked) : 3) as Priority;
}
