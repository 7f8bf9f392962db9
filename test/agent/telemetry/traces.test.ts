/** Traces: spans of records, the bounds of the store, guessed parents, and answers put together over nodes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { trace as traceShape, traces as tracesShape } from '../../../agent/console/shapes/mesh.ts';
import type { MeshQuery, Topic } from '../../../agent/mesh-query/shapes.ts';
import { parseFilter } from '../../../agent/telemetry/record-filter.ts';
import { Inference } from '../../../agent/telemetry/traces/inferred.ts';
import { spansOf } from '../../../agent/telemetry/traces/spans.ts';
import { TraceStore } from '../../../agent/telemetry/traces/trace-store.ts';
import {
  findTrace,
  searchTraces,
  type TracesOptions,
  tracesTopic,
  traceTopic,
} from '../../../agent/telemetry/traces/traces.ts';
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';
import { ids, record, T0 } from './records.ts';

const BOUNDS = { keepMs: 3_600_000, maxRecords: 1_000, maxBytes: 10_000_000 };
const NODE_1 = { node: 'node-1', isUserHashed: true };
const FAILED = { sampled: false, failed: true, slow: false, tapped: false };

describe('spans', () => {
  test('of a request are one of its own and one for each step, linked, with ids that do not change', () => {
    const steps = [
      { kind: 'route', startMs: 0, tookMs: 0, subject: 'HTTPRoute shop/cart rule 2', status: 0, reason: '' },
      { kind: 'attempt', startMs: 1, tookMs: 4, subject: '10.0.0.1:80', status: 0, reason: 'connect-failed' },
      { kind: 'backoff', startMs: 5, tookMs: 2, subject: '', status: 0, reason: '' },
      { kind: 'attempt', startMs: 7, tookMs: 5, subject: '10.0.0.2:80', status: 200, reason: '' },
    ] as const;
    const spans = spansOf(record({ steps }), NODE_1);
    expect(
      spans.map(({ kind, name, startMs, tookMs, isFailed }) => [kind, name, startMs - T0, tookMs, isFailed]),
    ).toEqual([
      ['client', 'GET /v1/carts/{id}', 0, 12, false],
      ['internal', 'route', 0, 0, false],
      ['internal', 'attempt', 1, 4, true],
      ['internal', 'backoff', 5, 2, false],
      ['internal', 'attempt', 7, 5, false],
    ]);
    const own = spans[0]!.spanId;
    expect(spans.slice(1).every(({ parentSpanId }) => parentSpanId === own)).toBe(true);
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(5);
    expect(spansOf(record({ steps }), NODE_1)).toEqual(spans);
  });

  test('of an inbound request is the service that was called, its peer the caller', () => {
    const [span] = spansOf(record({ direction: 'inbound' }), NODE_1);
    expect(span).toMatchObject({ kind: 'server', service: 'shop/cart', peer: 'shop/web', node: 'node-1' });
  });
});

describe('the store', () => {
  const add = (store: TraceStore, n: number, nowMs = T0, fields: Partial<RequestRecord> = {}): void =>
    store.add(record({ ...ids(n), ...fields }), nowMs);

  test('lets the oldest traces go, whole, when there are too many records, bytes or hours', () => {
    const store = new TraceStore({ ...BOUNDS, maxRecords: 4 });
    for (const n of [1, 1, 2, 3]) add(store, n);
    add(store, 4);
    expect([store.trace(ids(1).traceId).length, store.records, store.evicted]).toEqual([0, 3, 1]);
    store.forget(T0 + BOUNDS.keepMs);
    expect([store.records, store.bytes, store.evicted]).toEqual([0, 0, 1]);
    const small = new TraceStore({ ...BOUNDS, maxBytes: 5_000 });
    for (let n = 1; n <= 50; n++) add(small, n, T0, { path: 'x'.repeat(1_000) });
    expect(small.bytes).toBeLessThanOrEqual(5_000);
    expect(small.traces).toBe(2);
  });

  test('never holds more than its bounds, whatever comes in', () => {
    const one = fc.record({
      n: fc.integer({ min: 1, max: 20 }),
      afterMs: fc.nat(600_000),
      path: fc.string({ maxLength: 1_024 }),
    });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 200 }), fc.integer({ min: 1, max: 50 }), (all, maxRecords) => {
        const store = new TraceStore({ keepMs: 3_600_000, maxRecords, maxBytes: 50_000 });
        let nowMs = T0;
        for (const { n, afterMs, path } of all) {
          nowMs += afterMs;
          add(store, n, nowMs, { path });
          const held = [...store.all()];
          expect(store.records).toBe(held.length);
          expect(store.records).toBeLessThanOrEqual(maxRecords);
          expect(store.bytes).toBeLessThanOrEqual(50_000);
        }
      }),
      { seed: 7 },
    );
  });

  test('takes a thousand records of one trace, and counts the others', () => {
    const store = new TraceStore({ ...BOUNDS, maxRecords: 5_000 });
    for (let i = 0; i < 1_200; i++) add(store, 1);
    add(store, 2);
    expect([store.records, store.dropped]).toEqual([1_001, 200]);
  });
});

/** A request that cart answers, and one that it makes meanwhile without passing the trace on. */
const answered = (n: number, fromMs: number, tookMs: number): RequestRecord =>
  record({ ...ids(n), direction: 'inbound', parentSpanId: ids(900 + n).spanId, atMs: T0 + fromMs, tookMs });
const made = (n: number, fromMs: number, tookMs: number): RequestRecord =>
  record({ ...ids(n), sourceService: 'shop/cart', destination: 'shop/stock', atMs: T0 + fromMs, tookMs });

describe('a guessed parent', () => {
  test('is the only request that was being answered all the while', () => {
    const [parent, child] = [answered(1, 0, 100), made(2, 10, 20)];
    const inference = new Inference([parent, child, answered(3, 200, 50), made(4, 90, 20)], 1);
    expect(inference.children(parent)).toEqual([{ parent, child, confidence: 1 }]);
    expect(inference.parents(child)).toEqual([{ parent, child, confidence: 1 }]);
  });

  test('is as sure as there are others that could be', () => {
    const parents = [answered(1, 0, 100), answered(2, 5, 100), answered(3, 9, 90)];
    const child = made(4, 10, 20);
    const links = new Inference([...parents, child], 1).parents(child);
    expect(links.map(({ parent, confidence }) => [parent.traceId, confidence])).toEqual(
      parents.map(({ traceId }) => [traceId, 0.333]),
    );
  });

  test('is none where a header says who it is, where another service answers, or too many could be', () => {
    const told = record({ ...made(2, 10, 20), parentSpanId: ids(77).spanId });
    expect(new Inference([answered(1, 0, 100), told], 1).children(answered(1, 0, 100))).toEqual([]);
    const other = record({ ...answered(1, 0, 100), destination: 'shop/pay' });
    expect(new Inference([other, made(2, 10, 20)], 1).parents(made(2, 10, 20))).toEqual([]);
    const many = Array.from({ length: 21 }, (_, i) => answered(i + 1, 0, 100));
    expect(new Inference([...many, made(99, 10, 20)], 1).parents(made(99, 10, 20))).toEqual([]);
  });

  test('counts for those that nobody kept, where only a share is', () => {
    const child = made(2, 10, 20);
    const [link] = new Inference([answered(1, 0, 100), child], 0.25).parents(child);
    expect(link?.confidence).toBe(0.25);
    expect(new Inference([answered(1, 0, 100), child], 0.01).parents(child)).toEqual([]);
  });

  test('is never more likely than one in the number of candidates', () => {
    const interval = fc.record({ fromMs: fc.nat(50), tookMs: fc.integer({ min: 1, max: 100 }) });
    fc.assert(
      fc.property(fc.array(interval, { maxLength: 12 }), interval, (intervals, { fromMs, tookMs }) => {
        const parents = intervals.map((one, i) => answered(i + 1, one.fromMs, one.tookMs));
        const child = made(99, fromMs, tookMs);
        const links = new Inference([...parents, child], 1).parents(child);
        const sum = links.reduce((total, { confidence }) => total + confidence, 0);
        expect(sum).toBeLessThanOrEqual(1.01);
        for (const { parent } of links)
          expect(parent.atMs + parent.tookMs).toBeGreaterThanOrEqual(child.atMs + child.tookMs);
      }),
      { seed: 7 },
    );
  });
});

/** Nodes of one mesh without a network: what each offers is asked as it would be over one. */
class Mesh implements MeshQuery {
  readonly stores = new Map<string, TraceStore>();
  readonly silent = new Set<string>();
  readonly #topics = new Map<string, Topic<never, unknown>[]>();

  constructor(...nodes: readonly string[]) {
    for (const node of nodes) {
      const store = new TraceStore(BOUNDS);
      this.stores.set(node, store);
      const spans = { node, isUserHashed: true };
      const options: TracesOptions = { store, spans, sampleRatio: 1, userOf: (user) => `#${user}`, nowMs: () => T0 };
      this.#topics.set(node, [tracesTopic(options), traceTopic(options)] as unknown as Topic<never, unknown>[]);
    }
  }

  offer(): void {}

  async ask<Q, A>({ name }: { name: string }, question: Q): Promise<{ answers: Map<string, A>; coverage: never }> {
    const answers = new Map<string, A>();
    for (const [node, topics] of this.#topics) {
      if (this.silent.has(node)) continue;
      const topic = topics.find((one) => one.name === name)! as unknown as Topic<Q, A>;
      answers.set(node, await topic.answer(topic.question.parse(JSON.parse(JSON.stringify(question)))));
    }
    const missing = [...this.silent].map((node) => ({ node, reason: 'silent', lastHeardMs: null, endpoints: 0 }));
    return { answers, coverage: { asked: this.stores.size, answered: answers.size, missing } as never };
  }

  add(node: string, ...records: readonly RequestRecord[]): void {
    for (const one of records) this.stores.get(node)!.add(one, T0);
  }
}

const search = async (mesh: Mesh, text: string, limit = 10) => {
  const parsed = parseFilter(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  const found = await searchTraces(mesh, { terms: [...parsed.terms], sinceMs: 0, untilMs: T0 * 2, limit });
  expect(tracesShape.safeParse(found).error).toBeUndefined();
  return found;
};

describe('over nodes', () => {
  /** web on node-1 calls cart on node-2, which calls stock on node-1 and passes the trace on. */
  function threeServices(): Mesh {
    const mesh = new Mesh('node-1', 'node-2', 'node-3');
    const { traceId } = ids(1);
    const span = (n: number, parent: number) => ({
      traceId,
      spanId: ids(n).spanId,
      parentSpanId: parent === 0 ? '' : ids(parent).spanId,
    });
    mesh.add('node-1', record({ ...span(1, 0), tookMs: 50, user: '#ada' }));
    mesh.add('node-2', record({ ...span(2, 1), direction: 'inbound', atMs: T0 - 500, tookMs: 48 })); // its clock is behind
    const toStock = { sourceService: 'shop/cart', destination: 'shop/stock' };
    mesh.add('node-2', record({ ...span(3, 2), ...toStock, status: 503, reason: 'no-endpoint', kept: FAILED }));
    mesh.add('node-1', record({ ...span(4, 3), ...toStock, direction: 'inbound', status: 503, kept: FAILED }));
    return mesh;
  }

  test('a trace is found by what one request of it is, and summed up from all nodes', async () => {
    const mesh = threeServices();
    mesh.add('node-3', record({ ...ids(50), atMs: T0 + 9 }));
    const { traces, coverage } = await search(mesh, 'failed to:stock');
    expect(traces).toEqual([
      {
        traceId: ids(1).traceId,
        root: 'GET /v1/carts/{id}',
        service: 'shop/web',
        startMs: T0,
        tookMs: 50,
        spans: 4,
        services: ['shop/cart', 'shop/stock', 'shop/web'],
        isFailed: true,
        status: 200,
        user: '#ada',
      },
    ]);
    expect(coverage).toEqual({ asked: 3, answered: 3, missing: [] });
    expect((await search(mesh, 'user:ada')).traces).toHaveLength(1);
    expect((await search(mesh, 'user:bob')).traces).toEqual([]);
    expect((await search(mesh, '')).traces.map(({ traceId }) => traceId)).toEqual([ids(50).traceId, ids(1).traceId]);
    expect((await search(mesh, '', 1)).traces.map(({ traceId }) => traceId)).toEqual([ids(50).traceId]);
  });

  test('a trace is told whole, each span by the clock of its node, and says who did not answer', async () => {
    const mesh = threeServices();
    const whole = await findTrace(mesh, ids(1).traceId);
    expect(traceShape.safeParse(whole).error).toBeUndefined();
    expect(whole.spans.map(({ kind, service, node, startMs }) => [kind, service, node, startMs - T0])).toEqual([
      ['server', 'shop/cart', 'node-2', -500],
      ['client', 'shop/web', 'node-1', 0],
      ['server', 'shop/stock', 'node-1', 0],
      ['client', 'shop/cart', 'node-2', 0],
    ]);
    mesh.silent.add('node-2');
    const partial = await findTrace(mesh, ids(1).traceId);
    expect(partial.spans).toHaveLength(2);
    expect(partial.coverage).toMatchObject({ asked: 3, answered: 2, missing: [{ node: 'node-2', reason: 'silent' }] });
  });

  test('an application that drops headers: both halves are one, the guess is marked, from either end', async () => {
    const mesh = new Mesh('node-1', 'node-2');
    mesh.add('node-1', record({ ...ids(1), tookMs: 100 }));
    mesh.add(
      'node-2',
      record({ ...answered(2, 5, 90), traceId: ids(1).traceId, parentSpanId: ids(1).spanId }),
      made(3, 20, 30),
    );
    mesh.add(
      'node-1',
      record({ ...made(3, 21, 28), direction: 'inbound', spanId: ids(4).spanId, parentSpanId: ids(3).spanId }),
    );
    for (const id of [ids(1).traceId, ids(3).traceId]) {
      const { spans } = await findTrace(mesh, id);
      const told = spans.map(({ spanId, parentSpanId, inferredConfidence }) => [
        spanId,
        parentSpanId,
        inferredConfidence,
      ]);
      expect(told).toEqual([
        [ids(1).spanId, '', null],
        [ids(2).spanId, ids(1).spanId, null],
        [ids(3).spanId, ids(2).spanId, 1],
        [ids(4).spanId, ids(3).spanId, null],
      ]);
    }
  });

  test('one of several that could be: the trace that is asked for is shown with it, the others are not', async () => {
    const mesh = new Mesh('node-1');
    mesh.add('node-1', answered(1, 0, 100), answered(2, 5, 100), made(3, 20, 30));
    const { spans } = await findTrace(mesh, ids(1).traceId);
    expect(spans.map(({ spanId, inferredConfidence }) => [spanId, inferredConfidence])).toEqual([
      [ids(1).spanId, null],
      [ids(3).spanId, 0.5],
    ]);
  });
});
