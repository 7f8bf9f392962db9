/** A server in virtual time: so many requests at once, the others in line, each as long as chance has it. @module */

import { AdaptiveLimit, CallerShare } from '../../../proxy/resilience/adaptive.ts';
import type { Priority } from '../../../proxy/resilience/priority.ts';
import { SharedTable } from '../../../proxy/resilience/shared-table.ts';
import type { Concurrency } from '../../../proxy/traffic/rules.ts';
import { seeded } from '../balancer/support.ts';

export interface Flow {
  readonly caller: string;
  readonly priority: Priority;
  readonly perSecond: number;
}

export interface Tally {
  asked: number;
  served: number;
  sumMs: number;
}

export interface Run {
  readonly seed: number;
  readonly atOnce: number;
  /** On average, of an exponential distribution. */
  readonly serviceMs: number;
  readonly flows: readonly Flow[];
  readonly limits: Concurrency;
  readonly seconds: number;
  /** Before this, nothing is counted. */
  readonly fromSecond: number;
}

interface Open {
  readonly flow: number;
  readonly sinceMs: number;
  doneAtMs: number;
}

/** What became of each flow, and the limit at the end of every second. */
export function simulate(run: Run): { readonly tallies: readonly Tally[]; readonly limits: readonly number[] } {
  const random = seeded(run.seed);
  const untilNextMs = (perSecond: number): number => (-Math.log(1 - random()) * 1_000) / perSecond;
  const table = SharedTable.alone(64);
  const limit = new AdaptiveLimit(table, 'cart', run.limits);
  const shares = run.flows.map(({ caller }) => new CallerShare(table, 'cart', caller));
  const nextAtMs = run.flows.map(({ perSecond }) => untilNextMs(perSecond));
  const tallies = run.flows.map((): Tally => ({ asked: 0, served: 0, sumMs: 0 }));
  const limits: number[] = [];
  const serving: Open[] = [];
  const waiting: Open[] = [];
  const begin = (open: Open, nowMs: number): void => {
    open.doneAtMs = nowMs + untilNextMs(1_000 / run.serviceMs);
    serving.push(open);
  };
  for (;;) {
    const flow = nextAtMs.indexOf(Math.min(...nextAtMs));
    const done = serving.reduce<Open | undefined>(
      (first, one) => (first && first.doneAtMs <= one.doneAtMs ? first : one),
      undefined,
    );
    const nowMs = Math.min(nextAtMs[flow]!, done?.doneAtMs ?? Number.POSITIVE_INFINITY);
    while (limits.length < Math.floor(nowMs / 1_000)) limits.push(limit.limit);
    if (nowMs >= run.seconds * 1_000) return { tallies, limits };
    const isCounted = nowMs >= run.fromSecond * 1_000;
    if (done !== undefined && done.doneAtMs === nowMs) {
      serving.splice(serving.indexOf(done), 1);
      const tookMs = nowMs - done.sinceMs;
      limit.release(shares[done.flow]!, tookMs, true, nowMs);
      const tally = tallies[done.flow]!;
      if (isCounted) {
        tally.served++;
        tally.sumMs += tookMs;
      }
      const next = waiting.shift();
      if (next !== undefined) begin(next, nowMs);
      continue;
    }
    nextAtMs[flow] = nowMs + untilNextMs(run.flows[flow]!.perSecond);
    if (isCounted) tallies[flow]!.asked++;
    if (!limit.tryAcquire(shares[flow]!, run.flows[flow]!.priority, nowMs)) continue;
    const open = { flow, sinceMs: nowMs, doneAtMs: 0 };
    if (serving.length < run.atOnce) begin(open, nowMs);
    else waiting.push(open);
  }
}
