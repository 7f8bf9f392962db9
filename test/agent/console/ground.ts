/** A console as other machines and this one reach it, with real TLS and a real trust domain; the API behind it is a few lines. @module */
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { publishProblem } from '../../../agent/console/access/roles.ts';
import type { ConsoleApi } from '../../../agent/console/api.ts';
import { consoleConfig } from '../../../agent/console/config.ts';
import { Console } from '../../../agent/console/console.ts';
import { loginStatement } from '../../../agent/console/login/statement.ts';
import type { NodeIdentity } from '../../../certs/node-bundle.ts';
import {
  issueOperatorBundle,
  loadOperatorBundle,
  type OperatorIdentity,
  signAsOperator,
} from '../../../certs/operator-bundle.ts';
import { type RevocationEntry, Revocations } from '../../../certs/revocation.ts';
import { makeNode, TemporaryDirectory } from '../../certs/trust.ts';

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: an answer of any path
  readonly json: any;
}

export interface Sent {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  /** Over the listener for other machines. */
  readonly far?: boolean;
}

export class ConsoleGround implements AsyncDisposable {
  readonly directory = new TemporaryDirectory();
  readonly node: NodeIdentity;
  readonly revoked: RevocationEntry[] = [];
  /** What the clock of the console says beyond the real one. */
  aheadMs = 0;
  near = 0;
  far = 0;
  console!: Console;
  readonly #owned = new AsyncDisposableStack();

  private constructor() {
    this.#owned.use(this.directory);
    this.node = makeNode(this.directory);
  }

  /** @param config as under `console:` in agent.yaml */
  static async open(
    config: Readonly<Record<string, unknown>> = {},
    api: ConsoleApi = smallApi,
    options: { readonly tickMs?: number } = {},
  ): Promise<ConsoleGround> {
    const ground = new ConsoleGround();
    ground.console = ground.#owned.use(
      await Console.start({
        config: consoleConfig.parse({ listen: '127.0.0.1:0', ...config }),
        api,
        node: () => ground.node,
        revocations: () => new Revocations(ground.revoked),
        directory: ground.#build(),
        log: pino({ level: 'silent' }),
        nowMs: () => Date.now() + ground.aheadMs,
        ...options,
      }),
    );
    ground.far = Number(ground.console.listen?.split(':')[1]);
    const server = createServer((request, response) => ground.console.handle(request, response, true)).listen(
      0,
      '127.0.0.1',
    );
    await once(server, 'listening');
    ground.#owned.defer(() => void server.close().closeAllConnections());
    ground.near = (server.address() as AddressInfo).port;
    return ground;
  }

  operator(name: string, scope: readonly string[] = ['*/*']): OperatorIdentity {
    const directory = this.directory.sub(`operator-${name}`);
    issueOperatorBundle({ trustDirectory: this.directory.sub('trust'), name, scope, directory });
    return loadOperatorBundle(directory);
  }

  host(far = true): string {
    return `127.0.0.1:${far ? this.far : this.near}`;
  }

  async ask(path: string, { method = 'GET', headers = {}, body, far = true }: Sent = {}): Promise<Answered> {
    const options = { host: '127.0.0.1', port: far ? this.far : this.near, path, method, headers, agent: false };
    const request = far ? httpsRequest({ ...options, rejectUnauthorized: false }) : httpRequest(options);
    request.on('error', () => {}); // the answer may come before all of the body is taken
    request.end(body);
    const [response] = await once(request, 'response');
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const isJson = response.headers['content-type'] === 'application/json';
    return {
      status: response.statusCode,
      headers: response.headers,
      text,
      json: isJson ? JSON.parse(text) : undefined,
    };
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}, far = true): Promise<Answered> {
    const sent = { 'content-type': 'application/json', ...headers };
    return this.ask(path, { method: 'POST', body: JSON.stringify(body), headers: sent, far });
  }

  async nonce(): Promise<string> {
    return (await this.ask('/api/v1/login')).json.nonce;
  }

  /** As the browser does it. */
  loginWith(operator: OperatorIdentity, nonce: string, host = this.host()): Promise<Answered> {
    const signature = signAsOperator(operator, loginStatement({ trustDomain: operator.trustDomain, host, nonce }));
    return this.post('/api/v1/login', {
      nonce,
      certificate: operator.certificate.raw.toString('base64'),
      signature: Buffer.from(signature).toString('base64'),
    });
  }

  /** Headers of somebody who is logged in: the cookie, and the token for what is not GET. */
  async login(operator: OperatorIdentity): Promise<Record<string, string>> {
    return this.sessionOf(await this.loginWith(operator, await this.nonce()));
  }

  async sessionOf(answered: Answered): Promise<Record<string, string>> {
    const cookie = String(answered.headers['set-cookie']).split(';')[0]!;
    const { json } = await this.ask('/api/v1/session', { headers: { cookie } });
    return { cookie, 'x-weft-csrf': json.csrf };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }

  /** What a build of the pages leaves, in small; and a secret beside it. */
  #build(): string {
    const web = this.directory.sub('web');
    mkdirSync(`${web}/assets`, { recursive: true });
    writeFileSync(`${web}/index.html`, '<!doctype html><title>Weft</title>');
    writeFileSync(`${web}/assets/index-AbCd1234.js`, 'export const weft = 1;');
    writeFileSync(`${web}/assets/index-AbCd1234.js.br`, 'not really brotli');
    writeFileSync(this.directory.sub('secret.html'), 'secret');
    return web;
  }
}

const smallApi: ConsoleApi = {
  read: (path, _asked, viewer) => {
    const { csrf, name: operator, grants: roles, seesRequests } = viewer;
    if (path === '/session') return answer({ csrf, operator, roles, seesRequests });
    return path === '/topology' ? answer({ nodes: [] }) : undefined;
  },
  write: (path, body, viewer) => {
    if (path !== '/documents') return undefined;
    const problem = publishProblem(viewer, body as { kind: string; namespace: string });
    return problem === undefined ? answer({}) : Promise.resolve({ status: 403, body: { error: problem } });
  },
};

function answer(body: unknown): Promise<{ status: number; body: unknown }> {
  return Promise.resolve({ status: 200, body });
}
