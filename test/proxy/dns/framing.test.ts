import fc from 'fast-check';
import { expect, test } from 'vitest';
import { frame, MessageReader } from '../../../proxy/dns/framing.ts';

test('messages come out as they went in, however the stream is cut', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 });
  const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(messages, cuts, (sent, sizes) => {
      const stream = Buffer.concat(sent.map((message) => frame(Buffer.from(message))));
      const reader = new MessageReader();
      const received: Buffer[] = [];
      for (let offset = 0, turn = 0; offset < stream.length; turn++) {
        const end = offset + sizes[turn % sizes.length]!;
        received.push(...reader.read(stream.subarray(offset, end)));
        offset = end;
      }
      expect(received.map((message) => message.toString('hex'))).toEqual(
        sent.map((message) => Buffer.from(message).toString('hex')),
      );
      expect(reader.rest()).toHaveLength(0);
    }),
    { seed: 7 },
  );
});

test('the largest message has a frame, a larger one has none', () => {
  const largest = Buffer.alloc(65_535, 1);
  const reader = new MessageReader();
  expect([...reader.read(frame(largest))][0]!.equals(largest)).toBe(true);
  expect(() => frame(Buffer.alloc(65_536))).toThrow('no frame');
});

test('what is incomplete is kept with its length', () => {
  const reader = new MessageReader();
  expect([...reader.read(Buffer.from([0, 5, 1, 2]))]).toEqual([]);
  expect(reader.rest()).toEqual(Buffer.from([0, 5, 1, 2]));
});
