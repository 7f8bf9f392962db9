/**
 * The place of one request in its trace: which trace it is, which span the caller's is, which are ours, and what the next hop
 * is told of that. One object serves all requests of a stream, one after the other.
 *
 * On a hop that another agent has sent the request to, `traceparent` is there already, and 18 of its digits are written over
 * where they stand; a line is only added where a trace begins.
 * @module
 */

import type { Head } from '../http1/grammar/head.ts';
import { dropTraceFields, IncomingTrace, PARENT, TRACE } from './trace-context.ts';
import { idText, isChosen, type TraceIds, writeId } from './trace-ids.ts';

const SPAN = 6;
/** Of the destination's half, where both are here. */
const ARRIVAL = 8;
const WORDS = 10;

const LINE = Buffer.from(`traceparent: 00-${'0'.repeat(32)}-${'0'.repeat(16)}-00\r\n`, 'latin1');
const TRACE_AT = 16;
const SPAN_AT = 49;
const FLAGS_AT = 67;
const ZERO = 0x30;

export interface TraceSettings {
  readonly ids: TraceIds;
  readonly sampleRatio: number;
  readonly propagate: boolean;
}

export class RequestTrace {
  isSampled = false;
  readonly #settings: TraceSettings;
  readonly #words = new Int32Array(WORDS);
  readonly #incoming = new IncomingTrace(this.#words);

  constructor(settings: TraceSettings) {
    this.#settings = settings;
  }

  /** @param head undefined for a request that could not be read */
  begin(head: Head | undefined): void {
    const { ids, sampleRatio } = this.#settings;
    const words = this.#words;
    const incoming = this.#incoming;
    incoming.read(head);
    if (!incoming.isGiven) ids.next(words, TRACE, 4);
    ids.next(words, SPAN, 2);
    words[ARRIVAL] = 0;
    words[ARRIVAL + 1] = 0;
    const { sampling } = incoming;
    this.isSampled = sampling === 'undecided' ? isChosen(words, TRACE, sampleRatio) : sampling !== 'no';
  }

  /**
   * Tells the next hop, in the head or beside it. To be asked for each attempt.
   *
   * @param isArrival whether the destination's half of the hop is here: then the application is next
   * @returns complete lines to add
   */
  pass(head: Head, isArrival: boolean): string {
    if (isArrival) this.#settings.ids.next(this.#words, ARRIVAL, 2);
    if (!this.#settings.propagate) return '';
    const words = this.#words;
    const { placeAt, isMentioned, b3, flags } = this.#incoming;
    const span = isArrival ? ARRIVAL : SPAN;
    const flag = ZERO + (flags | (this.isSampled ? 1 : 0));
    if (isMentioned) dropTraceFields(head, this.#incoming);
    if (placeAt !== -1) {
      const { bytes } = head;
      writeId(words, span, 2, bytes, placeAt + 36);
      bytes[placeAt + 53] = ZERO;
      bytes[placeAt + 54] = flag;
      return b3 === 'none' ? '' : this.#b3Lines(span);
    }
    writeId(words, TRACE, 4, LINE, TRACE_AT);
    writeId(words, span, 2, LINE, SPAN_AT);
    LINE[FLAGS_AT] = flag;
    const line = LINE.toString('latin1');
    return b3 === 'none' ? line : line + this.#b3Lines(span);
  }

  get traceId(): string {
    return idText(this.#words, TRACE, 4);
  }

  get spanId(): string {
    return idText(this.#words, SPAN, 2);
  }

  get parentSpanId(): string {
    return this.#incoming.isGiven ? idText(this.#words, PARENT, 2) : '';
  }

  /** Of the destination's half, in the attempt that was made last. */
  get arrivalSpanId(): string {
    if ((this.#words[ARRIVAL]! | this.#words[ARRIVAL + 1]!) === 0) this.#settings.ids.next(this.#words, ARRIVAL, 2);
    return idText(this.#words, ARRIVAL, 2);
  }

  #b3Lines(span: number): string {
    const { b3, isShort, sampling } = this.#incoming;
    const trace = isShort ? idText(this.#words, TRACE + 2, 2) : this.traceId;
    const id = idText(this.#words, span, 2);
    const parent = span === ARRIVAL ? this.spanId : this.parentSpanId;
    const isDebug = sampling === 'debug';
    if (b3 === 'single') {
      const decision = isDebug ? 'd' : this.isSampled ? '1' : '0';
      return `b3: ${trace}-${id}-${decision}${parent === '' ? '' : `-${parent}`}\r\n`;
    }
    const parentLine = parent === '' ? '' : `X-B3-ParentSpanId: ${parent}\r\n`;
    const decision = isDebug ? 'X-B3-Flags: 1' : `X-B3-Sampled: ${this.isSampled ? '1' : '0'}`;
    return `X-B3-TraceId: ${trace}\r\nX-B3-SpanId: ${id}\r\n${parentLine}${decision}\r\n`;
  }
}
