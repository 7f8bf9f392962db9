/**
 * The socket below a connection that carries streams. It is always read, for windows bound what may arrive; whatever all
 * streams send within one turn of the event loop leaves at its end as one write; what one read brings, streams pass on as one
 * write each; and where the other side is silent while streams are open, it is asked. The tunnel between agents and HTTP/2
 * differ in frames, not in this.
 * @module
 */

import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import type { Deadlines, Timed } from '../deadlines.ts';
import { Outbox } from '../http1/outbox.ts';
import { reset } from '../tcp/reset.ts';
import type { CarriedStream } from './carrier.ts';

export interface LineOptions {
  readonly socket: Socket;
  /** The TCP socket below TLS, the same as `socket` for plaintext. */
  readonly transport: Socket;
  readonly deadlines: Deadlines;
}

/** The connection on it. None of these is called once the line is left. */
export interface LineOwner {
  /** Reads the frames of a chunk. Streams that they are about are touched. @returns whether they can be read */
  read(chunk: Buffer): boolean;
  /** After the streams have been told of what could be read. */
  unreadable(): void;
  /** The socket takes bytes again. */
  drained(): void;
  /** The other side has closed; the connection leaves. */
  ended(): void;
  /** Once a second. */
  checked(nowMs: number): void;
}

/** How long silence may last, in milliseconds. */
export interface Patience {
  /** Without a stream. */
  readonly idleTimeoutMs: number;
  /** With streams, before the other side is asked. */
  readonly pingIntervalMs: number;
  /** Before it answers. */
  readonly pingTimeoutMs: number;
}

export const CHECK_MS = 1_000;
/** What a TLS record brings at most; after a full one more is to be expected. */
const RECORD_BYTES = 16_384;
/** Streams are told by then that all has come, however much goes on coming in this turn. */
const SETTLE_BYTES = 65_536;

export class Line implements Timed {
  readonly out: Outbox;
  deadlineMs: number;
  isLeft = false;
  /** When something came last; at first, when the line was made. */
  heardMs = performance.now();
  readonly #options: LineOptions;
  readonly #owner: LineOwner;
  /** Streams that what is being read is about. */
  readonly #touched: CarriedStream[] = [];
  /** Read since they were told that all has come. */
  #unsettledBytes = 0;
  #isScheduled = false;
  #idleSinceMs = this.heardMs;
  #askedMs = Number.POSITIVE_INFINITY;

  constructor(options: LineOptions, owner: LineOwner) {
    const { socket } = options;
    this.#options = options;
    this.#owner = owner;
    this.out = new Outbox(socket);
    this.deadlineMs = this.heardMs + CHECK_MS;
  }

  /** Listens from now on. */
  open(): void {
    const { socket, deadlines } = this.#options;
    deadlines.add(this);
    socket.on('data', this.read);
    this.#takeReads(socket);
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('error', ignore);
    socket.on('close', this.#onClose);
    this.schedule();
    socket.resume();
  }

  get isBlocked(): boolean {
    return this.out.isBlocked;
  }

  /** Whether the socket can still be written to. */
  get isUsable(): boolean {
    return !this.isLeft && !this.#options.socket.destroyed;
  }

  /** Whatever has been written leaves at the end of this turn. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#flush);
  }

  /** The stream is told when all that came with this read has been. */
  touch(stream: CarriedStream): CarriedStream {
    if (!stream.isTouched) {
      stream.isTouched = true;
      this.#touched.push(stream);
    }
    return stream;
  }

  /** The last stream has ended. */
  idle(): void {
    this.#idleSinceMs = performance.now();
  }

  /** The other side answered. */
  answered(): void {
    this.#askedMs = Number.POSITIVE_INFINITY;
  }

  /** What its silence means. `ask`: it is to be asked now, and is taken to have been. */
  silence(nowMs: number, hasStreams: boolean, patience: Patience): 'idle' | 'dead' | 'ask' | undefined {
    if (!hasStreams) return nowMs - this.#idleSinceMs >= patience.idleTimeoutMs ? 'idle' : undefined;
    if (nowMs - this.#askedMs >= patience.pingTimeoutMs) return 'dead';
    if (nowMs - this.heardMs < patience.pingIntervalMs || this.#askedMs !== Number.POSITIVE_INFINITY) return undefined;
    this.#askedMs = nowMs;
    return 'ask';
  }

  onDeadline(): void {
    const nowMs = performance.now();
    this.deadlineMs = nowMs + CHECK_MS;
    this.#owner.checked(nowMs);
  }

  flush(): void {
    if (this.out.isDirty) this.out.flush();
  }

  /** Listens no more. The socket is still there; who leaves says what becomes of it. */
  leave(): void {
    this.isLeft = true;
    const { deadlines, socket } = this.#options;
    deadlines.delete(this);
    socket.off('data', this.read);
    socket.off('drain', this.#onDrain);
    socket.off('end', this.#onEnd);
  }

  /** Ends it so that the other side sees it broken. */
  reset(): void {
    reset(this.#options);
  }

  readonly read = (chunk: Buffer): void => {
    if (this.isLeft) return;
    this.heardMs = performance.now();
    this.#askedMs = Number.POSITIVE_INFINITY;
    const isReadable = this.#owner.read(chunk);
    this.#unsettledBytes += chunk.length;
    // What streams pass on of several full records leaves them as one write.
    if (isReadable && chunk.length === RECORD_BYTES && this.#unsettledBytes < SETTLE_BYTES) this.schedule();
    else this.#settle();
    if (!isReadable) this.#owner.unreadable();
  };

  /**
   * Node hands what TLS has read to `push`, whose queue takes a tick a read. What is always read needs none: it is taken
   * there. The queue still has what came before the line was, whatever follows until that has been read, and the end.
   */
  #takeReads(socket: Socket): void {
    socket.push = (chunk: Buffer | null): boolean => {
      if (chunk === null || this.isLeft || socket.readableLength > 0)
        return Readable.prototype.push.call(socket, chunk);
      this.read(chunk);
      return true;
    };
  }

  #settle(): void {
    this.#unsettledBytes = 0;
    for (const stream of this.#touched.splice(0)) {
      stream.isTouched = false;
      stream.settle();
    }
  }

  readonly #flush = (): void => {
    this.#isScheduled = false;
    this.#settle();
    if (!this.isLeft) this.flush();
  };

  readonly #onDrain = (): void => {
    this.out.isBlocked = false;
    this.#owner.drained();
  };

  readonly #onEnd = (): void => {
    this.#owner.ended();
    this.#options.socket.end();
  };

  readonly #onClose = (): void => {
    if (!this.isLeft) this.#owner.ended();
  };
}

/** What an error means is told by the 'close' that follows it. */
function ignore(): void {}
