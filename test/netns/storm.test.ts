/** Trouble on real agents, of backends and on purpose: what it costs those who call, and those who are well. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labObstacle } from '../../agent/lab/support.ts';
import type { LoadReport } from './programs/load.ts';
import { own, TrafficGround } from './traffic-ground.ts';

const obstacle = await labObstacle();
const ALL = ['bad', 'even1', 'even2', 'even3', 'even4'];

describe.skipIf(obstacle !== undefined)('trouble', () => {
  let ground: TrafficGround;

  beforeAll(async () => {
    ground = await TrafficGround.create('storm');
    const [n1, n2] = [ground.mesh.lab.node(1), ground.mesh.lab.node(2)];
    await ground.add(n2, 'bad', 'bad', { status: 503 });
    for (const i of [1, 2, 3, 4]) await ground.add(i % 2 === 0 ? n1 : n2, `even${i}`, 'even', { delayMs: 5 });
    await ground.untilReady(...ALL);
  });
  afterAll(() => ground?.[Symbol.asyncDispose]());

  test('a backend that fails every request is asked again within the budget', async () => {
    const retries = { attempts: 3, on: ['5xx'], backoff: '1ms', anyMethod: true };
    await ground.apply(own('TrafficPolicy', 'all', { target: { services: ['bad'] }, retries }));
    const before = await ground.seen('bad');
    const report = await ground.run({ url: 'http://bad.shop.weft/', perSecond: 400, count: 2_000 });
    const seen = (await ground.seen('bad')) - before;
    told('storm', report, { ratio: seen / report.requests });
    expect(report.names).toEqual({});
    expect(seen).toBeGreaterThan(report.requests); // it is repeated
    // A fifth, and before there is a window to take it of, ten a second for the ten of a window.
    expect(seen).toBeLessThanOrEqual(report.requests * 1.2 + 100);
  }, 60_000);

  test('of four endpoints the one that becomes slow gets next to nothing', async () => {
    const url = 'http://even.shop.weft/';
    await ground.run({ url, perSecond: 200, count: 400 });
    await ground.stop('even3');
    await ground.start('even3', { delayMs: 500 });
    await ground.untilReady(...ALL);
    const [slow, others] = shareOf(await ground.run({ url, perSecond: 200, count: 800 }), 'even3');
    const later = await ground.run({ url, perSecond: 200, count: 800 });
    const [share, all] = shareOf(later, 'even3');
    told('slow', later, { firstFourSeconds: slow / others, nextFourSeconds: share / all });
    expect(later.failures).toEqual({});
    expect(share / all).toBeLessThan(0.02); // a quarter would be its part; wall time says too little on a busy machine
  }, 60_000);

  test('a call beyond the circuit limits is answered at once', async () => {
    const circuit = { maxRequests: 4 };
    await ground.apply(own('TrafficPolicy', 'few', { target: { services: ['even'] }, circuit }));
    const report = await ground.run({ url: 'http://even.shop.weft/', sockets: 32, count: 1_000 });
    told('overflow', report, {});
    const { '503 overflow': overflown = 0, ...others } = report.failures;
    expect(others).toEqual({});
    expect(overflown).toBeGreaterThan(0);
    expect(overflown).toBeLessThan(1_000);
    const metrics = await ground.agents[0]!.metrics();
    expect(metrics).toMatch(/reason="overflow"/);
    await ground.weft('delete', 'TrafficPolicy', 'few', '-n', 'shop');
  }, 60_000);

  test('faults do what they say for as long as they say, and one switch ends them all', async () => {
    const url = 'http://even.shop.weft/';
    const target = { services: ['even'] };
    const few = { url, count: 20, sockets: 2 };
    const abort = { target, abort: { status: 418, percent: 100 } };
    await ground.apply(own('FaultInjection', 'abort', { ...abort, ttl: '5m' }));
    expect((await ground.run(few)).failures).toEqual({ '418 fault-injected': 20 });
    await ground.apply(own('FaultInjection', 'abort', { ...abort, ttl: '3s' })); // it may be over before all have it
    const untilWell = async (): Promise<boolean> => Object.keys((await ground.run(few)).failures).length === 0;
    await ground.agents[0]!.until('the end of the fault', untilWell);

    await ground.apply(own('FaultInjection', 'delay', { target, delay: { duration: '300ms' } }));
    const delayed = await ground.run(few);
    expect([delayed.failures, delayed.p50Ms >= 300]).toEqual([{}, true]);
    await ground.apply(own('FaultInjection', 'delay', { target, reset: { percent: 100 } }));
    expect((await ground.run(few)).failures).toEqual({ 'read ECONNRESET': 20 });

    await ground.apply(meshConfig({ faults: 'off' }));
    expect((await ground.run(few)).failures).toEqual({});
    await ground.apply(meshConfig({ faults: 'on' }));
    expect(Object.keys((await ground.run(few)).failures)).toEqual(['read ECONNRESET']);
    await ground.weft('delete', 'FaultInjection', 'delay', '-n', 'shop');
  }, 60_000);
});

function meshConfig(spec: object): unknown {
  return { apiVersion: 'weft.dev/v1alpha1', kind: 'MeshConfig', metadata: { name: 'default' }, spec };
}

function shareOf({ names }: LoadReport, name: string): [number, number] {
  const all = Object.values(names).reduce((sum, { count }) => sum + count, 0);
  return [names[name]?.count ?? 0, all];
}

function told(what: string, { requests, perSecond, p50Ms, p99Ms, failures }: LoadReport, more: object): void {
  console.log(what, JSON.stringify({ requests, perSecond, p50Ms, p99Ms, failures, ...more }));
}
