/**
 * One request and its response, from a downstream stream to an upstream one: picking an endpoint, waiting for a stream,
 * moving on to another endpoint while nothing was sent, repeating what a dead pooled connection swallowed, passing
 * backpressure on, and knowing at every moment what may still be told to the client.
 *
 * One exchange serves all requests of a downstream stream, one after the other; per request it allocates nothing.
 * @module
 */

import type { Balanced } from '../balancer/balanced.ts';
import { FAILURE_MS } from '../balancer/peak-ewma.ts';
import type { HttpConfig, UpstreamConfig } from '../config.ts';
import { BODY, FIELD, type Head } from '../http1/grammar/head.ts';
import { passingTrailers } from '../http1/grammar/trailers.ts';
import { REASONS, type ReasonCode } from '../reasons.ts';
import { OpaqueRelay, type RelayContext } from '../tcp/relay.ts';
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
  /** Finishes what is under way, then closes. */
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
}

const MAX_INTERIM = 16;
const NONE: readonly Balanced[] = [];
const IDEMPOTENT = /^(GET|HEAD|OPTIONS|TRACE|PUT|DELETE)$/;

export class Exchange implements RequestSink, ResponseSink, Waiter {
  readonly #downstream: DownstreamStream;
  readonly #route: Route;
  readonly #context: HttpContext;
  /** The request; undefined between two. */
  #head: Head | undefined = undefined;
  #extra = '';
  #pool: StreamPool | undefined = undefined;
  /** The other half of the hop, where the endpoint that was picked last is on this node. */
  #arrival: Arrival | undefined = undefined;
  #bytesIn = 0;
  #bytesOut = 0;
  #upstream: UpstreamStream | undefined = undefined;
  #isWaiting = false;
  #tried: readonly Balanced[] = NONE;
  #attempts = 0;
  #startedAtMs = 0;
  /** When the endpoint that is asked now was picked. */
  #askedAtMs = 0;
  #requestEnded = false;
  #requestTrailers = '';
  #responseStarted = false;
  #interims = 0;
  #status = 0;
  #wasReplayed = false;
  /** Body sent so far, while it may have to be sent again; undefined when it is not kept. */
  #replay: Buffer[] | undefined = undefined;
  #replayBytes = 0;

  constructor(downstream: DownstreamStream, route: Route, context: HttpContext) {
    this.#downstream = downstream;
    this.#route = route;
    this.#context = context;
  }

  get isActive(): boolean {
    return this.#head !== undefined;
  }

  // The request, from downstream.

  begin(head: Head): void {
    this.#head = head;
    this.#startedAtMs = performance.now();
    this.#askedAtMs = this.#startedAtMs;
    this.#extra = head.upgrade ? 'Connection: Upgrade\r\nUpgrade: websocket\r\n' : '';
    this.#tried = NONE;
    this.#attempts = 0;
    this.#requestEnded = head.body === BODY.none;
    this.#requestTrailers = '';
    this.#responseStarted = false;
    this.#interims = 0;
    this.#status = 0;
    this.#wasReplayed = false;
    this.#replay = undefined;
    this.#replayBytes = 0;
    this.#bytesIn = head.end - head.start;
    this.#bytesOut = 0;
    const denial = this.#route.guard?.judge(head);
    if (denial !== undefined) {
      this.#refuse(denial.reason, denial.detail, denial.policy);
      return;
    }
    if (head.target.authority !== undefined) head.dropAll(FIELD.host);
    else if (!head.has(FIELD.host)) this.#extra += `Host: ${this.#route.authority}\r\n`;
    if (head.has(FIELD.maxForwards) && !this.#countForwards(head)) {
      this.#refuse('max-forwards', '');
      return;
    }
    this.#acquire();
  }

  requestData(bytes: Buffer, start: number, end: number): void {
    this.#context.garbage.passed(end - start);
    this.#bytesIn += end - start;
    const upstream = this.#upstream;
    if (upstream === undefined) return; // the response is complete; the rest of the request is read and dropped
    upstream.sendData(bytes, start, end);
    if (this.#replay !== undefined) this.#keep(bytes, start, end);
  }

  requestEnd(trailers: Head | undefined): void {
    this.#requestEnded = true;
    const upstream = this.#upstream;
    if (upstream === undefined) return;
    if (trailers !== undefined) this.#requestTrailers = passingTrailers(trailers, this.#head!);
    upstream.sendEnd(this.#requestTrailers);
  }

  requestAborted(reason: ReasonCode): void {
    if (this.#head === undefined) return;
    this.#fail(reason);
    this.#upstream?.abort();
    if (this.#isWaiting) this.#pool?.cancel(this);
    this.#finish();
  }

  requestRefused(reason: ReasonCode): void {
    if (this.#head === undefined) this.#startedAtMs = performance.now();
    this.#upstream?.abort();
    if (this.#isWaiting) this.#pool?.cancel(this);
    if (!this.#responseStarted) {
      this.#refuse(reason, '');
      return;
    }
    this.#fail(reason);
    this.#record(this.#status);
    this.#finish();
    this.#downstream.cut();
  }

  downstreamDrained(): void {
    this.#upstream?.resumeResponse();
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
    const pool = this.#route.pick(this.#tried, this.#head!.upgrade);
    if (typeof pool === 'string') {
      this.#refuse(pool, '');
      return;
    }
    const { arrival } = pool;
    this.#arrival = arrival;
    const denial = arrival?.guard.judge(this.#head!);
    if (denial !== undefined) {
      this.#refuse(denial.reason, denial.detail, denial.policy);
      return;
    }
    this.#pool = pool;
    this.#attempts++;
    pool.endpoint.outstanding++;
    const stream = pool.take();
    if (stream !== undefined) {
      this.#send(stream);
      return;
    }
    this.#isWaiting = true;
    if (!pool.wait(this)) {
      this.#isWaiting = false;
      this.#leaveEndpoint();
      this.#refuse('upstream-overflow', '');
      return;
    }
    if (this.#isWaiting) this.#downstream.hold();
  }

  acquired(stream: UpstreamStream): void {
    this.#isWaiting = false;
    this.#send(stream);
    this.#downstream.release();
    this.flush();
  }

  acquireFailed(reason: ReasonCode, detail: string): void {
    this.#isWaiting = false;
    this.#moveOn(reason, detail);
  }

  /** To another endpoint, if one is left; what failed here is told otherwise. */
  #moveOn(reason: ReasonCode, detail: string): void {
    const failed = this.#pool!.endpoint;
    this.#leaveEndpoint();
    const { upstream, stats } = this.#context;
    this.#tried = [...this.#tried, failed];
    this.#askedAtMs = performance.now();
    failed.latency?.observe(FAILURE_MS, this.#askedAtMs);
    if (
      this.#attempts < upstream.maxAttempts &&
      typeof this.#route.pick(this.#tried, this.#head!.upgrade) !== 'string'
    ) {
      stats.count('upstreamRetried');
      if (this.#arrival !== undefined) this.#recordArrival(this.#arrival, reason);
      this.#acquire();
    } else {
      this.#refuse(reason, detail);
    }
    this.flush();
  }

  #send(stream: UpstreamStream): void {
    const head = this.#head!;
    this.#upstream = stream;
    stream.begin(this);
    stream.sendHead(head, this.#extra + (this.#arrival ?? this.#route).lines);
    if (stream.isReused) this.#context.stats.count('upstreamReused');
    if (head.body !== BODY.none && !this.#wasReplayed) this.#replay = [];
    if (this.#wasReplayed && this.#replay !== undefined) {
      for (const kept of this.#replay) stream.sendData(kept, 0, kept.length);
      this.#replay = undefined;
    }
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
    this.#replay = undefined;
    this.#bytesOut += head.end - head.start;
    if (this.#route.isLocal || this.#arrival !== undefined) {
      head.dropAll(FIELD.weftReason);
      head.dropAll(FIELD.weftNode);
      head.dropAll(FIELD.weftPolicy);
    }
    if (head.status === 101 && !this.#head!.upgrade) {
      this.#upstream!.abort();
      this.#refuse('upstream-unasked-upgrade', '');
      return;
    }
    this.#responseStarted = true;
    this.#status = head.status;
    const { latency } = this.#pool!.endpoint;
    if (latency !== undefined) {
      const nowMs = performance.now();
      latency.observe(nowMs - this.#askedAtMs, nowMs);
    }
    this.#downstream.sendHead(head);
    if (head.status === 101) this.#switchProtocols();
  }

  responseData(bytes: Buffer, start: number, end: number): void {
    this.#context.garbage.passed(end - start);
    this.#bytesOut += end - start;
    this.#downstream.sendData(bytes, start, end);
  }

  responseEnd(trailers: Head | undefined): void {
    this.#downstream.sendEnd(trailers === undefined ? '' : passingTrailers(trailers, this.#head!));
  }

  responseComplete(): void {
    this.#record(this.#status);
    this.#finish();
    this.#downstream.done();
  }

  upstreamFailed(reason: ReasonCode, detail: string, received: boolean): void {
    const stream = this.#upstream!;
    this.#upstream = undefined;
    if (this.#responseStarted) {
      this.#fail('upstream-truncated');
      this.#record(this.#status);
      this.#finish();
      this.#downstream.cut();
      return;
    }
    if (received || !this.#canReplay(stream.isUntouched)) {
      this.#refuse(reason, detail);
      this.flush();
      return;
    }
    // A connection that served before had merely grown old; one that dies with its first request speaks for its endpoint.
    this.#wasReplayed = true;
    this.#context.stats.count('upstreamReplayed');
    if (stream.isReused) this.#replayHere();
    else this.#moveOn(reason, detail);
  }

  upstreamDrained(): void {
    this.#downstream.release();
  }

  /** RFC 9110 §9.2.2: a proxy repeats only what is idempotent or was not looked at, and only once here. */
  #canReplay(isUntouched: boolean): boolean {
    if (this.#wasReplayed || !(isUntouched || IDEMPOTENT.test(this.#head!.method()))) return false;
    return this.#head!.body === BODY.none || this.#replay !== undefined;
  }

  #replayHere(): void {
    const pool = this.#pool!;
    pool.dropIdle();
    const stream = pool.take();
    if (stream !== undefined) {
      this.acquired(stream);
      return;
    }
    this.#isWaiting = true;
    if (!pool.wait(this)) {
      this.#isWaiting = false;
      this.#refuse('upstream-overflow', '');
      this.flush();
    } else if (this.#isWaiting) this.#downstream.hold();
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    this.#replayBytes += end - start;
    if (this.#replayBytes > this.#context.http.replayBytes) this.#replay = undefined;
    else this.#replay!.push(bytes.subarray(start, end));
  }

  /** After a 101 both sides are bytes. */
  #switchProtocols(): void {
    this.flush();
    const upstream = this.#upstream!.detach();
    const downstream = this.#downstream.detach();
    this.#record(101);
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

  #refuse(reason: ReasonCode, detail: string, policy = ''): void {
    // Through another agent it would be an answer like others: the reason is told where it arose.
    this.#context.stats.failure((this.#arrival ?? this.#route).row, reason);
    this.#record(REASONS[reason].status);
    this.#finish();
    this.#downstream.respond(reason, detail, policy);
  }

  /** Both ends of a hop notice a client that leaves and a response that breaks off. */
  #fail(reason: ReasonCode): void {
    this.#context.stats.failure(this.#route.row, reason);
    if (this.#arrival !== undefined) this.#context.stats.failure(this.#arrival.row, reason);
  }

  #record(status: number): void {
    const { stats } = this.#context;
    const tookMs = performance.now() - this.#startedAtMs;
    stats.request(this.#route.row, status, tookMs);
    const arrival = this.#arrival;
    if (arrival === undefined) return;
    stats.request(arrival.row, status, tookMs);
    stats.bytes(arrival.row, this.#bytesIn, this.#bytesOut);
  }

  /** An application of this node could not be reached, and another endpoint will be tried. */
  #recordArrival({ row }: Arrival, reason: ReasonCode): void {
    this.#context.stats.failure(row, reason);
    this.#context.stats.request(row, REASONS[reason].status, performance.now() - this.#startedAtMs);
  }

  #leaveEndpoint(): void {
    if (this.#pool === undefined) return;
    this.#pool.endpoint.outstanding--;
    this.#pool = undefined;
  }

  /** Lets go of everything of this request. */
  #finish(): void {
    this.#leaveEndpoint();
    this.#arrival = undefined;
    this.#isWaiting = false;
    this.#upstream = undefined;
    this.#responseStarted = false;
    this.#replay = undefined;
    this.#head = undefined;
  }
}
