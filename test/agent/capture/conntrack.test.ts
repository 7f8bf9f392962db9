import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  REQUEST_BYTES,
  type RedirectedFlow,
  readFlowAnswer,
  writeFlowRequest,
} from '../../../agent/capture/conntrack.ts';

/** Recorded from Linux 6.18 with a datagram to 10.88.0.2 and fd88::2, port 53, redirected to port 15053; sequence 7. */
const RECORDED = {
  4: {
    request:
      '48000000010101000700000000000000020000003400028014000180080001007f000001080002000a5800011c000280' +
      '0500010011000000060002003acd000006000300e8420000',
    answer:
      'a40000000001020007000000a82641c2020000003400018014000180080001000a580001080002000a5800021c000280' +
      '050001001100000006000200e842000006000300003500003400028014000180080001007f000001080002000a580001' +
      '1c0002800500010011000000060002003acd000006000300e842000008000300000001a8080008000000000008000c00' +
      'd34a7a0c08000b0000000002080007000000001d',
    clientPort: 59458,
  },
  6: {
    request:
      '600000000101010007000000000000000a0000004c0002802c0001801400030000000000000000000000000000000001' +
      '14000400fd8800000000000000000000000000011c0002800500010011000000060002003acd000006000300c2970000',
    answer:
      'd400000000010200070000003db2cd820a0000004c0001802c00018014000300fd880000000000000000000000000001' +
      '14000400fd8800000000000000000000000000021c000280050001001100000006000200c29700000600030000350000' +
      '4c0002802c000180140003000000000000000000000000000000000114000400fd880000000000000000000000000001' +
      '1c0002800500010011000000060002003acd000006000300c297000008000300000001a8080008000000000008000c00' +
      '524f752808000b0000000002080007000000001d',
    clientPort: 49815,
  },
} as const;

function flow(family: 4 | 6): RedirectedFlow {
  return {
    family,
    local: { address: family === 4 ? '127.0.0.1' : '::1', port: 15_053 },
    client: { address: family === 4 ? '10.88.0.1' : 'fd88::1', port: RECORDED[family].clientPort },
  };
}

test.for([4, 6] as const)('the question over IPv%i is what the kernel answered', (family) => {
  const into = Buffer.alloc(REQUEST_BYTES, 0xff); // whatever was there before must not show
  const bytes = writeFlowRequest(into, 7, flow(family));
  expect(into.toString('hex', 0, bytes)).toBe(RECORDED[family].request);
});

test.for([
  [4, '10.88.0.2'],
  [6, 'fd88::2'],
] as const)('the answer over IPv%i holds the original destination', ([family, address]) => {
  const answer = readFlowAnswer(Buffer.from(RECORDED[family].answer, 'hex'), 7);
  expect(answer).toEqual({ kind: 'found', destination: { address, port: 53 } });
});

test('an answer to an earlier question is told from ours', () => {
  expect(readFlowAnswer(Buffer.from(RECORDED[4].answer, 'hex'), 8)).toEqual({ kind: 'stale' });
});

test.for([
  [-2, { kind: 'none' }],
  [-1, { kind: 'refused', errno: 1 }],
] as const)('errno %i is told as it is meant', ([errno, expected]) => {
  const answer = Buffer.alloc(36);
  answer.writeUInt32LE(36, 0);
  answer.writeUInt16LE(2, 4);
  answer.writeUInt32LE(7, 8);
  answer.writeInt32LE(errno, 16);
  expect(readFlowAnswer(answer, 7)).toEqual(expected);
});

test('no bytes make the reader throw, and no prefix of an answer gives a destination it does not hold', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void readFlowAnswer(Buffer.from(bytes), 7)),
    { seed: 7 },
  );
  const whole = Buffer.from(RECORDED[6].answer, 'hex');
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
      const damaged = Buffer.from(whole);
      damaged[at] = value;
      readFlowAnswer(damaged, 7);
      const cut = readFlowAnswer(whole.subarray(0, at), 7);
      if (cut.kind === 'found') expect(cut.destination).toEqual({ address: 'fd88::2', port: 53 });
    }),
    { seed: 7 },
  );
});
