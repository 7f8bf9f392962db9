/**
 * Requests at a fixed rate, as many clients would send them: none waits for the answer to another, and a latency counts
 * from the moment its request was due, so that a stalled proxy cannot hide by slowing down who measures it.
 * @module
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import { Latencies } from './latencies.ts';
import type { GeneratorOrder, LoadResult } from './load.ts';
import { Metronome } from './metronome.ts';

type Order = Extract<GeneratorOrder, { kind: 'open-loop' }>;

const REQUEST = Buffer.from('GET / HTTP/1.1\r\nHost: bench\r\n\r\n');
/** Connections that are opened before the clock starts; more when all are in use. */
const WARM = 16;
const GRACE_MS = 1_000;

export async function openLoop(order: Order): Promise<LoadResult> {
  const { requestsPerSecond: perSecond, seconds } = order;
  const latencies = new Latencies();
  const clients = new Clients(order, latencies);
  await clients.warm(WARM);
  const ticks = Math.round(perSecond * seconds);
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const metronome: Metronome = new Metronome({
    perSecond,
    ticks,
    onTick: (tick) => {
      clients.send(metronome.startMs + (tick * 1_000) / perSecond);
      if (tick === ticks - 1) resolve();
    },
  });
  await done;
  const deadlineMs = performance.now() + GRACE_MS;
  while (clients.open > 0 && performance.now() < deadlineMs) await after(1);
  latencies.failed += clients.open; // never answered
  await metronome.close();
  return latencies.result(seconds);
}

/** Connections kept alive; the one that was used last is used first. */
class Clients {
  /** Requests without an answer. */
  open = 0;
  readonly #order: Order;
  readonly #latencies: Latencies;
  readonly #idle: Client[] = [];

  constructor(order: Order, latencies: Latencies) {
    this.#order = order;
    this.#latencies = latencies;
  }

  async warm(count: number): Promise<void> {
    const clients = Array.from({ length: count }, () => this.#client());
    await Promise.all(clients.map(({ connected }) => connected));
    this.#idle.push(...clients);
  }

  send(dueMs: number): void {
    this.open++;
    const client = this.#idle.pop() ?? this.#client();
    client.send(dueMs);
  }

  #client(): Client {
    return new Client(this.#order, {
      answered: (client, dueMs) => {
        this.open--;
        this.#latencies.add(dueMs);
        this.#idle.push(client);
      },
      closed: (client, wasBusy) => {
        const at = this.#idle.indexOf(client);
        if (at !== -1) this.#idle.splice(at, 1);
        if (!wasBusy) return;
        this.open--;
        this.#latencies.failed++;
      },
    });
  }
}

interface ClientOwner {
  answered(client: Client, dueMs: number): void;
  closed(client: Client, wasBusy: boolean): void;
}

class Client {
  readonly connected: Promise<void>;
  readonly #socket: Socket;
  readonly #owner: ClientOwner;
  #dueMs = 0;
  #isBusy = false;
  /** Bytes of the response to come; undefined before its head. */
  #awaited: number | undefined = undefined;

  constructor({ host, port }: Order, owner: ClientOwner) {
    this.#owner = owner;
    this.#socket = connect({ host, port, noDelay: true });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.connected = promise;
    this.#socket.on('connect', resolve);
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      resolve();
      owner.closed(this, this.#isBusy);
      this.#isBusy = false;
    });
  }

  send(dueMs: number): void {
    this.#dueMs = dueMs;
    this.#isBusy = true;
    this.#awaited = undefined;
    this.#socket.write(REQUEST);
  }

  /** Small answers only: their heads come in one piece. */
  #read(chunk: Buffer): void {
    if (this.#awaited === undefined) {
      const headEnd = chunk.indexOf('\r\n\r\n') + 4;
      const head = chunk.toString('latin1', 0, headEnd);
      const length = /^HTTP\/1\.1 200 .*\r\ncontent-length: *(\d+)\r\n/is.exec(head)?.[1];
      if (length === undefined) {
        this.#socket.destroy();
        return;
      }
      this.#awaited = headEnd + Number(length);
    }
    this.#awaited -= chunk.length;
    if (this.#awaited > 0) return;
    this.#isBusy = false;
    this.#owner.answered(this, this.#dueMs);
  }
}
