/** What views of one service or call hold against the rules of health. Pure. @module */

import type { FiguresRow } from '../../history/figures.ts';
import { healthOf, type Judgement } from '../../observe/health.ts';
import type { Burn } from '../../observe/slo.ts';
import { totalsOf } from './signals.ts';

export interface Seen {
  readonly row: FiguresRow | undefined;
  /** Whether anybody counted in this range at all: then no row is no traffic. */
  readonly isCovered: boolean;
  /** Whether those who would know are missing. */
  readonly isUnseen: boolean;
  readonly usualP99Ms: number | null;
  /** Null where endpoints are none of its. */
  readonly endpointsReady: number | null;
  readonly callers: readonly string[];
  /** Of its declared objective; undefined where it has none. */
  readonly burn?: Burn | undefined;
}

export function judge({ row, isCovered, isUnseen, burn, ...seen }: Seen): Judgement {
  const totals = row === undefined ? undefined : totalsOf(row);
  const isKnown = totals !== undefined ? totals.requests !== null || totals.connections > 0 : isCovered && !isUnseen;
  return healthOf({
    requests: isKnown ? (totals?.requests ?? 0) : null,
    appFailed: totals?.appFailed ?? 0,
    meshFailed: totals?.meshFailed ?? 0,
    connections: totals?.connections ?? 0,
    p99Ms: row?.p99Ms[0] ?? null,
    ...seen,
    ...(burn === undefined ? {} : { burn: burn.rates, burnLimits: burn.limits }),
  });
}

export function percent(ratio: number): string {
  return `${Number((ratio * 100).toPrecision(2))} %`;
}
