/** Properties of the HTTP/1.1 engine that hold for every message, not only for those somebody thought of. @module */

import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { frameRequest } from '../../../proxy/http1/grammar/framing.ts';
import { HeadParser } from '../../../proxy/http1/grammar/head-parser.ts';
import { Outbox } from '../../../proxy/http1/outbox.ts';
import { writeRequestHead } from '../../../proxy/http1/serialize.ts';
import { LIMITS, readMessages } from './read-messages.ts';

const TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const token = fc.string({ unit: fc.constantFrom(...TOKEN_CHARACTERS), minLength: 1, maxLength: 20 });
const valueCharacter = fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f);
const value = fc
  .array(valueCharacter, { maxLength: 40 })
  .map((codes) => String.fromCharCode(...codes).replace(/^ +| +$/g, ''));
const ACTED_ON =
  /^(host|te|expect|upgrade|connection|keep-alive|max-forwards|content-length|http2-settings|proxy-connection|transfer-encoding|weft-.*)$/i;
const field = fc.tuple(
  token.filter((name) => !ACTED_ON.test(name)),
  value,
);
const path = fc.string({ unit: fc.constantFrom(...'abc/?=&%20-_.~!|{}'), maxLength: 60 }).map((rest) => `/${rest}`);
const body = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1'));

const message = fc.record({
  method: token.filter((method) => !/^(CONNECT|TRACE)$/.test(method)),
  path,
  fields: fc.array(field, { maxLength: 12 }),
  body: fc.oneof(
    fc.constant(undefined),
    body.map((text) => ({ kind: 'length' as const, text })),
    fc
      .array(
        body.filter((text) => text !== ''),
        { maxLength: 5 },
      )
      .map((chunks) => ({ kind: 'chunked' as const, chunks })),
  ),
});

type Message = typeof message extends fc.Arbitrary<infer T> ? T : never;

function write({ method, path, fields, body }: Message): string {
  let text = `${method} ${path} HTTP/1.1\r\nHost: a.example\r\n`;
  for (const [name, value] of fields) text += `${name}: ${value}\r\n`;
  if (body?.kind === 'length') text += `Content-Length: ${body.text.length}\r\n\r\n${body.text}`;
  else if (body?.kind === 'chunked') {
    text += 'Transfer-Encoding: chunked\r\n\r\n';
    for (const chunk of body.chunks) text += `${chunk.length.toString(16)}\r\n${chunk}\r\n`;
    text += '0\r\n\r\n';
  } else text += '\r\n';
  return text;
}

/** Cuts input at the given fractions of its length. */
function cut(input: Buffer, at: readonly number[]): Buffer[] {
  const edges = [0, ...at.map((share) => Math.floor(share * input.length)).sort((a, b) => a - b), input.length];
  return edges.slice(1).map((edge, i) => input.subarray(edges[i], edge));
}

const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), { maxLength: 12 });

test('valid requests parse alike, wherever the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 3 }), cuts, (messages, at) => {
      const input = Buffer.from(messages.map(write).join(''), 'latin1');
      const read = readMessages('request', cut(input, at));
      expect(read.refusal).toBeUndefined();
      expect(read.messages.length).toBe(messages.length);
      expect(read.idle).toBe(true);
      for (const [i, { method, path, fields, body }] of messages.entries()) {
        const found = read.messages[i]!;
        expect(found.complete).toBe(true);
        expect(found.start).toBe(`${method} ${path} HTTP/1.1`);
        expect(found.fields.slice(1, 1 + fields.length)).toEqual(fields);
        expect(found.body).toBe(body?.kind === 'length' ? body.text : (body?.chunks.join('') ?? ''));
      }
    }),
    { seed: 7, numRuns: 400 },
  );
});

test('a head that needs no edit goes on byte for byte', async () => {
  await fc.assert(
    fc.asyncProperty(message, cuts, async (message, at) => {
      const text = write({ ...message, body: undefined });
      const parser = new HeadParser('request', LIMITS);
      let end = -1;
      for (const piece of cut(Buffer.from(text, 'latin1'), at)) end = parser.parse(piece, 0, piece.length);
      expect(end).toBeGreaterThan(-1);
      expect(frameRequest(parser.head)).toBeUndefined();
      const sink = new PassThrough();
      const out = new Outbox(sink as unknown as Socket);
      writeRequestHead(out, parser.head, '');
      out.flush();
      expect((sink.read() as Buffer).toString('latin1')).toBe(text);
    }),
    { seed: 7, numRuns: 300 },
  );
});

test('random bytes are refused or awaited, and never throw', () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc
      .array(
        fc.constantFrom(
          'GET ',
          '/',
          ' HTTP/1.1',
          '\r\n',
          '\n',
          '\r',
          ': ',
          'Host',
          'x',
          'Content-Length',
          '5',
          ' ',
          '0',
          ';',
        ),
        {
          maxLength: 40,
        },
      )
      .map((parts) => Buffer.from(parts.join(''), 'latin1')),
  );
  fc.assert(
    fc.property(fc.constantFrom<'request' | 'response'>('request', 'response'), noise, cuts, (kind, input, at) => {
      const whole = readMessages(kind, [input]);
      const pieces = readMessages(kind, cut(input, at));
      expect(pieces.refusal).toBe(whole.refusal);
      expect(pieces.messages).toEqual(whole.messages);
    }),
    { seed: 7, numRuns: 2_000 },
  );
});

test('a head that never ends is refused at the limit, however it arrives', () => {
  const limits = { maxHeadBytes: 2_048, maxFields: 16 };
  for (const size of [1, 7, 2_048, 10_000]) {
    const input = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'v'.repeat(10_000)}`, 'latin1');
    const pieces = Array.from({ length: Math.ceil(input.length / size) }, (_, i) =>
      input.subarray(i * size, (i + 1) * size),
    );
    const read = readMessages('request', pieces, { limits });
    expect(read.refusal).toBe('head-too-large');
    expect(read.consumed).toBeLessThanOrEqual(2_048 + size);
  }
});
