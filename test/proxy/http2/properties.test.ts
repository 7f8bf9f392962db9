/** HTTP/2 as properties: where the input is cut carries no meaning, no bytes bring it down, heads keep their meaning. @module */

import http from 'node:http';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { frameRequest } from '../../../proxy/http1/grammar/framing.ts';
import { HeadParser } from '../../../proxy/http1/grammar/head-parser.ts';
import { FrameReader, type FrameSink } from '../../../proxy/http2/frames.ts';
import { encodeRequest, encodeResponse } from '../../../proxy/http2/from-http1.ts';
import { BlockBuffer } from '../../../proxy/http2/hpack/block-buffer.ts';
import { HpackDecoder } from '../../../proxy/http2/hpack/decoder.ts';
import { HeaderList } from '../../../proxy/http2/hpack/header-list.ts';
import { requestToHttp1, responseToHttp1 } from '../../../proxy/http2/to-http1.ts';
import { Mesh, TestServer } from '../mesh.ts';
import {
  continuation,
  data,
  goaway,
  headers,
  PREFACE,
  ping,
  priority,
  raw,
  rstStream,
  settings,
  settingsAck,
  windowUpdate,
} from './frames.ts';
import { GET, Peer, POST } from './peer.ts';

const LIMITS = { maxBlockBytes: 32_768, maxContinuations: 16 };

/** Writes down what a reader finds; pieces of data of one frame are put together. */
class Recorder implements FrameSink {
  readonly events: unknown[][] = [];
  #body: unknown[] | undefined;

  headers(stream: number, block: Buffer, start: number, end: number, ends: boolean): void {
    this.#note('headers', stream, block.toString('hex', start, end), ends);
  }
  data(stream: number, bytes: Buffer, start: number, end: number, flow: number, ends: boolean): void {
    const text = bytes.toString('hex', start, end);
    const last = this.#body;
    if (last !== undefined && last[1] === stream && last[4] === false) {
      this.#body = [last[0], stream, `${last[2]}${text}`, (last[3] as number) + flow, ends];
      this.events[this.events.length - 1] = this.#body;
    } else {
      this.#body = ['data', stream, text, flow, ends];
      this.events.push(this.#body);
    }
  }
  rstStream(...event: number[]): void {
    this.#note('rstStream', ...event);
  }
  setting(...event: number[]): void {
    this.#note('setting', ...event);
  }
  settingsEnd(): void {
    this.#note('settingsEnd');
  }
  settingsAck(): void {
    this.#note('settingsAck');
  }
  ping(token: Buffer, isAck: boolean): void {
    this.#note('ping', token.toString('hex'), isAck);
  }
  goaway(...event: number[]): void {
    this.#note('goaway', ...event);
  }
  windowUpdate(...event: number[]): void {
    this.#note('windowUpdate', ...event);
  }
  streamError(...event: number[]): void {
    this.#note('streamError', ...event);
  }
  #note(...event: unknown[]): void {
    this.#body = undefined;
    this.events.push(event);
  }
}

/** What a reader makes of bytes that come in these pieces. */
function read(pieces: readonly Buffer[]): unknown[] {
  const recorder = new Recorder();
  const reader = new FrameReader(recorder, LIMITS);
  for (const piece of pieces) if (!reader.read(piece)) break;
  return [...recorder.events, ['error', reader.error]];
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length));
}

const id = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const bytes = fc.uint8Array({ maxLength: 600 }).map((array) => Buffer.from(array));
const padding = fc.option(fc.nat(255), { nil: undefined });
const frames = fc.oneof(
  fc
    .tuple(id, bytes, fc.boolean(), padding)
    .map(([stream, body, endStream, pad]) =>
      data(stream, body, pad === undefined ? { endStream } : { endStream, padding: pad }),
    ),
  fc.tuple(id, bytes, fc.boolean(), padding).map(([stream, block, endStream, pad]) =>
    headers(stream, block, {
      endStream,
      priority: { on: 3, weight: 7 },
      ...(pad === undefined ? {} : { padding: pad }),
    }),
  ),
  fc
    .tuple(id, fc.array(bytes, { minLength: 1, maxLength: 5 }))
    .map(([stream, [first, ...rest]]) =>
      Buffer.concat([
        headers(stream, first!, { endHeaders: rest.length === 0 }),
        ...rest.map((block, i) => continuation(stream, block, i === rest.length - 1)),
      ]),
    ),
  fc.tuple(id, fc.nat(20)).map(([stream, code]) => rstStream(stream, code)),
  fc.array(fc.tuple(fc.nat(9), fc.nat())).map((values) => settings(...values)),
  fc.constant(settingsAck),
  fc.boolean().map((isAck) => ping(isAck)),
  fc.tuple(id, fc.nat(20)).map(([stream, code]) => goaway(stream, code)),
  fc.tuple(id, id).map(([stream, increment]) => windowUpdate(stream, increment)),
  id.map((stream) => priority(stream, { on: 0, weight: 1 })),
  fc
    .tuple(fc.integer({ min: 10, max: 255 }), fc.nat(255), id, bytes)
    .map(([type, flags, stream, payload]) => raw(type, flags, stream, payload)),
);
const cuts = fc.array(fc.nat(100_000), { maxLength: 30 });

test('any split of any frames reads alike', () => {
  fc.assert(
    fc.property(fc.array(frames, { maxLength: 12 }), cuts, (list, places) => {
      const all = Buffer.concat([settings(), ...list]);
      const whole = read([all]);
      expect(whole.at(-1)).toEqual(['error', 0]);
      expect(read(split(all, places))).toEqual(whole);
      if (all.length < 400) expect(read([...all].map((byte) => Buffer.of(byte)))).toEqual(whole);
    }),
  );
});

test('frames that were damaged read alike however they are split, and throw nothing', () => {
  const damage = fc.array(fc.tuple(fc.nat(100_000), fc.nat(255)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.array(frames, { maxLength: 8 }), damage, cuts, (list, changes, places) => {
      const all = Buffer.concat([settings(), ...list]);
      for (const [at, byte] of changes) all[at % all.length] = byte;
      expect(read(split(all, places))).toEqual(read([all]));
    }),
    { numRuns: 500 },
  );
});

test('no bytes bring a proxy down: what is damaged ends its connection at most', async () => {
  await using app = await TestServer.of(http.createServer((_request, response) => response.end('ok')));
  await using mesh = await Mesh.start(app.port);
  const sane = fc.oneof(
    fc.constantFrom(headers(1, GET), headers(1, POST, { endStream: false }), headers(3, GET), data(1, 'body')),
    frames,
    bytes,
  );
  await fc.assert(
    fc.asyncProperty(fc.array(sane, { maxLength: 20 }), async (list) => {
      using peer = await Peer.connect(mesh.port);
      peer.send(PREFACE, settings(), ...list);
      peer.socket.end();
      await peer.ended();
    }),
    { numRuns: 150 },
  );
  using peer = await Peer.client(mesh.port);
  peer.send(headers(1, GET));
  expect(peer.fields(await peer.next(({ stream }) => stream === 1))[0]).toEqual([':status', '200']);
});

// Heads.

const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]{0,12}$/);
const value = fc.stringMatching(/^([!-~]([ -~\t]{0,40}[!-~])?)?$/);
const SPECIAL =
  /^(host|connection|keep-alive|proxy-connection|transfer-encoding|upgrade|te|content-length|http2-settings|expect|cookie|max-forwards)$/i;
const fields = fc.array(
  fc.tuple(
    token.filter((name) => !SPECIAL.test(name)),
    value,
  ),
  { maxLength: 12 },
);
const limits = { maxHeadBytes: 32_768, maxFields: 128 };

function lines(list: readonly (readonly [string, string])[]): string {
  return list.map(([name, text]) => `${name}: ${text}\r\n`).join('');
}

/** Encodes with `encode` and decodes to a list. */
function carried(encode: (out: BlockBuffer) => void): HeaderList {
  const out = new BlockBuffer();
  encode(out);
  const list = new HeaderList(limits);
  expect(new HpackDecoder(4_096).decode(out.bytes, 0, out.used, list)).toBe(true);
  return list;
}

test('a request keeps its meaning on the way over HTTP/2 and back', () => {
  const target = fc.stringMatching(/^\/[!-"$-~]{0,40}$/);
  fc.assert(
    fc.property(
      token.filter((method) => method !== 'CONNECT' && method !== 'TRACE'),
      target,
      fields,
      fc.boolean(),
      (method, path, list, hasBody) => {
        const text = `${method} ${path} HTTP/1.1\r\nHost: cart.shop:80\r\n${lines(list)}${hasBody ? 'Content-Length: 5\r\n' : ''}\r\n`;
        const parser = new HeadParser('request', limits);
        expect(parser.parse(Buffer.from(text), 0, text.length)).toBe(text.length);
        expect(frameRequest(parser.head)).toBeUndefined();
        const back = requestToHttp1(
          carried((out) => encodeRequest(out, parser.head, '')),
          hasBody,
        );
        if (!back.ok) throw new Error(back.problem);
        const lower = list.map(([name, one]) => [name.toLowerCase(), one] as const);
        expect(back.bytes.toString('latin1')).toBe(
          `${method} ${path} HTTP/1.1\r\nhost: cart.shop:80\r\n${lines(lower)}${hasBody ? 'content-length: 5\r\n' : ''}te: trailers\r\n\r\n`,
        );
      },
    ),
  );
});

test('a response keeps its meaning on the way over HTTP/2 and back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 200, max: 599 }), fields, (status, list) => {
      const text = `HTTP/1.1 ${status} Whatever\r\n${lines(list)}Content-Length: 5\r\n\r\n`;
      const parser = new HeadParser('response', limits);
      expect(parser.parse(Buffer.from(text), 0, text.length)).toBe(text.length);
      const back = responseToHttp1(
        carried((out) => encodeResponse(out, parser.head, '')),
        true,
      );
      if (!back.ok) throw new Error(back.problem);
      const lower = list.map(([name, one]) => [name.toLowerCase(), one] as const);
      expect(back.bytes.toString('latin1')).toBe(`HTTP/1.1 ${status} \r\n${lines(lower)}content-length: 5\r\n\r\n`);
    }),
  );
});

test('whatever a list of fields says, HTTP/1.1 reads it as one head with these fields, or it is refused', () => {
  const anything = fc.oneof(
    value,
    fc.string({ unit: 'binary-ascii', maxLength: 20 }),
    fc.constantFrom('a\r\nb: c', 'a\nb', '\0', ' a', 'a '),
  );
  const anyName = fc.oneof(
    token.map((name) => name.toLowerCase()),
    fc.constantFrom('Host', 'a b', 'a:b', '', 'a\r\nb', 'connection', ':path', 'te'),
  );
  const method = fc.oneof(token, anything);
  fc.assert(
    fc.property(
      method,
      anything,
      anything,
      fc.array(fc.tuple(anyName, anything), { maxLength: 5 }),
      (verb, path, authority, list) => {
        const all = [[':method', verb], [':scheme', 'http'], [':path', `/${path}`], [':authority', authority], ...list];
        const packed = new HeaderList(limits);
        for (const [name, text] of all) {
          const nameEnd = packed.used + packed.bytes.write(name!, packed.used, 'latin1');
          packed.commit(nameEnd, nameEnd + packed.bytes.write(text!, nameEnd, 'latin1'));
        }
        const http1 = requestToHttp1(packed, false);
        if (!http1.ok) return;
        const parser = new HeadParser('request', limits);
        expect(parser.parse(http1.bytes, 0, http1.bytes.length)).toBe(http1.bytes.length);
        const { head } = parser;
        expect([head.method(), head.rawTarget()]).toEqual([verb, `/${path}`]);
        const found = Array.from({ length: head.fieldCount }, (_, i) => [head.name(i), head.value(i)]);
        const cookies = list.filter(([name]) => name === 'cookie');
        expect(found).toHaveLength(
          1 + list.length - Math.max(0, cookies.length - 1) - list.filter(([name]) => name === 'host').length,
        );
        for (const [name, text] of list)
          if (name !== 'cookie' && name !== 'host') expect(found).toContainEqual([name, text]);
      },
    ),
    { numRuns: 2_000 },
  );
});
