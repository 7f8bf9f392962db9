/** The cases of h2spec in which Weft is the client, by id. Its request is stream 1, a POST that ended with its head. @module */

import {
  ACK,
  block,
  CODE,
  continuation,
  data,
  END_STREAM,
  type Fields,
  type HeadersOptions,
  headers,
  PADDED,
  ping,
  priority,
  raw,
  rstStream,
  SETTING,
  settings,
  TYPE,
  windowUpdate,
} from './frames.ts';
import { type Case, connectionError, DUMMY, pingAck, type Step, streamError } from './h2spec-case.ts';

const OK: Fields = [
  [':status', '200'],
  ['access-control-allow-origin', '*'],
];
const LARGE: Fields = Array.from({ length: 5 }, (_, i) => [`x-dummy${i}`, 'x'.repeat(4_000)] as const);
const PART: HeadersOptions = { endHeaders: false };
const OPEN_PART: HeadersOptions = { endStream: false, endHeaders: false };

const whole = headers(1, OK);
const open = headers(1, OK, { endStream: false });
const unknown = raw(0x16, 0, 0, '0000000000000000');
const misplacedPing = raw(TYPE.ping, 0, 3, '0000000000000000');

function pinged(...sends: Step[]): Case {
  return { sends: [...sends, ping()], expect: pingAck };
}

function breaks(code: number, ...sends: Step[]): Case {
  return { sends, expect: connectionError(code) };
}

function resets(code: number, ...sends: Step[]): Case {
  return { sends, expect: streamError(code) };
}

/** What the tester sends is its first frame. */
function first({ sends, expect }: Case): Case {
  return { isBare: true, sends, expect };
}

export const CLIENT_CASES: Readonly<Record<string, Case>> = {
  'client/1/1': { sends: [], expect: { kind: 'handshake' } },
  'client/4.1/1': pinged(unknown),
  'client/4.1/2': {
    sends: [raw(TYPE.ping, 0x16, 0, Buffer.alloc(8))],
    expect: { kind: 'ping-ack', token: '00'.repeat(8) },
  },
  'client/4.1/3': {
    sends: [raw(TYPE.ping, 0x16, 2 ** 31, Buffer.alloc(8))],
    expect: { kind: 'ping-ack', token: '00'.repeat(8) },
  },
  'client/4.2/1': pinged(open, data(1, Buffer.alloc(16_384))),
  'client/4.2/2': breaks(CODE.frameSize, open, data(1, Buffer.alloc(16_385))),
  'client/4.2/3': breaks(CODE.frameSize, headers(1, [...OK, ...LARGE])),
  'client/4.3/1': breaks(CODE.compression, raw(TYPE.headers, 5, 1, '40')),
  'client/5.1/1': breaks(CODE.protocol, data(2, 'test')),
  'client/5.1/2': breaks(CODE.protocol, rstStream(2, CODE.cancel)),
  'client/5.1/3': breaks(CODE.protocol, windowUpdate(2, 100)),
  'client/5.1/4': breaks(CODE.protocol, continuation(2, OK)),
  'client/5.1/5': breaks(CODE.streamClosed, open, rstStream(1, CODE.cancel), data(1, 'test')),
  'client/5.1/6': breaks(CODE.streamClosed, open, rstStream(1, CODE.cancel), whole),
  'client/5.1/7': breaks(CODE.protocol, open, rstStream(1, CODE.cancel), continuation(1, DUMMY)),
  'client/5.1/8': breaks(CODE.streamClosed, whole, data(1, 'test')),
  'client/5.1/9': breaks(CODE.streamClosed, whole, whole),
  'client/5.1/10': breaks(CODE.protocol, whole, continuation(1, DUMMY)),
  'client/5.1.1/1': breaks(CODE.protocol, headers(101, OK)),
  'client/5.4.1/1': breaks(CODE.protocol, misplacedPing),
  'client/5.4.1/2': breaks(CODE.protocol, misplacedPing),
  'client/5.5/1': pinged(unknown),
  'client/6.1/1': breaks(CODE.protocol, data(0, 'test')),
  'client/6.1/2': breaks(CODE.streamClosed, whole, data(1, 'test')),
  'client/6.1/3': breaks(
    CODE.protocol,
    headers(1, [...OK, ['content-length', '4']], { endStream: false }),
    raw(TYPE.data, END_STREAM | PADDED, 1, '0654657374'),
  ),
  'client/6.2/1': breaks(
    CODE.protocol,
    headers(1, OK, OPEN_PART),
    priority(1, { on: 0, weight: 256 }),
    continuation(1, DUMMY),
  ),
  'client/6.2/2': breaks(CODE.protocol, headers(0, OK)),
  'client/6.2/3': breaks(CODE.protocol, raw(TYPE.headers, PADDED, 1, Buffer.concat([Buffer.of(0xff), block(OK)]))),
  'client/6.3/1': breaks(CODE.protocol, priority(0, { on: 0, weight: 256 })),
  'client/6.3/2': resets(CODE.frameSize, open, raw(TYPE.priority, 0, 1, '80000001')),
  'client/6.4/1': breaks(CODE.protocol, rstStream(0, CODE.cancel)),
  'client/6.4/2': breaks(CODE.protocol, rstStream(2, CODE.cancel)),
  'client/6.4/3': breaks(CODE.frameSize, whole, raw(TYPE.rstStream, 0, 1, '000000')),
  'client/6.5/1': first(breaks(CODE.frameSize, raw(TYPE.settings, ACK, 0, '00'))),
  'client/6.5/2': first(breaks(CODE.protocol, raw(TYPE.settings, 0, 1, '000300000064'))),
  'client/6.5/3': first(breaks(CODE.frameSize, raw(TYPE.settings, 0, 0, '000300'))),
  'client/6.5.2/1': first(breaks(CODE.flowControl, settings([SETTING.initialWindowSize, 2 ** 31]))),
  'client/6.5.2/2': first(breaks(CODE.protocol, settings([SETTING.maxFrameSize, 16_383]))),
  'client/6.5.2/3': first(breaks(CODE.protocol, settings([SETTING.maxFrameSize, 2 ** 24]))),
  'client/6.5.2/4': first(pinged(settings([0xff, 1]))),
  'client/6.5.3/1': first({
    sends: [settings([SETTING.maxConcurrentStreams, 100])],
    expect: { kind: 'settings-ack' },
  }),
  'client/6.7/1': pinged(),
  'client/6.7/2': pinged(ping(true, Buffer.from('unasked!'))),
  'client/6.7/3': breaks(CODE.protocol, raw(TYPE.ping, 0, 1, Buffer.alloc(8))),
  'client/6.7/4': breaks(CODE.frameSize, raw(TYPE.ping, 0, 0, Buffer.alloc(6))),
  'client/6.8/1': breaks(CODE.protocol, raw(TYPE.goaway, 0, 1, Buffer.alloc(8))),
  'client/6.9/1': breaks(CODE.protocol, windowUpdate(0, 0)),
  'client/6.9/2': resets(CODE.protocol, open, windowUpdate(1, 0)),
  'client/6.9/3': breaks(CODE.frameSize, raw(TYPE.windowUpdate, 0, 0, '000001')),
  'client/6.9.1/1': breaks(CODE.flowControl, windowUpdate(0, 2 ** 31 - 1), windowUpdate(0, 2 ** 31 - 1)),
  'client/6.9.1/2': resets(CODE.flowControl, open, windowUpdate(1, 2 ** 31 - 1), windowUpdate(1, 2 ** 31 - 1)),
  'client/6.10/1': pinged(headers(1, OK, PART), continuation(1, DUMMY, false), continuation(1, DUMMY)),
  'client/6.10/2': breaks(CODE.protocol, headers(1, OK, OPEN_PART), continuation(1, DUMMY, false), data(1, 'test')),
  'client/6.10/3': breaks(CODE.protocol, headers(1, OK, PART), continuation(0, DUMMY)),
  'client/6.10/4': breaks(CODE.protocol, whole, continuation(1, DUMMY)),
  'client/6.10/5': breaks(CODE.protocol, headers(1, OK, PART), continuation(1, DUMMY), continuation(1, DUMMY)),
  'client/6.10/6': breaks(
    CODE.protocol,
    headers(1, OK, OPEN_PART),
    data(1, 'test'),
    continuation(1, DUMMY, false),
    continuation(0, DUMMY),
  ),
};
