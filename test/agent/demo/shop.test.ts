/** The sample shop by itself, on loopback, without a mesh: if it fails here, Weft is not to blame there. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isInstalled, Processes, stopProcess } from '../../../agent/lab/processes.ts';

const SAMPLE = new URL('../../../deploy/sample/', import.meta.url).pathname;
const processes = new Processes();
let web: string;
let cart: string;

beforeAll(async () => {
  const kv = await start('kv.ts');
  cart = urlOf(await start('cart.ts', { REDIS_URL: `redis://127.0.0.1:${kv.port}` }));
  const catalog = await start('catalog.ts', { VERSION: 'v2' });
  const payments = await start('payments.ts');
  web = urlOf(await start('web.ts', { CATALOG_URL: urlOf(catalog), CART_URL: cart, PAYMENTS_URL: urlOf(payments) }));
});

afterAll(() => processes.close());

interface Running {
  readonly child: ChildProcess;
  readonly port: number;
}

/** Starts one program of the shop; resolves once it says where it listens. */
async function start(file: string, env: Record<string, string> = {}): Promise<Running> {
  const child = processes.spawn(undefined, [process.execPath, `${SAMPLE}${file}`], {
    env: { HOST: '127.0.0.1', PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout! });
  const [line] = (await once(lines, 'line')) as [string];
  return { child, port: (JSON.parse(line) as { address: { port: number } }).address.port };
}

function urlOf({ port }: Running): string {
  return `http://127.0.0.1:${port}`;
}

async function ask(url: string, init?: RequestInit): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url, init);
  return { status: response.status, body: await response.json() };
}

test('a visit to the front page uses every other program of the shop', async () => {
  const first = await ask(`${web}/?user=ada`);
  const second = await ask(`${web}/?user=ada`);
  expect(first.status).toBe(200);
  expect(first.body).toMatchObject({
    user: 'ada',
    catalog: { version: 'v2', items: [{ name: 'coffee', rating: 4.8 }, {}, {}] },
    cart: { item: 'coffee', count: 1 },
    payment: { cents: 350 },
  });
  expect(second.body).toMatchObject({ cart: { count: 2 } });
  expect((await ask(`${cart}/carts/ada`)).body).toEqual({ user: 'ada', items: [{ item: 'coffee', count: 2 }] });
});

test('every program says that it is healthy', async () => {
  expect(await ask(`${web}/healthz`)).toEqual({ status: 200, body: { service: 'web', ok: true } });
});

test('what makes no sense is answered, not fatal', async () => {
  expect((await ask(`${web}/nowhere`)).status).toBe(404);
  expect((await ask(`${cart}/carts/ada`, { method: 'POST', body: '{"item":7}' })).status).toBe(400);
  expect((await ask(`${cart}/carts/ada`, { method: 'POST', body: '{' })).status).toBe(502);
  expect((await ask(`${web}//?user=ada`)).status).toBe(404);
});

test('a cart says so when its store is away, and goes on when the store is back', async () => {
  const store = await start('kv.ts');
  const own = urlOf(await start('cart.ts', { REDIS_URL: `redis://127.0.0.1:${store.port}` }));
  expect((await ask(`${own}/carts/bob`)).status).toBe(200);
  await stopProcess(store.child, 1_000);
  expect((await ask(`${own}/carts/bob`)).status).toBe(502);
  await start('kv.ts', { PORT: String(store.port) });
  expect((await ask(`${own}/carts/bob`)).status).toBe(200);
});

test.skipIf(!isInstalled('redis-server'))('the real Redis does as well as the stand-in', async () => {
  const standIn = await start('kv.ts'); // to learn of a port that is free
  await stopProcess(standIn.child, 1_000);
  const port = String(standIn.port);
  const redis = processes.spawn(undefined, ['redis-server', '--port', port, '--bind', '127.0.0.1', '--save', '']);
  for await (const line of createInterface({ input: redis.stdout! })) if (line.includes('Ready to accept')) break;
  const own = urlOf(await start('cart.ts', { REDIS_URL: `redis://127.0.0.1:${port}` }));
  const init = { method: 'POST', body: '{"item":"tea"}' };
  expect((await ask(`${own}/carts/eve`, init)).body).toEqual({ item: 'tea', count: 1 });
  expect((await ask(`${own}/carts/eve`)).body).toEqual({ user: 'eve', items: [{ item: 'tea', count: 1 }] });
});
