/** When streams are told that all of a read has come: at once, unless it was a full record of many. @module */

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
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
