/** Records on their way from real workers to whoever subscribed. */
import http from 'node:http';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { RecordHub } from '../../../agent/telemetry/records.ts';
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';
import { MAX_TAPS, type TapFilter } from '../../../proxy/telemetry/taps.ts';
import { startPlane } from '../threads/plane.ts';

const log = pino({ level: 'silent' });

test('what a worker refuses reaches every subscriber, and taps reach the workers', async () => {
  await using plane = await startPlane(() => [], { workers: 1 });
  const port = await plane.listen(0, {
    id: 'explicit',
    role: 'explicit',
    unit: 'u',
    workload: 'shop/web',
    target: { service: 'shop/cart', port: 80 },
    transport: 'tcp',
  });
  const end = plane.records.tap([{ id: 'a', sources: ['shop/web'], untilMs: Date.now() + 60_000 }])!;
  const { promise, resolve } = Promise.withResolvers<readonly RequestRecord[]>();
  const silent = plane.records.subscribe(() => {
    throw new Error('one that fails');
  });
  plane.records.subscribe(resolve);
  http.get({ port, host: '127.0.0.1', path: '/p?q=1', agent: false }, (response) => response.resume());
  const [record] = await promise;
  expect(record).toMatchObject({ direction: 'outbound', path: '/p', status: 503, reason: 'no-endpoint' });
  expect(record!.kept).toMatchObject({ failed: true, tapped: true });
  silent();
  end();
  expect(plane.records.taps).toEqual([]);
});

test('taps are few, an id stands once, and who ends a tap ends only its own', () => {
  const told: (readonly TapFilter[])[] = [];
  const hub = new RecordHub({ watch: (taps) => void told.push(taps), log });
  const untilMs = Date.now() + 60_000;
  const filters = Array.from({ length: MAX_TAPS }, (_, i) => ({ id: `${i}`, untilMs }));
  const end = hub.tap(filters)!;
  expect(hub.tap([{ id: 'one more', untilMs }])).toBeUndefined();
  const endSecond = hub.tap([{ id: '0', method: 'GET', untilMs }])!;
  end();
  expect(hub.taps).toEqual([{ id: '0', method: 'GET', untilMs }]);
  endSecond();
  expect(told.at(-1)).toEqual([]);
});

test('a tap whose time is over makes room', () => {
  const hub = new RecordHub({ watch: () => undefined, log });
  hub.tap(Array.from({ length: MAX_TAPS }, (_, i) => ({ id: `${i}`, untilMs: Date.now() - 1 })));
  expect(hub.tap([{ id: 'new', untilMs: Date.now() + 60_000 }])).toBeDefined();
  expect(hub.taps.map(({ id }) => id)).toEqual(['new']);
});
