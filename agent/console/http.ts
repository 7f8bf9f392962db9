/** Small parts of HTTP that the console needs: bodies within bounds, cookies, and the headers on all its answers. @module */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import { type Answer, refusal } from '../admin/routes.ts';

/** A document may have 256 kB, which as a string of JSON can be twice that, and there is its certificate. */
export const MAX_BODY_BYTES = 1024 * 1024;
const BODY_MS = 5_000;
const MAX_SHOWN = 60;

export const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** On every answer; no header of CORS is among them, so no other origin reads any. */
export const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': CSP,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};

export type Body = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly answer: Answer };

/** Reads a JSON body. Sent as anything else it is refused: forms of other origins can send no JSON. */
export async function readJson(request: IncomingMessage): Promise<Body> {
  if (!/^application\/json(;|$)/.test(request.headers['content-type'] ?? '')) {
    return { ok: false, answer: refusal(415, 'content-type: send application/json') };
  }
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  const late = setTimeout(() => request.destroy(new Error('the body took too long')), BODY_MS);
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_BODY_BYTES) return tooLarge();
      chunks.push(chunk);
    }
    return { ok: true, value: JSON.parse(Buffer.concat(chunks).toString('utf8')) };
  } catch (err) {
    const isCut = !(err instanceof SyntaxError);
    return { ok: false, answer: isCut ? refusal(408, 'the body did not arrive whole') : refusal(400, 'not JSON') };
  } finally {
    clearTimeout(late);
  }
}

/** What is wrong with a body, by its field, and what was given there. */
export function badBody({ issues: [issue] }: z.ZodError, body: unknown): Answer {
  const path = issue?.path ?? [];
  const field = path.map(String).join('.');
  let given = body;
  for (const part of path) given = (given as Readonly<Record<PropertyKey, unknown>> | null | undefined)?.[part];
  const shown = given === undefined ? 'missing' : JSON.stringify(given).slice(0, MAX_SHOWN);
  return refusal(400, `${field === '' ? 'body' : field}: ${shown}: ${issue?.message ?? 'not valid'}`);
}

function tooLarge(): Body {
  return { ok: false, answer: refusal(413, `at most ${MAX_BODY_BYTES} bytes are read`) };
}

export function cookieOf({ headers }: IncomingMessage, name: string): string | undefined {
  for (const pair of (headers.cookie ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}

export function sendJson(response: ServerResponse, { status, body }: Answer, more: Record<string, string> = {}): void {
  const isText = typeof body === 'string';
  send(response, status, isText ? body : `${JSON.stringify(body)}\n`, {
    'content-type': isText ? 'text/plain; charset=utf-8' : 'application/json',
    'cache-control': 'no-store',
    ...more,
  });
}

export function send(
  response: ServerResponse,
  status: number,
  bytes: string | Uint8Array,
  headers: Record<string, string>,
): void {
  if (response.destroyed || response.headersSent) return;
  const isUnread = response.req.complete === false; // what comes after a refusal is not read
  response.writeHead(status, {
    ...HEADERS,
    ...headers,
    'content-length': Buffer.byteLength(bytes),
    ...(isUnread ? { connection: 'close' } : {}),
  });
  response.end(response.req.method === 'HEAD' ? undefined : bytes);
}
