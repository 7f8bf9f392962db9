/** Endpoints that cannot be reached are left alone for a while, and nobody waits for them. @module */

import http from 'node:http';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Backoff } from '../../../proxy/upstream/backoff.ts';
import { Mesh, TestServer, WEB } from '../mesh.ts';

const FAILURE = { reason: 'connect-failed', detail: '' } as const;
const LIMITS = { minMs: 50, maxMs: 2_000 };

test('each failure doubles the pause up to its bound, of which half is left to chance', () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.nat(40), random, (failures, chance) => {
      const backoff = new Backoff(LIMITS, () => chance);
      for (let i = 0; i <= failures; i++) backoff.failed(1_000, FAILURE);
      const whole = Math.min(2_000, 50 * 2 ** failures);
      const waitMs = backoff.untilMs - 1_000;
      expect(waitMs >= whole / 2 && waitMs <= whole).toBe(true);
      expect(backoff.refusal(1_000)).toBe(FAILURE);
      expect(backoff.refusal(backoff.untilMs)).toBeUndefined();
    }),
    { seed: 7 },
  );
});

test('a success ends the pause, and the next failure is a first one', () => {
  const backoff = new Backoff(LIMITS, () => 0);
  for (let i = 0; i < 9; i++) backoff.failed(0, FAILURE);
  expect(backoff.untilMs).toBe(1_000);
  backoff.succeeded();
  expect(backoff.refusal(0)).toBeUndefined();
  backoff.failed(0, FAILURE);
  expect(backoff.untilMs).toBe(25);
});

async function reason(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/`);
  await response.text();
  return response.headers.get('weft-reason') ?? 'none';
}

function app(): Promise<TestServer> {
  return TestServer.of(http.createServer((_request, response) => response.end('hello')));
}

/** The other agent refuses `web` from here on, after a handshake that looked good to the one that dialled. */
function refuseWeb(mesh: Mesh, ...subjects: readonly string[]): void {
  const revocations = subjects.map((subject) => ({ subject, beforeMs: Date.now() }));
  mesh.b.proxy.apply({ version: 50, revocations });
}

test('an endpoint that refuses the handshake is not asked again for each request, and all are told at once', async () => {
  await using server = await app();
  const config = { upstream: { retryMinMs: 600_000, retryMaxMs: 600_000, pendingTimeoutMs: 600_000 } };
  await using mesh = await Mesh.start(server.port, { config });
  refuseWeb(mesh, WEB);
  const together = await Promise.all(Array.from({ length: 50 }, () => reason(mesh.port)));
  for (let i = 0; i < 50; i++) together.push(await reason(mesh.port));
  expect(new Set(together)).toEqual(new Set(['upstream-closed']));
  expect(mesh.b.reader.counters().handshakesStarted).toBe(1);
});

test('after the pause the endpoint is tried again, and serves', async () => {
  await using server = await app();
  await using mesh = await Mesh.start(server.port, { config: { upstream: { retryMinMs: 1, retryMaxMs: 2 } } });
  refuseWeb(mesh, WEB);
  expect(await reason(mesh.port)).toBe('upstream-closed');
  refuseWeb(mesh);
  while ((await reason(mesh.port)) !== 'none'); // each answer is an event of its own
  expect(mesh.b.reader.counters().handshakesStarted).toBeGreaterThan(1);
});

test('another endpoint serves meanwhile', async () => {
  await using server = await app();
  const config = { upstream: { retryMinMs: 600_000, retryMaxMs: 600_000 } };
  await using mesh = await Mesh.start(server.port, { config });
  await using dead = await TestServer.tcp((socket) => socket.resetAndDestroy());
  mesh.a.proxy.apply(
    mesh.update({ endpoints: [mesh.endpoint({ id: 'c/cart/http', node: 'c', tunnelPort: dead.port })] }),
  );
  for (let i = 0; i < 40; i++) expect(await reason(mesh.port)).toBe('none');
  expect(dead.accepted).toBe(1);
});
