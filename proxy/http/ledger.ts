/**
 * The account of one request: what is counted of it, and what is told of it, at the source, and at the destination as well where
 * that is on this node. Rows are found and records made when there is an end, as only then it is known who answered.
 *
 * One object serves all requests of a downstream stream, one after the other.
 * @module
 */

import { performance } from 'node:perf_hooks';
import type { Head } from '../http1/grammar/head.ts';
import { REASONS, type ReasonCode } from '../reasons.ts';
import type { RecordKeeper } from '../telemetry/record-keeper.ts';
import type { RequestRows } from '../telemetry/request-rows.ts';
import { isPost, UNREAD } from '../telemetry/route-templates.ts';
import type { StatsWriter } from '../telemetry/stats-writer.ts';
import { type Ending, Witness } from '../telemetry/witness.ts';
import type { Answer } from './answer.ts';
import { grpcStatusIn, grpcStatusOf, isGrpcCall } from './grpc-call.ts';
import type { AppliedFault, Plan } from './plan.ts';
import type { Route } from './route.ts';
import type { Arrival, StreamPool } from './streams.ts';

export class RequestLedger {
  startedAtMs = 0;
  bytesIn = 0;
  bytesOut = 0;
  isGrpc = false;
  /** -1 until somebody says. */
  #grpcStatus = -1;
  #tookMs = -1;
  readonly #stats: StatsWriter;
  readonly #records: RecordKeeper;
  readonly #witness: Witness;
  #head: Head | undefined = undefined;
  #route: Route;
  #plan: Plan | undefined = undefined;
  #requests: RequestRows;
  #template = UNREAD;
  /** The same as the destination sees it, which knows no routes. */
  #arrivedAs = UNREAD;
  #version = '';
  #arrival: Arrival | undefined = undefined;

  constructor(route: Route, { stats, records }: { readonly stats: StatsWriter; readonly records: RecordKeeper }) {
    this.#stats = stats;
    this.#records = records;
    this.#witness = new Witness(records);
    this.#route = route;
    this.#requests = route.requests;
  }

  /** @param head undefined where it could not be read */
  begin(head: Head | undefined): void {
    const { templates } = this.#stats;
    const { requests, original } = this.#route;
    this.startedAtMs = performance.now();
    this.#tookMs = -1;
    this.bytesIn = head === undefined ? 0 : head.end - head.start;
    this.bytesOut = 0;
    this.isGrpc = head !== undefined && isPost(head) && isGrpcCall(head);
    this.#grpcStatus = -1;
    this.#head = head;
    this.#plan = undefined;
    this.#requests = requests;
    this.#template = head === undefined ? UNREAD : templates.of(head, this.isGrpc);
    this.#arrivedAs = this.#template;
    this.#version = '';
    this.#arrival = undefined;
    this.#witness.begin(head, original);
  }

  /** What the route made of it. */
  planned(plan: Plan, head: Head): void {
    const { route } = plan;
    this.#plan = plan;
    this.#requests = plan.requests;
    if (route !== '' && !this.isGrpc) this.#template = this.#stats.templates.ofRule(route, head);
  }

  /** Its place in a trace. */
  get trace(): Witness['trace'] {
    return this.#witness.trace;
  }

  /** Whom it goes to now. */
  sentTo({ endpoint, arrival }: StreamPool): void {
    this.#version = endpoint.version ?? '';
    this.#arrival = arrival;
    this.#witness.asked(endpoint);
  }

  /** A part of its time is over. @param sinceMs on the clock of `performance.now()` */
  step(kind: 'queue' | 'attempt' | 'backoff', sinceMs: number, status = 0, reason: ReasonCode | '' = ''): void {
    const { startedAtMs } = this;
    this.#witness.step(kind, sinceMs - startedAtMs, performance.now() - startedAtMs, { status, reason });
  }

  /** A fault has held it back until now, or ends it now. */
  disturbed(kind: 'delay' | 'fault', { subject }: AppliedFault): void {
    this.#witness.disturbed(kind, subject, performance.now() - this.startedAtMs);
  }

  /** The head of the response that goes on. */
  told(head: Head): void {
    if (this.isGrpc) this.#grpcStatus = grpcStatusIn(head);
    this.#witness.answered(head, this.#head, this.#requests);
  }

  toldTrailers(trailers: Head): void {
    if (this.isGrpc && this.#grpcStatus === -1) this.#grpcStatus = grpcStatusIn(trailers);
  }

  /** Until it was answered; until now where it was not. */
  get tookMs(): number {
    return this.#tookMs === -1 ? performance.now() - this.startedAtMs : this.#tookMs;
  }

  /** The mesh answers by itself. Through another agent it would be an answer like others: the reason is told where it arose. */
  responded(answer: Answer): void {
    const { reason, status, trailers } = answer;
    if (reason !== undefined) {
      const row = this.#arrival === undefined ? this.#row : this.#rowOf(this.#arrival);
      this.#stats.failure(row, reason);
      if (reason === 'fault-injected') this.#stats.injected(row, status);
    }
    if (this.isGrpc) this.#grpcStatus = grpcStatusOf(trailers);
    this.answered(status);
    this.#witness.responded(answer, this.#tookMs);
  }

  /**
   * A client that leaves or a response that breaks off: both ends of a hop notice.
   *
   * @param status of what was begun; 0 for nothing
   */
  cutOff(reason: ReasonCode, status: number): void {
    this.#stats.failure(this.#row, reason);
    if (this.#arrival !== undefined) this.#stats.failure(this.#rowOf(this.#arrival), reason);
    this.#witness.failed(reason);
    this.answered(status);
  }

  /** @param status 0 where there is no answer */
  answered(status: number): void {
    const tookMs = performance.now() - this.startedAtMs;
    this.#tookMs = tookMs;
    this.#count(this.#row, status, tookMs);
    const arrival = this.#arrival;
    if (arrival === undefined) return;
    this.#count(this.#rowOf(arrival), status, tookMs);
    this.#stats.bytes(arrival.row, this.bytesIn, this.bytesOut);
  }

  /**
   * An attempt did not do, and there will be another.
   *
   * @param status what it was answered; 0 where it was not
   * @param askedAtMs when the endpoint was picked
   */
  passedOver(reason: ReasonCode, status: number, askedAtMs: number): void {
    this.step('attempt', askedAtMs, status, reason);
    const arrival = this.#arrival;
    if (arrival !== undefined) {
      this.#witness.passedOver(this.#ending(), reason, status);
      const row = arrival.requests.row(this.#arrivedAs, arrival.version, this.isGrpc);
      if (status === 0) this.#stats.failure(row, reason);
      this.#stats.request(row, status || REASONS[reason].status, performance.now() - this.startedAtMs);
      if (this.isGrpc) this.#stats.grpc(row, -1);
    }
    this.#arrival = undefined;
    this.#version = '';
  }

  /**
   * It is over: told of if it is worth that.
   *
   * @param askedAtMs when the endpoint that is asked now was picked; undefined where none is
   */
  end(askedAtMs: number | undefined): void {
    const { tookMs } = this;
    if (this.#witness.isWorthTelling(tookMs, this.#grpcStatus) || this.#isTapped(tookMs))
      this.#witness.ended(this.#ending(), askedAtMs === undefined ? -1 : askedAtMs - this.startedAtMs);
    this.#head = undefined;
    this.#plan = undefined;
  }

  #isTapped(tookMs: number): boolean {
    if (!this.#records.hasTaps) return false;
    const witness = this.#witness;
    const arrival = this.#arrival?.requests;
    return (
      witness.isTapped(this.#requests, this.#head, tookMs) ||
      (arrival !== undefined && witness.isTapped(arrival, this.#head, tookMs))
    );
  }

  #ending(): Ending {
    return {
      head: this.#head,
      between: this.#requests,
      arrival: this.#arrival?.requests,
      decided: this.#plan?.decided,
      route: this.#template === UNREAD ? '' : this.#template.route,
      arrivedRoute: this.#arrivedAs === UNREAD ? '' : this.#arrivedAs.route,
      isCopy: this.#route.original !== undefined,
      isGrpc: this.isGrpc,
      grpcStatus: this.#grpcStatus,
      startedAtMs: this.startedAtMs,
      tookMs: this.tookMs,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
    };
  }

  #count(row: number, status: number, tookMs: number): void {
    this.#stats.request(row, status, tookMs);
    this.#stats.bytes(row, this.bytesIn, this.bytesOut);
    if (this.isGrpc) this.#stats.grpc(row, this.#grpcStatus);
  }

  get #row(): number {
    return this.#requests.row(this.#template, this.#version, this.isGrpc);
  }

  #rowOf({ requests, version }: Arrival): number {
    return requests.row(this.#arrivedAs, version, this.isGrpc);
  }
}
