/** A node whose console is the real one, pages, policy, session and stream, and whose answers are written down. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Answer } from '../../agent/admin/routes.ts';
import type { ConsoleApi } from '../../agent/console/api.ts';
import { consoleConfig } from '../../agent/console/config.ts';
import { Console } from '../../agent/console/console.ts';
import { answers, nothing, PARTIAL, SESSION, WHOLE } from './staged-answers.ts';

export const STATES = ['whole', 'partial', 'empty', 'error', 'forbidden'] as const;
export type State = (typeof STATES)[number];

export class StagedNode implements AsyncDisposable {
  readonly #owned = new AsyncDisposableStack();
  state: State = 'whole';
  url = '';
  /** Bodies that were posted, by path. */
  readonly posted: { readonly path: string; readonly body: unknown }[] = [];

  static async start(directory = join(import.meta.dirname, '../../dist/agent/console/web')): Promise<StagedNode> {
    const node = new StagedNode();
    const api: ConsoleApi = {
      read: (path, _asked, { csrf }) =>
        Promise.resolve(path === '/session' ? ok({ ...SESSION, csrf }) : node.#answer(path)),
      write: (path, body) => {
        node.posted.push({ path, body });
        return Promise.resolve(node.#answer(path));
      },
    };
    const unused = () => {
      throw new Error('a staged node has no identity');
    };
    const console = await Console.start({
      ...{ config: consoleConfig.parse({}), api, node: unused, revocations: unused, directory },
      log: pino({ level: 'silent' }),
    });
    node.#owned.use(console);
    const server = createServer((request, response) => console.handle(request, response, true));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    node.#owned.defer(() => void server.closeAllConnections());
    node.#owned.defer(() => void server.close());
    node.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return node;
  }

  #answer(path: string): Answer {
    if (this.state === 'error') return { status: 503, body: { error: 'the node is starting; ask again' } };
    if (this.state === 'forbidden') return { status: 403, body: { error: 'your roles do not allow it', role: 'view' } };
    const set = this.state === 'empty' ? nothing() : answers(this.state === 'partial' ? PARTIAL : WHOLE);
    const found = set.find(([pattern]) => pattern.test(path));
    return found === undefined ? { status: 404, body: { error: `${path} is not known` } } : ok(found[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

function ok(body: unknown): Answer {
  return { status: 200, body };
}
