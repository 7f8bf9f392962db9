/** Requests to the API of the node that serves this page. Whatever is not GET carries the session's token. @module */
import type { Session } from '../../shapes/common.ts';

const BASE = '/api/v1';
/** An answer that takes longer is treated as none. */
const TIMEOUT_MS = 15_000;

export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** 0: no answer at all. */
  readonly status: number;
  readonly code: string;
  /** Problems of fields, where the node names them. */
  readonly details: unknown;
  constructor(status: number, code: string, message: string, details: unknown = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

/** `path` as in a topic: `/topology?view=service`. */
export function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return request<T>(path, { method: 'GET' }, signal);
}

export async function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  return send<T>('POST', path, body, signal);
}

export async function send<T>(method: string, path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const { csrf } = await session();
  const headers = { 'content-type': 'application/json', 'x-weft-csrf': csrf };
  return request<T>(path, { method, headers, body: JSON.stringify(body) }, signal);
}

let current: Promise<Session> | undefined;

/** Asked once; again after `forgetSession`, or when it failed. */
export function session(): Promise<Session> {
  current ??= get<Session>('/session').catch((error) => {
    current = undefined;
    throw error;
  });
  return current;
}

export function forgetSession(): void {
  current = undefined;
}

async function request<T>(path: string, init: RequestInit, signal?: AbortSignal): Promise<T> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  try {
    response = await fetch(BASE + path, {
      ...init,
      credentials: 'same-origin',
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(
      0,
      'no-answer',
      timeout.aborted ? 'The node did not answer in 15 s' : 'The node cannot be reached',
    );
  }
  const text = await response.text();
  const body = parse(text);
  if (response.ok && body !== undefined) return body as T;
  if (response.ok) throw new ApiError(response.status, 'not-json', `The answer to ${path} is not JSON`);
  if (response.status === 401 || response.status === 403) forgetSession();
  throw errorOf(response.status, body);
}

/** Of `{error, code?, details?}`, or of `{error: {code, message}}`. */
function errorOf(status: number, body: unknown): ApiError {
  const fields = isRecord(body) ? body : {};
  const inner = isRecord(fields.error) ? fields.error : fields;
  const message = [inner.message, inner.error, fields.error].find((value) => typeof value === 'string');
  const code = [inner.code, fields.code].find((value) => typeof value === 'string');
  return new ApiError(
    status,
    code ?? `http-${status}`,
    message ?? `The node answered ${status}`,
    fields.details ?? fields,
  );
}

function parse(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
