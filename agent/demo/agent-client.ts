/** Asking one agent of the demo over its admin socket. @module */
import { Pool } from 'undici';
import type { EndpointView, MemberView } from '../admin/views.ts';

const TIMEOUT_MS = 1_000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const LIMITS = { connections: 2, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS, connectTimeout: TIMEOUT_MS };

export class AgentClient implements AsyncDisposable {
  readonly #admin: Pool;
  readonly #metrics: Pool;

  /** @param metricsOrigin where /metrics can be reached by itself; otherwise it is asked for on the admin socket */
  constructor(socketPath: string, metricsOrigin: string | undefined) {
    this.#admin = new Pool('http://localhost', { ...LIMITS, socketPath });
    this.#metrics = metricsOrigin === undefined ? this.#admin : new Pool(metricsOrigin, LIMITS);
  }

  /** undefined when the agent does not answer: it is not up yet, or gone. */
  members(): Promise<readonly MemberView[] | undefined> {
    return this.#list<MemberView>('/v1/members');
  }

  /** What the agent would route to, of all nodes; those that are not ready are listed too. */
  endpoints(): Promise<readonly EndpointView[] | undefined> {
    return this.#list<EndpointView>('/v1/endpoints');
  }

  /** In Prometheus' text format; undefined when there is no answer. */
  metrics(): Promise<string | undefined> {
    return get(this.#metrics, '/metrics');
  }

  /** Twice is fine. */
  async close(): Promise<void> {
    await Promise.all([this.#admin, this.#metrics].map((pool) => (pool.destroyed ? undefined : pool.destroy())));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #list<T>(path: string): Promise<readonly T[] | undefined> {
    const text = await get(this.#admin, path);
    if (text === undefined) return undefined;
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? (list as T[]) : undefined; // an agent of our own version
  }
}

async function get(pool: Pool, path: string): Promise<string | undefined> {
  try {
    const { statusCode, body } = await pool.request({ path, method: 'GET' });
    let text = '';
    for await (const chunk of body.setEncoding('utf8')) {
      text += chunk;
      if (text.length > MAX_ANSWER_BYTES) return undefined;
    }
    return statusCode === 200 ? text : undefined;
  } catch {
    return undefined;
  }
}
