import { pino } from 'pino';
import { Gauge, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { MetricsServer } from '../../../agent/admin/metrics-server.ts';

async function start(options: { registry?: Registry; waitingFor?: () => readonly string[] } = {}) {
  const { registry = new Registry(), waitingFor = () => [] } = options;
  const server = await MetricsServer.start({
    listen: '127.0.0.1:0',
    registry,
    async *traffic() {
      yield 'weft_more 1\n';
      yield 'weft_more 2\n';
    },
    waitingFor,
    log: pino({ level: 'silent' }),
  });
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(`http://${server.listen}${path}`, { method });
    return { status: response.status, type: response.headers.get('content-type'), body: await response.text() };
  };
  return { server, get };
}

test('metrics are those of the registry it was given', async () => {
  const registry = new Registry();
  new Gauge({
    name: 'weft_test',
    help: 'A test.',
    registers: [registry],
    collect() {
      this.set(7);
    },
  });
  const { server, get } = await start({ registry });
  await using _closing = server;
  const { status, type, body } = await get('/metrics');
  expect([status, type]).toEqual([200, registry.contentType]);
  expect(body).toContain('weft_test 7');
  expect(body).toMatch(/\nweft_more 1\nweft_more 2\n$/);
});

test('readiness tells what the agent waits for', async () => {
  let reasons: readonly string[] = ['capture of netns:/run/netns/web', 'a seed that answers'];
  const { server, get } = await start({ waitingFor: () => reasons });
  await using _closing = server;
  expect(await get('/healthz')).toMatchObject({ status: 200, body: 'ok\n' });
  expect(await get('/readyz')).toMatchObject({
    status: 503,
    body: 'waiting for:\ncapture of netns:/run/netns/web\na seed that answers\n',
  });
  reasons = [];
  expect(await get('/readyz')).toMatchObject({ status: 200, body: 'ready\n' });
});

test('a collector that fails is an answer, and the server goes on', async () => {
  const registry = new Registry();
  new Gauge({
    name: 'weft_test',
    help: 'A test.',
    registers: [registry],
    collect() {
      throw new Error('broken');
    },
  });
  const { server, get } = await start({ registry });
  await using _closing = server;
  expect((await get('/metrics')).status).toBe(500);
  expect((await get('/healthz')).status).toBe(200);
});

test('other paths and methods are refused with what is known', async () => {
  const { server, get } = await start();
  await using _closing = server;
  expect(await get('/')).toMatchObject({ status: 404, body: 'known here: /metrics, /healthz, /readyz\n' });
  expect((await get('/metrics', 'POST')).status).toBe(405);
});
