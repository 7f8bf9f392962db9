/**
 * A stream on which another agent, or a client of HTTP/2, sends us a request: reads it as strictly as from a stranger,
 * hands it to its exchange, writes the response. Taken from a free list of its connection and used again; per request
 * nothing is allocated.
 * @module
 */

import { performance } from 'node:perf_hooks';
import type { Timed } from '../deadlines.ts';
import { type Answer, answerHead } from '../http/answer.ts';
import { Exchange, type HttpContext } from '../http/exchange.ts';
import type { Route } from '../http/route.ts';
import type { DownstreamStream, RawEnd } from '../http/streams.ts';
import { frameRequest } from '../http1/grammar/framing.ts';
import { BODY, type Head } from '../http1/grammar/head.ts';
import { HeadParser, NEED_MORE, REFUSED } from '../http1/grammar/head-parser.ts';
import type { ReasonCode } from '../reasons.ts';
import { type CarriedStream, type Carrier, type Piece, RESET, type ResetCode } from './carrier.ts';
import { Window } from './credit.ts';
import { type BodyProblem, type BodyReader, BodyReceiver } from './receiver.ts';
import { BodySender } from './sender.ts';

const HEAD = 0;
const REQUEST_BODY = 1;
/** The request is whole; its response is awaited. */
const RESPONSE = 2;
/** The exchange is over; the end of its response waits for credit. */
const DRAINING = 3;
const GONE = 4;

const CHUNKED = 'Transfer-Encoding: chunked\r\n';

const PROBLEMS: Record<BodyProblem, ReasonCode> = {
  overrun: 'bad-length',
  'longer-than-announced': 'bad-length',
  'shorter-than-announced': 'request-truncated',
  'bad-trailer': 'bad-trailer',
};

export interface ServerStreamOptions {
  readonly carrier: Carrier;
  readonly route: Route;
  readonly context: HttpContext;
  /** The stream has ended and may be used again. */
  readonly onFree: (stream: ServerStream) => void;
}

export class ServerStream implements CarriedStream, DownstreamStream, BodyReader, Timed {
  id = 0;
  isTouched = false;
  deadlineMs = Number.POSITIVE_INFINITY;
  readonly #options: ServerStreamOptions;
  readonly #carrier: Carrier;
  readonly #parser: HeadParser;
  readonly #sender: BodySender;
  readonly #receiver: BodyReceiver;
  readonly #window: Window;
  readonly #exchange: Exchange;
  #state = GONE;
  #toHead = false;
  #hasBody = false;
  /**
   * Whether silence in the request body is timed. An announced length is an upload; without one it may be a call whose
   * messages come when there is something to say, for as long as its connection answers pings.
   */
  #isTimed = false;
  /** Whether the deadlines of the worker know this stream. */
  #isRegistered = false;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(options: ServerStreamOptions) {
    const { carrier, route, context } = options;
    this.#options = options;
    this.#carrier = carrier;
    this.#parser = new HeadParser('request', context.http);
    this.#sender = new BodySender(carrier);
    this.#window = new Window(carrier.budget);
    this.#receiver = new BodyReceiver(this, this.#window, context.http);
    this.#exchange = new Exchange(this, route, context);
  }

  open(id: number): void {
    this.id = id;
    this.#state = HEAD;
    this.#sender.begin(id, this.#carrier.peerCredit);
  }

  // What the connection tells.

  head(piece: Piece, ends: boolean): void {
    const { bytes, start, end, isLast } = piece;
    this.#bytesIn += end - start;
    if (this.#state !== HEAD) {
      if (this.#state < DRAINING) this.#refuse('bad-request-line');
      return;
    }
    const position = this.#parser.parse(bytes, start, end);
    if (position === NEED_MORE && !isLast) {
      // The clock runs from the first piece of a head, not from its latest.
      if (!this.#isRegistered) this.#expireIn(this.#options.context.http.requestHeadTimeoutMs);
      return;
    }
    this.#toHead = false;
    if (position === REFUSED) this.#refuse(this.#parser.refusal);
    else if (position !== end || !isLast) this.#refuse('bad-request-line');
    else this.#begin(this.#parser.head, ends);
  }

  data(piece: Piece, ends: boolean): void {
    this.#bytesIn += piece.end - piece.start;
    if (this.#state !== REQUEST_BODY) {
      if (this.#state === RESPONSE && piece.end > piece.start) this.bodyRefused('longer-than-announced');
      return;
    }
    this.#await();
    this.#receiver.data(piece);
    if (ends && piece.isLast && this.#state === REQUEST_BODY) this.#receiver.end();
  }

  end(piece: Piece): void {
    if (this.#state === REQUEST_BODY) this.#receiver.trailers(piece);
  }

  reset(): void {
    this.#leave('client-aborted');
  }

  credit(bytes: number): boolean {
    if (!this.#sender.grant(bytes)) return false;
    this.#carrier.schedule();
    if (this.#state === DRAINING) this.done();
    else if (!this.isBlocked) this.#exchange.downstreamDrained();
    return true;
  }

  settle(): void {
    if (this.#state < DRAINING) this.#exchange.flush();
  }

  writable(): void {
    if (this.#state < DRAINING && !this.isBlocked) this.#exchange.downstreamDrained();
  }

  gone(): void {
    this.#leave('client-aborted');
  }

  onDeadline(): void {
    this.deadlineMs = Number.POSITIVE_INFINITY;
    if (this.#state === HEAD) this.#refuse('request-timeout');
    else if (this.#state === REQUEST_BODY) this.#refuse('body-timeout');
  }

  // The body, as the receiver tells it.

  bodyData(bytes: Buffer, start: number, end: number): void {
    this.#exchange.requestData(bytes, start, end);
  }

  bodyEnd(trailers: Head | undefined): void {
    this.#state = RESPONSE;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#exchange.requestEnd(trailers);
  }

  grant(bytes: number): void {
    this.#carrier.writer.credit(this.id, bytes);
    this.#carrier.schedule();
  }

  bodyRefused(problem: BodyProblem): void {
    const reason = PROBLEMS[problem];
    if (this.#carrier.answersMalformed) this.#refuse(reason);
    else this.#reset(problem === 'overrun' ? RESET.overrun : RESET.malformed, reason);
  }

  // What the exchange asks for.

  get isBlocked(): boolean {
    return this.#sender.isBlocked || this.#carrier.isBlocked;
  }

  sendInterim(head: Head): void {
    this.#carrier.writer.responseHead(this.id, head, '');
  }

  sendHead(head: Head, extra: string): void {
    this.#hasBody = head.body !== BODY.none;
    this.#bytesOut += head.end - head.start + extra.length;
    this.#carrier.writer.responseHead(this.id, head, head.body === BODY.untilClose ? extra + CHUNKED : extra);
  }

  sendData(bytes: Buffer, start: number, end: number): void {
    if (!this.#hasBody) return;
    this.#bytesOut += end - start;
    this.#sender.data(bytes, start, end);
  }

  sendEnd(trailers: string): void {
    this.#sender.end(trailers);
  }

  respond(answer: Answer): void {
    const head = answerHead(answer, '');
    this.#carrier.writer.headText(this.id, head);
    const body = Buffer.from(this.#toHead ? '' : answer.body, 'latin1');
    this.#bytesOut += head.length + body.length;
    this.#sender.data(body, 0, body.length);
    this.#sender.end(answer.trailers);
    this.#carrier.schedule();
    this.done();
  }

  cut(): void {
    this.#reset(RESET.cut, 'client-aborted');
  }

  done(): void {
    this.#state = DRAINING;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    if (!this.#sender.isWaiting) this.#free();
  }

  hold(): void {
    this.#receiver.hold();
    this.#await();
  }

  release(): void {
    this.#receiver.release();
    this.#await();
    if (this.#state < DRAINING) this.#exchange.flush();
  }

  flush(): void {
    this.#carrier.schedule();
    this.#countBytes();
  }

  detach(): RawEnd {
    throw new Error('a stream cannot be taken out of its connection'); // #begin lets no upgrade through
  }

  #begin(head: Head, ends: boolean): void {
    const refusal = frameRequest(head);
    this.#toHead = isHead(head);
    head.upgrade = false;
    if (refusal !== undefined) {
      this.#refuse(refusal);
      return;
    }
    if (head.body === BODY.length && ends) {
      this.bodyRefused('shorter-than-announced');
      return;
    }
    this.#receiver.begin(head.body, head.contentLength);
    if (head.body === BODY.none) {
      this.#state = RESPONSE;
      this.deadlineMs = Number.POSITIVE_INFINITY;
    } else {
      this.#state = REQUEST_BODY;
      this.#isTimed = head.body === BODY.length;
      this.#await();
    }
    this.#exchange.begin(head);
    if (ends && this.#state === REQUEST_BODY) this.#receiver.end(); // chunked, and empty
  }

  /** More of the request body has to come; while it is held, the silence is ours. */
  #await(): void {
    const isTimed = this.#isTimed && this.#state === REQUEST_BODY && !this.#receiver.isHeld;
    if (isTimed) this.#expireIn(this.#options.context.http.bodyTimeoutMs);
    else this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  /** Most requests come whole, and their streams are never looked at by the clock. */
  #expireIn(milliseconds: number): void {
    this.deadlineMs = performance.now() + milliseconds;
    if (this.#isRegistered) return;
    this.#isRegistered = true;
    this.#options.context.deadlines.add(this);
  }

  #refuse(reason: ReasonCode): void {
    if (this.#state >= DRAINING) return;
    this.#exchange.requestRefused(reason);
    this.#exchange.flush();
  }

  #reset(code: ResetCode, reason: ReasonCode): void {
    if (this.#state === GONE) return;
    this.#carrier.writer.reset(this.id, code);
    this.#carrier.schedule();
    this.#leave(reason);
  }

  #leave(reason: ReasonCode): void {
    if (this.#state === GONE) return;
    if (this.#exchange.isActive) this.#exchange.requestAborted(reason);
    this.#free();
  }

  #free(): void {
    if (this.#state === GONE) return;
    this.#state = GONE;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#countBytes();
    this.#window.reset();
    this.#parser.abandon();
    this.#carrier.remove(this);
    if (this.#isRegistered) this.#options.context.deadlines.delete(this);
    this.#isRegistered = false;
    this.#options.onFree(this);
  }

  #countBytes(): void {
    if (this.#bytesIn === 0 && this.#bytesOut === 0) return;
    const { context, route } = this.#options;
    context.stats.bytes(route.row, this.#bytesIn, this.#bytesOut);
    this.#bytesIn = 0;
    this.#bytesOut = 0;
  }
}

function isHead(head: Head): boolean {
  return head.methodEnd - head.start === 4 && head.bytes[head.start] === 0x48 && head.method() === 'HEAD';
}
