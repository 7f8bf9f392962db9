/**
 * How many requests of a while a rate limit would refuse, from what was counted in steps: each node keeps buckets of its own, and a
 * bucket lets no more through a step than its burst and what flows in. What is over that is refused for certain; whether others in
 * a busy step are hangs on when in it they came. Pure.
 * @module
 */
import type { RateLimit } from '../../../proxy/traffic/rules.ts';
import type { Column } from '../../history/figures.ts';
import type { Affected } from './replay.ts';

export interface CountedSteps {
  readonly caller: string;
  readonly to: string;
  /** Whose buckets they are. */
  readonly node: string;
  /** How many there are for these calls: of limits that are counted at the destination one for each workload. */
  readonly buckets: number;
  readonly requests: Column;
}

type Limit = Pick<RateLimit, 'per' | 'requestsPerSecond' | 'burst' | 'isShadow'>;

/** @param rows of the calls that the limit is about, as the side counts them that has the buckets */
export function replayLimit(rows: readonly CountedSteps[], limit: Limit, stepMs: number): readonly Affected[] {
  const { per, requestsPerSecond, burst, isShadow } = limit;
  const flow = (requestsPerSecond * stepMs) / 1_000;
  const sharers = Map.groupBy(rows, ({ caller, node }) => (per === 'caller' ? `${node} ${caller}` : node));
  const found = new Map<string, { caller: string; to: string; requests: number; changed: number; unknown: number }>();
  for (const bucket of sharers.values()) {
    const [{ requests: column, buckets }] = bucket as [CountedSteps];
    const steps = column.length;
    let least = burst; // what a bucket has at the beginning of the step at worst
    for (let step = 0; step < steps; step++) {
      const all = bucket.reduce((sum, { requests }) => sum + (requests[step] ?? 0), 0);
      const refused = isShadow ? 0 : Math.max(0, all - buckets * (flow + burst));
      const isBusy = !isShadow && all > least;
      for (const { caller, to, requests } of bucket) {
        const own = requests[step] ?? 0;
        if (own === 0) continue;
        const key = `${caller} ${to}`;
        const one = found.get(key) ?? { caller, to, requests: 0, changed: 0, unknown: 0 };
        found.set(key, one);
        one.requests += own;
        one.changed += (refused * own) / all;
        if (isBusy) one.unknown += own - (refused * own) / all;
      }
      least = Math.max(0, Math.min(burst, least + flow) - all);
    }
  }
  return [...found.values()]
    .map((one) => ({ ...one, changed: Math.floor(one.changed), unknown: Math.ceil(one.unknown) }))
    .map((one) => ({ ...one, how: one.changed > 0 ? ['status 429: over the limit'] : [] }))
    .sort((a, b) => b.changed - a.changed || b.unknown - a.unknown || b.requests - a.requests);
}
