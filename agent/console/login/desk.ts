/**
 * Where browsers log in. GET /login: which ways there are, and a challenge. POST /login: an operator's signature of it.
 * GET /login/oidc and /login/oidc/callback: there and back again.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { type Answer, refusal } from '../../admin/routes.ts';
import { messageOf } from '../../errors.ts';
import type { Door } from '../access/guard.ts';
import { LoginLimit } from '../access/login-limit.ts';
import { cookieName, SESSION_MS, type Sessions, type Subject } from '../access/sessions.ts';
import { badBody, cookieOf, readJson, send, sendJson } from '../http.ts';
import type { Oidc } from './oidc.ts';
import { loginBody, type OperatorLoginOptions, operatorLogin } from './operator-login.ts';

const PENDING_COOKIE = 'weft-login';

export interface LoginDeskOptions extends OperatorLoginOptions {
  readonly sessions: Sessions;
  /** Whether operators log in with their key. */
  readonly operators: boolean;
  readonly oidc: Oidc | undefined;
  readonly log: Logger;
}

interface Visit {
  readonly path: string;
  readonly asked: URLSearchParams;
  readonly door: Door;
}

export class LoginDesk {
  readonly #options: LoginDeskOptions;
  readonly #limit = new LoginLimit();

  constructor(options: LoginDeskOptions) {
    this.#options = options;
  }

  ways(): { readonly operators: boolean; readonly oidc: boolean; readonly trustDomain: string } {
    const { operators, oidc, trust } = this.#options;
    return { operators, oidc: oidc !== undefined, trustDomain: trust().trustDomain };
  }

  async answer(request: IncomingMessage, response: ServerResponse, visit: Visit): Promise<void> {
    const { nowMs, nonces, operators, oidc } = this.#options;
    const route = `${request.method} ${visit.path}`;
    if (route === 'GET /login') {
      return sendJson(response, { status: 200, body: { ...this.ways(), nonce: nonces.make(nowMs()) } });
    }
    const address = request.socket.remoteAddress ?? '';
    const waitMs = this.#limit.take(address, nowMs());
    if (waitMs > 0) {
      const seconds = String(Math.ceil(waitMs / 1_000));
      return sendJson(response, refusal(429, `too many logins; wait ${seconds} s`), { 'retry-after': seconds });
    }
    if (route === 'POST /login' && operators) return this.#operator(request, response, visit);
    if (route === 'GET /login/oidc' && oidc !== undefined) return this.#begin(oidc, response, visit);
    if (route === 'GET /login/oidc/callback' && oidc !== undefined) return this.#finish(oidc, request, response, visit);
    sendJson(response, refusal(404, `no such way to log in: ${route}`));
  }

  logout(request: IncomingMessage, response: ServerResponse, door: Door): void {
    this.#options.sessions.close(cookieOf(request, cookieName(door)));
    sendJson(response, { status: 200, body: {} }, { 'set-cookie': cookie(door, '', 0) });
  }

  async #operator(request: IncomingMessage, response: ServerResponse, { door }: Visit): Promise<void> {
    const body = await readJson(request);
    if (!body.ok) return sendJson(response, body.answer);
    const checked = loginBody.safeParse(body.value);
    if (!checked.success) return sendJson(response, badBody(checked.error, body.value));
    const outcome = operatorLogin(checked.data, request.headers.host ?? '', this.#options);
    if (!outcome.ok) return sendJson(response, this.#refused(request, outcome.why));
    sendJson(response, { status: 200, body: {} }, { 'set-cookie': this.#admit(outcome.subject, door) });
  }

  async #begin(oidc: Oidc, response: ServerResponse, { door }: Visit): Promise<void> {
    try {
      const { location, pending } = await oidc.begin();
      // Lax: the browser has to bring it along when it comes back from the issuer. Path: only there.
      const kept = `${PENDING_COOKIE}=${pending}; Path=/api/v1/login/oidc; HttpOnly; SameSite=Lax; Max-Age=600${secure(door)}`;
      sendJson(response, { status: 302, body: {} }, { location, 'set-cookie': kept });
    } catch (err) {
      this.#options.log.warn({ err }, 'login by OpenID Connect could not begin');
      sendJson(response, refusal(502, `the issuer of console.oidc does not answer as it should: ${messageOf(err)}`));
    }
  }

  async #finish(oidc: Oidc, request: IncomingMessage, response: ServerResponse, visit: Visit): Promise<void> {
    const outcome = await oidc.finish(visit.asked, cookieOf(request, PENDING_COOKIE));
    if (!outcome.ok) return sendJson(response, this.#refused(request, outcome.why));
    // A page, and not a redirect: the cookie is Strict, and would not be sent on a way that began at the issuer.
    const page =
      '<!doctype html><meta http-equiv="refresh" content="0;url=/"><title>Weft</title><a href="/">Go on</a>\n';
    send(response, 200, page, {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'set-cookie': this.#admit(outcome.subject, visit.door),
    });
  }

  #admit(subject: Subject, door: Door): string {
    this.#options.log.info({ name: subject.name, isLoopback: door.isLoopback }, 'logged in to the console');
    return cookie(door, this.#options.sessions.open(subject), SESSION_MS / 1_000);
  }

  #refused(request: IncomingMessage, why: string): Answer {
    this.#options.log.warn({ address: request.socket.remoteAddress, why }, 'a login to the console was refused');
    return refusal(401, why);
  }
}

function cookie(door: Door, value: string, maxAgeS: number): string {
  return `${cookieName(door)}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeS}${secure(door)}`;
}

function secure({ isLoopback }: Door): string {
  return isLoopback ? '' : '; Secure';
}
