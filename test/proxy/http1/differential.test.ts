/**
 * The same bytes through our engine and through Node's server, whose parser is llhttp: where they differ, the table says
 * why. What would be dangerous is no difference in strictness but in reading: both take the bytes, and see other requests.
 * @module
 */

import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AmbiguityCase, loadCorpus } from './corpus.ts';
import { readMessages } from './read-messages.ts';

/** What Weft refuses and Node takes, by our reason. */
const STRICTER: Readonly<Record<string, string>> = {
  'bad-chunk-extension': 'RFC 9112 §7.1.1: a value must follow the equals sign; Node reads over anything there',
  'bad-chunk-size':
    'a size of more than 16 digits is no size anybody sends, and parsers differ about where it overflows',
  'bad-connection-header':
    'Connection lists tokens; what else is in it might nominate a field for one parser and not for another',
  'bad-expectation':
    'RFC 9110 §10.1.1: 417 for what is not known; Node asks its application, and here it has none to ask',
  'bad-host': 'a Host that is no host could be routed two ways; Node never looks at it',
  'bad-request-line': 'one space each, and a version: Node takes an HTTP/0.9 line and repeated spaces',
  'bad-target': 'one of the four forms of RFC 9112 §3.2, for a method that may use it; Node takes any text',
  'bad-transfer-encoding': 'chunked alone, once: anything else is what smuggling is made of',
  'bad-version': 'HTTP/1.0 or 1.1, spelled exactly; Node also takes RTSP, ICE, and no version after two spaces',
  'bare-cr': 'a CR belongs to a CRLF; Node skips one before a request',
  'bare-lf': 'a line ends with CRLF; Node skips a bare LF before a request',
  'connect-not-supported': 'CONNECT is understood and not served',
  'duplicate-host': 'RFC 9112 §3.2: more than one Host is 400; Node keeps the first',
  'http10-transfer-encoding': 'RFC 9112 §6.1: in HTTP/1.0 its framing is faulty',
  'missing-host': 'RFC 9112 §3.2: 400 in HTTP/1.1, also when the target has an authority',
  'trace-with-body': 'RFC 9110 §9.3.8',
  'unknown-transfer-encoding':
    'RFC 9112 §6.1: 501 for a coding that is not understood; Node hands it to the application',
  'unsupported-version': 'another major version is another protocol',
};

/** What Node refuses and Weft takes, by the code of llhttp. */
const LAXER: Readonly<Record<string, string>> = {
  HPE_CLOSED_CONNECTION:
    'bytes after a request that closes: Weft does not look at them, Node reports them. Nobody reads them',
  HPE_INVALID_CONTENT_LENGTH: 'a Content-Length among trailers: Weft leaves it out of what it passes on (trailers.ts)',
  HPE_INVALID_TRANSFER_ENCODING:
    'the same among trailers; and white space around `chunked`, which RFC 9110 §5.5 strips',
  HPE_INVALID_METHOD: 'any token is a method (RFC 9110 §9.1); llhttp knows a list',
  HPE_INVALID_VERSION: 'RFC 9110 §2.5: a higher minor version is read as the highest that is known',
};

/** Streams of which the two see another number of requests, for reasons that have nothing to do with parsing. */
const OTHER_NUMBER: Readonly<Record<string, string>> = {
  'req/upgrade/websocket-then-bytes':
    'what follows an upgrade is no request: which the connection knows, and the parser alone not',
  'req/expect/empty': 'an empty Expect asks for nothing; Node calls `checkExpectation` with it',
};

interface Outcome {
  readonly requests: readonly { readonly method: string; readonly target: string; readonly body: string }[];
  /** Why reading stopped before the end; undefined where it did not. */
  readonly refusal: string | undefined;
}

let server: http.Server;
/** What was read of each connection. */
const outcomes = new Map<net.Socket, { requests: Outcome['requests'][number][]; refusal: string | undefined }>();

beforeAll(async () => {
  server = http.createServer({ maxHeaderSize: 32_768 }, (request, response) => {
    let body = '';
    request.setEncoding('latin1');
    request.on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      outcomes.get(request.socket)!.requests.push({ method: request.method!, target: request.url!, body });
      response.end();
    });
    request.on('error', () => undefined);
  });
  server.on('connection', (socket) => {
    outcomes.set(socket, { requests: [], refusal: undefined });
    socket.on('error', () => undefined);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    outcomes.get(socket as net.Socket)!.refusal = error.code ?? error.message;
    socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function throughNode(input: Buffer): Promise<Outcome> {
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  client.on('error', () => undefined);
  client.resume().end(input);
  const [socket] = await accepted;
  if (!socket.closed) await once(socket, 'close');
  client.destroy();
  const outcome = outcomes.get(socket)!;
  outcomes.delete(socket);
  return outcome;
}

function throughWeft(input: Buffer): Outcome {
  const { messages, refusal, idle } = readMessages('request', [input]);
  const requests = messages
    .filter(({ complete }) => complete)
    .map(({ start, body }) => ({ method: start.split(' ')[0]!, target: start.split(' ')[1]!, body }));
  return {
    requests,
    refusal: refusal ?? (idle || messages.at(-1)?.keepAlive === false ? undefined : 'request-truncated'),
  };
}

/** @returns what to look up in which table, or what no table can excuse */
async function disagreement(input: Buffer): Promise<string | undefined> {
  const [node, weft] = [await throughNode(input), throughWeft(input)];
  const shared = Math.min(node.requests.length, weft.requests.length);
  const isOtherReading =
    JSON.stringify(node.requests.slice(0, shared)) !== JSON.stringify(weft.requests.slice(0, shared));
  if (isOtherReading) return 'another reading';
  if (weft.refusal !== undefined && node.refusal === undefined) return `stricter ${weft.refusal}`;
  if (node.refusal !== undefined && weft.refusal === undefined) return `laxer ${node.refusal}`;
  if (node.requests.length === weft.requests.length || weft.refusal !== undefined) return undefined;
  return 'another number of requests';
}

/** Undefined where all is well or explained. */
function unexplained(found: string | undefined, id: string): string | undefined {
  const [, kind = '', subject = ''] = /^(stricter|laxer) (.*)$/.exec(found ?? '') ?? [];
  if (kind === 'stricter') return subject in STRICTER ? undefined : found;
  if (kind === 'laxer') return subject in LAXER ? undefined : found;
  return found === 'another number of requests' && id in OTHER_NUMBER ? undefined : found;
}

const BASES = [
  'GET /a?b HTTP/1.1\r\nHost: a\r\nX-One: 1\r\n\r\n',
  'POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
  'PUT /q HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nSum: 1\r\n\r\n',
  'GET http://b/c HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n',
];
const INSERTED = [
  ...['\r', '\n', '\r\n', ' ', '\t', '\0', ':', ',', ';', '0', 'A', '\x7f', '\xff', 'HTTP/1.0'],
  ...['\r\nHost: b', '\r\nContent-Length: 3', '\r\nTransfer-Encoding: chunked'],
];
const edit = fc.tuple(fc.nat(200), fc.constantFrom(...INSERTED), fc.nat(2));

/** Valid requests with up to three places altered. */
const altered = fc
  .tuple(fc.constantFrom(...BASES), fc.array(edit, { minLength: 1, maxLength: 3 }))
  .map(([text, edits]) =>
    edits.reduce((so, [place, what, removed]) => {
      const at = place % so.length;
      return so.slice(0, at) + what + so.slice(at + removed);
    }, text),
  );

test('altered requests are read as Node reads them, or the difference is one that the table explains', async () => {
  const property = fc.asyncProperty(altered, async (text) => {
    expect(unexplained(await disagreement(Buffer.from(text, 'latin1')), text)).toBeUndefined();
  });
  await fc.assert(property, { numRuns: 1_000, seed: Number(process.env.WEFT_SEED ?? 7) });
});

const corpus = (loadCorpus<AmbiguityCase>('http1/ambiguity.jsonl') ?? []).filter(({ kind }) => kind === 'request');

test.skipIf(corpus.length === 0)('so are the requests that parsers are known to disagree about', async () => {
  const differences: Record<string, string> = {};
  for (const { id, inputBase64 } of corpus) {
    const found = unexplained(await disagreement(Buffer.from(inputBase64, 'base64')), id);
    if (found !== undefined) differences[id] = found;
  }
  expect(differences).toEqual({});
});
