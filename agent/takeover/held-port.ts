/**
 * Keeps a port open between two lives of a node: peers that try it while neither listens would take the node for dead.
 *
 * What connects meanwhile gets no answer, as from a process that stands still, and tries again.
 * @module
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { parseSocketAddress } from '../addresses.ts';
import { AgentError } from '../errors.ts';

/** A peer that tries again has no use for its former attempts; the oldest is closed. */
const MAX_HELD = 256;

export class HeldPort implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {}); // its 'close' follows
      socket.once('close', () => this.#sockets.delete(socket));
      const [oldest] = this.#sockets;
      if (this.#sockets.size > MAX_HELD) oldest?.destroy();
    });
  }

  /** @throws AgentError when it cannot be shared, or is not an address of this machine */
  static async open(listen: string): Promise<HeldPort> {
    const wanted = parseSocketAddress(listen);
    if (wanted === undefined) throw new AgentError('WEFT_AGENT_ADDRESS_UNUSABLE', `gossip.listen ${listen}`);
    const server = createServer({ pauseOnConnect: true });
    const held = new HeldPort(server);
    try {
      server.listen({ host: wanted.address, port: wanted.port, reusePort: true, exclusive: true });
      await once(server, 'listening');
      return held;
    } catch (cause) {
      throw new AgentError('WEFT_AGENT_ADDRESS_UNUSABLE', `gossip.listen ${listen}`, { cause });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
