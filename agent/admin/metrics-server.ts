/** /metrics for Prometheus, /healthz and /readyz for whoever restarts or waits for the agent. @module */
import type { RequestListener, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { HttpListener } from './listen.ts';

export interface MetricsServerOptions {
  /** `address:port`. */
  readonly listen: string;
  readonly registry: Registry;
  /** What is written after that of the registry, in pieces. */
  readonly traffic: () => AsyncIterable<string>;
  /** What the agent still waits for, such as `no member of the seed list answered`; empty when it is ready. */
  readonly waitingFor: () => readonly string[];
  readonly log: Logger;
}

export class MetricsServer implements AsyncDisposable {
  /** The address in use, with its port. */
  readonly listen: string;
  readonly #listener: HttpListener;

  private constructor(listener: HttpListener) {
    this.listen = listener.address;
    this.#listener = listener;
  }

  static async start(options: MetricsServerOptions): Promise<MetricsServer> {
    return new MetricsServer(await HttpListener.onAddress(options.listen, 'metrics.listen', handler(options)));
  }

  close(): Promise<void> {
    return this.#listener.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function handler({ registry, traffic, waitingFor, log }: MetricsServerOptions): RequestListener {
  return (request, response) => {
    request.resume();
    if (request.method !== 'GET' && request.method !== 'HEAD') return text(response, 405, 'use GET');
    switch (request.url?.split('?', 1)[0]) {
      case '/healthz':
        return text(response, 200, 'ok');
      case '/readyz': {
        const reasons = waitingFor();
        return reasons.length === 0
          ? text(response, 200, 'ready')
          : text(response, 503, `waiting for:\n${reasons.join('\n')}`);
      }
      case '/metrics':
        answer(response, registry, traffic).catch((err: unknown) => {
          log.error({ err }, 'metrics could not be collected');
          if (response.headersSent) response.destroy();
          else text(response, 500, 'metrics could not be collected; the log of the agent says why');
        });
        return;
      default:
        return text(response, 404, 'known here: /metrics, /healthz, /readyz');
    }
  };
}

async function answer(
  response: ServerResponse,
  registry: Registry,
  traffic: () => AsyncIterable<string>,
): Promise<void> {
  const first = await registry.metrics();
  response.writeHead(200, { 'content-type': registry.contentType });
  const pieces = async function* (): AsyncGenerator<string> {
    yield first;
    yield* traffic();
  };
  try {
    await pipeline(pieces, response);
  } catch (err) {
    if (!response.destroyed) throw err; // else whoever asked has left
  }
}

function text(response: ServerResponse, status: number, body: string): void {
  response
    .writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' })
    .end(`${body}\n`);
}
