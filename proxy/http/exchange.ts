/**
 * One request and its response, from a downstream stream to an upstream one: asking the plan for an endpoint, waiting for a
 * stream, going on to another endpoint or asking again where the plan lets it, passing backpressure on, keeping time, and
 * knowing at every moment what may still be told to the client.
 *
 * One exchange serves all requests of a downstream stream, one after the other; per request it allocates nothing.
 * @module
 */

import { performance } from 'node:perf_hooks';
import type { HttpConfig, UpstreamConfig } from '../config.ts';
import type { Deadlines } from '../deadlines.ts';
import { BODY, FIELD, type Head } from '../http1/grammar/head.ts';
import { passingTrailers } from '../http1/grammar/trailers.ts';
import type { ReasonCode } from '../reasons.ts';
import { type Outcome, observeLatency, outcomeOf } from '../resilience/outcome.ts';
import { OpaqueRelay, type RelayContext } from '../tcp/relay.ts';
import { Alarm, type AlarmOwner } from './alarm.ts';
import { type Answer, refusal } from './answer.ts';
import { Attempts } from './attempts.ts';
import { deadlineLines, remainingMs } from './deadline-fields.ts';
import { RequestLedger } from './ledger.ts';
import type { MirrorSink, Plan } from './plan.ts';
import type { Admission, Denial, Place } from './request-guard.ts';
import { type Failure, failureOf, isForRoom, isIdempotent, isOverloaded, retryAfterMs } from './retry.ts';
import type { Route } from './route.ts';
import type {
  Arrival,
  DownstreamStream,
  RequestSink,
  ResponseSink,
  StreamPool,
  UpstreamStream,
  Waiter,
} from './streams.ts';

/** A connection that draining and closing reach. */
export interface Drainable {
  /** Finishes what is under way, then ends. @param idleMs how long one that has nothing under way may wait for a last request */
  drain(idleMs?: number): void;
  destroy(): void;
}

/** What all exchanges of a worker share. */
export interface HttpContext extends RelayContext {
  /** Name of this node. */
  readonly node: string;
  readonly http: HttpConfig;
  readonly upstream: UpstreamConfig;
  /** For what must not be late by more than some milliseconds. */
  readonly alarms: Deadlines;
  readonly random: () => number;
}

const MAX_INTERIM = 16;
const NEVER = Number.POSITIVE_INFINITY;

export class Exchange implements RequestSink, ResponseSink, Waiter, AlarmOwner {
  readonly #downstream: DownstreamStream;
  readonly #route: Route;
  readonly #context: HttpContext;
  readonly #attempts: Attempts;
  readonly #ledger: RequestLedger;
  readonly #alarm: Alarm;
  /** The request; undefined between two. */
  #head: Head | undefined = undefined;
  #plan: Plan | undefined = undefined;
  #extra = '';
  /** Lines that the plan adds for the endpoint that was picked last. */
  #edits = '';
  #pool: StreamPool | undefined = undefined;
  /** The other half of the hop, where the endpoint that was picked last is on this node. */
  #arrival: Arrival | undefined = undefined;
  #upstream: UpstreamStream | undefined = undefined;
  /** Since when there is no stream for it; 0: it does not wait for one. */
  #waitsSinceMs = 0;
  /** When the endpoint that is asked now was picked. */
  #askedAtMs = 0;
  /** When the pause before the next attempt began; 0 for none. */
  #pausedAtMs = 0;
  #requestEnded = false;
  #requestTrailers = '';
  #responseStarted = false;
  #interims = 0;
  #status = 0;
  /** Whether a place among the requests of the plan's policy is held. */
  #isEntered = false;
  /** Longest silence in both directions; 0 for any. */
  #idleMs = 0;
  /** Whether the time for the request is what the policy says, and not what the caller asks for. */
  #isOwnLimit = false;
  /** What the request has at its destination, while it is there. */
  #place: Place | undefined = undefined;
  #mirrors: readonly MirrorSink[] | undefined = undefined;

  constructor(downstream: DownstreamStream, route: Route, context: HttpContext) {
    this.#downstream = downstream;
    this.#route = route;
    this.#context = context;
    const { http, upstream, alarms } = context;
    this.#attempts = new Attempts({ maxAttempts: upstream.maxAttempts, replayBytes: http.replayBytes });
    this.#ledger = new RequestLedger(route, context);
    this.#alarm = new Alarm(this, alarms);
  }

  get isActive(): boolean {
    return this.#head !== undefined;
  }

  // The request, from downstream.

  begin(head: Head): void {
    this.#head = head;
    this.#ledger.begin(head);
    this.#askedAtMs = this.#ledger.startedAtMs;
    this.#extra = head.upgrade ? 'Connection: Upgrade\r\nUpgrade: websocket\r\n' : '';
    this.#requestEnded = head.body === BODY.none;
    this.#requestTrailers = '';
    this.#interims = 0;
    this.#status = 0;
    const { guard, admission, authority } = this.#route;
    const denial = guard?.judge(head) ?? this.#admit(admission);
    if (denial !== undefined) {
      this.#deny(denial);
      return;
    }
    const plan = this.#route.plan(head);
    this.#plan = plan;
    this.#ledger.planned(plan, head);
    this.#attempts.begin(head, plan.policy);
    if (plan.answer !== undefined) {
      this.#begin(plan);
      return;
    }
    if (head.target.authority !== undefined) head.dropAll(FIELD.host);
    else if (!head.has(FIELD.host)) this.#extra += `Host: ${authority}\r\n`;
    if (head.has(FIELD.maxForwards) && !this.#countForwards(head)) {
      this.#refuse('max-forwards', '');
      return;
    }
    const overflow = this.#enter(head, plan);
    if (overflow !== undefined) {
      this.#refuse(overflow, '');
      return;
    }
    if (plan.fault?.isReset !== true) this.#mirrors = plan.mirror(head, this.#ledger.trace);
    this.#begin(plan);
  }

  /** At once, or after the delay that somebody asked for. */
  #begin(plan: Plan): void {
    const delayMs = plan.fault?.delayMs ?? 0;
    if (delayMs === 0) {
      this.#proceed(plan);
      return;
    }
    this.#downstream.hold();
    this.#alarm.wakeAt(this.#ledger.startedAtMs + delayMs);
  }

  #proceed({ answer, fault }: Plan): void {
    if (fault !== undefined && (fault.isReset || answer !== undefined)) this.#ledger.disturbed('fault', fault);
    if (fault?.isReset === true) this.#breakOff('fault-injected');
    else if (answer !== undefined) this.#respond(answer);
    else this.#acquire();
  }

  requestData(bytes: Buffer, start: number, end: number): void {
    this.#context.garbage.passed(end - start);
    this.#ledger.bytesIn += end - start;
    if (this.#idleMs > 0) this.#alarm.setSilent(performance.now() + this.#idleMs);
    if (this.#mirrors !== undefined) for (const mirror of this.#mirrors) mirror.data(bytes, start, end);
    const upstream = this.#upstream;
    if (upstream === undefined) return; // the response is complete; the rest of the request is read and dropped
    upstream.sendData(bytes, start, end);
    this.#attempts.sent(bytes, start, end);
  }

  requestEnd(trailers: Head | undefined): void {
    this.#requestEnded = true;
    if (this.#head === undefined) return;
    if (this.#mirrors !== undefined) for (const mirror of this.#mirrors) mirror.end();
    if (trailers !== undefined) this.#requestTrailers = passingTrailers(trailers, this.#head);
    this.#upstream?.sendEnd(this.#requestTrailers);
  }

  requestAborted(reason: ReasonCode): void {
    if (this.#head === undefined) return;
    this.#ledger.cutOff(reason, 0);
    this.#leaveUnanswered('none');
    this.#abandonAttempt();
    this.#status = 0;
    this.#finish();
  }

  requestRefused(reason: ReasonCode): void {
    if (this.#head === undefined) this.#ledger.begin(undefined);
    this.#leaveUnanswered('none');
    this.#abandonAttempt();
    if (this.#responseStarted) this.#breakOff(reason);
    else this.#refuse(reason, '');
  }

  downstreamDrained(): void {
    if (!this.#alarm.isPausing) this.#upstream?.resumeResponse(); // else it is slowed down on purpose
  }

  flush(): void {
    const upstream = this.#upstream;
    if (upstream !== undefined) {
      upstream.flush();
      if (upstream.isBlocked) this.#downstream.hold();
    }
    this.#downstream.flush();
    if (upstream !== undefined && this.#downstream.isBlocked) upstream.pauseResponse();
  }

  // A stream to an endpoint.

  #acquire(): void {
    const head = this.#head!;
    const pool = this.#attempts.pick(this.#plan!, head.upgrade, this.#askedAtMs);
    if (typeof pool === 'string') {
      this.#refuse(pool, this.#attempts.failure?.detail ?? '');
      return;
    }
    if ('body' in pool) {
      this.#respond(pool);
      return;
    }
    if (this.#attempts.count++ > 0) this.#context.stats.count('upstreamRetried');
    const { arrival, endpoint } = pool;
    this.#askedAtMs = performance.now(); // not before it was picked: an answer to an earlier request would prove nothing
    this.#arrival = arrival;
    this.#pool = pool;
    this.#ledger.sentTo(pool);
    endpoint.outstanding++;
    this.#edits = this.#plan!.editRequest(head);
    const denial = arrival?.guard.judge(head, this.#edits) ?? this.#admit(arrival?.admission);
    if (denial !== undefined) {
      if (isForRoom(denial.reason)) this.#judgeEndpoint('busy', 0);
      this.#deny(denial);
      return;
    }
    const backendMs = this.#plan!.policy?.timeouts.backendMs ?? 0;
    if (backendMs > 0) this.#alarm.setAttempt(this.#askedAtMs + backendMs);
    const stream = pool.take(!isIdempotent(head));
    if (stream === undefined) this.#wait(pool);
    else this.#send(stream);
  }

  #wait(pool: StreamPool): void {
    const { policy } = this.#plan!;
    if (policy !== undefined && !policy.beginWait()) {
      this.#refuse('overflow', '');
      return;
    }
    this.#waitsSinceMs = performance.now();
    if (!pool.wait(this)) {
      this.#waited();
      this.#refuse('upstream-overflow', '');
    } else if (this.#waitsSinceMs > 0) this.#downstream.hold();
  }

  #waited(): void {
    if (this.#waitsSinceMs === 0) return;
    this.#ledger.step('queue', this.#waitsSinceMs);
    this.#waitsSinceMs = 0;
    this.#plan!.policy?.endWait();
  }

  acquired(stream: UpstreamStream): void {
    this.#waited();
    this.#send(stream);
    this.#downstream.release();
    this.flush();
  }

  acquireFailed(reason: ReasonCode, detail: string): void {
    this.#waited();
    this.#failed({ condition: 'connect-failure', isUnsent: true, reason, detail });
    this.flush();
  }

  #send(stream: UpstreamStream): void {
    const head = this.#head!;
    this.#upstream = stream;
    stream.begin(this);
    const { requestMs } = this.#alarm;
    const deadline = requestMs === NEVER ? '' : deadlineLines(head, requestMs - performance.now());
    const trace = this.#ledger.trace.pass(head, this.#arrival !== undefined);
    stream.sendHead(head, this.#extra + this.#edits + deadline + trace + (this.#arrival ?? this.#route).lines);
    if (stream.isReused) this.#context.stats.count('upstreamReused');
    for (const kept of this.#attempts.kept) stream.sendData(kept, 0, kept.length);
    if (this.#requestEnded) stream.sendEnd(this.#requestTrailers);
  }

  // The response, from upstream.

  responseInterim(head: Head): void {
    if (++this.#interims > MAX_INTERIM) {
      this.#upstream!.abort();
      this.#refuse('upstream-interim-flood', '');
      return;
    }
    if (this.#head!.minor === 1) this.#downstream.sendInterim(head);
  }

  responseHead(head: Head): void {
    if (this.#route.isLocal || this.#arrival !== undefined || this.#pool!.endpoint.isForeign === true) {
      head.disown(FIELD.weftReason);
      head.disown(FIELD.weftNode);
      head.disown(FIELD.weftPolicy);
    }
    if (head.status === 101 && !this.#head!.upgrade) {
      this.#upstream!.abort();
      this.#refuse('upstream-unasked-upgrade', '');
      return;
    }
    const plan = this.#plan!;
    const outcome = outcomeOf(head.status, isOverloaded(head));
    this.#judgeEndpoint(outcome, outcome === 'busy' ? retryAfterMs(head) : 0);
    const failure = plan.policy === undefined ? undefined : failureOf(head, plan.policy.retries);
    if (failure !== undefined && this.#repeats(failure, head.status)) {
      this.flush(); // whoever told this head does not know of the connection that the next attempt is on
      return;
    }
    this.#attempts.settle();
    this.#alarm.setAttempt(NEVER);
    this.#ledger.bytesOut += head.end - head.start;
    this.#ledger.told(head);
    this.#responseStarted = true;
    this.#status = head.status;
    this.#downstream.sendHead(head, plan.editResponse(head));
    if (head.status === 101) this.#switchProtocols();
  }

  responseData(bytes: Buffer, start: number, end: number): void {
    this.#context.garbage.passed(end - start);
    this.#ledger.bytesOut += end - start;
    if (this.#idleMs > 0) this.#alarm.setSilent(performance.now() + this.#idleMs);
    this.#downstream.sendData(bytes, start, end);
    const { fault } = this.#plan!;
    if (fault !== undefined && fault.bytesPerSecond > 0) this.#slowDown(fault.bytesPerSecond);
  }

  responseEnd(trailers: Head | undefined): void {
    if (trailers !== undefined) this.#ledger.toldTrailers(trailers);
    this.#downstream.sendEnd(trailers === undefined ? '' : passingTrailers(trailers, this.#head!));
  }

  responseComplete(): void {
    this.#ledger.answered(this.#status);
    this.#finish();
    this.#downstream.done();
  }

  upstreamFailed(reason: ReasonCode, detail: string, received: boolean): void {
    const stream = this.#upstream!;
    this.#upstream = undefined;
    if (this.#responseStarted) {
      this.#breakOff('upstream-truncated');
      return;
    }
    // A connection that served before had merely grown old; one that dies with its first request speaks for its endpoint.
    const attempts = this.#attempts;
    const isUnsent = stream.isUntouched;
    if (!received && stream.isReused && !attempts.wasReplayed && attempts.isRepeatable(isUnsent)) this.#replay();
    else if (received) {
      // Half an answer is not none: somebody has worked on the request, and no other agent may take it for lost.
      this.#failed({ condition: 'malformed', isUnsent: false, reason: 'upstream-malformed', detail });
    } else this.#failed({ condition: isUnsent ? 'refused' : 'reset', isUnsent, reason, detail });
    this.flush();
  }

  upstreamDrained(): void {
    this.#downstream.release();
  }

  /** On another connection to the same endpoint. */
  #replay(): void {
    const pool = this.#pool!;
    this.#attempts.wasReplayed = true;
    this.#context.stats.count('upstreamReplayed');
    pool.dropIdle();
    const stream = pool.take(!isIdempotent(this.#head!));
    if (stream === undefined) this.#wait(pool);
    else this.acquired(stream);
  }

  // An attempt that did not do.

  /** The endpoint could not be reached, or did not answer: another attempt, or the failure is the answer. */
  #failed(failure: Failure): void {
    this.#judgeEndpoint(failure.condition === 'refused' ? 'none' : 'failed', 0);
    if (this.#goesOn(failure)) this.#next();
    else this.#refuse(failure.reason, failure.detail);
  }

  /** The same for an answer that may be dropped for a better one. */
  #repeats(failure: Failure, status: number): boolean {
    if (!this.#goesOn(failure, status)) return false;
    this.#abandonAttempt();
    this.#next();
    this.flush(); // whoever brought this answer is told nothing more of us
    return true;
  }

  /** @param status of the answer that is dropped; 0 where there was none */
  #goesOn(failure: Failure, status = 0): boolean {
    const attempts = this.#attempts;
    const nowMs = performance.now();
    if (!attempts.goesOn(failure, this.#pool!.endpoint, nowMs)) return false;
    if (typeof attempts.pick(this.#plan!, this.#head!.upgrade, nowMs) === 'string') return false;
    this.#ledger.passedOver(failure.reason, status, this.#askedAtMs);
    this.#leaveEndpoint();
    this.#arrival = undefined;
    this.#alarm.setAttempt(NEVER);
    return true;
  }

  #next(): void {
    const pauseMs = this.#attempts.pauseMs(this.#context.random);
    if (pauseMs >= 1) {
      this.#downstream.hold();
      this.#pausedAtMs = performance.now();
      this.#alarm.wakeAt(this.#pausedAtMs + pauseMs);
      return;
    }
    this.#acquire();
    this.#takeBody();
  }

  /** Body that has been held back goes on; without an endpoint it would be lost. */
  #takeBody(): void {
    if (this.#upstream !== undefined) this.#downstream.release();
  }

  #judgeEndpoint(outcome: Outcome, retryAfterMs: number): void {
    const { endpoint } = this.#pool!;
    const { latency } = endpoint;
    if (latency === undefined) return; // the application of a destination: nobody chooses among several
    const nowMs = performance.now();
    this.#plan!.observe(endpoint, outcome, this.#askedAtMs, nowMs);
    observeLatency(latency, outcome, nowMs - this.#askedAtMs, retryAfterMs, nowMs);
  }

  // What the alarm tells.

  requestOverdue(): void {
    // An endpoint that had the whole time and all of the request is slow, unless the caller set the limit.
    const isSlow = this.#isOwnLimit && this.#requestEnded && this.#attempts.count === 1;
    this.#leaveUnanswered(isSlow ? 'failed' : 'none');
    this.#abandonAttempt();
    if (this.#responseStarted) this.#breakOff('deadline-exceeded');
    else this.#refuse('deadline-exceeded', '');
    this.flush();
  }

  fellSilent(): void {
    this.#leaveUnanswered('failed');
    this.#abandonAttempt();
    if (this.#responseStarted) this.#breakOff('silent');
    else this.#refuse('silent', '');
    this.flush();
  }

  attemptOverdue(): void {
    const isUnsent = this.#waitsSinceMs > 0;
    this.#abandonAttempt();
    this.#failed({ condition: 'timeout', isUnsent, reason: 'backend-timeout', detail: '' });
    this.flush();
  }

  woken(): void {
    if (this.#upstream !== undefined) {
      if (!this.#downstream.isBlocked) this.#upstream.resumeResponse();
      return;
    }
    const plan = this.#plan!;
    if (this.#pausedAtMs > 0) this.#ledger.step('backoff', this.#pausedAtMs);
    else if (plan.fault !== undefined) this.#ledger.disturbed('delay', plan.fault);
    this.#pausedAtMs = 0;
    this.#proceed(plan);
    this.#takeBody();
    this.flush();
  }

  // Conditions of the plan.

  #enter(head: Head, { policy }: Plan): ReasonCode | undefined {
    if (policy === undefined) return undefined;
    const overflow = policy.enter(this.#ledger.startedAtMs);
    if (overflow !== undefined) return overflow;
    this.#isEntered = true;
    const { requestMs, idleMs } = policy.timeouts;
    this.#idleMs = idleMs;
    if (idleMs > 0) this.#alarm.setSilent(this.#ledger.startedAtMs + idleMs);
    const asked = remainingMs(head);
    const limitMs = requestMs > 0 && asked > 0 ? Math.min(requestMs, asked) : requestMs + asked;
    this.#isOwnLimit = requestMs > 0 && limitMs === requestMs;
    if (limitMs > 0) this.#alarm.setRequest(this.#ledger.startedAtMs + limitMs);
    return undefined;
  }

  #admit(admission: Admission | undefined): Denial | undefined {
    const admitted = admission?.enter(this.#head!);
    if (admitted === undefined || 'reason' in admitted) return admitted;
    this.#place = admitted;
    return undefined;
  }

  #slowDown(bytesPerSecond: number): void {
    const dueAtMs = this.#askedAtMs + (this.#ledger.bytesOut / bytesPerSecond) * 1_000;
    if (dueAtMs <= performance.now()) return;
    this.#upstream?.pauseResponse();
    this.#alarm.wakeAt(dueAtMs);
  }

  /** After a 101 both sides are bytes. */
  #switchProtocols(): void {
    this.flush();
    const upstream = this.#upstream!.detach();
    const downstream = this.#downstream.detach();
    this.#ledger.answered(101);
    const { row } = this.#route;
    const arrival = this.#arrival;
    const endpoint = this.#pool!.endpoint;
    endpoint.outstanding++; // the relay holds its own place
    this.#finish();
    arrival?.switched(downstream);
    new OpaqueRelay({
      downstream,
      upstream,
      rows: arrival === undefined ? [row] : [row, arrival.row],
      context: this.#context,
      onClose: () => {
        endpoint.outstanding--;
        this.#context.stats.closed(row);
      },
    }).start();
  }

  /** RFC 9110 §7.6.2, for the two methods it is about. False: this hop is the last one. */
  #countForwards(head: Head): boolean {
    const method = head.method();
    if (method !== 'OPTIONS' && method !== 'TRACE') return true;
    const value = head.value(head.find(FIELD.maxForwards));
    if (!/^\d{1,9}$/.test(value)) return true;
    if (Number(value) === 0) return false;
    head.dropAll(FIELD.maxForwards);
    this.#extra += `Max-Forwards: ${Number(value) - 1}\r\n`;
    return true;
  }

  // The end.

  #refuse(reason: ReasonCode, detail: string): void {
    this.#deny({ reason, detail, policy: '' });
  }

  #deny({ reason, detail, policy, lines = '' }: Denial): void {
    const isGrpc = this.#head !== undefined && this.#ledger.isGrpc;
    this.#respond(refusal({ reason, detail, policy, lines, isGrpc, node: this.#context.node }));
  }

  #respond(answer: Answer): void {
    this.#ledger.responded(answer);
    this.#finish();
    this.#downstream.respond(answer);
  }

  /** The response has begun and will not be whole, or is not to come at all. */
  #breakOff(reason: ReasonCode): void {
    this.#ledger.cutOff(reason, this.#status);
    this.#status = 0;
    this.#finish();
    this.#downstream.cut(reason === 'fault-injected');
  }

  /** The endpoint will not be heard any more. One that was to prove itself by this request is let try again by the next. */
  #leaveUnanswered(outcome: 'failed' | 'none'): void {
    if (this.#pool !== undefined && !this.#responseStarted) this.#judgeEndpoint(outcome, 0);
  }

  #abandonAttempt(): void {
    this.#upstream?.abort();
    this.#upstream = undefined;
    if (this.#waitsSinceMs > 0) this.#pool?.cancel(this);
    this.#waited();
  }

  #leaveEndpoint(): void {
    if (this.#pool === undefined) return;
    this.#pool.endpoint.outstanding--;
    this.#pool = undefined;
    this.#leaveDestination();
  }

  #leaveDestination(): void {
    this.#place?.leave(performance.now() - this.#askedAtMs, this.#status);
    this.#place = undefined;
  }

  /** Lets go of everything of this request. */
  #finish(): void {
    this.#ledger.end(this.#pool === undefined ? undefined : this.#askedAtMs);
    this.#leaveEndpoint();
    this.#leaveDestination();
    if (this.#isEntered) this.#plan!.policy!.leave();
    this.#isEntered = false;
    this.#attempts.end();
    this.#alarm.clear();
    if (!this.#requestEnded) this.#mirrors?.forEach((mirror) => void mirror.abort());
    this.#mirrors = undefined;
    this.#plan = undefined;
    this.#arrival = undefined;
    this.#upstream = undefined;
    this.#responseStarted = false;
    this.#head = undefined;
  }
}
