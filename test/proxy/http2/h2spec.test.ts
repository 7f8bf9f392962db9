/**
 * The cases of h2spec, each by frames written by hand on a real socket against real proxies. Read strictly: a connection error
 * is a GOAWAY with its code and then the end of the connection, a stream error a RST_STREAM after which the connection
 * still answers.
 * @module
 */

import http from 'node:http';
import type net from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readCorpus } from '../http1/corpus.ts';
import { Mesh, TestServer } from '../mesh.ts';
import { CODE, headers, settings, TYPE } from './frames.ts';
import type { Case, Outcome } from './h2spec-case.ts';
import { CLIENT_CASES } from './h2spec-client.ts';
import { SERVER_CASES } from './h2spec-server.ts';
import { Peer, request } from './peer.ts';

interface SpecCase {
  readonly id: string;
  readonly role: 'server' | 'client';
  readonly title: string;
  readonly expect: { readonly kind: string; readonly codes?: readonly (keyof typeof NAMES)[] };
}

const NAMES = {
  PROTOCOL_ERROR: CODE.protocol,
  FLOW_CONTROL_ERROR: CODE.flowControl,
  STREAM_CLOSED: CODE.streamClosed,
  FRAME_SIZE_ERROR: CODE.frameSize,
  REFUSED_STREAM: CODE.refusedStream,
  COMPRESSION_ERROR: CODE.compression,
} as const;

const CLOSED = 'RFC 9113 §5.1 lets a frame on a closed stream end the connection: whoever sends it has lost count';
const SIZE =
  'what is left of the frame would have to be read over, up to 16 MB of it, for a peer that ignores our settings';
const PADDING = 'RFC 9113 §6.2 asks for a connection error';
const CONTINUATION = 'RFC 9113 §6.10 asks for a connection error, whatever the stream';

/** Where Weft does otherwise than the strict reading, or RFC 9113 than its predecessor. */
const DEVIATIONS: Readonly<Record<string, string>> = {
  'http2/3.5/2': 'these bytes are no HTTP/2 to begin with: the port serves HTTP/1.1, too, which answers 400 and closes',
  'http2/4.2/2': SIZE,
  'client/4.2/2': SIZE,
  'http2/5.1/1': 'RFC 9113 §5.1 asks for a connection error on an idle stream',
  'http2/5.1/7': CONTINUATION,
  'http2/5.1/8': CLOSED,
  'http2/5.1/9': CLOSED,
  'http2/5.1/10': CONTINUATION,
  'http2/5.1/11': CLOSED,
  'http2/5.1.1/2': 'a stream that was passed over is closed (RFC 9113 §5.1.1), and is not told from one that was used',
  'http2/5.3.1/1': 'priorities are read over (RFC 9113 §5.3.2)',
  'http2/5.3.1/2': 'priorities are read over (RFC 9113 §5.3.2)',
  'http2/6.2/4': PADDING,
  'http2/6.4/3': 'RFC 9113 §6.4 asks for a connection error',
  'http2/6.5/3': 'RFC 9113 §6.5 asks for a connection error',
  'client/5.1/5': CLOSED,
  'client/5.1/6': CLOSED,
  'client/5.1/7': CONTINUATION,
  'client/6.1/2': CLOSED,
  'client/6.2/3': PADDING,
  'client/6.4/3': 'RFC 9113 §6.4 asks for a connection error',
  'client/6.5/3': 'RFC 9113 §6.5 asks for a connection error',
};

const file = readCorpus('http2/h2spec.json');
const spec = file === undefined ? undefined : (JSON.parse(file) as { readonly cases: readonly SpecCase[] }).cases;
const titles = new Map(spec?.map(({ id, title }) => [id, title]));

describe.runIf(spec !== undefined)('the list of cases', () => {
  test('has a test for each case, and no test is of a case that it lacks', () => {
    const listed = (role: string): string[] => spec!.filter((one) => one.role === role).map(({ id }) => id);
    expect(Object.keys(SERVER_CASES).sort()).toEqual(listed('server').sort());
    expect(Object.keys(CLIENT_CASES).sort()).toEqual(listed('client').sort());
  });

  test('is expected as it says, but for the deviations listed here', () => {
    const all = { ...SERVER_CASES, ...CLIENT_CASES };
    const deviating = spec!.filter((one) => !isAsAsked(all[one.id]!.expect, one.expect)).map(({ id }) => id);
    expect(deviating.sort()).toEqual(Object.keys(DEVIATIONS).sort());
  });
});

const named = (cases: Readonly<Record<string, Case>>): [string, Case][] =>
  Object.entries(cases).map(([id, one]) => [`${id} ${titles.get(id) ?? ''}`, one]);

function isAsAsked(ours: Outcome, { kind, codes = [] }: SpecCase['expect']): boolean {
  const isCode = 'code' in ours && (codes.length === 0 || codes.some((name) => NAMES[name] === ours.code));
  switch (kind) {
    case 'connection-error':
    case 'goaway':
    case 'connection-close':
      return ours.kind === 'connection-error' && isCode;
    case 'stream-error':
    case 'rst-stream':
      return ours.kind === 'stream-error' && isCode;
    case 'ping-ack-or-close':
      return ours.kind === 'ping-ack';
    default:
      return ours.kind === kind;
  }
}

function hello(incoming: http.IncomingMessage, outgoing: http.ServerResponse): void {
  incoming.on('error', () => undefined).resume();
  if (incoming.url === '/never') return;
  incoming.on('end', () => outgoing.end('hello world'));
}

async function play(peer: Peer, { sends }: Case): Promise<void> {
  for (const step of sends) {
    if (Buffer.isBuffer(step)) peer.send(step);
    else await step(peer);
  }
}

async function judge(peer: Peer, outcome: Outcome): Promise<void> {
  switch (outcome.kind) {
    case 'connection-error': {
      const { payload } = await peer.of(TYPE.goaway);
      expect(payload.readUInt32BE(4)).toBe(outcome.code);
      await peer.ended();
      expect(peer.hasEnded).toBe(true);
      return;
    }
    case 'stream-error': {
      const { payload } = await peer.of(TYPE.rstStream, outcome.stream);
      expect(payload.readUInt32BE(0)).toBe(outcome.code);
      await peer.alive(Buffer.from('still up'));
      expect(peer.received.some(({ type }) => type === TYPE.goaway)).toBe(false);
      return;
    }
    case 'response': {
      const head = await peer.of(TYPE.headers, 1);
      expect(peer.fields(head)).toContainEqual([':status', outcome.status]);
      if ((head.flags & 1) === 0) await peer.next(({ stream, flags }) => stream === 1 && (flags & 1) === 1);
      return;
    }
    case 'data': {
      const { payload } = await peer.of(TYPE.data, 1);
      if (outcome.bytes !== undefined) expect(payload.length).toBe(outcome.bytes);
      return;
    }
    case 'ping-ack': {
      const { payload } = await peer.next(({ type, flags }) => type === TYPE.ping && flags === 1);
      expect(payload.toString('hex')).toBe(outcome.token ?? Buffer.from('12345678').toString('hex'));
      return;
    }
    case 'settings-ack':
      await peer.next(({ type, flags }) => type === TYPE.settings && flags === 1);
      return;
    case 'preface':
      expect(await peer.next(() => true)).toMatchObject({ type: TYPE.settings, flags: 0, stream: 0 });
      return;
    case 'handshake':
      return;
    case 'http1-refusal': {
      let text = '';
      peer.socket.on('data', (bytes) => {
        text += bytes.toString('latin1');
      });
      await peer.ended();
      expect(text).toMatch(/^HTTP\/1\.1 400 /);
    }
  }
}

describe.each(['http2', 'http'] as const)('as server, for an application of protocol %s', (protocol) => {
  let app: TestServer;
  let mesh: Mesh;
  beforeAll(async () => {
    app = await TestServer.of(http.createServer(hello));
    mesh = await Mesh.start(app.port, { protocol: 'http' });
    if (protocol === 'http2') {
      // Declared HTTP/2 where the client connects; behind the second proxy the application is what it is.
      mesh.a.proxy.apply(mesh.update({ endpoints: [mesh.endpoint({ protocol })] }));
    }
  });
  afterAll(async () => {
    await mesh[Symbol.asyncDispose]();
    await app[Symbol.asyncDispose]();
  });

  test.each(named(SERVER_CASES))('%s', async (_name, one) => {
    using peer =
      one.isBare === true ? await Peer.connect(mesh.port) : await Peer.client(mesh.port, ...(one.settings ?? []));
    await play(peer, one);
    await judge(peer, one.expect);
  });
});

describe('as client', () => {
  const waiting: ((socket: net.Socket) => void)[] = [];
  let app: TestServer;
  let mesh: Mesh;
  beforeAll(async () => {
    // A connection that no case waits for is that of a request sent again: it is not answered.
    app = await TestServer.tcp((socket) => waiting.shift()?.(socket));
    mesh = await Mesh.start(app.port, { protocol: 'http2' });
  });
  afterAll(async () => {
    await mesh[Symbol.asyncDispose]();
    await app[Symbol.asyncDispose]();
  });

  test.each(named(CLIENT_CASES))('%s', async (_name, one) => {
    const connected = new Promise<net.Socket>((resolve) => waiting.push(resolve));
    using client = await Peer.client(mesh.port);
    client.send(headers(1, request('/', 'POST')));
    using peer = new Peer(await connected);
    await peer.accept();
    if (one.isBare !== true) {
      peer.send(settings());
      await peer.greeted();
      await peer.of(TYPE.headers, 1);
    }
    await play(peer, one);
    await judge(peer, one.expect);
    // Closed before the next case begins: its request must not come this way.
    peer.socket.end();
    await peer.ended();
  });
});
