import { expect, test } from 'vitest';
import type { FiguresQuestion, FiguresRow } from '../../../agent/history/figures.ts';
import { sloList } from '../../../agent/observe/slo-list.ts';

const COVERAGE = { asked: 1, answered: 1, missing: [] };

test('services are listed by what is left of their budget, at the pace of their last hour', async () => {
  const asked: FiguresQuestion[] = [];
  const row = (destination: string, requests: number[], appFailed: number[]): FiguresRow => {
    const none = requests.map(() => 0);
    const counts = { clientErrors: none, meshFailed: none, denied: none, bytesReceived: none, bytesSent: none };
    const rest = { p50Ms: none, p95Ms: none, p99Ms: none, connectionsOpened: none, inFlight: none };
    return { labels: { destination }, requests, appFailed, ...counts, ...rest, reasons: {}, statuses: {} };
  };
  const steps = (value: number): number[] => new Array<number>(72).fill(value);
  const history = {
    figures: async (question: FiguresQuestion) => {
      asked.push(question);
      const isLong = question.stepMs === null;
      const rows = isLong
        ? [row('shop/good', [1_000_000], [100]), row('shop/bad', [1_000_000], [500])]
        : [row('shop/good', steps(1_000), steps(0)), row('shop/bad', steps(1_000), steps(20))];
      return { figures: { startMs: 0, stepMs: 1, coveredMs: [], rows }, coverage: COVERAGE };
    },
  };
  const { services, coverage } = await sloList(history, 1_790_000_000_000);
  expect(coverage).toEqual(COVERAGE);
  expect(services.map(({ service, isProposed }) => [service, isProposed])).toEqual([
    ['shop/bad', true],
    ['shop/good', true],
  ]);
  expect(services[0]!.burn.oneHour).toBeCloseTo(20);
  expect(services[0]!.budgetLeftRatio).toBeCloseTo(0.5);
  expect(services[0]!.exhaustedInMs! / 86_400_000).toBeCloseTo((0.5 * 30) / 20);
  expect(services[1]!.exhaustedInMs).toBeNull();
  expect(asked).toHaveLength(2);
});
