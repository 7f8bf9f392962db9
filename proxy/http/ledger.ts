/**
 * What is counted of one request: at the source, and at the destination as well where that is on this node. The row is found when
 * there is something to count, as only then it is known who answered.
 * @module
 */

import type { Head } from '../http1/grammar/head.ts';
import { REASONS, type ReasonCode } from '../reasons.ts';
import type { RequestRows } from '../telemetry/request-rows.ts';
import { isPost, type RouteTemplate, UNREAD } from '../telemetry/route-templates.ts';
import type { StatsWriter } from '../telemetry/stats-writer.ts';
import { grpcStatusIn, isGrpcCall } from './grpc-call.ts';
import type { Plan } from './plan.ts';
import type { Arrival, StreamPool } from './streams.ts';

export class RequestLedger {
  startedAtMs = 0;
  bytesIn = 0;
  bytesOut = 0;
  isGrpc = false;
  /** -1 until somebody says. */
  grpcStatus = -1;
  #tookMs = -1;
  readonly #stats: StatsWriter;
  #requests: RequestRows;
  #template = UNREAD;
  /** The same as the destination sees it, which knows no routes. */
  #arrivedAs = UNREAD;
  #version = '';
  #arrival: Arrival | undefined = undefined;

  constructor(stats: StatsWriter, requests: RequestRows) {
    this.#stats = stats;
    this.#requests = requests;
  }

  /** @param head undefined where it could not be read */
  begin(head: Head | undefined, requests: RequestRows): void {
    const { templates } = this.#stats;
    this.startedAtMs = performance.now();
    this.#tookMs = -1;
    this.bytesIn = head === undefined ? 0 : head.end - head.start;
    this.bytesOut = 0;
    this.isGrpc = head !== undefined && isPost(head) && isGrpcCall(head);
    this.grpcStatus = -1;
    this.#requests = requests;
    this.#template = head === undefined ? UNREAD : templates.of(head, this.isGrpc);
    this.#arrivedAs = this.#template;
    this.#version = '';
    this.#arrival = undefined;
  }

  /** What the route made of it. */
  planned({ requests, route }: Plan, head: Head): void {
    this.#requests = requests;
    if (route !== '' && !this.isGrpc) this.#template = this.#stats.templates.ofRule(route, head);
  }

  /** What it is counted as. */
  get template(): RouteTemplate {
    return this.#template;
  }

  /** Whom it goes to now. */
  sentTo({ endpoint, arrival }: StreamPool): void {
    this.#version = endpoint.version ?? '';
    this.#arrival = arrival;
  }

  /** The head of the response, or its trailers. */
  told(head: Head): void {
    if (this.isGrpc && this.grpcStatus === -1) this.grpcStatus = grpcStatusIn(head);
  }

  /** Until it was answered; until now where it was not. */
  get tookMs(): number {
    return this.#tookMs === -1 ? performance.now() - this.startedAtMs : this.#tookMs;
  }

  /** Refused by the mesh. Through another agent it would be an answer like others: the reason is told where it arose. */
  refused(reason: ReasonCode): void {
    this.#stats.failure(this.#arrival === undefined ? this.#row : this.#rowOf(this.#arrival), reason);
  }

  /** Both ends of a hop notice a client that leaves and a response that breaks off. */
  failed(reason: ReasonCode): void {
    this.#stats.failure(this.#row, reason);
    if (this.#arrival !== undefined) this.#stats.failure(this.#rowOf(this.#arrival), reason);
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
   * An application of this node did not do, and there will be another attempt.
   *
   * @param status what it answered; 0 where it did not
   */
  passedOver(reason: ReasonCode, status: number): void {
    const arrival = this.#arrival;
    this.#arrival = undefined;
    this.#version = '';
    if (arrival === undefined) return;
    const row = arrival.requests.row(this.#arrivedAs, arrival.version, this.isGrpc);
    if (status === 0) this.#stats.failure(row, reason);
    this.#stats.request(row, status || REASONS[reason].status, performance.now() - this.startedAtMs);
    if (this.isGrpc) this.#stats.grpc(row, -1);
  }

  #count(row: number, status: number, tookMs: number): void {
    this.#stats.request(row, status, tookMs);
    this.#stats.bytes(row, this.bytesIn, this.bytesOut);
    if (this.isGrpc) this.#stats.grpc(row, this.grpcStatus);
  }

  get #row(): number {
    return this.#requests.row(this.#template, this.#version, this.isGrpc);
  }

  #rowOf({ requests, version }: Arrival): number {
    return requests.row(this.#arrivedAs, version, this.isGrpc);
  }
}
