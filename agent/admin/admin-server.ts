/**
 * The admin API: JSON over a unix socket that only the agent's user may open, and over loopback TCP for reading.
 *
 * A browser on this machine can be made to ask loopback on behalf of a foreign page. Such a request is known by its Host
 * (DNS rebinding) or by Sec-Fetch-Site (cross-site), and refused; what changes anything is not offered on TCP at all. @module
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { isLoopback } from '../addresses.ts';
import { withoutSecrets } from '../log.ts';
import { HttpListener } from './listen.ts';
import { type AdminRoutes, type Answer, refusal } from './routes.ts';
import type { AdminSources } from './views.ts';

export interface AdminServerOptions {
  readonly socket: string;
  /** Loopback `address:port`. */
  readonly listen: string;
  readonly sources: AdminSources;
  /** Parts that read their requests themselves. */
  readonly routes?: readonly AdminRoutes[];
  /** Has its pages and its API on both. */
  readonly console?: ConsoleHandler;
  /** Whether the socket of a live agent may be replaced, because it hands over. */
  readonly mayReplace?: boolean;
  readonly log: Logger;
}

export interface ConsoleHandler {
  claims(path: string): boolean;
  handle(request: IncomingMessage, response: ServerResponse, isLoopback: boolean): void;
}

type Route = (sources: AdminSources) => unknown;

const READS: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['/v1/status', (sources) => sources.status()],
  ['/v1/members', (sources) => sources.members()],
  ['/v1/services', (sources) => sources.services()],
  ['/v1/endpoints', (sources) => sources.endpoints()],
  ['/v1/workloads', (sources) => sources.workloads()],
  ['/v1/capture', (sources) => sources.capture()],
  ['/v1/check', (sources) => sources.check()],
  ['/v1/config', (sources) => withoutSecrets(sources.config())],
  // Also here, because the listener of its own may be out of reach, in the network namespace of the node.
  ['/metrics', (sources) => sources.metrics()],
]);

/** POST, over the unix socket only. */
const ACTIONS: ReadonlyMap<string, Route> = new Map<string, Route>([
  [
    '/v1/shutdown',
    (sources) => {
      setImmediate(() => sources.shutdown()); // after the answer is on its way
      return { stopping: true };
    },
  ],
]);

export class AdminServer implements AsyncDisposable {
  /** The loopback address in use, with its port. */
  readonly listen: string;
  readonly socket: string;
  readonly #listeners: readonly HttpListener[];

  private constructor(onSocket: HttpListener, onAddress: HttpListener) {
    this.socket = onSocket.address;
    this.listen = onAddress.address;
    this.#listeners = [onSocket, onAddress];
  }

  static async start({ socket, listen, mayReplace, ...parts }: AdminServerOptions): Promise<AdminServer> {
    const onSocket = await HttpListener.onSocket(socket, handler({ ...parts, isPrivate: true }), mayReplace);
    try {
      const forAll = handler({ ...parts, isPrivate: false });
      return new AdminServer(onSocket, await HttpListener.onAddress(listen, 'admin.listen', forAll));
    } catch (err) {
      await onSocket.close();
      throw err;
    }
  }

  /** Closes the loopback address; the unix socket goes on. */
  async closeAddress(): Promise<void> {
    await this.#listeners[1]?.close();
  }

  async close(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

interface HandlerOptions extends Pick<AdminServerOptions, 'sources' | 'routes' | 'console' | 'log'> {
  /** Whether only the agent's own user can send requests here. */
  readonly isPrivate: boolean;
}

function handler(options: HandlerOptions): RequestListener {
  return (request, response) => {
    const { console } = options;
    if (console?.claims(request.url?.split('?', 1)[0] ?? '') === true) {
      console.handle(request, response, true);
      return;
    }
    answer(request, options)
      .finally(() => request.resume()) // what no route has read
      .then(
        (result) => send(response, result),
        (err: unknown) => {
          options.log.error({ err, url: request.url }, 'admin request failed');
          send(response, refusal(500, 'the agent failed to answer; its log says why'));
        },
      );
  };
}

async function answer(request: IncomingMessage, { sources, routes = [], isPrivate }: HandlerOptions): Promise<Answer> {
  const { method = '', url = '' } = request;
  const path = url.split('?', 1)[0] ?? '';
  if (!isPrivate && !isFromThisMachine(request)) {
    return refusal(403, 'only this machine may ask: use http://127.0.0.1, http://localhost or the unix socket');
  }
  const part = routes.find(({ paths }) => paths.some((known) => isAt(path, known)));
  if (part !== undefined) return part.answer(request, isPrivate);
  const read = READS.get(path);
  const action = ACTIONS.get(path);
  if (read !== undefined && method === 'GET') return { status: 200, body: await read(sources) };
  if (action !== undefined && method === 'POST') {
    if (!isPrivate) return refusal(403, `${path} is offered on the unix socket only`);
    return { status: 202, body: await action(sources) };
  }
  if (read !== undefined) return refusal(405, `${path} can only be read; use GET`);
  if (action !== undefined) return refusal(405, `${path} is an action; use POST`);
  const known = [...READS.keys(), ...ACTIONS.keys(), ...routes.flatMap(({ paths }) => paths)];
  return refusal(404, `no such path; known: ${known.join(', ')}`);
}

function isAt(path: string, known: string): boolean {
  return path === known || (known.endsWith('/') && path.startsWith(known));
}

function isFromThisMachine({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  const name = /^(?:\[([^\]]+)\]|([^:]*))(?::\d+)?$/.exec(headers.host ?? '');
  const host = name?.[1] ?? name?.[2]?.toLowerCase() ?? '';
  return host === 'localhost' || isLoopback(host);
}

function send(response: ServerResponse, { status, body }: Answer): void {
  const isText = typeof body === 'string';
  const text = isText ? body : `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'content-type': isText ? 'text/plain; charset=utf-8' : 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(text);
}
