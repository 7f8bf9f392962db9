import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Aggregation } from '../../../agent/history/aggregate.ts';
import type { FiguresQuestion } from '../../../agent/history/figures.ts';
import { mergeFigures } from '../../../agent/history/merge.ts';
import { decodeFigures, encodeFigures, type NodeFigures } from '../../../agent/history/node-figures.ts';
import type { FiguresPlan } from '../../../agent/history/plan.ts';
import { type HistoryRow, SCALAR, SCALARS } from '../../../agent/history/rows.ts';
import { Book, encodeStep, readStep } from '../../../agent/history/step-codec.ts';
import { DETAIL_MS } from '../../../agent/history/store.ts';
import { BUCKETS, quantile } from '../../../proxy/telemetry/histogram.ts';
import { labels } from './support.ts';

const STEPS = 6;
const question: FiguresQuestion = {
  fromMs: 0,
  toMs: STEPS * DETAIL_MS,
  stepMs: DETAIL_MS,
  service: null,
  by: ['destination'],
  direction: 'outbound',
};
const plan: FiguresPlan = { startMs: 0, stepMs: DETAIL_MS, steps: STEPS, isCoarse: false };

const measured = fc.record({
  step: fc.nat(STEPS - 1),
  service: fc.constantFrom('shop/cart', 'shop/web'),
  scalars: fc.array(fc.oneof(fc.constant(0), fc.nat(300), fc.nat(2 ** 40)), { minLength: SCALARS, maxLength: SCALARS }),
  latency: fc.array(fc.tuple(fc.nat(BUCKETS - 1), fc.integer({ min: 1, max: 2 ** 33 })), { maxLength: 6 }),
  statuses: fc.dictionary(fc.constantFrom('200', '503', 'grpc 14'), fc.integer({ min: 1, max: 99 })),
});
type Measured = typeof measured extends fc.Arbitrary<infer T> ? T : never;

function rowOf({ service, scalars, latency, statuses }: Measured): HistoryRow {
  const counts = new Float64Array(BUCKETS);
  for (const [bucket, count] of latency) counts[bucket] = count;
  const measures = {
    scalars: Float64Array.from(scalars).fill(0, SCALAR.inFlight),
    latency: counts,
    reasons: new Map<string, number>(),
    statuses: new Map(Object.entries(statuses)),
  };
  measures.scalars[SCALAR.requests] = scalars[SCALAR.requests]! + 1;
  return { labels: labels({ destination: service }), measures };
}

/** As a node answers that has these steps on its disk. */
function answerOf(all: readonly Measured[]): NodeFigures {
  const aggregation = new Aggregation(question, plan, 'a');
  const book = new Book();
  for (let step = 0; step < STEPS; step++) {
    const rows = all.filter((one) => one.step === step).map(rowOf);
    if (rows.length === 0) continue;
    const atMs = step * DETAIL_MS;
    const bytes = encodeStep({ atMs, rows }, book);
    aggregation.read({ atMs, lengthMs: DETAIL_MS, book, read: (placeOf) => readStep(bytes, book, placeOf) });
  }
  return aggregation.answer();
}

describe('the figures of a node', () => {
  test('cross the wire as they are, and add up to what was counted', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(measured, { maxLength: 12 }),
        fc.array(measured, { maxLength: 12 }),
        async (one, two) => {
          const answers = new Map([one, two].map((all, i) => [`n${i}`, decodeFigures(encodeFigures(answerOf(all)))]));
          expect(answers.get('n0')).toEqual(answerOf(one));
          const { figures, wrong } = await mergeFigures(answers, { by: ['destination'], plan, withBuckets: true });
          expect(wrong).toEqual([]);
          for (const service of ['shop/cart', 'shop/web']) {
            const row = figures.rows.find(({ labels: { destination } }) => destination === service);
            for (let step = 0; step < STEPS; step++) {
              const rows = [...one, ...two].filter((m) => m.step === step && m.service === service).map(rowOf);
              const counts = Array.from({ length: BUCKETS }, (_, i) =>
                sum(rows.map(({ measures }) => measures.latency[i]!)),
              );
              const isKnown = [...one, ...two].some((m) => m.step === step);
              const requests = sum(rows.map(({ measures }) => measures.scalars[SCALAR.requests]!));
              expect(row?.requests[step] ?? (isKnown ? 0 : null)).toBe(isKnown ? requests : null);
              if (row === undefined) continue;
              expect([...row.latency!.subarray(step * BUCKETS, (step + 1) * BUCKETS)]).toEqual(counts);
              for (const [column, share] of [
                [row.p50Ms, 0.5],
                [row.p95Ms, 0.95],
                [row.p99Ms, 0.99],
              ] as const) {
                expect(column[step] ?? -1).toBeCloseTo(quantile(counts, share) ?? -1, 6);
              }
            }
          }
        },
      ),
    );
  });

  test('that are cut short, of another version or not of the question are left out, and all others count', async () => {
    const one: Measured = {
      step: 1,
      service: 'shop/cart',
      scalars: new Array(SCALARS).fill(3),
      latency: [[4, 9]],
      statuses: {},
    };
    const right = answerOf([one]);
    const [row] = right.rows;
    const answers = new Map<string, NodeFigures>([
      ['right', right],
      ['torn', { ...right, rows: [{ ...row!, cells: row!.cells.subarray(0, row!.cells.length - 1) }] }],
      ['later', { ...right, startMs: DETAIL_MS }],
      ['wide', { ...right, rows: [{ ...row!, labels: ['shop/cart', 'v1'] }] }],
      ['long', { ...right, rows: [{ ...row!, cells: Uint8Array.of(STEPS, 1, 1, 0) }] }],
    ]);
    const { figures, wrong } = await mergeFigures(answers, { by: ['destination'], plan });
    expect(wrong.toSorted()).toEqual(['later', 'long', 'torn', 'wide']);
    expect(figures.rows.map(({ requests }) => requests[1])).toEqual([4]);
    const bytes = encodeFigures(right);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeFigures(bytes.subarray(0, length))).toThrow(RangeError);
    }
    expect(() => decodeFigures(Buffer.from(JSON.stringify(right)))).toThrow('figures of another version');
  });
});

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
