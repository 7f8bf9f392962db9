/** What records say of a request besides its end: what it waited for, what it was refused by, how often it was tried, and copies. */
import { expect, test } from 'vitest';
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';
import { NO_TRAFFIC } from '../../../proxy/traffic/rules.ts';
import { eventually, Mesh, TestClient, TestServer } from '../mesh.ts';
import { app, ask, fault, held, limit, policies, routes, rule, statuses, to } from '../traffic/support.ts';

/** A machine that is busy makes any request slow. */
const slowMs = 600_000;
const ALL = { config: { telemetry: { sampleRatio: 1, slowMs } } };
const NONE = { config: { telemetry: { sampleRatio: 0, slowMs } } };
const SHADOWED = routes(rule('r', { actions: { mirrors: [{ backend: to('shadow'), percent: 100 }] } }));

const stepsOf = ({ steps }: RequestRecord) => steps.map(({ kind, subject, reason }) => [kind, subject, reason]);

async function told(records: readonly RequestRecord[], count = 1): Promise<readonly RequestRecord[]> {
  await eventually(() => records.length >= count);
  return records;
}

test('a request that waits for a connection says how long, and one that finds one does not', async () => {
  await using cart = await statuses(200);
  await using mesh = await Mesh.start(cart.port, ALL);
  await ask(mesh.port, { path: '/1' });
  await ask(mesh.port, { path: '/2' });
  const [first, second] = await told(mesh.a.records, 2);
  const endpoint = `127.0.0.1:${cart.port}`;
  expect(stepsOf(first!)).toEqual([
    ['queue', '', ''],
    ['attempt', endpoint, ''],
  ]);
  expect(stepsOf(second!)).toEqual([['attempt', endpoint, '']]);
  const [queue, attempt] = first!.steps;
  expect(queue!.tookMs).toBeGreaterThan(0);
  expect(queue!.startMs + queue!.tookMs).toBeLessThanOrEqual(attempt!.startMs + attempt!.tookMs);
});

test('a request that is tried again says what was answered, and how long it paused', async () => {
  await using cart = await statuses(503, 200);
  await using mesh = await Mesh.start(cart.port, { ...ALL, worker: { random: () => 0.5 } });
  mesh.rule(policies({ retries: { on: ['5xx'], backoffMs: 40, maxBackoffMs: 40 }, outliers: 'off' }));
  expect((await ask(mesh.port)).status).toBe(200);
  const [{ steps, status, kept } = expect.fail()] = await told(mesh.a.records);
  expect(steps.map(({ kind, status }) => [kind, status])).toEqual([
    ['queue', 0],
    ['attempt', 503],
    ['backoff', 0],
    ['attempt', 200],
  ]);
  const [, failed, pause, last] = steps;
  expect(failed!.reason).toBe('upstream-failed');
  expect(pause!.tookMs).toBeGreaterThanOrEqual(19); // half of what may be, and the clock rounds
  expect(last!.startMs).toBeGreaterThanOrEqual(pause!.startMs + pause!.tookMs);
  expect([status, kept.failed]).toEqual([200, false]);
});

test('a request over a limit names the document, and one without room what refused it', async () => {
  const open: (() => void)[] = [];
  await using cart = await app((response) => open.push(() => response.end('done')));
  await using mesh = await Mesh.start(cart.port, NONE);
  mesh.rule({ ...policies({ circuit: { maxRequests: 1 } }), limits: [limit({ burst: 2 })] });
  const first = ask(mesh.port);
  await eventually(() => open.length === 1);
  expect((await ask(mesh.port)).headers['weft-reason']).toBe('overflow');
  expect((await ask(mesh.port)).headers['weft-reason']).toBe('rate-limited');
  open[0]!();
  await first;
  const [overflow, limited] = await told(mesh.a.records, 2);
  expect(stepsOf(overflow!)).toEqual([['limit', '', 'overflow']]);
  expect(stepsOf(limited!)).toEqual([['limit', 'RateLimit shop/l', 'rate-limited']]);
});

test('a request that a fault held back, answered or reset names the document and says how long', async () => {
  await using cart = await statuses(200);
  await using mesh = await Mesh.start(cart.port, ALL);
  const delay = { ms: 40, percent: 100 };
  const rules = [{ delay }, { delay, abort: { status: 503, percent: 100 } }, { reset: { percent: 100 } }];
  for (const [nth, one] of rules.entries()) {
    mesh.rule({ ...NO_TRAFFIC, faults: [fault(one)] });
    await ask(mesh.port).catch(() => undefined);
    await told(mesh.a.records, nth + 1);
  }
  const [late, aborted, reset] = mesh.a.records;
  const subject = 'Fault shop/f';
  expect(stepsOf(late!)[0]).toEqual(['delay', subject, '']);
  expect(late!.steps.map(({ kind }) => kind)).toEqual(['delay', 'queue', 'attempt']);
  expect(stepsOf(aborted!)).toEqual([
    ['delay', subject, ''],
    ['fault', subject, 'fault-injected'],
  ]);
  expect(stepsOf(reset!)).toEqual([['fault', subject, 'fault-injected']]);
  const [delayed, ended] = aborted!.steps;
  expect([delayed!.startMs, delayed!.tookMs >= 39, ended!.tookMs]).toEqual([0, true, 0]); // the clock of timers rounds
  expect(ended!.startMs).toBeGreaterThanOrEqual(delayed!.tookMs);
  expect(late!.steps.at(-1)!.startMs).toBeGreaterThanOrEqual(delay.ms - 1);
});

test('a request that its destination has no room for says so there, and at the source as an answer', async () => {
  await using cart = await statuses(200);
  await using mesh = await Mesh.start(cart.port, NONE);
  const own = limit({ per: 'workload', burst: 1, requestsPerSecond: 0.001 });
  mesh.b.proxy.apply({ version: 100, traffic: { ...NO_TRAFFIC, limits: [own] } });
  await ask(mesh.port);
  expect((await ask(mesh.port)).status).toBe(429);
  const [inbound] = await told(mesh.b.records);
  const [outbound] = await told(mesh.a.records);
  expect(inbound!.steps.map(({ kind, reason }) => [kind, reason])).toEqual([['limit', 'rate-limited']]);
  expect(outbound).toMatchObject({ status: 429, reason: 'rate-limited' });
  expect(outbound!.steps.map(({ kind }) => kind)).not.toContain('limit');
});

test('connections of bytes that find no place are told of', async () => {
  await using cart = await TestServer.tcp((socket) => void socket.resume());
  await using mesh = await Mesh.start(cart.port, { ...NONE, protocol: 'tcp' });
  mesh.rule(policies({ circuit: { maxConnections: 1 } }));
  using _first = await TestClient.connect(mesh.port);
  await eventually(() => held(mesh).connections === 1);
  using second = await TestClient.connect(mesh.port);
  await second.closed();
  const [refused] = await told(mesh.a.records);
  expect(refused).toMatchObject({ protocol: 'tcp', reason: 'overflow', destination: 'shop/cart', endpoint: '' });
});

test('a copy has a span of its own below that of its original, marked, and its destination goes on with it', async () => {
  await using cart = await statuses(200);
  await using shadow = await statuses(200);
  await using mesh = await Mesh.start(cart.port, ALL);
  mesh.add(shadow.port, { service: 'shadow' });
  mesh.rule(SHADOWED);
  expect((await ask(mesh.port, { headers: { tracestate: 'of=nobody' } })).status).toBe(200);
  const sent = await told(mesh.a.records, 2);
  const arrived = await told(mesh.b.records, 2);
  const copy = sent.find(({ isMirror }) => isMirror)!;
  const original = sent.find(({ isMirror }) => !isMirror)!;
  expect(original).toMatchObject({ destination: 'shop/cart', parentSpanId: '' });
  expect(copy).toMatchObject({ destination: 'shop/shadow', traceId: original.traceId, status: 200 });
  expect(copy.parentSpanId).toBe(original.spanId);
  const there = arrived.find(({ destination }) => destination === 'shop/shadow')!;
  expect(there).toMatchObject({ traceId: original.traceId, parentSpanId: copy.spanId, isMirror: false });
  expect(shadow.asked[0]!.headers.traceparent).toBe(`00-${original.traceId}-${there.spanId}-01`);
  expect(shadow.asked[0]!.headers.tracestate).toBeUndefined();
});

test('a copy that fails is told of where it went, and takes no place of what failed for somebody', async () => {
  await using cart = await statuses(200);
  await using shadow = await statuses(503);
  await using mesh = await Mesh.start(cart.port, NONE);
  mesh.add(shadow.port, { service: 'shadow' });
  mesh.rule(SHADOWED);
  await ask(mesh.port);
  const [there] = await told(mesh.b.records);
  expect(there).toMatchObject({ destination: 'shop/shadow', status: 503, kept: { failed: true } });
  await mesh.a.proxy.close(0); // tells what it has yet to tell
  expect(mesh.a.records).toEqual([]);
});
