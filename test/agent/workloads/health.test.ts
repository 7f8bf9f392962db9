import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, Socket } from 'node:net';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { HealthChecker } from '../../../agent/workloads/health.ts';
import { afterCheck, type Health, type HealthState, NEVER_CHECKED } from '../../../agent/workloads/health-state.ts';
import type { HealthTarget } from '../../../agent/workloads/probe.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listening(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** An HTTP server whose answer can be changed; counts requests. */
async function application(): Promise<{ port: number; status: number; asked: string[] }> {
  const app = { port: 0, status: 200, asked: [] as string[] };
  const server = createHttpServer((request, response) => {
    app.asked.push(`${request.method} ${request.url}`);
    response.writeHead(app.status).write('a body that never ends');
  });
  app.port = await listening(server as unknown as Server);
  return app;
}

type Check = NonNullable<HealthTarget['check']>;

function target(port: number, check: Partial<Check> = {}, id = 'shop/web'): HealthTarget {
  const timing = { port, intervalMs: 1, timeoutMs: 5_000, healthyAfter: 2, unhealthyAfter: 2 };
  return {
    id,
    unit: 'host',
    address: '127.0.0.1',
    check: { kind: 'http', path: '/healthz', ...timing, ...check } as Check,
  };
}

/** A checker, and the changes it announces one after another. */
function checker(options: { concurrency?: number; open?: () => Socket } = {}) {
  const changes: string[] = [];
  let wake = () => {};
  const health = new HealthChecker({
    open: options.open ?? (() => new Socket()),
    random: () => 0.5,
    log: pino({ level: 'silent' }),
    changed: (id: string, to: Health) => {
      changes.push(`${id} ${to}`);
      wake();
    },
    ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
  });
  const next = async (): Promise<string> => {
    if (changes.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return changes.shift() ?? '';
  };
  return { health, next, changes };
}

test('a workload is ready at its first good answer, unready after failures in a row, and back after successes', async () => {
  const app = await application();
  const { health, next } = checker();
  await using _closing = health;
  health.watch([target(app.port)]);
  expect(health.report('shop/web')).toEqual({ health: 'unready', detail: '' });
  expect(await next()).toBe('shop/web ready');
  app.status = 503;
  expect(await next()).toBe('shop/web unready');
  expect(health.report('shop/web')).toEqual({
    health: 'unready',
    detail: `GET /healthz on 127.0.0.1:${app.port} answered 503`,
  });
  app.status = 302;
  expect(await next()).toBe('shop/web ready');
  expect(health.report('shop/web')?.detail).toBe('');
  expect(app.asked[0]).toBe('GET /healthz');
});

test('a workload without a check is ready at once', async () => {
  const { health, changes } = checker();
  await using _closing = health;
  health.watch([{ id: 'shop/web', unit: 'host', address: '127.0.0.1', check: undefined }]);
  expect([health.report('shop/web')?.health, changes]).toEqual(['ready', []]);
});

test('a TCP check asks for a connection only', async () => {
  const port = await listening(createServer((socket) => socket.destroy()));
  const { health, next } = checker();
  await using _closing = health;
  health.watch([target(port, { kind: 'tcp' })]);
  expect(await next()).toBe('shop/web ready');
});

test('a refused connection, silence and nonsense are failures with a reason', async () => {
  const refused = createServer();
  const closedPort = await listening(refused);
  refused.close();
  await once(refused, 'close');
  const silentPort = await listening(createServer((socket) => socket.resume()));
  const nonsensePort = await listening(createServer((socket) => socket.end('not HTTP\r\n\r\n')));
  const { health } = checker();
  await using _closing = health;
  const reason = async (from: HealthTarget) => {
    health.watch([from]);
    while (health.report(from.id)?.detail === '') await new Promise((resolve) => setImmediate(resolve));
    return health.report(from.id)?.detail;
  };
  expect(await reason(target(closedPort, {}, 'a'))).toMatch(/failed: connect ECONNREFUSED/);
  expect(await reason(target(silentPort, { timeoutMs: 20 }, 'b'))).toMatch(/took longer than 20 ms/);
  expect(await reason(target(nonsensePort, {}, 'c'))).toMatch(/failed: /);
});

test('a socket that can not be opened is a failed check, not a crash', async () => {
  const open = () => {
    throw new Error('EMFILE: too many open files');
  };
  const { health } = checker({ open });
  await using _closing = health;
  health.watch([target(1)]);
  while (health.report('shop/web')?.detail === '') await new Promise((resolve) => setImmediate(resolve));
  expect(health.report('shop/web')?.detail).toMatch(/EMFILE/);
});

test('no more checks run at a time than allowed, and every target gets its turn', async () => {
  const sockets: Socket[] = [];
  let most = 0;
  const port = await listening(
    createServer((socket) => {
      socket.once('data', () => setImmediate(() => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')));
      socket.on('error', () => {});
    }),
  );
  const counted = () => {
    const socket = new Socket();
    sockets.push(socket);
    most = Math.max(most, sockets.filter(({ destroyed }) => !destroyed).length);
    return socket;
  };
  const { health, next } = checker({ concurrency: 3, open: counted });
  await using _closing = health;
  const ids = Array.from({ length: 20 }, (_, i) => `shop/w${i}`);
  health.watch(ids.map((id) => target(port, { intervalMs: 3_600_000 }, id)));
  const ready = new Set<string>();
  while (ready.size < ids.length) ready.add(await next());
  expect(most).toBe(3);
});

test('a changed check keeps the state, and a workload that is gone is asked no more', async () => {
  const app = await application();
  const { health, next } = checker();
  await using _closing = health;
  health.watch([target(app.port)]);
  expect(await next()).toBe('shop/web ready');
  health.watch([target(app.port, { intervalMs: 2 })]);
  expect(health.report('shop/web')?.health).toBe('ready');
  health.watch([]);
  expect(health.report('shop/web')).toBeUndefined();
});

test('a workload that is watched as before is not asked anew', async () => {
  const [first, second] = [await application(), await application()];
  const { health, next } = checker();
  await using _closing = health;
  const seldom = target(first.port, { intervalMs: 3_600_000 });
  health.watch([seldom]);
  expect(await next()).toBe('shop/web ready');
  health.watch([structuredClone(seldom), target(second.port, {}, 'shop/other')]);
  expect(await next()).toBe('shop/other ready');
  expect(first.asked).toHaveLength(1);
});

test('closing ends checks under way', async () => {
  const accepted = Promise.withResolvers<Socket>();
  const port = await listening(createServer((socket) => accepted.resolve(socket)));
  const { health, changes } = checker();
  health.watch([target(port, { timeoutMs: 3_600_000 })]);
  const socket = await accepted.promise;
  socket.on('error', () => {}).resume();
  const ended = once(socket, 'close');
  await Promise.all([health.close(), ended]);
  await health.close();
  expect(changes).toEqual([]);
});

test('a state changes only after the wanted number of outcomes in a row, the first success excepted', () => {
  const limits = fc.record({
    healthyAfter: fc.integer({ min: 1, max: 5 }),
    unhealthyAfter: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(limits, fc.array(fc.boolean(), { maxLength: 60 }), (limit, outcomes) => {
      let state: HealthState = NEVER_CHECKED;
      for (const [index, outcome] of outcomes.entries()) {
        const after = afterCheck(state, outcome, limit);
        if (after.health !== state.health) {
          const wanted = !outcome ? limit.unhealthyAfter : state.wasReady ? limit.healthyAfter : 1;
          const lastOnes = outcomes.slice(Math.max(0, index + 1 - wanted), index + 1);
          expect(lastOnes).toEqual(Array(wanted).fill(outcome));
        }
        state = after;
      }
    }),
  );
});

test('a workload under doubt is asked at once, and one failure is believed', async () => {
  const app = await application();
  const { health, next, changes } = checker();
  await using _closing = health;
  health.watch([target(app.port, { intervalMs: 3_600_000, unhealthyAfter: 5 })]);
  expect(await next()).toBe('shop/web ready');
  const asked = app.asked.length;
  health.doubt('shop/web');
  while (app.asked.length === asked) await new Promise((resolve) => setImmediate(resolve));
  expect(changes).toEqual([]);
  app.status = 503;
  health.doubt('shop/web');
  expect(await next()).toBe('shop/web unready');
  app.status = 200;
  expect(await next()).toBe('shop/web ready'); // at the first good answer, and soon
});
