/**
 * The token by which a session finds its backend and endpoint again: signed, so that a client can keep it but not choose.
 *
 * It is bound to the route that gave it. A token that is too long, not ours, forged or over is no token: the request is
 * balanced like the first of a session, and gets a new one.
 * @module
 */

import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Affinity } from '../traffic/rules.ts';
import type { RouteRequest } from './request.ts';

export interface Session {
  /** `id` of a CompiledBackend; '' where none is kept. */
  readonly backend: string;
  /** Whatever the balancer calls an endpoint; '' where none is kept. */
  readonly endpoint: string;
  /** Not valid from then on; 0: for ever. */
  readonly expiresAtMs: number;
}

/** Longer than any that is made of names within the limits of the registry. */
export const MAX_TOKEN_LENGTH = 1_024;

/** Parts of a token are separated by it; names of services and endpoints cannot hold it. */
const SEPARATOR = '|';
const MAC_LENGTH = 43; // 32 bytes in base64url

/**
 * @param key the same on all nodes
 * @param scope what the session is about, such as the route: a token of another one is none
 * @returns undefined where there is no key, or names are too long to be kept
 */
export function signSession(key: string, scope: string, session: Session): string | undefined {
  const { backend, endpoint, expiresAtMs } = session;
  if (key === '' || backend.includes(SEPARATOR) || endpoint.includes(SEPARATOR)) return undefined;
  const text = [expiresAtMs.toString(36), backend, endpoint].join(SEPARATOR);
  const payload = Buffer.from(text, 'utf8').toString('base64url');
  const token = `${payload}.${macOf(key, scope, payload).toString('base64url')}`;
  return token.length > MAX_TOKEN_LENGTH ? undefined : token;
}

/** @returns undefined for whatever is not a token of this scope that is still valid */
export function readSession(key: string, scope: string, token: string, nowMs: number): Session | undefined {
  if (key === '' || token.length > MAX_TOKEN_LENGTH) return undefined;
  const dot = token.indexOf('.');
  if (dot === -1 || token.length - dot - 1 !== MAC_LENGTH) return undefined;
  const payload = token.slice(0, dot);
  const mac = Buffer.from(token.slice(dot + 1), 'base64url');
  const expected = macOf(key, scope, payload);
  if (mac.length !== expected.length || !timingSafeEqual(mac, expected)) return undefined;
  const parts = Buffer.from(payload, 'base64url').toString('utf8').split(SEPARATOR);
  if (parts.length !== 3) return undefined;
  const [expires, backend, endpoint] = parts as [string, string, string];
  const expiresAtMs = Number.parseInt(expires, 36);
  if (Number.isNaN(expiresAtMs) || (expiresAtMs !== 0 && nowMs >= expiresAtMs)) return undefined;
  return { backend, endpoint, expiresAtMs };
}

/** The token a request brings, unread. */
export function tokenOf(request: RouteRequest, { type, name }: Affinity): string | undefined {
  return type === 'cookie' ? request.cookie(name) : request.header(name.toLowerCase());
}

/** The complete line by which a response hands the token out. */
export function tokenLine({ type, name, ttlMs, path }: Affinity, token: string): string {
  if (type === 'header') return `${name}: ${token}\r\n`;
  const age = ttlMs === undefined ? '' : `; Max-Age=${Math.max(0, Math.floor(ttlMs / 1_000))}`;
  return `Set-Cookie: ${name}=${token}; Path=${path ?? '/'}${age}; HttpOnly; SameSite=Lax\r\n`;
}

/** The separator cannot be part of a payload, so no two scopes and payloads give one text. */
function macOf(key: string, scope: string, payload: string): Buffer {
  return createHmac('sha256', key).update(`weft affinity\n${scope}\n${payload}`).digest();
}
