/**
 * An HTTP/1.1 connection on which we send requests: to another agent, inside TLS, or to an application of this node.
 *
 * One request at a time. Between two it lies idle in its pool, still read, so that a peer that closes it or sends what
 * nobody asked for is noticed before the next request is given to it. What the peer did since the event loop last looked, the
 * kernel is asked (`isAlive`) before a request that must not be sent twice; where it breaks the connection even after that, the
 * kernel refuses the first write, and `isUntouched` says so. Once the kernel has taken a byte, the peer may have it.
 * @module
 */

import { Socket } from 'node:net';
import type { HttpConfig } from '../config.ts';
import type { RawEnd, ResponseSink, UpstreamStream } from '../http/streams.ts';
import type { ReasonCode } from '../reasons.ts';
import type { Sockets } from '../sockets.ts';
import { reset } from '../tcp/reset.ts';
import { BodyWriter, FRAME } from './body-writer.ts';
import { BodyDecoder, STEP } from './grammar/body.ts';
import { frameResponse } from './grammar/framing.ts';
import { BODY, type Head } from './grammar/head.ts';
import { HeadParser, NEED_MORE, REFUSED } from './grammar/head-parser.ts';
import { Outbox } from './outbox.ts';
import { writeRequestHead } from './serialize.ts';

export interface ClientConnectionOwner {
  /** The connection can take another request. */
  released(connection: Http1ClientConnection): void;
  /** The connection is closed or handed over; called once. */
  gone(connection: Http1ClientConnection, unsolicited: boolean): void;
}

export class Http1ClientConnection implements UpstreamStream {
  /** When it was given back; on the clock of `performance.now()`. For its pool. */
  idleSinceMs = 0;
  readonly #socket: Socket;
  readonly #transport: Socket;
  readonly #owner: ClientConnectionOwner;
  readonly #parser: HeadParser;
  readonly #decoder: BodyDecoder;
  readonly #out: Outbox;
  readonly #body: BodyWriter;
  /** Whether what is written goes to the kernel at once, so that a write that fails has brought nothing to the peer. */
  readonly #isPlain: boolean;
  /** The exchange being served; undefined while idle and after the end. */
  #sink: ResponseSink | undefined = undefined;
  #served = 0;
  #toHead = false;
  #requestEnded = false;
  #received = false;
  /** Whether all that was written for this request was refused. */
  #isUntouched = false;
  #inBody = false;
  #keepAlive = true;
  #isPaused = false;
  #isRunning = false;
  #chunk: Buffer | undefined = undefined;
  #at = 0;
  #errorCode = '';

  constructor(options: {
    readonly socket: Socket;
    readonly transport: Socket;
    readonly http: HttpConfig;
    readonly owner: ClientConnectionOwner;
  }) {
    const { socket, transport, http, owner } = options;
    this.#socket = socket;
    this.#transport = transport;
    this.#owner = owner;
    this.#parser = new HeadParser('response', http);
    this.#decoder = new BodyDecoder(http);
    this.#out = new Outbox(socket);
    this.#body = new BodyWriter(this.#out);
    this.#isPlain = socket === transport && socket instanceof Socket;
    socket.on('data', this.#onData);
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  /** Whether an idle connection can take a request; its end may have been seen but not yet told. */
  get isUsable(): boolean {
    return this.#keepAlive && !this.#socket.destroyed;
  }

  /** The same, and the kernel knows of no end that the event loop has not told yet. Of TLS the kernel knows nothing. */
  isAlive(sockets: Pick<Sockets, 'hasSpoken'>): boolean {
    return this.isUsable && !(this.#isPlain && sockets.hasSpoken(this.#socket));
  }

  get hasServed(): boolean {
    return this.#served > 0;
  }

  get isReused(): boolean {
    return this.#served > 1;
  }

  /** Only where the kernel refused the first write: of anything else, some may have been read before the connection broke. */
  get isUntouched(): boolean {
    return this.#isUntouched;
  }

  get isBlocked(): boolean {
    return this.#out.isBlocked;
  }

  begin(sink: ResponseSink): void {
    this.#sink = sink;
    this.#served++;
    this.#requestEnded = false;
    this.#received = false;
    this.#isUntouched = this.#isPlain;
    this.#inBody = false;
  }

  sendHead(head: Head, extra: string): void {
    this.#toHead = head.methodEnd - head.start === 4 && head.bytes[head.start] === 0x48 && head.method() === 'HEAD';
    this.#body.frame = head.body === BODY.chunked ? FRAME.chunked : FRAME.raw;
    writeRequestHead(this.#out, head, extra);
  }

  sendData(bytes: Buffer, start: number, end: number): void {
    this.#body.data(bytes, start, end);
  }

  sendEnd(trailers: string): void {
    this.#requestEnded = true;
    this.#body.end(trailers);
  }

  pauseResponse(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  resumeResponse(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  flush(): void {
    if (!this.#out.isDirty) return;
    this.#out.flush();
    // What the kernel refuses is known as soon as it was asked; all that happens later is about bytes that it took.
    if (this.#isUntouched) this.#isUntouched = this.#socket.errored !== null;
  }

  abort(): void {
    this.#sink = undefined;
    // The request may be half sent: a reset says so at once, and nobody mistakes it for an orderly end.
    reset({ socket: this.#socket, transport: this.#transport });
  }

  /** Closes an idle connection. */
  close(): void {
    this.#sink = undefined;
    this.#keepAlive = false;
    this.#socket.destroySoon();
  }

  detach(): RawEnd {
    const leftover = this.#chunk?.subarray(this.#at);
    this.#chunk = undefined;
    this.#sink = undefined;
    this.#socket.off('data', this.#onData);
    this.#socket.off('drain', this.#onDrain);
    this.#socket.off('end', this.#onEnd);
    this.#socket.off('close', this.#onClose);
    this.#owner.gone(this, false);
    return { socket: this.#socket, transport: this.#transport, leftover };
  }

  readonly #onData = (chunk: Buffer): void => {
    const sink = this.#sink;
    if (sink === undefined) {
      this.#unsolicited();
      return;
    }
    this.#received = true;
    this.#chunk = chunk;
    this.#at = 0;
    this.#run();
    sink.flush();
  };

  readonly #onDrain = (): void => {
    this.#out.isBlocked = false;
    this.#sink?.upstreamDrained();
  };

  readonly #onEnd = (): void => {
    const sink = this.#sink;
    this.#keepAlive = false;
    if (sink === undefined) {
      this.#socket.destroy();
      return;
    }
    if (this.#inBody && this.#decoder.isWholeAtClose()) {
      this.#complete(sink);
      sink.flush();
      return;
    }
    this.#fail('upstream-closed', 'it closed the connection');
  };

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    this.#errorCode = error.code ?? error.message;
  };

  readonly #onClose = (): void => {
    if (this.#sink !== undefined) {
      if (this.#errorCode === '') this.#fail('upstream-closed', 'it closed the connection');
      else this.#fail('upstream-reset', this.#errorCode);
    }
    this.#owner.gone(this, false);
  };

  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#chunk !== undefined && this.#sink !== undefined && this.#advance(this.#chunk, this.#sink));
    this.#chunk = undefined;
    this.#isRunning = false;
  }

  #advance(chunk: Buffer, sink: ResponseSink): boolean {
    if (!this.#inBody) return this.#readHead(chunk, sink);
    const decoder = this.#decoder;
    const position = decoder.step(chunk, this.#at, chunk.length);
    this.#at = position;
    switch (decoder.outcome) {
      case STEP.data:
        sink.responseData(chunk, decoder.dataStart, decoder.dataEnd);
        return position < chunk.length || decoder.isFinished;
      case STEP.end:
        // Bytes after the response belong to nobody: what they were meant for cannot be known.
        if (position < chunk.length) this.#keepAlive = false;
        this.#complete(sink);
        return false;
      case STEP.refused:
        this.#fail('upstream-malformed', decoder.refusal);
        return false;
      default:
        return false;
    }
  }

  #readHead(chunk: Buffer, sink: ResponseSink): boolean {
    const position = this.#parser.parse(chunk, this.#at, chunk.length);
    if (position === NEED_MORE) return false;
    const head = this.#parser.head;
    const refusal = position === REFUSED ? this.#parser.refusal : frameResponse(head, this.#toHead);
    if (refusal !== undefined) {
      this.#fail('upstream-malformed', refusal);
      return false;
    }
    this.#at = position;
    if (head.status < 200 && head.status !== 101) {
      sink.responseInterim(head);
      return position < chunk.length;
    }
    this.#keepAlive = head.keepAlive;
    this.#inBody = true;
    this.#decoder.begin(head.body, head.contentLength);
    sink.responseHead(head);
    return true;
  }

  #complete(sink: ResponseSink): void {
    sink.responseEnd(this.#decoder.trailers);
    this.#sink = undefined;
    this.#inBody = false;
    this.#chunk = undefined;
    this.#parser.head.release();
    const canServeAgain = this.#keepAlive && this.#requestEnded && !this.#socket.destroyed;
    if (canServeAgain) {
      this.resumeResponse();
      this.#owner.released(this);
    } else if (this.#requestEnded) this.close();
    else this.abort();
    sink.responseComplete();
  }

  #fail(reason: ReasonCode, detail: string): void {
    const sink = this.#sink;
    this.#sink = undefined;
    this.#chunk = undefined;
    if (!this.#socket.destroyed) this.abort();
    sink?.upstreamFailed(reason, detail, this.#received);
    sink?.flush();
  }

  /** Bytes on an idle connection. */
  #unsolicited(): void {
    this.#owner.gone(this, true);
    this.#socket.destroy();
  }
}
