/**
 * The client of the conformance suite, run inside a pod. Usage: client.ts JSON, with {request, times}; prints a list of answers.
 *
 * HTTP: a new connection for every request, redirects are not followed. gRPC: all calls over one connection, in plaintext with
 * prior knowledge. Up to 20 requests at a time.
 */
import http from 'node:http';
import http2 from 'node:http2';
import type { CaseRequest } from './data.ts';
import { readMessage, writeMessage } from './grpc-text.ts';

/** What came back. */
export interface CaseAnswer {
  /** 0 where there was none. */
  readonly status: number;
  readonly grpcStatus?: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  readonly error: string;
}

const AT_A_TIME = 20;
const PATIENCE_MS = 5_000;

const { request, times } = JSON.parse(process.argv[2]!) as { request: CaseRequest; times: number };
const [host, port = '80'] = splitHost(request.host);
console.log(JSON.stringify(await (request.protocol === 'http' ? overHttp() : overGrpc())));

async function overHttp(): Promise<CaseAnswer[]> {
  return batches(() => oneRequest());
}

async function overGrpc(): Promise<CaseAnswer[]> {
  const session = http2.connect(`http://${request.host}`);
  session.on('error', () => session.destroy());
  const answers = await batches(() => oneCall(session));
  session.destroy();
  return answers;
}

async function batches(send: () => Promise<CaseAnswer>): Promise<CaseAnswer[]> {
  const answers: CaseAnswer[] = [];
  while (answers.length < times) {
    const count = Math.min(AT_A_TIME, times - answers.length);
    answers.push(...(await Promise.all(Array.from({ length: count }, send))));
  }
  return answers;
}

function oneRequest(): Promise<CaseAnswer> {
  const { promise, resolve } = Promise.withResolvers<CaseAnswer>();
  const { method = 'GET', path = '/', headers } = request;
  const named = Object.keys(headers).some((name) => name.toLowerCase() === 'host');
  const asked = http.request({
    host,
    port: Number(port),
    method,
    path,
    headers: named ? headers : { Host: request.host, ...headers },
    agent: false,
    timeout: PATIENCE_MS,
  });
  const fail = (error: string): void => resolve({ status: 0, headers: [], body: '', error });
  asked.on('timeout', () => asked.destroy(new Error('timeout')));
  asked.on('error', (error) => fail(error.message));
  asked.on('response', (response) => {
    const pairs: [string, string][] = [];
    const raw = response.rawHeaders;
    for (let i = 0; i < raw.length; i += 2) pairs.push([raw[i]!, raw[i + 1]!]);
    let body = '';
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      body += text;
    });
    response.on('error', (error) => fail(error.message));
    response.on('end', () => resolve({ status: response.statusCode!, headers: pairs, body, error: '' }));
  });
  asked.end();
  return promise;
}

function oneCall(session: http2.ClientHttp2Session): Promise<CaseAnswer> {
  const { promise, resolve } = Promise.withResolvers<CaseAnswer>();
  const { service, rpc, headers } = request;
  const stream = session.request({
    ':method': 'POST',
    ':path': `/${service}/${rpc}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  const pairs: [string, string][] = [];
  const chunks: Buffer[] = [];
  let status = 0;
  let grpcStatus: number | undefined;
  const take = (fields: http2.IncomingHttpHeaders): void => {
    for (const [name, value] of Object.entries(fields)) pairs.push([name, String(value)]);
    if (fields['grpc-status'] !== undefined) grpcStatus = Number(fields['grpc-status']);
  };
  stream.setTimeout(PATIENCE_MS, () => stream.destroy(new Error('timeout')));
  stream.on('response', (fields) => {
    status = fields[':status'] ?? 0;
    take(fields);
  });
  stream.on('trailers', take);
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('error', (error) => resolve({ status: 0, headers: [], body: '', error: error.message }));
  stream.on('end', () => {
    const body = readMessage(Buffer.concat(chunks));
    resolve({ status, headers: pairs, body, error: '', ...(grpcStatus === undefined ? {} : { grpcStatus }) });
  });
  stream.end(writeMessage('hello'));
  return promise;
}

function splitHost(text: string): readonly string[] {
  const match = /^(.*?)(?::(\d+))?$/.exec(text)!;
  return match[2] === undefined ? [match[1]!] : [match[1]!, match[2]];
}
