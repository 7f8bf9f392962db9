/**
 * Serves the built console with a generated mesh behind the same API, for measuring only: what a browser does with 1,000 services
 * and 5,000 edges that all change every tick. The real server is agent/console/.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { diff, type Json } from '../../../../agent/console/live/patch.ts';
import { withShortFigures } from '../../../../agent/console/live/short-figures.ts';
import { generated, type Size, topologyAt } from './generate.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

interface Options extends Size {
  /** Of the built web part. */
  readonly dist: string;
  readonly tickMs: number;
  /** The clock of the mesh stands here, so that two runs draw the same. */
  readonly nowMs: number;
}
interface Stream {
  readonly id: string;
  readonly response: ServerResponse;
  readonly sent: Map<string, { seq: number; data: Json }>;
  topics: string[];
}

export async function serveFake(options: Options): Promise<{ readonly url: string; close(): Promise<void> }> {
  const streams = new Map<string, Stream>();
  let tick = 0;
  const mesh = generated(options);
  let topology: { readonly tick: number; readonly data: Json } | undefined; // one for all who ask, as the agent does
  const answer = (path: string): Json | undefined => {
    if (!path.startsWith('/topology')) return answerOf(path, options, tick);
    if (topology?.tick !== tick) {
      const nowMs = options.nowMs + tick * options.tickMs;
      topology = { tick, data: withShortFigures(topologyAt(options, tick, nowMs, mesh)) as unknown as Json };
    }
    return topology.data;
  };
  const push = (stream: Stream) => {
    for (const topic of stream.topics) sendTopic(stream, topic, answer(topic), options.nowMs + tick * options.tickMs);
  };
  const timer = setInterval(() => {
    tick += 1;
    for (const stream of streams.values()) push(stream);
  }, options.tickMs);
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    if (path === '/api/v1/stream') return openStream(response, streams, options.tickMs);
    const put = /^\/api\/v1\/stream\/([^/]+)\/topics$/.exec(path);
    if (request.method === 'PUT' && put !== null) return void takeTopics(request, response, streams.get(put[1]!), push);
    if (path.startsWith('/api/v1')) return sendJson(response, answer(path.slice('/api/v1'.length)));
    sendFile(response, options.dist, path);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${portOf(server)}`, close: () => closeAll(server, timer, streams) };
}

function answerOf(path: string, options: Options, tick: number): Json | undefined {
  const nowMs = options.nowMs + tick * options.tickMs;
  const coverage = { asked: 12, answered: 12, missing: [] };
  if (path === '/session') {
    return {
      node: 'node-1',
      mesh: 'shop.example',
      trustDomain: 'shop.example',
      version: '0.1.0',
      nowMs,
      operator: null,
      roles: [],
      csrf: 'fake',
      consoles: [],
    };
  }
  if (path === '/members') return { members: [], coverage };
  if (path === '/index') {
    const { nodes } = generated(options);
    return { entries: nodes.map(({ id }) => ({ kind: 'service', name: id, href: `/services/${id}` })) };
  }
  return undefined;
}

function openStream(response: ServerResponse, streams: Map<string, Stream>, tickMs: number): void {
  const stream: Stream = { id: randomUUID(), response, sent: new Map(), topics: [] };
  streams.set(stream.id, stream);
  response.on('close', () => streams.delete(stream.id));
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  sendFrame(response, 'hello', { kind: 'hello', streamId: stream.id, tickMs, isResumed: false });
}

async function takeTopics(
  request: IncomingMessage,
  response: ServerResponse,
  stream: Stream | undefined,
  push: (stream: Stream) => void,
): Promise<void> {
  let text = '';
  for await (const chunk of request) text += chunk;
  if (stream === undefined) return sendJson(response, undefined);
  stream.topics = (JSON.parse(text) as { topics: string[] }).topics;
  for (const topic of stream.sent.keys()) if (!stream.topics.includes(topic)) stream.sent.delete(topic);
  sendJson(response, {});
  push(stream);
}

function sendTopic(stream: Stream, topic: string, data: Json | undefined, atMs: number): void {
  const before = stream.sent.get(topic);
  const seq = (before?.seq ?? 0) + 1;
  if (data === undefined) return;
  stream.sent.set(topic, { seq, data });
  if (before === undefined)
    sendFrame(stream.response, 'snapshot', { kind: 'snapshot', topic, seq, atMs, data, problem: null });
  else
    sendFrame(stream.response, 'patch', {
      kind: 'patch',
      topic,
      seq,
      base: before.seq,
      atMs,
      patch: diff(before.data, data),
    });
}

function sendFrame(response: ServerResponse, event: string, frame: unknown): void {
  response.write(`event: ${event}\ndata: ${JSON.stringify(frame)}\n\n`);
}

function sendJson(response: ServerResponse, body: Json | undefined): void {
  response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body ?? { error: 'not found', code: 'not-found' }));
}

/** Pages of the console have no file: they are index.html. */
function sendFile(response: ServerResponse, dist: string, path: string): void {
  const name = normalize(new URL(path, 'http://fake').pathname);
  const isFile = name.startsWith('/assets/');
  try {
    const body = readFileSync(join(dist, isFile ? name : '/index.html'));
    response.writeHead(200, {
      'content-type': TYPES[isFile ? extname(name) : '.html'] ?? 'application/octet-stream',
      'content-security-policy': CSP,
    });
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function closeAll(server: Server, timer: NodeJS.Timeout, streams: Map<string, Stream>): Promise<void> {
  clearInterval(timer);
  for (const { response } of streams.values()) response.end();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
