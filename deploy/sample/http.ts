/** What every program of the shop shares: JSON over HTTP with /healthz, one log line an event, a clean stop. @module */
import { createServer, type IncomingMessage } from 'node:http';

const MAX_BODY_BYTES = 64 * 1024;
const STOP_TIMEOUT_MS = 1_000;
const ANSWER_TIMEOUT_MS = 5_000;

export interface Call {
  readonly method: string;
  readonly url: URL;
  readonly body: unknown;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Serves on HOST and PORT of the environment; default: every address, 8080. */
export function serve(service: string, answer: (call: Call) => Answer | Promise<Answer>): void {
  const server = createServer({ keepAliveTimeout: 60_000 }, async (request, response) => {
    const reply = ({ status, body }: Answer): void => {
      const text = `${JSON.stringify(body)}\n`;
      response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
      response.end(text);
    };
    try {
      const url = new URL(`http://${service}${request.url}`);
      if (url.pathname === '/healthz') reply({ status: 200, body: { service, ok: true } });
      else reply(await answer({ method: request.method ?? 'GET', url, body: await readJson(request) }));
    } catch (error) {
      log(service, 'request failed', { method: request.method, url: request.url, error: String(error) });
      if (!response.headersSent) reply({ status: 502, body: { service, error: String(error) } });
    }
  });
  server.listen(Number(process.env.PORT ?? 8080), process.env.HOST ?? '::', () =>
    log(service, 'listening', { address: server.address() }),
  );
  process.once('SIGTERM', () => {
    server.close(() => process.exit(0));
    setTimeout(() => process.exit(0), STOP_TIMEOUT_MS).unref();
  });
}

export function log(service: string, message: string, facts: Record<string, unknown> = {}): void {
  console.log(JSON.stringify({ time: new Date().toISOString(), service, message, ...facts }));
}

/** @throws Error naming the URL when the other side does not answer 2xx within 5 s */
export async function callJson(url: string, body?: unknown): Promise<unknown> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(url, {
    ...(body === undefined ? {} : init),
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text.slice(0, 200).trim()}`);
  return JSON.parse(text);
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MAX_BODY_BYTES) throw new Error(`body over ${MAX_BODY_BYTES} bytes`);
  }
  return text === '' ? undefined : JSON.parse(text);
}
