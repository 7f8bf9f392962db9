/**
 * The place of one request in its trace: which trace it is, which span the caller's is, which are ours, and what the next hop
 * is told of that. One object serves all requests of a stream, one after the other.
 *
 * On a hop that another agent has sent the request to, `traceparent` is there already, and 18 of its digits are written over
 * where they stand; a line is only added where a trace begins.
 * @module
 */

import { FIELD, type Head } from '../http1/grammar/head.ts';
import { dropTraceFields, IncomingTrace, PARENT, TRACE } from './trace-context.ts';
import { idText, isChosen, type TraceIds, writeSpan } from './trace-ids.ts';

const SPAN = 6;
/** Of the destination's half, where both are here. */
const ARRIVAL = 8;
const WORDS = 10;

const BEGINNING = 'traceparent: 00-';
const HALF_AT = BEGINNING.length;
const SECOND_HALF_AT = HALF_AT + 16;
const SPAN_AT = SECOND_HALF_AT + 16 + 1;
const FLAGS_AT = SPAN_AT + 16 + 2;
const ZERO = 0x30;

/** The end of heads in which traces begin: one buffer for all requests of a worker, whose digits are written anew for each. */
export class TraceLine {
  readonly #bytes = Buffer.from(`${BEGINNING}${'0'.repeat(32)}-${'0'.repeat(16)}-00\r\n\r\n`, 'latin1');
  /** The half of the trace id that stands there: traces that begin one after the other have it in common. */
  #first = 0;
  #second = 0;

  /** @returns valid until it is asked again */
  write(words: Int32Array, span: number, flag: number): Buffer {
    const bytes = this.#bytes;
    const first = words[TRACE]!;
    const second = words[TRACE + 1]!;
    if (first !== this.#first || second !== this.#second) {
      this.#first = first;
      this.#second = second;
      writeSpan(words, TRACE, bytes, HALF_AT);
    }
    writeSpan(words, TRACE + 2, bytes, SECOND_HALF_AT);
    writeSpan(words, span, bytes, SPAN_AT);
    bytes[FLAGS_AT] = flag;
    return bytes;
  }
}

export interface TraceSettings {
  readonly ids: TraceIds;
  readonly line: TraceLine;
  readonly sampleRatio: number;
  readonly propagate: boolean;
  /** Whether a trace that this request begins is told of whatever the ratio; undefined: that is asked of none. */
  readonly isOfUser?: ((head: Head) => boolean) | undefined;
}

export class RequestTrace {
  isSampled = false;
  readonly #settings: TraceSettings;
  readonly #words = new Int32Array(WORDS);
  readonly #incoming = new IncomingTrace(this.#words);

  constructor(settings: TraceSettings) {
    this.#settings = settings;
  }

  /**
   * @param head undefined for a request that could not be read
   * @param original of the request that this is a copy of: whatever the head says, it is part of that one's trace
   */
  begin(head: Head | undefined, original?: RequestTrace): void {
    const { ids } = this.#settings;
    const words = this.#words;
    const incoming = this.#incoming;
    incoming.read(head);
    if (original !== undefined) this.#follow(original, head);
    else if (!incoming.isGiven) ids.beginTrace(words, TRACE);
    ids.span(words, SPAN);
    words[ARRIVAL] = 0;
    words[ARRIVAL + 1] = 0;
    const { sampling } = incoming;
    this.isSampled = sampling === 'undecided' ? this.#isChosen(head) : sampling !== 'no';
  }

  /**
   * Tells the next hop, in the head or beside it. To be asked for each attempt.
   *
   * @param isArrival whether the destination's half of the hop is here: then the application is next
   * @returns complete lines to add
   */
  pass(head: Head, isArrival: boolean): string {
    if (isArrival) this.#settings.ids.span(this.#words, ARRIVAL);
    if (!this.#settings.propagate) return '';
    const words = this.#words;
    const incoming = this.#incoming;
    const span = isArrival ? ARRIVAL : SPAN;
    const flag = ZERO + (incoming.flags | (this.isSampled ? 1 : 0));
    if (incoming.isMentioned) dropTraceFields(head, incoming);
    const { placeAt } = incoming;
    if (placeAt !== -1) {
      const { bytes } = head;
      writeSpan(words, span, bytes, placeAt + 36);
      bytes[placeAt + 53] = ZERO;
      bytes[placeAt + 54] = flag;
    } else head.tail = this.#settings.line.write(words, span, flag);
    return incoming.b3 === 'none' ? '' : this.#b3Lines(span);
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
    if ((this.#words[ARRIVAL]! | this.#words[ARRIVAL + 1]!) === 0) this.#settings.ids.span(this.#words, ARRIVAL);
    return idText(this.#words, ARRIVAL, 2);
  }

  #isChosen(head: Head | undefined): boolean {
    const { sampleRatio, isOfUser } = this.#settings;
    return (
      isChosen(this.#words, TRACE, sampleRatio) || (isOfUser !== undefined && head !== undefined && isOfUser(head))
    );
  }

  /** Below the span of the other. */
  #follow(original: RequestTrace, head: Head | undefined): void {
    const words = this.#words;
    const theirs = original.#words;
    for (let i = 0; i < 4; i++) words[TRACE + i] = theirs[TRACE + i]!;
    for (let i = 0; i < 2; i++) words[PARENT + i] = theirs[SPAN + i]!;
    const incoming = this.#incoming;
    // State is of the trace that the head names, and where it names none, of none.
    if (!incoming.isGiven || incoming.isFromB3) head?.dropAll(FIELD.tracestate);
    incoming.isGiven = true;
    if (incoming.sampling !== 'debug') incoming.sampling = original.isSampled ? 'yes' : 'no';
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
