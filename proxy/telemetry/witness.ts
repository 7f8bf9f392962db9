/**
 * What an exchange remembers of its request so that it can be told of in the end, and whether it is. Whoever is not told of
 * costs a place in a trace and some assignments; text is only made of what is kept, out of the head, which lasts as long as
 * the exchange. One object serves all requests of a stream, one after the other.
 * @module
 */

import type { Balanced } from '../balancer/balanced.ts';
import type { Answer } from '../http/answer.ts';
import { isGrpcCall } from '../http/grpc-call.ts';
import { spells } from '../http1/grammar/characters.ts';
import { FIELD, FIELD_STRIDE, type Head } from '../http1/grammar/head.ts';
import { REASONS, type ReasonCode } from '../reasons.ts';
import { answererOf, type Decided, type Place } from './place.ts';
import type { Kept, RecordedStep, RequestRecord } from './record.ts';
import type { RecordKeeper } from './record-keeper.ts';
import { RequestTrace } from './request-trace.ts';

const MAX_PATH = 1_024;
const MAX_TEXT = 256;
/** Attempts and waits that are told of one request. */
const MAX_STEPS = 32;
const FAILED_GRPC: ReadonlySet<number> = new Set([2, 4, 13, 14, 15]);

/** How a request ended, beyond what was told while it went on. */
export interface Ending {
  readonly head: Head | undefined;
  readonly place: Place;
  /** The destination's half, where it is here. */
  readonly arrival: Place | undefined;
  readonly decided: Decided | undefined;
  readonly startedAtMs: number;
  readonly tookMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export class Witness {
  readonly trace: RequestTrace;
  readonly #keeper: RecordKeeper;
  #status = 0;
  #grpcStatus: number | null = null;
  #reason: ReasonCode | '' = '';
  #server = '';
  #steps: RecordedStep[] | undefined = undefined;
  /** Who answers, or is asked now. */
  #endpoint: Balanced | undefined = undefined;

  constructor(keeper: RecordKeeper) {
    this.#keeper = keeper;
    this.trace = new RequestTrace(keeper.trace);
  }

  /** @param head undefined for a request that could not be read */
  begin(head: Head | undefined): void {
    this.trace.begin(head);
    this.#status = 0;
    this.#grpcStatus = null;
    this.#reason = '';
    this.#server = '';
    this.#steps = undefined;
    this.#endpoint = undefined;
  }

  asked(endpoint: Balanced): void {
    this.#endpoint = endpoint;
  }

  /** The final response, from the endpoint. */
  answered(head: Head): void {
    this.#status = head.status;
    if (head.has(FIELD.grpcStatus)) this.#readGrpcStatus(head);
    if (head.has(FIELD.weftReason)) this.#readReason(head);
    // Of one that turns out slow in its body nobody will know what served it.
    const mayTell = this.trace.isSampled || head.status >= 500 || this.#keeper.hasTaps;
    if (mayTell) this.#server = textOf(head, 'server');
  }

  trailers(head: Head): void {
    if (head.has(FIELD.grpcStatus)) this.#readGrpcStatus(head);
  }

  /** The response that the mesh made. */
  responded({ status, lines, trailers }: Answer): void {
    this.#status = status;
    if (this.#reason === '') this.#reason = reasonOf(/^weft-reason: (\S+)\r$/m.exec(lines)?.[1] ?? '');
    const grpc = /^grpc-status: (\d{1,2})\r$/m.exec(trailers);
    if (grpc !== null) this.#grpcStatus = Number(grpc[1]);
  }

  failed(reason: ReasonCode): void {
    this.#reason = reason;
  }

  /** An attempt or a wait is over. Instants count from the start of the request. */
  step(kind: RecordedStep['kind'], startMs: number, endMs: number, end: Pick<RecordedStep, 'status' | 'reason'>): void {
    this.#steps ??= [];
    if (this.#steps.length >= MAX_STEPS) return;
    const subject = kind === 'attempt' ? answererOf(this.#endpoint).endpoint : '';
    this.#steps.push({ kind, startMs, tookMs: endMs - startMs, subject, ...end });
  }

  /** Whether the request may be one to tell of; cheap, as it is asked for every one. */
  isWorthTelling(tookMs: number): boolean {
    return (
      this.trace.isSampled ||
      this.#status >= 500 ||
      this.#reason !== '' ||
      this.#grpcStatus !== null ||
      tookMs > this.#keeper.config.slowMs ||
      this.#keeper.hasTaps
    );
  }

  /** An attempt at an application of this node did not do: its destination tells of it as if it were another agent's. */
  passedOver(ending: Omit<Ending, 'decided'>, reason: ReasonCode, status: number): void {
    const { arrival } = ending;
    if (arrival === undefined) return;
    const end = { status, reason: status === 0 ? reason : ('' as const), steps: [] };
    this.#tell({ ...ending, decided: undefined }, arrival, end, true);
  }

  /** @param askedAtMs when the endpoint that is asked now was, from the start of the request; -1 where none is */
  ended(ending: Ending, askedAtMs: number): void {
    const { place, arrival, decided, tookMs } = ending;
    const end = { status: this.#status, reason: this.#reason };
    if (askedAtMs >= 0) this.step('attempt', askedAtMs, tookMs, end);
    const steps: RecordedStep[] = [];
    if (decided !== undefined) {
      const { kind, subject } = decided;
      steps.push({ kind, startMs: 0, tookMs: 0, subject, status: 0, reason: kind === 'limit' ? this.#reason : '' });
    }
    steps.push(...(this.#steps ?? []));
    this.#tell(ending, place, { ...end, steps }, false);
    if (arrival !== undefined) {
      const own = this.#steps?.filter(({ kind }) => kind === 'attempt').slice(-1) ?? [];
      this.#tell({ ...ending, decided: undefined }, arrival, { ...end, steps: own }, true);
    }
  }

  #tell(
    { head, decided, startedAtMs, tookMs, bytesIn, bytesOut }: Omit<Ending, 'arrival' | 'place'>,
    { direction, source, sourceService, destination: dialled }: Place,
    { status, reason, steps }: Pick<RequestRecord, 'status' | 'reason' | 'steps'>,
    isArrival: boolean,
  ): void {
    const keeper = this.#keeper;
    const { config } = keeper;
    const isGrpc = head !== undefined && isGrpcCall(head);
    const grpcStatus = isGrpc ? this.#grpcStatus : null;
    const failed = status >= 500 || reason !== '' || (grpcStatus !== null && FAILED_GRPC.has(grpcStatus));
    const destination = decided?.destination ?? dialled;
    const method = head?.method() ?? '';
    const path = head === undefined ? '' : pathOf(head);
    const about = { source, sourceService, destination, method, path, status, reason };
    const tapped = keeper.hasTaps && keeper.isTapped(about);
    const kept: Kept = { sampled: this.trace.isSampled, failed, slow: tookMs > config.slowMs, tapped };
    if (!(kept.sampled || kept.failed || kept.slow || kept.tapped) || !keeper.admits(kept)) return;
    keeper.add({
      direction,
      atMs: Date.now() - (performance.now() - startedAtMs),
      tookMs,
      ...about,
      protocol: isGrpc ? 'grpc' : 'http',
      authority: head === undefined ? '' : authorityOf(head),
      route: decided?.route ?? '',
      grpcStatus,
      ...answererOf(this.#endpoint),
      bytesReceived: bytesIn,
      bytesSent: bytesOut,
      userAgent: head === undefined ? '' : textOf(head, 'user-agent'),
      server: this.#server,
      user: head === undefined || config.userHeader === undefined ? '' : textOf(head, config.userHeader),
      ...this.#ids(isArrival),
      kept,
      steps,
    });
  }

  #ids(isArrival: boolean): Pick<RequestRecord, 'traceId' | 'spanId' | 'parentSpanId'> {
    const { trace } = this;
    const { traceId, spanId } = trace;
    if (isArrival) return { traceId, spanId: trace.arrivalSpanId, parentSpanId: spanId };
    return { traceId, spanId, parentSpanId: trace.parentSpanId };
  }

  #readGrpcStatus(head: Head): void {
    const text = head.value(head.find(FIELD.grpcStatus));
    if (/^\d{1,2}$/.test(text)) this.#grpcStatus = Number(text);
  }

  #readReason(head: Head): void {
    this.#reason = reasonOf(head.value(head.find(FIELD.weftReason)));
  }
}

function reasonOf(text: string): ReasonCode | '' {
  return Object.hasOwn(REASONS, text) ? (text as ReasonCode) : '';
}

function pathOf(head: Head): string {
  const target = head.rawTarget();
  const query = target.indexOf('?');
  const path = query === -1 ? target : target.slice(0, query);
  const origin = /^https?:\/\/[^/]*/i.exec(path); // absolute-form: what comes before the path is the authority
  return (origin === null ? path : path.slice(origin[0].length)).slice(0, MAX_PATH);
}

function authorityOf(head: Head): string {
  const origin = /^https?:\/\/([^/?]*)/i.exec(head.rawTarget());
  if (origin !== null) return origin[1]!.slice(0, MAX_TEXT);
  const host = head.find(FIELD.host);
  return host === -1 ? '' : head.value(host).slice(0, MAX_TEXT);
}

/** First field of this name, given in lower case. */
function textOf(head: Head, name: string): string {
  for (let field = 0; field < head.fieldCount; field++) {
    const at = field * FIELD_STRIDE;
    if (spells(head.bytes, head.fields[at]!, head.fields[at + 1]!, name)) return head.value(field).slice(0, MAX_TEXT);
  }
  return '';
}
