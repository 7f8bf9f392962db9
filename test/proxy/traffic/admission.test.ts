/** How many requests a destination has at a time, on real connections. @module */

import http from 'node:http';
import { expect, test } from 'vitest';
import { source } from '../access/policies.ts';
import { CART, eventually, Mesh, SERVICE_PORT, TestClient, TestServer, WEB } from '../mesh.ts';
import { LoadedApp, press, type Tally } from './loaded-app.ts';
import { ask, besides, policy, target, tell } from './policies.ts';

const CAPACITY = { atOnce: 12, ticks: 10 };
const PER_TICK = CAPACITY.atOnce / CAPACITY.ticks;
/** Before `fromTick` the limit is learned. */
const RUN = { ticks: 1_500, fromTick: 700 };

function sum(tallies: readonly Tally[], of: keyof Tally): number {
  return tallies.reduce((total, tally) => total + tally[of], 0);
}

/** As a part of what the application can serve. */
function goodput(tallies: readonly Tally[]): number {
  return sum(tallies, 'served') / (RUN.ticks - RUN.fromTick) / PER_TICK;
}

test('at 3x overload goodput stays, what matters most gets through, and the rest is refused', async () => {
  const app = new LoadedApp(CAPACITY);
  await using server = await TestServer.of(app.server);
  await using mesh = await Mesh.start(server.port);
  tell([mesh.b], mesh, { policies: [policy({ concurrency: {} })] });
  const flows = [0, 1, 2, 3].map((priority) => ({
    port: mesh.port,
    perTick: (PER_TICK * 3) / 4,
    headers: { 'Weft-Priority': String(priority) },
  }));
  const tallies = await press(app, flows, RUN);
  expect(goodput(tallies)).toBeGreaterThan(0.9);
  expect(tallies[0]!.served / tallies[0]!.asked).toBeGreaterThanOrEqual(0.99);
  expect(tallies[3]!.served / tallies[3]!.asked).toBeLessThan(0.5);
  expect(sum(tallies, 'other')).toBe(0);
  const { overloadRefused } = mesh.b.reader.counters();
  expect(overloadRefused).toBeGreaterThanOrEqual(sum(tallies, 'refused'));
  expect(mesh.failures()).toEqual({ overloaded: overloadRefused });
}, 120_000);

test('one rogue caller does not push out another, whichever way they come', async () => {
  const app = new LoadedApp(CAPACITY);
  await using server = await TestServer.of(app.server);
  await using mesh = await Mesh.start(server.port);
  const local = await besides(mesh, CART);
  tell([mesh.b], mesh, { policies: [policy({ concurrency: {} })] });
  const flows = [
    { port: mesh.port, perTick: PER_TICK * 3, headers: {} },
    { port: local, perTick: PER_TICK / 4, headers: {} },
  ];
  const [rogue, other] = (await press(app, flows, RUN)) as [Tally, Tally];
  expect(other.served / other.asked).toBeGreaterThan(0.95);
  expect(rogue.served / rogue.asked).toBeLessThan(0.5);
  expect(goodput([rogue, other])).toBeGreaterThan(0.9);
}, 120_000);

/** Answers when it is told to. */
async function patient(): Promise<{ app: TestServer; open: http.ServerResponse[] }> {
  const open: http.ServerResponse[] = [];
  return { app: await TestServer.of(http.createServer((_request, response) => void open.push(response))), open };
}

const TWO = { minRequests: 2, maxRequests: 2 };

test('what is over is refused without a word to the application, and a place that is left is taken again', async () => {
  const { app, open } = await patient();
  await using _app = app;
  await using mesh = await Mesh.start(app.port);
  const local = await besides(mesh, CART);
  tell([mesh.b], mesh, { policies: [policy({ concurrency: TWO })] });
  const first = [ask(mesh.port), ask(local)];
  await eventually(() => open.length === 2);
  for (const port of [mesh.port, local]) {
    expect(await ask(port, { headers: { 'weft-priority': '0' } })).toMatchObject({ status: 503, reason: 'overloaded' });
  }
  expect([open.length, app.accepted]).toEqual([2, 2]);
  open[0]!.end();
  await Promise.race(first);
  const third = ask(local);
  await eventually(() => open.length === 3);
  for (const response of open) response.end();
  expect((await Promise.all([...first, third])).map(({ status }) => status)).toEqual([200, 200, 200]);
});

test('a client that leaves, an application that breaks off and rules that change give places back', async () => {
  const { app, open } = await patient();
  await using _app = app;
  await using mesh = await Mesh.start(app.port);
  const on = { policies: [policy({ concurrency: TWO })] };
  tell([mesh.a], mesh, { policies: [policy({ retries: { attempts: 0 } })] }); // what breaks off is not asked for again
  tell([mesh.b], mesh, on);
  const fill = async (): Promise<{ answers: ReturnType<typeof ask>[]; client: TestClient }> => {
    const before = open.length;
    const client = await TestClient.connect(mesh.port);
    client.send('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
    const answers = [ask(mesh.port)];
    await eventually(() => open.length === before + 2);
    expect((await ask(mesh.port)).reason).toBe('overloaded');
    return { answers, client };
  };
  const { client, answers } = await fill();
  client.socket.resetAndDestroy(); // one that merely ends may still want its response
  await eventually(() => open.some((response) => response.destroyed));
  open.find((response) => !response.destroyed)!.socket!.resetAndDestroy();
  await answers[0];
  const again = await fill();
  tell([mesh.b], mesh, {}); // off while two are open
  const free = ask(mesh.port);
  await eventually(() => open.length === 5);
  tell([mesh.b], mesh, on);
  expect((await ask(mesh.port)).reason).toBe('overloaded'); // the two hold their places still
  for (const response of open) response.end();
  await Promise.all([...again.answers, free]);
  again.client.socket.destroy();
  const last = await fill();
  for (const response of open) response.end();
  await Promise.all(last.answers);
  last.client.socket.destroy();
});

test('settings hold for the caller that a policy names, and for the port that callers dial', async () => {
  const { app, open } = await patient();
  await using _app = app;
  await using mesh = await Mesh.start(app.port);
  const local = await besides(mesh, CART);
  const concurrency = { minRequests: 1, maxRequests: 1 };
  const from = [source({ identities: [WEB] })];
  const of = policy({ concurrency }, { from, ports: [SERVICE_PORT], services: ['cart'], namespace: 'shop' });
  const elsewhere = policy({ concurrency: TWO }, { ports: [app.port], from: [source({ identities: [CART] })] });
  tell([mesh.b], mesh, { policies: [of, elsewhere] });
  const answers = [ask(mesh.port), ...[1, 2, 3].map(() => ask(local))];
  await eventually(() => open.length === 4);
  expect((await ask(mesh.port)).reason).toBe('overloaded');
  for (const response of open) response.end();
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
});

test('the priority is read from the header that the policy names', async () => {
  const { app, open } = await patient();
  await using _app = app;
  await using mesh = await Mesh.start(app.port);
  const concurrency = { minRequests: 10, maxRequests: 100, priorityHeader: 'X-Rank', defaultPriority: 3 };
  tell([mesh.b], mesh, { policies: [policy({ concurrency }, target({}))] });
  const answers = Array.from({ length: 14 }, () => ask(mesh.port)); // 70 % of 20 for those that matter least
  await eventually(() => open.length === 14);
  expect((await ask(mesh.port, { headers: { 'weft-priority': '0' } })).reason).toBe('overloaded');
  answers.push(ask(mesh.port, { headers: { 'x-rank': '2' } }), ask(mesh.port, { headers: { 'x-rank': '0' } }));
  await eventually(() => open.length === 16);
  for (const response of open) response.end();
  await Promise.all(answers);
});
