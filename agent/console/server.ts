/**
 * The console over HTTP: pages and assets for anybody who may connect, the API for who may look.
 *
 * On the node's loopback, beside the admin API, whoever is on this machine may look (console.loopback). At console.listen it
 * is TLS and login. Nobody changes anything without a document that an operator's key signed.
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { refusal } from '../admin/routes.ts';
import { type Door, strangerProblem } from './access/guard.ts';
import { cookieName, isSame, type Sessions } from './access/sessions.ts';
import type { ConsoleApi, Viewer } from './api.ts';
import type { ConsoleConfig } from './config.ts';
import { badBody, cookieOf, readJson, sendJson } from './http.ts';
import { topicsBody } from './live/frames.ts';
import type { StreamHub } from './live/hub.ts';
import type { LoginDesk } from './login/desk.ts';
import type { StaticFiles } from './static.ts';

export const API = '/api/v1';
const MAX_URL = 8_192;

export interface ConsoleServerOptions {
  readonly config: ConsoleConfig;
  readonly api: ConsoleApi;
  readonly hub: StreamHub;
  readonly sessions: Sessions;
  readonly login: LoginDesk;
  readonly files: StaticFiles;
  readonly log: Logger;
}

export class ConsoleServer {
  readonly #options: ConsoleServerOptions;
  /** Of all who did not log in; pages of other origins can neither read nor send it. */
  readonly #anonymousCsrf = randomBytes(24).toString('base64url');

  constructor(options: ConsoleServerOptions) {
    this.#options = options;
  }

  /** Whether a request on the admin listener is for the console; the rest is the admin API's. */
  claims(path: string): boolean {
    return this.#options.config.loopback !== 'off' && isConsolePath(path);
  }

  handle(request: IncomingMessage, response: ServerResponse, isLoopback: boolean): void {
    this.#handle(request, response, { isLoopback, hosts: this.#options.config.hosts }).catch((err: unknown) => {
      this.#options.log.error({ err, url: request.url?.slice(0, 200) }, 'console request failed');
      sendJson(response, refusal(500, 'the agent failed to answer; its log says why'));
    });
  }

  async #handle(request: IncomingMessage, response: ServerResponse, door: Door): Promise<void> {
    const { url = '' } = request;
    const read = url.length > MAX_URL || !url.startsWith('/') ? null : URL.parse(url, 'http://console');
    const raw = url.split('?', 1)[0]!;
    if (read === null) return sendJson(response, refusal(414, `url: a path of at most ${MAX_URL} characters`));
    const isApi = raw === API || raw.startsWith(`${API}/`);
    const path = isApi ? raw.slice(API.length) : raw;
    const comesBack = isApi && path === '/login/oidc/callback';
    const problem = strangerProblem(request.headers, door, isApi && !comesBack ? 'own' : 'navigation');
    if (problem !== undefined) return sendJson(response, refusal(403, problem));
    if (!isApi) return this.#options.files.answer(request, response, raw);
    const asked = read.searchParams;
    if (path === '/login' || path.startsWith('/login/')) {
      return this.#options.login.answer(request, response, { path, asked, door });
    }
    await this.#api(request, response, { path, asked, door });
  }

  async #api(
    request: IncomingMessage,
    response: ServerResponse,
    { path, asked, door }: { path: string; asked: URLSearchParams; door: Door },
  ): Promise<void> {
    const viewer = this.#viewer(request, door);
    if (viewer === undefined) {
      const ways = this.#options.login.ways();
      return sendJson(response, { status: 401, body: { error: 'log in first', login: ways } });
    }
    const { method = '' } = request;
    if (method === 'GET' || method === 'HEAD') return this.#read(request, response, { path, asked, viewer, door });
    const csrf = request.headers['x-weft-csrf'];
    if (typeof csrf !== 'string' || !isSame(csrf, viewer.csrf)) {
      return sendJson(response, refusal(403, 'x-weft-csrf: send the token that GET /api/v1/session gives'));
    }
    if (path === '/logout' && method === 'POST') return this.#options.login.logout(request, response, door);
    if (!['POST', 'PUT'].includes(method)) return sendJson(response, refusal(405, `${method} is not offered here`));
    const body = await readJson(request);
    if (!body.ok) return sendJson(response, body.answer);
    const stream = /^\/stream\/([A-Za-z0-9_-]{1,64})\/topics$/.exec(path)?.[1];
    if (stream !== undefined && method === 'PUT') {
      const wanted = topicsBody.safeParse(body.value);
      if (!wanted.success) return sendJson(response, badBody(wanted.error, body.value));
      return sendJson(response, this.#options.hub.setTopics(stream, wanted.data.topics, viewer));
    }
    const answer = method === 'POST' ? await this.#options.api.write(path, body.value, viewer) : undefined;
    sendJson(response, answer ?? refusal(404, `no such path for ${method}: ${API}${path}`));
  }

  async #read(
    request: IncomingMessage,
    response: ServerResponse,
    { path, asked, viewer, door }: { path: string; asked: URLSearchParams; viewer: Viewer; door: Door },
  ): Promise<void> {
    if (path === '/stream')
      return this.#options.hub.open(request, response, () => this.#viewer(request, door), door.isLoopback);
    const answer = await this.#options.api.read(path, asked, viewer);
    sendJson(response, answer ?? refusal(404, `no such path: ${API}${path}`));
  }

  /** @returns undefined for somebody who has to log in first */
  #viewer(request: IncomingMessage, door: Door): Viewer | undefined {
    const session = this.#options.sessions.find(cookieOf(request, cookieName(door)));
    if (session !== undefined) {
      const { name, grants, csrf } = session;
      return { name, grants, csrf, seesRequests: true };
    }
    const { loopback } = this.#options.config;
    if (!door.isLoopback || (loopback !== 'view' && loopback !== 'all')) return undefined;
    const grants = [{ role: 'view' as const, namespaces: ['*'] }];
    return { name: null, grants, csrf: this.#anonymousCsrf, seesRequests: loopback === 'all' };
  }
}

/** Of the paths on the admin listener; the rest is the admin API's. */
export function isConsolePath(path: string): boolean {
  return path.startsWith('/') && !path.startsWith('/v1/') && path !== '/metrics';
}
