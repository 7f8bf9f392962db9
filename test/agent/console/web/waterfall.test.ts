import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Span } from '../../../../agent/console/shapes/mesh.ts';
import { layOut, meshTicks } from '../../../../agent/console/web/pages/trace/waterfall.ts';

test('callers stand above what they call, in the order in which calls began', () => {
  const spans = [span('c', 'a', 60, 20), span('b', 'a', 10, 40), span('a', '', 0, 100), span('d', 'b', 20, 10)];
  const { rows, tookMs } = layOut(spans);
  expect(rows.map((row) => [row.span.spanId, row.depth])).toEqual([
    ['a', 0],
    ['b', 1],
    ['d', 2],
    ['c', 1],
  ]);
  expect(tookMs).toBe(100);
  expect(rows[3]).toMatchObject({ startRatio: 0.6, widthRatio: 0.2, isOrphan: false, skewMs: 0 });
});

test('a span whose parent nobody kept is a root that says so', () => {
  expect(layOut([span('b', 'gone', 10, 40)]).rows[0]).toMatchObject({ depth: 0, isOrphan: true });
});

test('a call that seems to begin before its caller is drawn as measured', () => {
  const row = layOut([span('a', '', 100, 50), span('b', 'a', 92, 10)]).rows[1]!;
  expect(row).toMatchObject({ skewMs: 8, startRatio: 0 });
});

test('every span has one row inside the trace, whatever parents say', () => {
  const ids = fc.constantFrom('a', 'b', 'c', 'd', 'e', '');
  const one = fc.tuple(ids, fc.nat(1_000), fc.nat(1_000));
  fc.assert(
    fc.property(fc.array(one, { maxLength: 5 }), (parts) => {
      const spans = parts.map(([parent, start, took], i) => span('abcde'[i]!, parent, start, took));
      const { rows } = layOut(spans);
      expect(rows.map((row) => row.span.spanId).toSorted()).toEqual(spans.map((one) => one.spanId));
      for (const { startRatio, widthRatio } of rows) {
        expect(startRatio >= 0 && widthRatio >= 0 && startRatio + widthRatio <= 1.000001).toBe(true);
      }
    }),
  );
});

test('ticks say what the mesh decided, and not what it did not', () => {
  const plain = { 'weft.source': 'shop/web', 'weft.duration_ms': 7, 'weft.kept': 'sampled', 'http.method': 'GET' };
  const attributes = { ...plain, 'weft.attempts': 2, 'weft.ejected': false, 'weft.hedged': true };
  const ticks = meshTicks({ ...span('a', '', 0, 1), reason: 'timeout.request', attributes });
  expect(ticks).toEqual(['timeout.request', 'attempts 2', 'hedged']);
  expect(meshTicks({ ...span('a', '', 0, 1), attributes: { ...plain, 'weft.attempts': 1 } })).toEqual([]);
});

function span(spanId: string, parentSpanId: string, startMs: number, tookMs: number): Span {
  return {
    traceId: 't',
    spanId,
    parentSpanId,
    node: 'node-1',
    service: 'shop/web',
    peer: 'shop/cart',
    kind: 'server',
    name: 'GET /',
    startMs,
    tookMs,
    status: 200,
    reason: '',
    isFailed: false,
    inferredConfidence: null,
    attributes: {},
  };
}
