/** The cases of h2spec in which Weft is the server, by id. Stream 1 asks for `/`, whose body is `hello world`, or for `/never`. @module */

import {
  ACK,
  block,
  CODE,
  continuation,
  type DataOptions,
  data,
  END_HEADERS,
  END_STREAM,
  type Fields,
  goaway,
  type HeadersOptions,
  headers,
  integer,
  PADDED,
  PREFACE,
  ping,
  priority,
  pushPromise,
  raw,
  rstStream,
  SETTING,
  settings,
  TYPE,
  windowUpdate,
} from './frames.ts';
import { type Case, connectionError, DUMMY, pingAck, response, type Step, streamError } from './h2spec-case.ts';
import { GET, POST, request } from './peer.ts';

const OPEN: HeadersOptions = { endStream: false };
const PART: HeadersOptions = { endHeaders: false };
const OPEN_PART: HeadersOptions = { endStream: false, endHeaders: false };
const MORE: DataOptions = { endStream: false };
const ROOT = { on: 0, weight: 256 };
const GET_BLOCK = block(GET);
const NEVER = request('/never');
const LARGE: Fields = Array.from({ length: 5 }, (_, i) => [`x-dummy${i}`, 'x'.repeat(4_000)] as const);
const get = headers(1, GET);
const never = headers(1, NEVER);
const post = headers(1, POST, OPEN);
/** A call that is still being sent and not answered yet. */
const neverPost = headers(1, request('/never', 'POST'), OPEN);
const unknown = raw(0x16, 0, 0, '0000000000000000');
const misplacedPing = raw(TYPE.ping, 0, 3, '0000000000000000');

/** The response on stream 1 is whole. */
const answered: Step = (peer) => peer.next(({ stream, flags, type }) => stream === 1 && type < 2 && (flags & 1) === 1);
const someData: Step = (peer) => peer.of(TYPE.data, 1);

const appended = (hex: string): Buffer => headers(1, Buffer.concat([GET_BLOCK, Buffer.from(hex, 'hex')]));
const withField = (...fields: Fields): Buffer => headers(1, [...GET, ...fields]);
const without = (...names: string[]): Buffer =>
  headers(
    1,
    GET.filter(([name]) => !names.includes(name)),
  );

function ok(...sends: Step[]): Case {
  return { sends, expect: response() };
}

function pinged(...sends: Step[]): Case {
  return { sends: [...sends, ping()], expect: pingAck };
}

/** The connection cannot go on. */
function breaks(code: number, ...sends: Step[]): Case {
  return { sends, expect: connectionError(code) };
}

/** Stream 1 is reset. */
function resets(code: number, ...sends: Step[]): Case {
  return { sends, expect: streamError(code) };
}

const initialWindow = (bytes: number) => [[SETTING.initialWindowSize, bytes]] as const;

const GENERIC: Record<string, Case> = {
  'generic/1/1': { isBare: true, sends: [PREFACE, settings([4, 65_535])], expect: { kind: 'preface' } },
  'generic/2/1': pinged(priority(1, ROOT)),
  'generic/2/2': { settings: initialWindow(0), sends: [get, windowUpdate(1, 1)], expect: { kind: 'data' } },
  'generic/2/3': {
    settings: initialWindow(0),
    sends: [get, priority(1, ROOT), windowUpdate(1, 1)],
    expect: { kind: 'data' },
  },
  'generic/2/4': pinged(never, rstStream(1, CODE.cancel)),
  'generic/2/5': pinged(get, answered, priority(1, ROOT)),
  'generic/3.1/1': ok(post, data(1, 'test')),
  'generic/3.1/2': ok(post, data(1, 'test', MORE), data(1, 'test')),
  'generic/3.1/3': ok(post, data(1, 'test', { padding: 5 })),
  'generic/3.2/1': ok(get),
  'generic/3.2/2': ok(headers(1, GET, { padding: 8 })),
  'generic/3.2/3': ok(headers(1, GET, { priority: ROOT })),
  'generic/3.3/1': ok(priority(1, { on: 0, weight: 1 }), get),
  'generic/3.3/2': ok(priority(1, ROOT), get),
  'generic/3.3/3': ok(priority(3, { on: 1, weight: 1 }), get),
  'generic/3.3/4': ok(priority(1, { on: 0, weight: 1, exclusive: true }), get),
  'generic/3.3/5': ok(priority(3, ROOT), get),
  'generic/3.4/1': pinged(headers(1, GET, OPEN), rstStream(1, CODE.cancel)),
  'generic/3.5/1': {
    sends: [settings([1, 4_096], [2, 1], [3, 100], [4, 65_535], [5, 16_384], [6, 100])],
    expect: { kind: 'settings-ack' },
  },
  'generic/3.7/1': pinged(),
  'generic/3.8/1': pinged(never, goaway(0, CODE.none)),
  'generic/3.9/1': pinged(windowUpdate(0, 1)),
  'generic/3.9/2': ok(get, windowUpdate(1, 1)),
  'generic/3.10/1': ok(headers(1, GET_BLOCK.subarray(0, 5), PART), continuation(1, GET_BLOCK.subarray(5))),
  'generic/3.10/2': ok(
    headers(1, GET_BLOCK.subarray(0, 5), PART),
    continuation(1, GET_BLOCK.subarray(5, 10), false),
    continuation(1, GET_BLOCK.subarray(10)),
  ),
  'generic/4/1': ok(get),
  'generic/4/2': ok(headers(1, request('/', 'HEAD'))),
  'generic/4/3': ok(post, data(1, 'test')),
  'generic/4/4': ok(
    headers(1, [...POST, ['trailer', 'x-test']], OPEN),
    data(1, 'test', MORE),
    headers(1, [['x-test', 'ok']]),
  ),
  // The static index 58 names a field without a value: an empty user-agent.
  'generic/5/1': ok(appended('ba')),
  'generic/5/2': ok(appended('4087b505b161cc5a93849c48aca4')),
  'generic/5/3': ok(appended('400a757365722d6167656e7406683273706563')),
  'generic/5/4': ok(appended('4006782d7465737406683273706563')),
  'generic/5/5': ok(appended('4085f2b24a84ff849c48aca4')),
  'generic/5/6': ok(appended('000a757365722d6167656e7406683273706563')),
  'generic/5/7': ok(appended('0087b505b161cc5a93849c48aca4')),
  'generic/5/8': ok(appended('0006782d7465737406683273706563')),
  'generic/5/9': ok(appended('0085f2b24a84ff849c48aca4')),
  'generic/5/10': ok(appended('100a757365722d6167656e7406683273706563')),
  'generic/5/11': ok(appended('1087b505b161cc5a93849c48aca4')),
  'generic/5/12': ok(appended('1085f2b24a84ff849c48aca4')),
  'generic/5/13': ok(appended('1085f2b24a84ff849c48aca4')),
  'generic/5/14': ok(headers(1, Buffer.concat([sizeUpdate(128), GET_BLOCK]))),
  'generic/5/15': ok(headers(1, Buffer.concat([Buffer.from('3f613fe11f', 'hex'), GET_BLOCK]))),
};

const HPACK: Record<string, Case> = {
  'hpack/2.3.3/1': breaks(CODE.compression, appended('c6')),
  'hpack/2.3.3/2': breaks(CODE.compression, appended('7f0700')),
  'hpack/4.2/1': breaks(CODE.compression, appended('21')),
  'hpack/5.2/1': breaks(CODE.compression, appended('0085f2b24a84ff8449509fff')),
  'hpack/5.2/2': breaks(CODE.compression, appended('0085f2b24a84ff83495090')),
  'hpack/5.2/3': breaks(CODE.compression, appended('0085f2b24a84ff874951fffffffa7f')),
  'hpack/6.1/1': breaks(CODE.compression, appended('80')),
  'hpack/6.3/1': breaks(CODE.compression, headers(1, Buffer.concat([sizeUpdate(4_097), GET_BLOCK]))),
};

const FRAMES: Record<string, Case> = {
  'http2/3.5/1': { isBare: true, sends: [PREFACE, settings([4, 65_535])], expect: { kind: 'preface' } },
  'http2/3.5/2': {
    isBare: true,
    sends: [Buffer.from('INVALID CONNECTION PREFACE\r\n\r\n')],
    expect: { kind: 'http1-refusal' },
  },
  'http2/4.1/1': pinged(unknown),
  'http2/4.1/2': {
    sends: [raw(TYPE.ping, 0x16, 0, Buffer.alloc(8))],
    expect: { kind: 'ping-ack', token: '00'.repeat(8) },
  },
  'http2/4.1/3': {
    sends: [raw(TYPE.ping, 0x16, 2 ** 31, Buffer.alloc(8))],
    expect: { kind: 'ping-ack', token: '00'.repeat(8) },
  },
  'http2/4.2/1': ok(post, data(1, Buffer.alloc(16_384))),
  'http2/4.2/2': breaks(CODE.frameSize, post, data(1, Buffer.alloc(16_385))),
  'http2/4.2/3': breaks(CODE.frameSize, headers(1, [...GET, ...LARGE])),
  'http2/4.3/1': breaks(CODE.compression, raw(TYPE.headers, 5, 1, '40')),
  'http2/4.3/2': breaks(CODE.protocol, headers(1, GET, OPEN_PART), priority(1, ROOT), continuation(1, DUMMY)),
  'http2/4.3/3': breaks(CODE.protocol, headers(1, GET, OPEN_PART), headers(3, GET), continuation(1, DUMMY)),
  'http2/5.1/1': breaks(CODE.protocol, data(1, 'test')),
  'http2/5.1/2': breaks(CODE.protocol, rstStream(1, CODE.cancel)),
  'http2/5.1/3': breaks(CODE.protocol, windowUpdate(1, 100)),
  'http2/5.1/4': breaks(CODE.protocol, continuation(1, GET)),
  'http2/5.1/5': resets(CODE.streamClosed, never, data(1, 'test')),
  'http2/5.1/6': resets(CODE.streamClosed, never, headers(1, NEVER)),
  'http2/5.1/7': breaks(CODE.protocol, never, continuation(1, GET)),
  'http2/5.1/8': breaks(CODE.streamClosed, neverPost, rstStream(1, CODE.cancel), data(1, 'test')),
  'http2/5.1/9': breaks(CODE.streamClosed, neverPost, rstStream(1, CODE.cancel), headers(1, NEVER)),
  'http2/5.1/10': breaks(CODE.protocol, neverPost, rstStream(1, CODE.cancel), continuation(1, DUMMY)),
  'http2/5.1/11': breaks(CODE.streamClosed, get, answered, data(1, 'test')),
  'http2/5.1/12': breaks(CODE.streamClosed, get, answered, get),
  'http2/5.1/13': breaks(CODE.protocol, get, answered, continuation(1, DUMMY)),
  'http2/5.1.1/1': breaks(CODE.protocol, headers(2, GET)),
  'http2/5.1.1/2': breaks(CODE.streamClosed, headers(5, GET), headers(3, GET)),
  'http2/5.1.2/1': {
    settings: initialWindow(0),
    sends: Array.from({ length: 129 }, (_, i) => headers(2 * i + 1, GET)),
    expect: streamError(CODE.refusedStream, 257),
  },
  'http2/5.3.1/1': ok(headers(1, GET, { priority: { on: 1, weight: 256 } })),
  'http2/5.3.1/2': pinged(priority(1, { on: 1, weight: 256 })),
  'http2/5.4.1/1': breaks(CODE.protocol, misplacedPing),
  'http2/5.4.1/2': breaks(CODE.protocol, misplacedPing),
  'http2/5.5/1': pinged(unknown),
  'http2/5.5/2': breaks(CODE.protocol, headers(1, GET, PART), unknown),
  'http2/6.1/1': breaks(CODE.protocol, data(0, 'test')),
  'http2/6.1/2': resets(CODE.streamClosed, headers(1, request('/never', 'POST')), data(1, 'test')),
  'http2/6.1/3': breaks(
    CODE.protocol,
    headers(1, [...POST, ['content-length', '4']], OPEN),
    raw(TYPE.data, END_STREAM | PADDED, 1, '0654657374'),
  ),
  'http2/6.2/1': breaks(CODE.protocol, headers(1, GET, OPEN_PART), priority(1, ROOT), continuation(1, DUMMY)),
  'http2/6.2/2': breaks(CODE.protocol, headers(1, GET, OPEN_PART), headers(3, GET), continuation(1, DUMMY)),
  'http2/6.2/3': breaks(CODE.protocol, headers(0, GET)),
  'http2/6.2/4': breaks(
    CODE.protocol,
    raw(
      TYPE.headers,
      END_STREAM | END_HEADERS | PADDED,
      1,
      Buffer.concat([Buffer.of(GET_BLOCK.length + 2), GET_BLOCK]),
    ),
  ),
  'http2/6.3/1': breaks(CODE.protocol, priority(0, ROOT)),
  'http2/6.3/2': resets(CODE.frameSize, never, raw(TYPE.priority, 0, 1, '80000001')),
  'http2/6.4/1': breaks(CODE.protocol, rstStream(0, CODE.cancel)),
  'http2/6.4/2': breaks(CODE.protocol, rstStream(1, CODE.cancel)),
  'http2/6.4/3': breaks(CODE.frameSize, never, raw(TYPE.rstStream, 0, 1, '000000')),
  'http2/6.5/1': breaks(CODE.frameSize, raw(TYPE.settings, ACK, 0, '00')),
  'http2/6.5/2': breaks(CODE.protocol, raw(TYPE.settings, 0, 1, '000300000064')),
  'http2/6.5/3': breaks(CODE.frameSize, raw(TYPE.settings, 0, 0, '000300')),
  'http2/6.5.2/1': breaks(CODE.protocol, settings([SETTING.enablePush, 2])),
  'http2/6.5.2/2': breaks(CODE.flowControl, settings([SETTING.initialWindowSize, 2 ** 31])),
  'http2/6.5.2/3': breaks(CODE.protocol, settings([SETTING.maxFrameSize, 16_383])),
  'http2/6.5.2/4': breaks(CODE.protocol, settings([SETTING.maxFrameSize, 2 ** 24])),
  'http2/6.5.2/5': pinged(settings([0xff, 1])),
  'http2/6.5.3/1': {
    settings: [...initialWindow(100), ...initialWindow(1)],
    sends: [get],
    expect: { kind: 'data', bytes: 1 },
  },
  'http2/6.5.3/2': { sends: [settings([SETTING.enablePush, 0])], expect: { kind: 'settings-ack' } },
  'http2/6.7/1': pinged(),
  'http2/6.7/2': pinged(ping(true, Buffer.from('unasked!'))),
  'http2/6.7/3': breaks(CODE.protocol, raw(TYPE.ping, 0, 1, Buffer.alloc(8))),
  'http2/6.7/4': breaks(CODE.frameSize, raw(TYPE.ping, 0, 0, Buffer.alloc(6))),
  'http2/6.8/1': breaks(CODE.protocol, raw(TYPE.goaway, 0, 1, Buffer.alloc(8))),
  'http2/6.9/1': breaks(CODE.protocol, windowUpdate(0, 0)),
  'http2/6.9/2': resets(CODE.protocol, neverPost, windowUpdate(1, 0)),
  'http2/6.9/3': breaks(CODE.frameSize, raw(TYPE.windowUpdate, 0, 0, '000001')),
  'http2/6.9.1/1': { settings: initialWindow(1), sends: [get], expect: { kind: 'data', bytes: 1 } },
  'http2/6.9.1/2': breaks(CODE.flowControl, windowUpdate(0, 2 ** 31 - 1), windowUpdate(0, 2 ** 31 - 1)),
  'http2/6.9.1/3': resets(CODE.flowControl, neverPost, windowUpdate(1, 2 ** 31 - 1), windowUpdate(1, 2 ** 31 - 1)),
  'http2/6.9.2/1': {
    settings: initialWindow(0),
    sends: [get, settings([SETTING.initialWindowSize, 1])],
    expect: { kind: 'data', bytes: 1 },
  },
  'http2/6.9.2/2': {
    settings: initialWindow(3),
    sends: [get, someData, settings([SETTING.initialWindowSize, 2]), windowUpdate(1, 2)],
    expect: { kind: 'data', bytes: 1 },
  },
  'http2/6.9.2/3': breaks(CODE.flowControl, raw(TYPE.settings, 0, 0, '000480000000')),
  'http2/6.10/1': ok(headers(1, GET, PART), continuation(1, DUMMY, false), continuation(1, DUMMY)),
  'http2/6.10/2': breaks(CODE.protocol, headers(1, POST, OPEN_PART), continuation(1, DUMMY, false), data(1, 'test')),
  'http2/6.10/3': breaks(CODE.protocol, headers(1, GET, PART), continuation(0, DUMMY)),
  'http2/6.10/4': breaks(CODE.protocol, get, continuation(1, DUMMY)),
  'http2/6.10/5': breaks(CODE.protocol, headers(1, GET, PART), continuation(1, DUMMY), continuation(1, DUMMY)),
  'http2/6.10/6': breaks(
    CODE.protocol,
    headers(1, POST, OPEN_PART),
    data(1, 'test'),
    continuation(1, DUMMY, false),
    continuation(0, DUMMY),
  ),
  'http2/7/1': pinged(never, goaway(0, 0xff)),
  'http2/7/2': pinged(post, rstStream(1, 0xff)),
};

const MESSAGES: Record<string, Case> = {
  'http2/8.1/1': resets(CODE.protocol, post, data(1, 'test', MORE), headers(1, [['x-test', 'ok']], OPEN)),
  'http2/8.1.2/1': resets(CODE.protocol, withField(['X-TEST', 'ok'])),
  'http2/8.1.2.1/1': resets(CODE.protocol, withField([':test', 'ok'])),
  'http2/8.1.2.1/2': resets(CODE.protocol, withField([':status', '200'])),
  'http2/8.1.2.1/3': resets(CODE.protocol, post, data(1, 'test', MORE), headers(1, [[':method', 'POST']], OPEN)),
  'http2/8.1.2.1/4': resets(CODE.protocol, headers(1, [['x-test', 'ok'], ...GET])),
  'http2/8.1.2.2/1': resets(CODE.protocol, withField(['connection', 'keep-alive'])),
  'http2/8.1.2.2/2': resets(CODE.protocol, withField(['trailers', 'test'], ['te', 'trailers, deflate'])),
  'http2/8.1.2.3/1': resets(CODE.protocol, headers(1, request(''))),
  'http2/8.1.2.3/2': resets(CODE.protocol, without(':method', ':scheme')),
  'http2/8.1.2.3/3': resets(CODE.protocol, without(':scheme')),
  'http2/8.1.2.3/4': resets(CODE.protocol, without(':path')),
  'http2/8.1.2.3/5': resets(CODE.protocol, withField([':method', 'GET'])),
  'http2/8.1.2.3/6': resets(CODE.protocol, withField([':scheme', 'http'])),
  'http2/8.1.2.3/7': resets(CODE.protocol, withField([':path', '/'])),
  'http2/8.1.2.6/1': resets(CODE.protocol, headers(1, [...POST, ['content-length', '1']], OPEN), data(1, 'test')),
  'http2/8.1.2.6/2': resets(
    CODE.protocol,
    headers(1, [...POST, ['content-length', '1']], OPEN),
    data(1, 'test', MORE),
    data(1, 'test'),
  ),
  'http2/8.2/1': breaks(CODE.protocol, pushPromise(1, 3, GET)),
};

/** RFC 7541 §6.3. */
function sizeUpdate(bytes: number): Buffer {
  const update = integer(bytes, 5);
  update[0]! |= 0x20;
  return update;
}

export const SERVER_CASES: Readonly<Record<string, Case>> = { ...GENERIC, ...HPACK, ...FRAMES, ...MESSAGES };
