import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, Socket } from 'node:net';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { RefusedPorts } from '../../../agent/workloads/refused-ports.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listening(port = 0): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  servers.push(server);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function closedPort(): Promise<number> {
  const server = await listening();
  const port = portOf(server);
  server.close();
  await once(server, 'close');
  return port;
}

/** Ports under watch, what they announce one after another, and how many connections were tried. */
function watching(...ports: readonly number[]) {
  const changes: string[] = [];
  let wake = () => {};
  let tries = 0;
  const refused = new RefusedPorts({
    open: () => {
      tries++;
      return new Socket();
    },
    random: () => 0,
    log: pino({ level: 'silent' }),
    changed: (workload, isRefused) => {
      changes.push(`${workload} ${isRefused ? 'refuses' : 'accepts'}`);
      wake();
    },
  });
  const all = ports.map((port) => ({ workload: 'shop/web', unit: 'host', address: '127.0.0.1', port }));
  refused.watch(all);
  const next = async (): Promise<string> => {
    if (changes.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return changes.shift() ?? '';
  };
  return { refused, all, next, changes, tries: () => tries };
}

test('a port that refuses is so from the first try until somebody listens again', async () => {
  const port = await closedPort();
  const { refused, next } = watching(port);
  await using _closing = refused;
  refused.suspect('shop/web', port);
  expect([await next(), refused.isRefused('shop/web', port)]).toEqual(['shop/web refuses', true]);
  await listening(port);
  expect([await next(), refused.isRefused('shop/web', port)]).toEqual(['shop/web accepts', false]);
});

test('a suspicion that is not confirmed is told nobody, and one port says nothing about another', async () => {
  const open = portOf(await listening());
  const closed = await closedPort();
  const { refused, next, changes } = watching(open, closed);
  await using _closing = refused;
  refused.suspect('shop/web', open);
  refused.suspect('shop/web', closed);
  expect(await next()).toBe('shop/web refuses');
  expect([refused.isRefused('shop/web', open), refused.isRefused('shop/web', closed), changes]).toEqual([
    false,
    true,
    [],
  ]);
});

test('a thousand suspicions are one try, and ports that nobody watches none', async () => {
  const port = await closedPort();
  const { refused, next, tries } = watching(port);
  await using _closing = refused;
  for (let i = 0; i < 1_000; i++) refused.suspect('shop/web', port);
  refused.suspect('shop/web', port + 1);
  refused.suspect('shop/other', port);
  await next();
  expect(tries()).toBe(1);
});

test('a workload that moved is under no suspicion, one that is watched anew stays under it', async () => {
  const port = await closedPort();
  const { refused, all, next } = watching(port);
  await using _closing = refused;
  refused.suspect('shop/web', port);
  await next();
  refused.watch(all.map((one) => ({ ...one })));
  expect(refused.isRefused('shop/web', port)).toBe(true);
  refused.watch(all.map((one) => ({ ...one, unit: 'other' })));
  expect(refused.isRefused('shop/web', port)).toBe(false);
});
