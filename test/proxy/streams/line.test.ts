/** What a line makes of what its socket reads: in order, at once, and streams are told when all of a read has come. @module */

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Deadlines } from '../../../proxy/deadlines.ts';
import type { CarriedStream } from '../../../proxy/streams/carrier.ts';
import { Line } from '../../../proxy/streams/line.ts';

const RECORD_BYTES = 16_384;

/** A line whose every read is about one stream. */
function read(): { readonly arrive: (bytes: number) => number; readonly settled: () => number } {
  let settled = 0;
  const stream = { isTouched: false, settle: () => settled++ } as unknown as CarriedStream;
  const socket = Object.assign(new EventEmitter(), { resume: () => {}, writableNeedDrain: false });
  const deadlines = new Deadlines();
  onTestFinished(() => deadlines.close());
  const line: Line = new Line(
    { socket: socket as unknown as Socket, transport: socket as unknown as Socket, deadlines },
    {
      read: () => {
        line.touch(stream);
        return true;
      },
      unreadable: () => {},
      drained: () => {},
      ended: () => {},
      checked: () => {},
    },
  );
  line.open();
  return {
    arrive: (bytes) => {
      socket.emit('data', Buffer.alloc(bytes));
      return settled;
    },
    settled: () => settled,
  };
}

test('takes each read at once and without a tick, but not before what came earlier', async () => {
  const told: string[] = [];
  const socket = new Duplex({ read: () => {}, write: (_bytes, _encoding, done) => done() });
  const deadlines = new Deadlines();
  onTestFinished(() => deadlines.close());
  const line = new Line(
    { socket: socket as unknown as Socket, transport: socket as unknown as Socket, deadlines },
    {
      read: (chunk) => told.push(chunk.toString()) > 0,
      unreadable: () => {},
      drained: () => {},
      ended: () => told.push('end'),
      checked: () => {},
    },
  );
  socket.push('before');
  line.open();
  socket.push('while that waits');
  expect(told).toEqual([]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(told).toEqual(['before', 'while that waits']);
  const ticks = vi.spyOn(process, 'nextTick');
  onTestFinished(() => ticks.mockRestore());
  socket.push(Buffer.from('now'));
  expect(told.at(-1)).toBe('now');
  expect(ticks).not.toHaveBeenCalled();
  socket.push(null);
  await new Promise((resolve) => setImmediate(resolve));
  expect(told.at(-1)).toBe('end');
});

test('what is less than a record is all there is', () => {
  const { arrive } = read();
  expect(arrive(100)).toBe(1);
  expect(arrive(RECORD_BYTES - 1)).toBe(2);
});

test('records of one read are told together', () => {
  const { arrive } = read();
  for (let i = 0; i < 3; i++) expect(arrive(RECORD_BYTES)).toBe(0);
  expect(arrive(1_000)).toBe(1);
});

test('64 KiB are told of, however much goes on coming', () => {
  const { arrive } = read();
  for (let i = 0; i < 3; i++) expect(arrive(RECORD_BYTES)).toBe(0);
  expect(arrive(RECORD_BYTES)).toBe(1);
  expect(arrive(RECORD_BYTES)).toBe(1);
});

test('a record that nothing follows is told at the end of the turn', async () => {
  const { arrive, settled } = read();
  expect(arrive(RECORD_BYTES)).toBe(0);
  await new Promise((resolve) => setImmediate(resolve));
  expect(settled()).toBe(1);
});
