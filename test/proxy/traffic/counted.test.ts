/** What circuits, budgets and ejections count, and that an overflow dials nobody. @module */

import http from 'node:http';
import { expect, test } from 'vitest';
import type { PolicySettings } from '../../../proxy/traffic/rules.ts';
import { eventually, Mesh, TestClient, TestServer, WEB } from '../mesh.ts';
import { ask, besides, policy, tell } from './policies.ts';

const CIRCUIT = { maxConnections: 1_024, maxPending: 1_024, maxRequests: 1_024, maxRetries: 1_024 };

async function patient(): Promise<{ app: TestServer; open: http.ServerResponse[] }> {
  const open: http.ServerResponse[] = [];
  return { app: await TestServer.of(http.createServer((_request, response) => void open.push(response))), open };
}

function failing(): Promise<TestServer> {
  return TestServer.of(http.createServer((_request, response) => response.writeHead(500).end()));
}

async function meshWith(port: number, settings: PolicySettings): Promise<Mesh> {
  const mesh = await Mesh.start(port);
  tell([mesh.a], mesh, { policies: [policy(settings)] });
  return mesh;
}

test('what is over a circuit limit is refused at once: nobody is dialled, and nobody is asked', async () => {
  const { app, open } = await patient();
  await using _app = app;
  await using mesh = await meshWith(app.port, { circuit: { ...CIRCUIT, maxRequests: 2 } });
  const first = [ask(mesh.port), ask(mesh.port)];
  await eventually(() => open.length === 2);
  const before = [mesh.a, mesh.b].map(({ reader }) => reader.counters().upstreamConnects);
  const over = await Promise.all(Array.from({ length: 20 }, () => ask(mesh.port)));
  expect(new Set(over.map(({ status, reason }) => `${status} ${reason}`))).toEqual(new Set(['503 overflow']));
  expect([mesh.a, mesh.b].map(({ reader }) => reader.counters().upstreamConnects)).toEqual(before);
  expect([open.length, app.accepted]).toEqual([2, 2]);
  expect(mesh.a.reader.counters().circuitOverflows).toBe(20);
  for (const response of open) response.end();
  expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200]);
  const next = ask(mesh.port);
  await eventually(() => open.length === 3);
  open[2]!.end();
  expect((await next).status).toBe(200);
});

test('where nobody may wait, the first has to and is refused', async () => {
  const { app } = await patient();
  await using _app = app;
  await using mesh = await meshWith(app.port, { circuit: { ...CIRCUIT, maxPending: 0 } });
  expect(await ask(mesh.port)).toMatchObject({ status: 503, reason: 'overflow' });
  expect(mesh.a.reader.counters()).toMatchObject({ circuitOverflows: 1, upstreamConnects: 0 });
});

test('connections over the limit are reset', async () => {
  await using app = await TestServer.tcp((socket) => socket.pipe(socket));
  await using mesh = await Mesh.start(app.port, { protocol: 'tcp' });
  tell([mesh.a], mesh, { policies: [policy({ circuit: { ...CIRCUIT, maxConnections: 1 } })] });
  using first = await TestClient.connect(mesh.port);
  first.send('ping');
  await first.until(/ping/);
  using second = await TestClient.connect(mesh.port);
  await second.closed();
  expect(mesh.a.reader.counters().circuitOverflows).toBe(1);
  expect(app.accepted).toBe(1);
});

test('repeats that the budget does not allow are counted, and not made', async () => {
  let asked = 0;
  await using app = await TestServer.tcp((socket) => {
    socket.once('data', () => {
      asked++;
      socket.resetAndDestroy();
    });
  });
  await using mesh = await Mesh.start(app.port);
  const port = await besides(mesh, WEB);
  const settings: PolicySettings = {
    outliers: 'off',
    retries: { attempts: 3, on: ['reset'], codes: [], backoffMs: 1, maxBackoffMs: 1, isAnyMethod: false },
    retryBudget: { ratio: 0.2, windowMs: 60_000, minPerSecond: 0 },
  };
  tell([mesh.b], mesh, { policies: [policy(settings)] });
  for (let i = 0; i < 50; i++) expect((await ask(port)).status).toBeGreaterThan(500);
  expect(asked).toBe(60);
  expect(mesh.b.reader.counters().retryBudgetSpent).toBeGreaterThan(0);
});

test('ejections, the requests that probe, and those that go out in panic are counted', async () => {
  await using app = await failing();
  await using mesh = await Mesh.start(app.port);
  const OUTLIERS = { consecutive: 2, ejectMs: 1, maxEjectMs: 1, maxEjectedRatio: 1, minRequests: 1_000 };
  const counters = () => mesh.a.reader.counters();
  tell([mesh.a], mesh, { policies: [policy({ outliers: OUTLIERS, panicRatio: 0 })] });
  const twin = mesh.endpoint({ id: 'c/cart/http', node: 'c' });
  mesh.a.proxy.apply(mesh.update({ endpoints: [twin] }));
  while (counters().outlierProbes === 0) await ask(mesh.port);
  const { outlierEjections } = counters();
  expect(outlierEjections).toBeGreaterThan(0);
  expect(counters().panicPicks).toBe(0);
  tell([mesh.a], mesh, {
    policies: [policy({ outliers: { ...OUTLIERS, ejectMs: 60_000, maxEjectMs: 60_000 }, panicRatio: 1 })],
  });
  while (counters().panicPicks === 0) await ask(mesh.port);
  expect(counters().outlierEjections).toBeGreaterThanOrEqual(outlierEjections);
});
