/** No more than there may be at a time, endpoints that fail are left out for a while, and those that are full get less. */

import { expect, test } from 'vitest';
import { createSharedBuffer, SharedTable } from '../../../proxy/resilience/shared-table.ts';
import { eventually, Mesh, ProxyUnderTest, TestServer } from '../mesh.ts';
import { app, ask, held, policies, settled, statuses } from './support.ts';

const EJECT_MS = 600_000;

/** Its clock goes on when a test says so. */
class MovedTable extends SharedTable {
  aheadMs = 0;

  constructor() {
    super(createSharedBuffer(1), 0);
  }

  override nowMs(): number {
    return super.nowMs() + this.aheadMs;
  }

  override sharedMs(performanceMs: number): number {
    return super.sharedMs(performanceMs) + this.aheadMs;
  }
}

test('requests over the limit are refused, over two workers that share their counts', async () => {
  const open: (() => void)[] = [];
  await using cart = await app((response) => open.push(() => response.end('done')));
  const buffer = createSharedBuffer(2);
  await using mesh = await Mesh.start(cart.port, { worker: { shared: new SharedTable(buffer, 0) } });
  const second = new ProxyUnderTest('a', {}, undefined, { shared: new SharedTable(buffer, 1) });
  second.proxy.apply(mesh.update({ workloads: [mesh.web()], endpoints: [mesh.endpoint()] }));
  const traffic = policies({ circuit: { maxRequests: 4 } });
  mesh.rule(traffic);
  second.proxy.apply({ version: 100, traffic });
  const ports = [mesh.port, await mesh.listenExplicit('second', second)];
  const taken = [0, 1, 2, 3].map((i) => ask(ports[i % 2]!));
  await eventually(() => open.length === 4);
  expect(held(mesh).requests).toBe(4);
  for (const port of ports) {
    const { status, headers } = await ask(port);
    expect([status, headers['weft-reason']]).toEqual([503, 'overflow']);
  }
  for (const end of open) end();
  expect((await Promise.all(taken)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  await settled(mesh);
  await second.proxy.close(0);
});

test('no more requests wait for a connection than may', async () => {
  // It takes connections and never shakes hands, so whoever calls waits.
  await using mute = await TestServer.tcp(() => undefined);
  await using cart = await statuses(200);
  await using mesh = await Mesh.start(cart.port);
  const endpoint = mesh.endpoint({ tunnelPort: mute.port });
  mesh.a.proxy.apply(mesh.update({ endpoints: [endpoint] }));
  mesh.rule(policies({ circuit: { maxPending: 1 } }));
  const first = ask(mesh.port);
  await eventually(() => held(mesh).pending === 1);
  expect((await ask(mesh.port)).headers['weft-reason']).toBe('overflow');
  expect((await first).status).toBe(503);
  await settled(mesh);
});

test('no more requests are repeated at a time than may', async () => {
  await using cart = await statuses(503);
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(policies({ circuit: { maxRetries: 0 }, retries: { on: ['5xx'] }, outliers: 'off' }));
  expect((await ask(mesh.port)).status).toBe(503);
  expect(cart.asked.length).toBe(1);
  await settled(mesh);
});

test('five failures in a row eject an endpoint; one request tells when it is well again', async () => {
  let isWell = false;
  await using bad = await app((response) => response.writeHead(isWell ? 200 : 500).end());
  await using good = await statuses(200);
  const shared = new MovedTable();
  await using mesh = await Mesh.start(bad.port, { worker: { shared } });
  mesh.add(good.port);
  const outliers = { ejectMs: EJECT_MS, maxEjectMs: EJECT_MS, consecutive: 5 };
  mesh.rule(policies({ outliers, balancer: { name: 'round-robin' } }));
  await asking(mesh, () => bad.asked.length === 5);
  const before = good.asked.length;
  for (let i = 0; i < 6; i++) expect((await ask(mesh.port)).status).toBe(200);
  expect([bad.asked.length, good.asked.length]).toEqual([5, before + 6]);
  shared.aheadMs += EJECT_MS;
  await asking(mesh, () => bad.asked.length === 6); // the probe, which fails
  isWell = true;
  shared.aheadMs += EJECT_MS;
  await asking(mesh, () => bad.asked.length >= 10); // the next one does not
  expect((await ask(mesh.port)).status).toBe(200);
});

test('a client that leaves with the request that decides lets the next one decide', async () => {
  let reply: 'fail' | 'hang' | 'well' = 'fail';
  await using bad = await app((response) => {
    if (reply !== 'hang') response.writeHead(reply === 'fail' ? 500 : 200).end();
  });
  await using good = await statuses(200);
  const shared = new MovedTable();
  await using mesh = await Mesh.start(bad.port, { worker: { shared } });
  mesh.add(good.port);
  const outliers = { ejectMs: EJECT_MS };
  mesh.rule(policies({ outliers, balancer: { name: 'round-robin' }, timeouts: { requestMs: 0 } }));
  await asking(mesh, () => bad.asked.length === 5);
  reply = 'hang';
  shared.aheadMs += EJECT_MS;
  await asking(mesh, () => bad.asked.length === 6, { 'weft-deadline-ms': '100' });
  reply = 'well';
  await asking(mesh, () => bad.asked.length === 7); // without waiting anew: nobody moves the clock
});

test('429 ejects nobody, and moves traffic away', async () => {
  await using full = await statuses(429);
  await using free = await statuses(200);
  await using mesh = await Mesh.start(full.port);
  mesh.add(free.port);
  mesh.rule(policies({ outliers: { consecutive: 2 } }));
  for (let i = 0; i < 60; i++) await ask(mesh.port);
  expect(full.asked.length).toBeLessThan(10);
  expect(free.asked.length).toBeGreaterThan(50);
});

test('where most endpoints are ejected all are asked', async () => {
  await using one = await statuses(500);
  await using two = await statuses(500);
  await using three = await statuses(200);
  await using mesh = await Mesh.start(one.port);
  mesh.add(two.port);
  mesh.add(three.port);
  const outliers = { ejectMs: 60_000, maxEjectedRatio: 1 };
  mesh.rule(policies({ outliers, panicRatio: 0.5, balancer: { name: 'round-robin' } }));
  await asking(mesh, () => one.asked.length > 8 && two.asked.length > 8);
});

/** Asks one request after the other until something is so. */
async function asking(mesh: Mesh, isSo: () => boolean, headers = {}): Promise<void> {
  while (!isSo()) await ask(mesh.port, { headers });
}
