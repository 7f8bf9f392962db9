/**
 * An HTTP/1.1 connection on which a client sends requests to us: reads them one after the other, hands them to its
 * exchange, writes the responses.
 *
 * Requests are taken strictly in turn: bytes of the next one wait, and the socket is not read on, until the response is
 * complete and the client has taken enough of it. Handlers are bound once; per request nothing is allocated here.
 * @module
 */

import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { HttpConfig } from '../config.ts';
import type { Timed } from '../deadlines.ts';
import { type Answer, answerHead } from '../http/answer.ts';
import { Exchange, type HttpContext } from '../http/exchange.ts';
import type { Route } from '../http/route.ts';
import type { DownstreamStream, RawEnd } from '../http/streams.ts';
import type { ReasonCode } from '../reasons.ts';
import { reset } from '../tcp/reset.ts';
import { BodyWriter, FRAME } from './body-writer.ts';
import { BodyDecoder, STEP } from './grammar/body.ts';
import { frameRequest } from './grammar/framing.ts';
import { BODY, FIELD, type Head } from './grammar/head.ts';
import { HeadParser, NEED_MORE, REFUSED } from './grammar/head-parser.ts';
import { Outbox } from './outbox.ts';
import { writeResponseHead } from './serialize.ts';

/** Between two requests, or within a request head. */
const HEAD = 0;
/** Within a request body. */
const REQUEST_BODY = 1;
/** The request is complete; its response is awaited. */
const RESPONSE = 2;
/** The response is complete; the rest of the request body is read and dropped. */
const DISCARD = 3;
/** Nothing more will be sent; the client is given time to read what was. */
const LINGER = 4;
/** Closed, or handed over to somebody else. */
const GONE = 5;

const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const CLOSE = 'Connection: close\r\n';
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';

export interface ServerConnectionOptions {
  readonly socket: Socket;
  /** The TCP socket below TLS; the same for plaintext. */
  readonly transport: Socket;
  readonly route: Route;
  readonly context: HttpContext;
  /** Closed after this long without a request. */
  readonly idleTimeoutMs: number;
  /** Whether a client that ends its side has gone away, as another agent would. Others may wait for their response. */
  readonly endIsAbort: boolean;
  /** Called once, when the connection is closed or handed over. */
  readonly onGone: (connection: Http1ServerConnection) => void;
}

export class Http1ServerConnection implements DownstreamStream, Timed {
  deadlineMs = Number.POSITIVE_INFINITY;
  readonly #options: ServerConnectionOptions;
  readonly #http: HttpConfig;
  readonly #socket: Socket;
  readonly #parser: HeadParser;
  readonly #decoder: BodyDecoder;
  readonly #out: Outbox;
  readonly #body: BodyWriter;
  readonly #exchange: Exchange;
  #state = HEAD;
  /** Bytes read but not used, from #at on. */
  #chunk: Buffer | undefined = undefined;
  #at = 0;
  #isRunning = false;
  /** The exchange takes no request body now. */
  #isHeld = false;
  #isPaused = false;
  #closeAfter = false;
  #hasEnded = false;
  #toHead = false;
  #discarded = 0;
  #bytesIn = 0;
  #countedIn = 0;
  #countedOut = 0;

  constructor(options: ServerConnectionOptions) {
    const { socket, context } = options;
    this.#options = options;
    this.#http = context.http;
    this.#socket = socket;
    this.#parser = new HeadParser('request', context.http);
    this.#decoder = new BodyDecoder(context.http);
    this.#out = new Outbox(socket);
    this.#body = new BodyWriter(this.#out);
    this.#exchange = new Exchange(this, options.route, context);
    context.stats.opened(options.route.row);
    context.deadlines.add(this);
    this.deadlineMs = performance.now() + options.idleTimeoutMs;
    socket.on('data', this.#onData);
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('error', ignore);
    socket.on('close', this.#onClose);
    socket.resume(); // it may have been paused by whoever looked at its first bytes
  }

  /** Takes bytes that were read before this connection was made. */
  feed(chunk: Buffer): void {
    this.#onData(chunk);
  }

  /** Finishes what is under way, then closes. A client that is just sending its next request learns with the answer. */
  drain(idleMs = 0): void {
    this.#closeAfter = true;
    if (this.#state !== HEAD || this.#parser.hasStarted || this.#chunk !== undefined) return;
    if (idleMs === 0) this.#finish();
    else this.deadlineMs = Math.min(this.deadlineMs, performance.now() + idleMs);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  // What the exchange asks for.

  get isBlocked(): boolean {
    return this.#out.isBlocked;
  }

  sendInterim(head: Head): void {
    writeResponseHead(this.#out, head, '');
  }

  sendHead(head: Head, lines: string): void {
    const request = this.#parser.head;
    if (head.status === 101) {
      writeResponseHead(this.#out, head, lines + UPGRADE);
      return;
    }
    if (!request.keepAlive || this.#isBodyDoubtful()) this.#closeAfter = true;
    let extra = lines;
    if (head.body === BODY.none) this.#body.frame = FRAME.none;
    else if (head.body === BODY.length) this.#body.frame = FRAME.raw;
    else if (request.minor === 1) {
      this.#body.frame = FRAME.chunked;
      if (head.body === BODY.untilClose) extra += CHUNKED;
    } else {
      this.#body.frame = FRAME.raw; // an HTTP/1.0 client reads until we close
      this.#closeAfter = true;
      head.dropAll(FIELD.transferEncoding);
    }
    if (this.#closeAfter) extra += CLOSE;
    writeResponseHead(this.#out, head, extra);
  }

  sendData(bytes: Buffer, start: number, end: number): void {
    this.#body.data(bytes, start, end);
  }

  sendEnd(trailers: string): void {
    this.#body.end(trailers);
  }

  respond(answer: Answer): void {
    if (this.#isBodyDoubtful() || !this.#parser.head.keepAlive) this.#closeAfter = true;
    this.#out.text(answerHead(answer, this.#closeAfter ? CLOSE : ''));
    if (answer.trailers !== '' && !this.#toHead) this.#out.text(`0\r\n${answer.trailers}\r\n`);
    else if (!this.#toHead) this.#out.text(answer.body);
    this.done();
  }

  cut(isReset: boolean): void {
    this.#out.flush();
    // Without its end a chunked or counted response is seen to be cut; one that ends with the connection needs a reset.
    if (isReset || (this.#body.frame === FRAME.raw && this.#parser.head.minor === 0)) this.#reset();
    else this.#socket.destroy();
  }

  done(): void {
    this.#isHeld = false;
    if (this.#state === REQUEST_BODY) {
      this.#state = DISCARD;
      this.#discarded = 0;
      this.deadlineMs = performance.now() + this.#http.lingerMs;
      if (this.#closeAfter) this.#finish();
      else this.#run();
      return;
    }
    if (this.#state >= LINGER) return;
    this.#parser.head.release();
    if (this.#closeAfter || this.#hasEnded) {
      this.#finish();
      return;
    }
    this.#state = HEAD;
    this.deadlineMs = performance.now() + this.#options.idleTimeoutMs;
    this.#run();
  }

  hold(): void {
    this.#isHeld = true;
    if (this.#state === REQUEST_BODY && !this.#isRunning) this.#setPaused(true);
  }

  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#run();
    this.#exchange.flush();
  }

  flush(): void {
    if (this.#out.isDirty) this.#out.flush();
    this.#countBytes();
  }

  detach(): RawEnd {
    this.#state = GONE;
    const { socket, transport } = this.#options;
    const leftover = this.#chunk?.subarray(this.#at);
    this.#chunk = undefined;
    socket.off('data', this.#onData);
    socket.off('drain', this.#onDrain);
    socket.off('end', this.#onEnd);
    socket.off('close', this.#onClose);
    this.#leave();
    return { socket, transport, leftover };
  }

  onDeadline(): void {
    this.deadlineMs = Number.POSITIVE_INFINITY;
    switch (this.#state) {
      case HEAD:
        if (this.#parser.hasStarted) this.#refuse('request-timeout');
        else this.#finish();
        return;
      case REQUEST_BODY:
        this.#refuse('body-timeout');
        return;
      case DISCARD:
        this.#finish();
        return;
      default:
        this.#socket.destroy();
    }
  }

  // What the socket tells.

  readonly #onData = (chunk: Buffer): void => {
    this.#bytesIn += chunk.length;
    if (this.#state === LINGER) return;
    this.#chunk = this.#chunk === undefined ? chunk : Buffer.concat([this.#chunk.subarray(this.#at), chunk]);
    this.#at = 0;
    this.#run();
    this.#exchange.flush();
  };

  readonly #onDrain = (): void => {
    this.#out.isBlocked = false;
    this.#exchange.downstreamDrained();
    if (this.#chunk !== undefined) {
      this.#run();
      this.#exchange.flush();
    }
  };

  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    switch (this.#state) {
      case HEAD:
        if (this.#parser.hasStarted) this.#refuse('request-truncated');
        else this.#finish();
        return;
      case REQUEST_BODY:
        this.#abort();
        return;
      case RESPONSE:
        this.#closeAfter = true;
        if (this.#options.endIsAbort) this.#abort();
        return;
      default:
        this.#finish();
    }
  };

  readonly #onClose = (): void => {
    if (this.#exchange.isActive) this.#exchange.requestAborted('client-aborted');
    this.#countBytes();
    this.#state = GONE;
    this.#chunk = undefined;
    const { context, route } = this.#options;
    context.stats.closed(route.row);
    this.#leave();
  };

  /** Uses what was read, as far as the state of the exchange allows. */
  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#chunk !== undefined && this.#advance());
    this.#isRunning = false;
    this.#setPaused(this.#chunk !== undefined || (this.#isHeld && this.#state === REQUEST_BODY));
  }

  /** One step through the bytes at hand. False: nothing more can be used now. */
  #advance(): boolean {
    const chunk = this.#chunk!;
    switch (this.#state) {
      case HEAD:
        return !this.#out.isBlocked && this.#readHead(chunk);
      case REQUEST_BODY:
      case DISCARD:
        return !this.#isHeld && this.#readBody(chunk);
      case RESPONSE:
        return false;
      default:
        this.#chunk = undefined;
        return false;
    }
  }

  #readHead(chunk: Buffer): boolean {
    const position = this.#parser.parse(chunk, this.#at, chunk.length);
    if (position === NEED_MORE) {
      this.#chunk = undefined;
      // The clock runs from the first byte of a request, not from its latest.
      const limitMs = performance.now() + this.#http.requestHeadTimeoutMs;
      if (this.#parser.isPartial && this.deadlineMs > limitMs) this.deadlineMs = limitMs;
      return false;
    }
    if (position === REFUSED) {
      this.#toHead = false;
      this.#refuse(this.#parser.refusal);
      return false;
    }
    this.#advanceTo(position);
    const head = this.#parser.head;
    const refusal = frameRequest(head);
    this.#toHead = isHead(head);
    if (refusal !== undefined) {
      this.#refuse(refusal);
      return false;
    }
    if (head.body === BODY.none) {
      this.#state = RESPONSE;
      this.deadlineMs = Number.POSITIVE_INFINITY;
    } else {
      this.#state = REQUEST_BODY;
      this.deadlineMs = performance.now() + this.#http.bodyTimeoutMs;
      this.#decoder.begin(head.body, head.contentLength);
    }
    this.#exchange.begin(head);
    return true;
  }

  #readBody(chunk: Buffer): boolean {
    const decoder = this.#decoder;
    const position = decoder.step(chunk, this.#at, chunk.length);
    switch (decoder.outcome) {
      case STEP.data:
        if (this.#state === DISCARD) {
          this.#discarded += decoder.dataEnd - decoder.dataStart;
          if (this.#discarded > this.#http.lingerBytes) {
            this.#finish();
            return false;
          }
        } else {
          this.deadlineMs = performance.now() + this.#http.bodyTimeoutMs;
          this.#exchange.requestData(chunk, decoder.dataStart, decoder.dataEnd);
        }
        break;
      case STEP.end: {
        // Counted bodies end without another byte: the end is found when the last byte is taken.
        const wasDiscarding = this.#state === DISCARD;
        this.#advanceTo(position);
        this.#state = RESPONSE;
        this.deadlineMs = Number.POSITIVE_INFINITY;
        if (wasDiscarding) this.done();
        else this.#exchange.requestEnd(decoder.trailers);
        return true;
      }
      case STEP.refused:
        if (this.#state === DISCARD) this.#finish();
        else this.#refuse(decoder.refusal);
        return false;
    }
    if (position < chunk.length || decoder.isFinished) {
      this.#at = position;
      return true;
    }
    this.#chunk = undefined;
    return false;
  }

  #advanceTo(position: number): void {
    if (position < this.#chunk!.length) this.#at = position;
    else this.#chunk = undefined;
  }

  #setPaused(paused: boolean): void {
    if (paused === this.#isPaused || this.#state >= LINGER) return;
    this.#isPaused = paused;
    if (paused) this.#socket.pause();
    else this.#socket.resume();
    // A client that we do not read from is not slow.
    if (this.#state === REQUEST_BODY) {
      this.deadlineMs = paused ? Number.POSITIVE_INFINITY : performance.now() + this.#http.bodyTimeoutMs;
    }
  }

  /** A request that cannot be read: nothing after it can be trusted to be where it seems to be. */
  #refuse(reason: ReasonCode): void {
    this.#closeAfter = true;
    this.#exchange.requestRefused(reason);
    this.#exchange.flush();
  }

  #abort(): void {
    this.#exchange.requestAborted('client-aborted');
    this.#reset();
  }

  /** A client that asked for 100 (Continue) and gets a final response instead may or may not send its body. */
  #isBodyDoubtful(): boolean {
    return this.#state === REQUEST_BODY && this.#parser.head.expectContinue;
  }

  /** Sends what is left, ends our side, and reads on for a while so that no reset overtakes the response. */
  #finish(): void {
    if (this.#state >= LINGER) return;
    this.#state = LINGER;
    this.#chunk = undefined;
    this.#out.flush();
    this.#countBytes();
    this.#socket.end();
    this.deadlineMs = performance.now() + this.#http.lingerMs;
    if (this.#isPaused) this.#socket.resume();
    this.#isPaused = false;
  }

  #reset(): void {
    this.#state = GONE;
    reset(this.#options);
  }

  #countBytes(): void {
    const { context, route } = this.#options;
    const received = this.#bytesIn - this.#countedIn;
    const sent = this.#out.bytes - this.#countedOut;
    if (received === 0 && sent === 0) return;
    this.#countedIn += received;
    this.#countedOut += sent;
    context.stats.bytes(route.row, received, sent);
  }

  #leave(): void {
    this.#options.context.deadlines.delete(this);
    this.#options.onGone(this);
  }
}

function isHead(head: Head): boolean {
  return head.methodEnd - head.start === 4 && head.bytes[head.start] === 0x48 && head.method() === 'HEAD';
}

/** What an error means is told by the 'close' that follows it. */
function ignore(): void {}
