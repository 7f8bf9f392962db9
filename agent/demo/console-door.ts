/**
 * Where a browser reaches the consoles of the demo. Nodes with a network of their own have loopbacks of their own too, which no
 * browser reaches: for these the demo listens here, and passes on to the agent's socket what is for the console, and that alone.
 * @module
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isConsolePath } from '../console/server.ts';
import { systemCode } from '../errors.ts';
import type { DemoMesh } from './mesh.ts';
import { ADMIN_PORT } from './workspace.ts';

const HOST = '127.0.0.1';
const MAX_CONNECTIONS = 128;

export class ConsoleDoors implements AsyncDisposable {
  /** One for each node, in their order. */
  readonly urls: readonly string[];
  readonly #servers: readonly Server[];

  private constructor(urls: readonly string[], servers: readonly Server[]) {
    this.urls = urls;
    this.#servers = servers;
  }

  static async open({ agents, ground }: Pick<DemoMesh, 'agents' | 'ground'>): Promise<ConsoleDoors> {
    const urls: string[] = [];
    const servers: Server[] = [];
    for (const { node, socket } of agents) {
      const { loopback, isReachable } = ground.nodePlace(node);
      if (isReachable) {
        urls.push(`http://${loopback}:${ADMIN_PORT}/`);
        continue;
      }
      const server = await listenNear(ADMIN_PORT + node.index - 1, socket);
      servers.push(server);
      urls.push(`http://${HOST}:${(server.address() as AddressInfo).port}/`);
    }
    return new ConsoleDoors(urls, servers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) server.close().closeAllConnections();
  }
}

/** On the port that agents use, or where that is taken on any. */
async function listenNear(port: number, socketPath: string): Promise<Server> {
  const server = createServer((asked, response) => passOn(asked, response, socketPath));
  server.maxConnections = MAX_CONNECTIONS;
  for (const wanted of [port, 0]) {
    try {
      server.listen(wanted, HOST);
      await once(server, 'listening');
      return server;
    } catch (err) {
      if (systemCode(err) !== 'EADDRINUSE' || wanted === 0) throw err;
    }
  }
  return server;
}

function passOn(asked: IncomingMessage, response: ServerResponse, socketPath: string): void {
  const { method, url = '', headers } = asked;
  if (!isConsolePath(url.split('?', 1)[0]!)) {
    response.writeHead(404).end('only the console is here\n');
    return;
  }
  const passed = request({ socketPath, method, path: url, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  passed.on('error', () => {
    if (!response.headersSent) response.writeHead(502);
    response.end('the agent of this node does not answer\n');
  });
  response.on('close', () => passed.destroy());
  asked.pipe(passed);
}
