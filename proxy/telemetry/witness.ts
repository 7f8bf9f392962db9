/**
 * What is remembered of a request so that it can be told of in the end, and whether it is. Whoever is not told of costs a place
 * in a trace and some assignments; text is only made of what is kept, out of the head, which lasts as long as the exchange. One
 * object serves all requests of a stream, one after the other.
 * @module
 */

import { performance } from 'node:perf_hooks';
import type { Balanced } from '../balancer/balanced.ts';
import type { Answer } from '../http/answer.ts';
import { FIELD, type Head } from '../http1/grammar/head.ts';
import { REASONS, type ReasonCode } from '../reasons.ts';
import { answererOf, type Decided } from './parties.ts';
import type { Kept, RecordedStep, RequestRecord } from './record.ts';
import type { RecordKeeper } from './record-keeper.ts';
import { authorityOf, pathOf, textOf } from './request-texts.ts';
import { RequestTrace } from './request-trace.ts';
import type { Ended, Watchable } from './taps.ts';
import { userOf } from './user.ts';

/** Attempts, waits and faults that are told of one request. */
const MAX_STEPS = 32;
/** Statuses of gRPC that tell of a failure, by bits: 2 4 13 14 15. */
const FAILED_GRPC = (1 << 2) | (1 << 4) | (1 << 13) | (1 << 14) | (1 << 15);
/** Why there was no room for a request, as its own side says. */
const LIMITS: ReadonlySet<string> = new Set<ReasonCode>([
  'overflow',
  'upstream-overflow',
  'overloaded',
  'rate-limited',
]);

/** How a request ended, beyond what was told while it went on. */
export interface Ending {
  readonly head: Head | undefined;
  readonly between: Watchable;
  /** The destination's half, where it is here. */
  readonly arrival: Watchable | undefined;
  readonly decided: Decided | undefined;
  /** Of the rule, or as path templating has it; '' where the request could not be read. */
  readonly route: string;
  /** The same as the destination sees it, which knows no rules. */
  readonly arrivedRoute: string;
  /** Of another request, made at its source. */
  readonly isCopy: boolean;
  readonly isGrpc: boolean;
  /** -1 where nobody said. */
  readonly grpcStatus: number;
  readonly startedAtMs: number;
  readonly tookMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export class Witness implements Ended {
  readonly trace: RequestTrace;
  /** Of the final response; 0 where there was none. */
  status = 0;
  reason: ReasonCode | '' = '';
  tookMs = 0;
  readonly #keeper: RecordKeeper;
  #server = '';
  #steps: RecordedStep[] | undefined = undefined;
  /** Who answers, or is asked now. */
  #endpoint: Balanced | undefined = undefined;

  constructor(keeper: RecordKeeper) {
    this.#keeper = keeper;
    this.trace = new RequestTrace(keeper.trace);
  }

  /**
   * @param head undefined for a request that could not be read
   * @param original of the request that this is a copy of
   */
  begin(head: Head | undefined, original: RequestTrace | undefined): void {
    this.trace.begin(head, original);
    this.status = 0;
    this.reason = '';
    this.#server = '';
    this.#steps = undefined;
    this.#endpoint = undefined;
  }

  asked(endpoint: Balanced): void {
    this.#endpoint = endpoint;
  }

  /** The final response, from the endpoint. @param request its head; @param between whom it goes */
  answered(head: Head, request: Head | undefined, between: Watchable): void {
    this.status = head.status;
    if (head.has(FIELD.weftReason)) this.reason = reasonOf(head.value(head.find(FIELD.weftReason)));
    // Of one that turns out slow in its body nobody will know what served it.
    const mayTell =
      this.trace.isSampled ||
      head.status >= 500 ||
      (this.#keeper.hasTaps && this.isTapped(between, request, Number.POSITIVE_INFINITY));
    if (mayTell) this.#server = textOf(head, 'server');
  }

  /** The response that the mesh made. @param atMs from the start of the request */
  responded({ status, lines, reason }: Answer, atMs: number): void {
    this.status = status;
    this.reason = reason ?? '';
    if (reason === undefined || !LIMITS.has(reason)) return;
    const subject = /^weft-policy: (.*)\r$/m.exec(lines)?.[1] ?? '';
    this.#add({ kind: 'limit', startMs: atMs, tookMs: 0, subject, status: 0, reason });
  }

  failed(reason: ReasonCode): void {
    this.reason = reason;
  }

  /** An attempt or a wait is over. Instants count from the start of the request. */
  step(kind: RecordedStep['kind'], startMs: number, endMs: number, end: Pick<RecordedStep, 'status' | 'reason'>): void {
    const subject = kind === 'attempt' ? answererOf(this.#endpoint).endpoint : '';
    this.#add({ kind, startMs, tookMs: endMs - startMs, subject, ...end });
  }

  /** By the document `subject`, until `nowMs` or at that instant; from the start of the request. */
  disturbed(kind: 'delay' | 'fault', subject: string, nowMs: number): void {
    const [startMs, tookMs, reason] =
      kind === 'delay' ? [0, nowMs, '' as const] : [nowMs, 0, 'fault-injected' as const];
    this.#add({ kind, startMs, tookMs, subject, status: 0, reason });
  }

  /** Whether the request is one to tell of, whoever watches; cheap, as it is asked for every one. */
  isWorthTelling(tookMs: number, grpcStatus: number): boolean {
    return (
      this.trace.isSampled ||
      this.status >= 500 ||
      this.reason !== '' ||
      isFailedGrpc(grpcStatus) ||
      tookMs > this.#keeper.config.slowMs
    );
  }

  isTapped(between: Watchable, head: Head | undefined, tookMs: number): boolean {
    this.tookMs = tookMs;
    return this.#keeper.isTapped(between, head, this);
  }

  /** An attempt at an application of this node did not do: its destination tells of it as if it were another agent's. */
  passedOver(ending: Ending, reason: ReasonCode, status: number): void {
    const { arrival, tookMs } = ending;
    if (arrival === undefined) return;
    const end = { status, reason: status === 0 ? reason : ('' as const), tookMs };
    this.#tell(ending, arrival, end, []);
  }

  /** @param askedAtMs when the endpoint that is asked now was, from the start of the request; -1 where none is */
  ended(ending: Ending, askedAtMs: number): void {
    const { between, arrival, decided, tookMs } = ending;
    const { status, reason } = this;
    const end = { status, reason, tookMs };
    if (askedAtMs >= 0) this.step('attempt', askedAtMs, tookMs, end);
    const own = this.#steps ?? [];
    const steps: RecordedStep[] = [];
    if (decided !== undefined) {
      const { kind, subject } = decided;
      steps.push({ kind, startMs: 0, tookMs: 0, subject, status: 0, reason: kind === 'limit' ? reason : '' });
    }
    steps.push(...(decided?.kind === 'limit' ? own.filter(({ kind }) => kind !== 'limit') : own));
    this.#tell(ending, between, end, steps);
    if (arrival === undefined) return;
    const last = own.filter(({ kind }) => kind === 'attempt').slice(-1);
    this.#tell(ending, arrival, end, [...last, ...own.filter(({ kind }) => kind === 'limit')]);
  }

  #tell(ending: Ending, between: Watchable, { status, reason, tookMs }: Ended, steps: readonly RecordedStep[]): void {
    const keeper = this.#keeper;
    const { config } = keeper;
    const { head, arrival, isGrpc, startedAtMs, bytesIn, bytesOut } = ending;
    const isArrival = between === arrival;
    const isMirror = ending.isCopy && !isArrival;
    const grpcStatus = isGrpc && ending.grpcStatus !== -1 ? ending.grpcStatus : null;
    const tapped = keeper.isTapped(between, head, { status, reason, tookMs });
    const kept: Kept = {
      sampled: this.trace.isSampled,
      // A copy that goes wrong harms nobody, and must not take the place of what does.
      failed: !isMirror && (status >= 500 || reason !== '' || isFailedGrpc(grpcStatus ?? -1)),
      slow: !isMirror && tookMs > config.slowMs,
      tapped,
    };
    if (!(kept.sampled || kept.failed || kept.slow || kept.tapped) || !keeper.admits(kept)) return;
    keeper.add({
      ...between.parties,
      atMs: Date.now() - (performance.now() - startedAtMs),
      tookMs,
      protocol: isGrpc ? 'grpc' : 'http',
      method: head?.method() ?? '',
      authority: head === undefined ? '' : authorityOf(head),
      path: head === undefined ? '' : pathOf(head),
      route: isArrival ? ending.arrivedRoute : ending.route,
      status,
      grpcStatus,
      reason,
      ...answererOf(this.#endpoint),
      bytesReceived: bytesIn,
      bytesSent: bytesOut,
      userAgent: head === undefined ? '' : textOf(head, 'user-agent'),
      server: this.#server,
      user: head === undefined ? '' : userOf(head, config),
      ...this.#ids(isArrival),
      kept,
      isMirror,
      steps,
    });
  }

  #ids(isArrival: boolean): Pick<RequestRecord, 'traceId' | 'spanId' | 'parentSpanId'> {
    const { trace } = this;
    const { traceId, spanId } = trace;
    if (isArrival) return { traceId, spanId: trace.arrivalSpanId, parentSpanId: spanId };
    return { traceId, spanId, parentSpanId: trace.parentSpanId };
  }

  #add(step: RecordedStep): void {
    this.#steps ??= [];
    if (this.#steps.length < MAX_STEPS) this.#steps.push(step);
  }
}

function isFailedGrpc(status: number): boolean {
  return status > 0 && status < 32 && ((FAILED_GRPC >>> status) & 1) === 1;
}

function reasonOf(text: string): ReasonCode | '' {
  return Object.hasOwn(REASONS, text) ? (text as ReasonCode) : '';
}
