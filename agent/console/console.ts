/** The web console of an agent, put together: pages, API, live streams, login, and the listener for other machines. @module */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import type { Revocations } from '../../certs/revocation.ts';
import { HttpListener } from '../admin/listen.ts';
import { Sessions } from './access/sessions.ts';
import type { ConsoleApi } from './api.ts';
import { shownCertificate, watchCertificate } from './certificate.ts';
import type { ConsoleConfig } from './config.ts';
import { StreamHub } from './live/hub.ts';
import { LoginDesk } from './login/desk.ts';
import { Nonces } from './login/nonces.ts';
import { Oidc } from './login/oidc.ts';
import { ConsoleServer } from './server.ts';
import { StaticFiles } from './static.ts';

export interface ConsoleOptions {
  readonly config: ConsoleConfig;
  readonly api: ConsoleApi;
  readonly node: () => NodeIdentity;
  readonly revocations: () => Revocations;
  readonly log: Logger;
  /** Where the build of the pages is. */
  readonly directory?: string;
  readonly nowMs?: () => number;
  readonly tickMs?: number;
}

export class Console implements AsyncDisposable {
  readonly #owned = new AsyncDisposableStack();
  readonly #hub: StreamHub;
  readonly #server: ConsoleServer;
  /** `address:port` for other machines; undefined where there is none. */
  listen: string | undefined;

  private constructor(options: ConsoleOptions) {
    const { config, api, node, revocations, log, directory, nowMs = Date.now, tickMs } = options;
    const sessions = new Sessions(nowMs, (issued) => revocations().covers(issued));
    const hub = new StreamHub({ api, log, nowMs, ...(tickMs === undefined ? {} : { tickMs }) });
    this.#hub = hub;
    const login = new LoginDesk({
      sessions,
      nonces: new Nonces(),
      trust: () => node().trust,
      revocations,
      operators: config.operators,
      oidc: config.oidc === undefined ? undefined : new Oidc(config.oidc, nowMs),
      nowMs,
      log,
    });
    this.#server = new ConsoleServer({ config, api, hub, sessions, login, files: new StaticFiles(directory), log });
  }

  static async start(options: ConsoleOptions): Promise<Console> {
    const console = new Console(options);
    const { config, node, log } = options;
    if (config.listen === '') return console;
    const read = () => shownCertificate(config, node());
    const shown = read();
    const listener = await HttpListener.onTlsAddress(config.listen, 'console.listen', {
      tls: shown,
      handler: (request, response) => console.#server.handle(request, response, false),
    });
    console.listen = listener.address;
    console.#owned.use(listener);
    console.#owned.use(watchCertificate({ read, shown, show: (next) => listener.showCertificate(next), log }));
    return console;
  }

  /** Browsers that are told what changes. */
  get streams(): number {
    return this.#hub.connected;
  }

  claims(path: string): boolean {
    return this.#server.claims(path);
  }

  handle(request: IncomingMessage, response: ServerResponse, isLoopback: boolean): void {
    this.#server.handle(request, response, isLoopback);
  }

  /** Tells browsers goodbye; before the listeners close, which would wait for their streams. */
  bye(): void {
    this.#hub[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.bye();
    await this.#owned.disposeAsync();
  }
}
