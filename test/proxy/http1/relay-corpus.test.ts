/**
 * The ambiguity corpus sent through real proxies: what reaches the application, what the client is told, and whether the
 * connection is trusted afterwards. The application here is a recorder that reads with a strict grammar of its own.
 * @module
 */

import { once } from 'node:events';
import net from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Mesh, TestServer } from '../mesh.ts';
import { type AmbiguityCase, type DeliveredResponse, loadCorpus } from './corpus.ts';
import { readStrict } from './strict-reader.ts';

const corpus = loadCorpus<AmbiguityCase>('http1/ambiguity.jsonl') ?? [];

/** Responses on a client's connection, as far as complete. */
function readResponses(
  input: string,
  methods: readonly string[],
): { status: number; body: string; head: string; complete: boolean }[] {
  const responses: { status: number; body: string; head: string; complete: boolean }[] = [];
  let rest = input;
  let final = 0;
  while (rest !== '') {
    const headEnd = rest.indexOf('\r\n\r\n');
    if (headEnd === -1) break;
    const head = rest.slice(0, headEnd + 2);
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
    rest = rest.slice(headEnd + 4);
    const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(head);
    let body = '';
    let complete = true;
    const isInterim = status < 200 && status !== 101;
    if (isInterim || status === 204 || status === 304 || methods[final] === 'HEAD') body = '';
    else if (/\r\ntransfer-encoding: *chunked\r\n/i.test(head)) {
      complete = false;
      for (;;) {
        const size = /^([0-9a-f]+)\r\n/i.exec(rest);
        if (size === null) break;
        const bytes = Number.parseInt(size[1]!, 16);
        if (bytes === 0) {
          const end = rest.indexOf('\r\n\r\n');
          complete = end !== -1;
          rest = complete ? rest.slice(end + 4) : '';
          break;
        }
        body += rest.slice(size[0].length, size[0].length + bytes);
        rest = rest.slice(size[0].length + bytes + 2);
      }
    } else if (length !== null) {
      body = rest.slice(0, Number(length[1]));
      complete = body.length === Number(length[1]);
      rest = rest.slice(Number(length[1]));
    } else {
      body = rest;
      rest = '';
    }
    if (!isInterim) final++;
    responses.push({ status, body, head, complete });
  }
  return responses;
}

/** Sends bytes and gathers the answer until the proxy closes, or nothing more can come. */
async function exchange(
  port: number,
  entry: AmbiguityCase,
  isDone: (received: string) => boolean,
): Promise<{ received: string; closed: boolean }> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let received = '';
  let closed = false;
  await once(socket, 'connect');
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
    if (isDone(received)) resolve();
  });
  socket.on('error', () => undefined);
  const onClosed = (): void => {
    closed = true;
    resolve();
  };
  socket.on('end', onClosed);
  socket.on('close', onClosed);
  const input = Buffer.from(entry.kind === 'request' ? entry.inputBase64 : '', 'base64');
  if (entry.kind === 'response') socket.write(`${entry.requestMethod} /r HTTP/1.1\r\nHost: a.example\r\n\r\n`);
  else if (entry.endOfInput) socket.end(input);
  else socket.write(input);
  await promise;
  socket.destroy();
  return { received, closed };
}

let mesh: Mesh;
let app: TestServer;
/** What the application does with bytes; set by each test. Its connections are pooled, so they outlive a test. */
let onBytes: (socket: net.Socket, chunk: string) => void = () => undefined;

beforeAll(async () => {
  app = await TestServer.tcp((socket) =>
    socket.on('data', (chunk: Buffer) => onBytes(socket, chunk.toString('latin1'))),
  );
  mesh = await Mesh.start(app.port, { config: { http: { requestHeadTimeoutMs: 300, lingerMs: 50 } } });
});

afterAll(async () => {
  await mesh[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

const MARK = '/end-of-case';

/** A length of four gigabytes is fine, but its body never comes. */
const NEVER_ENDS = 'req/chunk-size/two-to-32-plus-5';
/** Whatever follows would make `hello` the beginning of a method. */
const NO_PROBE = 'req/pipelining/bytes-after-empty-post';
/** The recorder does not switch protocols, so the bytes after the request are an ordinary second one. */
const IGNORED_UPGRADE = 'req/upgrade/websocket-then-bytes';
/** Two hops count down by two. */
const TWO_HOPS = 'req/body-and-method/options-max-forwards';

describe.skipIf(corpus.length === 0)('requests that parsers disagree about, through two proxies', () => {
  const cases = corpus.filter((entry) => entry.kind === 'request' && entry.id !== NEVER_ENDS);
  test.each(cases.map((entry) => [entry.id, entry] as const))('%s', async (_id, entry) => {
    const connections = new Map<net.Socket, { bytes: string; answered: number }>();
    onBytes = (socket, chunk) => {
      const connection = connections.get(socket) ?? { bytes: '', answered: 0 };
      connections.set(socket, connection);
      connection.bytes += chunk;
      const { requests } = readStrict(connection.bytes);
      for (; connection.answered < requests.length; connection.answered++) {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      }
    };
    // After the case, one plain request on the same connection tells whether it is still in step.
    const expected = entry.expectedForwarded ?? [];
    const probe = {
      ...entry,
      inputBase64: Buffer.concat([Buffer.from(entry.inputBase64, 'base64'), probeFor(entry)]).toString('base64'),
    };
    const { received } = await exchange(
      mesh.port,
      probe,
      (text) => text.includes('\r\n\r\nok') && isAnswered(text, expected),
    );
    const recorded = [...connections.values()].flatMap(({ bytes }) => readStrict(bytes).requests);
    const probed = recorded.filter(({ target }) => target === MARK);
    const reached = recorded.filter(({ target }) => target !== MARK);
    if (entry.recommended === 'reject') {
      // What came before the fault may have arrived; the faulty one, and what hides in it, must not.
      const before = entry.verdict === 'must-reject' ? expected.length : 0;
      expect(reached.map(({ target }) => target)).toEqual(expected.slice(0, before).map(({ target }) => target));
      expect(probed).toEqual([]);
      const answers = readResponses(received, []);
      const refusal = answers.at(-1);
      if (refusal !== undefined && refusal.status !== 200) {
        if (entry.id === NO_PROBE) expect(refusal.status).toBe(408);
        else if (entry.status !== undefined) expect([entry.status].flat()).toContain(refusal.status);
        expect(refusal.head).toMatch(/\r\nweft-reason: [a-z0-9-]+\r\n/);
        expect(refusal.head).toMatch(/\r\nconnection: close\r\n/i);
      }
      return;
    }
    if (entry.id === IGNORED_UPGRADE) reached.splice(expected.length);
    expect(reached.map(({ method, target }) => `${method} ${target}`)).toEqual(
      expected.map(({ method, target }) => `${method} ${target}`),
    );
    for (const [i, want] of expected.entries()) {
      const got = reached[i]!;
      const valuesOf = (name: string): string[] =>
        got.fields.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
      expect(got.body).toBe(Buffer.from(want.bodyBase64, 'base64').toString('latin1'));
      if (want.host !== undefined) expect(valuesOf('host')).toEqual([want.host]);
      for (const [name, value] of want.headers ?? []) {
        expect(valuesOf(name)).toContain(entry.id === TWO_HOPS ? '3' : value);
      }
      for (const name of want.absentHeaders ?? []) {
        expect(valuesOf(name)).toEqual([]);
        const mayTrail = want.trailersMayInclude?.some(([key]) => key === name) ?? false;
        if (!mayTrail) expect(got.trailers.map(([key]) => key.toLowerCase())).not.toContain(name);
      }
    }
    if (entry.connectionAfter === 'open') expect(probed.length).toBe(1);
    if (entry.connectionAfter === 'close') expect(probed.length).toBe(0);
  });
});

/** Nothing is put behind input that is cut off on purpose. */
function probeFor(entry: AmbiguityCase): Buffer {
  return Buffer.from(
    entry.endOfInput || entry.id === NO_PROBE ? '' : `GET ${MARK} HTTP/1.1\r\nHost: a.example\r\n\r\n`,
    'latin1',
  );
}

function isAnswered(received: string, expected: readonly { readonly method: string }[]): boolean {
  const methods = expected.map(({ method }) => method);
  return readResponses(received, methods).filter(({ status }) => status >= 200).length > methods.length;
}

describe.skipIf(corpus.length === 0)('responses that parsers disagree about, through two proxies', () => {
  const cases = corpus.filter((entry) => entry.kind === 'response');
  test.each(cases.map((entry) => [entry.id, entry] as const))('%s', async (_id, entry) => {
    let request = 0;
    onBytes = (socket) => {
      if (++request > 1) {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nsecond!');
        return;
      }
      const input = Buffer.from(entry.inputBase64, 'base64');
      if (entry.endOfInput) socket.end(input);
      else socket.write(input);
    };
    const methods = [entry.requestMethod ?? 'GET'];
    const isDone = (text: string): boolean => {
      const last = readResponses(text, methods).at(-1);
      return last !== undefined && last.status >= 200 && last.complete;
    };
    const { received } = await exchange(mesh.port, entry, isDone);
    const answers = readResponses(received, methods);
    const final = answers.find(({ status }) => status >= 200);
    const want = [entry.expectedDelivered ?? []].flat().at(-1) as DeliveredResponse | undefined;
    const isRepaired = entry.recommended !== 'reject' && entry.id !== 'resp/response-syntax/space-before-colon';
    if (isRepaired && want !== undefined) {
      expect(final?.status).toBe(want.status);
      expect(final?.body).toBe(Buffer.from(want.bodyBase64, 'base64').toString('latin1'));
      for (const [name, value] of want.headers ?? []) {
        expect(final?.head.toLowerCase()).toContain(`\r\n${name.toLowerCase()}: ${value.toLowerCase()}\r\n`);
      }
      for (const name of want.absentHeaders ?? []) expect(final?.head.toLowerCase()).not.toContain(`\r\n${name}:`);
      if (want.interim !== undefined) {
        expect(answers.filter(({ status }) => status < 200).map(({ status }) => status)).toEqual(want.interim);
      }
    } else if (entry.id === 'resp/response-framing/extra-crlf') {
      expect(final?.body).toBe('ok'); // delivered; the connection is not used again
    } else if (entry.stage === 'body' && final !== undefined && final.status !== 502) {
      expect(final.complete).toBe(false);
    } else {
      expect(final?.status).toBe(502);
      expect(final?.head).toMatch(/\r\nweft-reason: upstream-/);
    }
  });
});
