/**
 * A stream on which we send a request to another agent, or to an application that speaks HTTP/2: writes the request, reads
 * the response as strictly as from a stranger. Taken from a free list of its connection and used again; per request nothing
 * is allocated.
 * @module
 */

import type { HttpConfig } from '../config.ts';
import type { RawEnd, ResponseSink, UpstreamStream } from '../http/streams.ts';
import { frameResponse } from '../http1/grammar/framing.ts';
import { BODY, type Head } from '../http1/grammar/head.ts';
import { HeadParser, NEED_MORE, REFUSED } from '../http1/grammar/head-parser.ts';
import type { ReasonCode } from '../reasons.ts';
import { type CarriedStream, type Carrier, type Piece, RESET, type ResetCode } from './carrier.ts';
import { Window } from './credit.ts';
import { type BodyProblem, type BodyReader, BodyReceiver } from './receiver.ts';
import { BodySender } from './sender.ts';

const RESET_REASONS: Readonly<Record<number, ReasonCode>> = {
  [RESET.refused]: 'upstream-overflow',
  [RESET.malformed]: 'upstream-malformed',
  [RESET.cut]: 'upstream-reset',
};

export interface ClientStreamOptions {
  readonly carrier: Carrier;
  readonly http: HttpConfig;
  /** The stream has ended and may be used again. */
  readonly onFree: (stream: ClientStream) => void;
}

export class ClientStream implements CarriedStream, UpstreamStream, BodyReader {
  id = 0;
  isTouched = false;
  readonly #options: ClientStreamOptions;
  readonly #carrier: Carrier;
  readonly #parser: HeadParser;
  readonly #sender: BodySender;
  readonly #receiver: BodyReceiver;
  readonly #window: Window;
  /** The exchange being served; undefined while idle and after the end. */
  #sink: ResponseSink | undefined = undefined;
  #toHead = false;
  #requestEnded = false;
  #received = false;
  #inBody = false;
  #hasBody = false;
  #isReused = false;
  #isUntouched = false;
  /** Nothing can be sent any more, but the response had come before and is being read. */
  #isCut = false;

  constructor(options: ClientStreamOptions) {
    const { carrier, http } = options;
    this.#options = options;
    this.#carrier = carrier;
    this.#parser = new HeadParser('response', http);
    this.#sender = new BodySender(carrier);
    this.#window = new Window(carrier.budget);
    this.#receiver = new BodyReceiver(this, this.#window, http);
  }

  /** Takes part in its connection from now on. */
  open(): void {
    this.#isReused = this.#carrier.served > 0;
    this.#isUntouched = false;
    this.id = this.#carrier.nextId();
    this.#carrier.add(this);
    this.#sender.begin(this.id, this.#carrier.peerCredit);
    this.#requestEnded = false;
    this.#received = false;
    this.#inBody = false;
    this.#isCut = false;
  }

  // What the exchange asks for.

  get isBlocked(): boolean {
    return !this.#isCut && (this.#sender.isBlocked || this.#carrier.isBlocked);
  }

  get isReused(): boolean {
    return this.#isReused;
  }

  get isUntouched(): boolean {
    return this.#isUntouched;
  }

  begin(sink: ResponseSink): void {
    this.#sink = sink;
  }

  sendHead(head: Head, extra: string): void {
    this.#toHead = head.methodEnd - head.start === 4 && head.bytes[head.start] === 0x48 && head.method() === 'HEAD';
    this.#hasBody = head.body !== BODY.none;
    this.#carrier.writer.requestHead(this.id, head, extra);
  }

  sendData(bytes: Buffer, start: number, end: number): void {
    if (this.#hasBody && !this.#isCut) this.#sender.data(bytes, start, end);
  }

  sendEnd(trailers: string): void {
    this.#requestEnded = true;
    if (!this.#isCut) this.#sender.end(trailers);
  }

  pauseResponse(): void {
    this.#receiver.hold();
  }

  resumeResponse(): void {
    this.#receiver.release();
    this.#sink?.flush();
  }

  flush(): void {
    this.#carrier.schedule();
  }

  abort(): void {
    if (this.#sink === undefined) return;
    this.#sink = undefined;
    this.#reset(RESET.cancelled);
  }

  detach(): RawEnd {
    throw new Error('a stream cannot be taken out of its connection'); // an upgrade is given a stream of bytes
  }

  // What the connection tells.

  head({ bytes, start, end, isLast }: Piece, ends: boolean): void {
    if (this.#sink === undefined) return;
    this.#received = true;
    if (this.#inBody) {
      this.#malformed('a second head');
      return;
    }
    const position = this.#parser.parse(bytes, start, end);
    if (position === NEED_MORE && !isLast) return;
    if (position === REFUSED) this.#malformed(this.#parser.refusal);
    else if (position !== end || !isLast) this.#malformed('not one head');
    else this.#respond(this.#parser.head, ends);
  }

  data(piece: Piece, ends: boolean): void {
    if (this.#sink === undefined) return;
    if (!this.#inBody) {
      this.#malformed('data before a head');
      return;
    }
    this.#receiver.data(piece);
    if (ends && piece.isLast && this.#sink !== undefined) this.#receiver.end();
  }

  end(piece: Piece): void {
    if (this.#sink === undefined) return;
    if (!this.#inBody) this.#malformed('an end before a head');
    else this.#receiver.trailers(piece);
  }

  reset(code: number): void {
    if (code === RESET.malformed) this.#received = true; // something came, and must not be asked for again
    if (code === RESET.refused) {
      this.#isUntouched = !this.#received;
      this.#isReused = true; // says as little of the endpoint as a connection grown old
    }
    this.#fail(RESET_REASONS[code] ?? 'upstream-reset', `stream reset (${code})`);
  }

  credit(bytes: number): boolean {
    if (!this.#sender.grant(bytes)) return false;
    this.#carrier.schedule();
    if (!this.isBlocked) this.#sink?.upstreamDrained();
    return true;
  }

  settle(): void {
    this.#sink?.flush();
  }

  writable(): void {
    if (!this.isBlocked) this.#sink?.upstreamDrained();
  }

  gone(detail: string): void {
    this.#fail('upstream-closed', detail);
  }

  // The body, as the receiver tells it.

  bodyData(bytes: Buffer, start: number, end: number): void {
    this.#sink?.responseData(bytes, start, end);
  }

  bodyEnd(trailers: Head | undefined): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    sink.responseEnd(trailers);
    this.#sink = undefined;
    if (!this.#requestEnded)
      this.#reset(RESET.cancelled); // the answer came before the end of the question
    else this.#free();
    sink.responseComplete();
    sink.flush();
  }

  grant(bytes: number): void {
    this.#carrier.writer.credit(this.id, bytes);
    this.#carrier.schedule();
  }

  bodyRefused(problem: BodyProblem): void {
    this.#malformed(problem);
  }

  #respond(head: Head, ends: boolean): void {
    const refusal = frameResponse(head, this.#toHead);
    if (refusal !== undefined) {
      this.#malformed(refusal);
      return;
    }
    const sink = this.#sink!;
    if (head.status < 200) {
      if (ends || head.status === 101) this.#malformed('an interim response that is none');
      else sink.responseInterim(head);
      return;
    }
    if (head.body === BODY.untilClose || (ends && head.body === BODY.length)) {
      this.#malformed('a response without its end');
      return;
    }
    this.#inBody = true;
    this.#receiver.begin(head.body, head.contentLength);
    const { id } = this;
    sink.responseHead(head);
    // An answer that is not taken gives this stream up, and the next attempt may have got it already.
    if (ends && this.#sink !== undefined && this.id === id) this.#receiver.end();
  }

  #malformed(detail: string): void {
    if (this.#sink === undefined) return;
    const sink = this.#sink;
    this.#sink = undefined;
    this.#reset(RESET.malformed);
    sink.upstreamFailed('upstream-malformed', detail, this.#received);
    sink.flush();
  }

  #fail(reason: ReasonCode, detail: string): void {
    if (this.#receiver.isComplete) {
      this.#isCut = true; // the response is here, and its reader will come for it
      this.#sink?.upstreamDrained();
      return;
    }
    const sink = this.#sink;
    this.#sink = undefined;
    this.#free();
    sink?.upstreamFailed(reason, detail, this.#received);
    sink?.flush();
  }

  #reset(code: ResetCode): void {
    if (!this.#isCut) {
      this.#carrier.writer.reset(this.id, code);
      this.#carrier.schedule();
    }
    this.#free();
  }

  #free(): void {
    this.#window.reset();
    this.#parser.abandon();
    this.#carrier.remove(this);
    this.#options.onFree(this);
  }
}
