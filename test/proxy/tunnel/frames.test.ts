/** Frames of the tunnel: what is written is read back, wherever it is cut, and what is no frame is refused. @module */

import type { Socket } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Outbox } from '../../../proxy/http1/outbox.ts';
import type { Piece } from '../../../proxy/streams/carrier.ts';
import { FrameWriter } from '../../../proxy/tunnel/frame-writer.ts';
import { type FrameProblem, FrameReader, type FrameSink } from '../../../proxy/tunnel/frames.ts';

const LIMITS = { maxHeadBytes: 1_024 };

/** Says what a reader finds, with the pieces of a payload put together again. */
class Script implements FrameSink {
  readonly lines: string[] = [];
  #payload = '';

  head(stream: number, piece: Piece, ends: boolean): void {
    this.#piece(`head ${stream}${ends ? ' ends' : ''}`, piece);
  }
  data(stream: number, piece: Piece, ends: boolean): void {
    this.#piece(`data ${stream}${ends ? ' ends' : ''}`, piece);
  }
  end(stream: number, piece: Piece): void {
    this.#piece(`end ${stream}`, piece);
  }
  reset(stream: number, code: number): void {
    this.lines.push(`reset ${stream} ${code}`);
  }
  credit(stream: number, bytes: number): void {
    this.lines.push(`credit ${stream} ${bytes}`);
  }
  hello(hello: object): void {
    this.lines.push(`hello ${JSON.stringify(hello)}`);
  }
  ping(token: Buffer): void {
    this.lines.push(`ping ${token.toString('latin1')}`);
  }
  pong(token: Buffer): void {
    this.lines.push(`pong ${token.toString('latin1')}`);
  }
  goaway(): void {
    this.lines.push('goaway');
  }

  #piece(what: string, { bytes, start, end, isLast }: Piece): void {
    this.#payload += bytes.toString('latin1', start, end);
    if (!isLast) return;
    this.lines.push(`${what} ${this.#payload}`);
    this.#payload = '';
  }
}

/** What a writer writes, as bytes. @param uncorked told each time that what was written is let go */
function written(write: (writer: FrameWriter) => void, uncorked: (bytes: number) => void = () => {}): Buffer {
  const pieces: Buffer[] = [];
  const socket = {
    write: (bytes: Buffer) => pieces.push(Buffer.from(bytes)),
    cork: () => undefined,
    uncork: () => uncorked(Buffer.concat(pieces).length),
    writableNeedDrain: false,
  } as unknown as Socket;
  const out = new Outbox(socket);
  write(new FrameWriter(out));
  out.flush();
  return Buffer.concat(pieces);
}

function read(...chunks: readonly Buffer[]): { readonly lines: string[]; readonly problem: FrameProblem | undefined } {
  const script = new Script();
  const reader = new FrameReader(script, LIMITS);
  for (const chunk of chunks) if (!reader.read(chunk)) break;
  return { lines: script.lines, problem: reader.problem };
}

const EVERYTHING = written((writer) => {
  writer.hello({ version: 1, maxStreams: 512, firstCredit: 65_536 });
  writer.headText(1, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  writer.end(1, '');
  writer.headText(2, 'POST / HTTP/1.1\r\nHost: a\r\n\r\n');
  writer.data(2, Buffer.from('one'), 0, 3);
  writer.credit(1, 70_000);
  writer.data(2, Buffer.from('-two-'), 1, 4);
  writer.end(2, 'Sum: 7\r\n');
  writer.headText(3, 'HTTP/1.1 200 OK\r\n\r\n');
  writer.data(3, Buffer.from('x'), 0, 1);
  writer.end(3, '');
  writer.reset(4, 3);
  writer.ping(Buffer.from('12345678'));
  writer.pong(Buffer.from('87654321'));
  writer.goaway();
});

test('every kind of frame is read as it was written', () => {
  expect(read(EVERYTHING)).toEqual({
    problem: undefined,
    lines: [
      'hello {"version":1,"maxStreams":512,"firstCredit":65536}',
      'head 1 ends GET / HTTP/1.1\r\nHost: a\r\n\r\n',
      'head 2 POST / HTTP/1.1\r\nHost: a\r\n\r\n',
      'data 2 one',
      'credit 1 70000',
      'data 2 two',
      'end 2 Sum: 7\r\n\r\n',
      'head 3 HTTP/1.1 200 OK\r\n\r\n',
      'data 3 ends x',
      'reset 4 3',
      'ping 12345678',
      'pong 87654321',
      'goaway',
    ],
  });
});

test('where frames are cut carries no meaning', () => {
  const whole = read(EVERYTHING);
  const cuts = fc.uniqueArray(fc.integer({ min: 1, max: EVERYTHING.length - 1 }), { maxLength: 40 });
  fc.assert(
    fc.property(cuts, (at) => {
      const edges = [0, ...at.toSorted((a, b) => a - b), EVERYTHING.length];
      const chunks = edges.slice(1).map((edge, i) => EVERYTHING.subarray(edges[i], edge));
      expect(read(...chunks)).toEqual(whole);
    }),
  );
  expect(read(...[...EVERYTHING].map((byte) => Buffer.of(byte)))).toEqual(whole);
});

test('an end is marked on the frame before it only while that has not left', () => {
  const large = Buffer.alloc(20_000, 0x61); // goes out uncopied, and everything before it at once
  const bytes = written((writer) => {
    writer.data(7, large, 0, large.length);
    writer.end(7, '');
  });
  expect(read(bytes).lines.at(-1)).toBe('end 7 ');
});

test('a long body fills TLS records to the byte, and does not wait for the end of the turn', () => {
  const body = Buffer.alloc(1_000_000);
  const left: number[] = [];
  const bytes = written(
    (writer) => {
      for (let at = 0; at < body.length; at += 65_528) writer.data(1, body, at, Math.min(body.length, at + 65_528));
    },
    (sent) => left.push(sent),
  );
  expect(left.slice(0, 3)).toEqual([131_072, 262_144, 393_216]); // frames of 65,536 with their headers
  expect(left.at(-1)).toBe(bytes.length);
});

test.each<[string, number[], FrameProblem]>([
  ['a kind nobody knows', [0, 0, 0, 9, 0, 0, 0, 0], 'unknown-frame'],
  ['a kind nobody knows, on a stream', [0, 0, 0, 0x55, 0, 0, 0, 1], 'unknown-frame'],
  ['data of no stream', [0, 0, 1, 2, 0, 0, 0, 0], 'bad-stream'],
  ['a ping of a stream', [0, 0, 8, 6, 0, 0, 0, 1], 'bad-stream'],
  ['a hello of a stream', [0, 0, 12, 0, 0, 0, 0, 1], 'bad-stream'],
  ['a head beyond the limit', [0, 4, 1, 1, 0, 0, 0, 1], 'frame-too-large'],
  ['trailers beyond the limit', [0, 4, 1, 3, 0, 0, 0, 1], 'frame-too-large'],
  ['data beyond 64 KiB', [1, 0, 1, 2, 0, 0, 0, 1], 'frame-too-large'],
  ['credit of three bytes', [0, 0, 3, 5, 0, 0, 0, 1], 'bad-frame-length'],
  ['a reset without a code', [0, 0, 0, 4, 0, 0, 0, 1], 'bad-frame-length'],
  ['a goaway that says something', [0, 0, 1, 8, 0, 0, 0, 0], 'bad-frame-length'],
  ['a credit that ends a message', [0, 0, 4, 0x85, 0, 0, 0, 1], 'bad-frame-length'],
])('%s is refused', (_what, bytes, problem) => {
  expect(read(Buffer.from(bytes))).toEqual({ lines: [], problem });
});

test('random bytes never throw past the reader, and are refused or understood', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (chunks) => {
      read(...chunks.map((chunk) => Buffer.from(chunk)));
    }),
  );
});
