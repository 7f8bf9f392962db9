import { describe, expect, test } from 'vitest';
import type { FiguresQuestion, FiguresRow } from '../../../agent/history/figures.ts';
import type { DeclaredObjective } from '../../../agent/observe/objectives.ts';
import { type Objective, PROPOSED } from '../../../agent/observe/slo.ts';
import { burnsOf, type SloSight, sloList } from '../../../agent/observe/slo-list.ts';
import { BUCKETS, bucketOf } from '../../../proxy/telemetry/histogram.ts';

const COVERAGE = { asked: 1, answered: 1, missing: [] };
const NOW_MS = 1_790_000_000_000;
const DAY_MS = 86_400_000;

/** @param slow of the requests of each step, so many took a second; all others a millisecond */
function row(destination: string, requests: readonly number[], appFailed: readonly number[], slow = 0): FiguresRow {
  const none = requests.map(() => 0);
  const latency = new Float64Array(requests.length * BUCKETS);
  for (const [i, count] of requests.entries()) {
    latency[i * BUCKETS + bucketOf(1)] = count - slow;
    latency[i * BUCKETS + bucketOf(1_000)] = slow;
  }
  const counts = { clientErrors: none, meshFailed: none, denied: none, bytesReceived: none, bytesSent: none };
  const rest = { p50Ms: none, p95Ms: none, p99Ms: none, connectionsOpened: none, inFlight: none, latency };
  return {
    ...{ labels: { destination }, requests: [...requests], appFailed: [...appFailed] },
    ...{ ...counts, ...rest, reasons: {}, statuses: {} },
  };
}

/** Two services: 2 % of the requests to one fail, and 5 % of those to the other are slow. */
function sight(
  declared: Readonly<Record<string, Partial<Objective>>> = {},
): SloSight & { readonly asked: FiguresQuestion[] } {
  const asked: FiguresQuestion[] = [];
  return {
    asked,
    keptMs: 14 * DAY_MS,
    objectives: new Map(
      Object.entries(declared).map(([service, objective]): [string, DeclaredObjective] => [
        service,
        { service, objective: { ...PROPOSED, ...objective }, namespace: 'shop', name: 'one', revision: 'abc' },
      ]),
    ),
    figures: async (question) => {
      asked.push(question);
      const { fromMs, toMs, stepMs } = question;
      const steps = (value: number): number[] =>
        new Array<number>(stepMs === null ? 1 : (toMs - fromMs) / stepMs).fill(value);
      const rows =
        stepMs === null
          ? [row('shop/slow', [1_000_000], [100], 50_000), row('shop/bad', [1_000_000], [500])]
          : [row('shop/slow', steps(1_000), steps(0), 50), row('shop/bad', steps(1_000), steps(20))];
      return { figures: { startMs: 0, stepMs: 1, coveredMs: [], rows }, coverage: COVERAGE };
    },
  };
}

describe('services by their objective', () => {
  test('are listed by what is left of their budget, at the pace of their last hour', async () => {
    const seen = sight();
    const { services, coverage } = await sloList(seen, NOW_MS);
    expect(coverage).toEqual(COVERAGE);
    expect(services.map(({ service, isProposed, document }) => [service, isProposed, document])).toEqual([
      ['shop/bad', true, null],
      ['shop/slow', true, null],
    ]);
    expect(services[0]!.burn.oneHour).toBeCloseTo(20);
    expect(services[0]!.budgetLeftRatio).toBeCloseTo(0.5);
    expect(services[0]!.exhaustedInMs! / DAY_MS).toBeCloseTo((0.5 * 30) / 20);
    expect(services[0]!.knownMs).toBe(14 * DAY_MS);
    expect(services[1]!.exhaustedInMs).toBeNull();
    expect(seen.asked.map(({ withBuckets = false, stepMs }) => [withBuckets, stepMs])).toEqual([
      [false, 60_000],
      [false, 300_000],
      [false, null],
    ]);
  });

  test('are held to the declared one, by the worse of its indicators, as far back as is known', async () => {
    const seen = sight({
      'shop/slow': { targetRatio: 0.99, latencyMs: 300, windowMs: 7 * DAY_MS },
      'shop/idle': {},
    });
    const { services } = await sloList(seen, NOW_MS);
    const slow = services.find(({ service }) => service === 'shop/slow')!;
    expect(slow).toMatchObject({ isProposed: false, document: { name: 'one', revision: 'abc' }, knownMs: 7 * DAY_MS });
    expect(slow.burn.fiveMin).toBeCloseTo(5);
    expect(slow.budgetLeftRatio).toBeCloseTo(1 - 5);
    const idle = services.find(({ service }) => service === 'shop/idle')!;
    expect(idle).toMatchObject({ budgetLeftRatio: null, burn: { fiveMin: null }, requests: 0, isProposed: false });
    expect(seen.asked.every(({ withBuckets }) => withBuckets)).toBe(true);
    expect(
      seen.asked.filter(({ stepMs }) => stepMs === null).map(({ fromMs, toMs }) => (toMs - fromMs) / DAY_MS),
    ).toEqual([14, 7]);
  });

  test('burn only where one is declared, and nobody is asked where none is', async () => {
    const none = sight();
    expect((await burnsOf(none, NOW_MS)).size).toBe(0);
    expect(none.asked).toEqual([]);
    const burns = await burnsOf(sight({ 'shop/bad': { limits: { bad: 5, warn: 2 } } }), NOW_MS);
    expect([...burns.keys()]).toEqual(['shop/bad']);
    expect(burns.get('shop/bad')).toMatchObject({ limits: { bad: 5, warn: 2 } });
    expect(burns.get('shop/bad')!.rates.sixHours).toBeCloseTo(20);
  });
});
