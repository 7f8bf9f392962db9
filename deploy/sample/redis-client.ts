/** A small Redis client: one connection, commands in order, dialled again when it broke. @module */
import { connect, type Socket } from 'node:net';
import { decode, encodeCommand, type Reply } from './resp.ts';

const MAX_WAITING = 1_000;
const TIMEOUT_MS = 4_000;

type Settle = (reply: Reply) => void;

export class RedisClient {
  readonly #url: URL;
  readonly #log: (message: string, facts: Record<string, unknown>) => void;
  #socket: Socket | undefined;
  #waiting: Settle[] = [];

  constructor(url: URL, log: (message: string, facts: Record<string, unknown>) => void) {
    this.#url = url;
    this.#log = log;
  }

  /** @throws Error that Redis answers, or when it does not: a broken connection fails what waits on it, nothing is resent */
  async command(...parts: readonly string[]): Promise<Reply> {
    if (this.#waiting.length >= MAX_WAITING) throw new Error(`redis: ${MAX_WAITING} commands wait already`);
    this.#socket ??= this.#dial();
    const { promise, resolve } = Promise.withResolvers<Reply>();
    this.#waiting.push(resolve);
    this.#socket.write(encodeCommand(parts));
    const reply = await promise;
    if (reply instanceof Error) throw reply;
    return reply;
  }

  #dial(): Socket {
    const socket = connect({ host: this.#url.hostname, port: Number(this.#url.port || 6379), noDelay: true });
    let pending: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      pending = pending.length > 0 ? Buffer.concat([pending, chunk]) : chunk;
      for (let item = decode(pending, 0); item; item = decode(pending, 0)) {
        pending = pending.subarray(item.next);
        this.#waiting.shift()?.(item.value);
      }
    });
    const broken = (error: Error): void => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#log('redis connection lost', { error: error.message, commands: this.#waiting.length });
      for (const settle of this.#waiting.splice(0)) settle(error);
      socket.destroy();
    };
    socket.on('error', broken).on('close', () => broken(new Error('redis: connection closed')));
    socket.setTimeout(TIMEOUT_MS, () => {
      if (this.#waiting.length > 0) broken(new Error(`redis: no answer in ${TIMEOUT_MS} ms`));
    });
    return socket;
  }
}
