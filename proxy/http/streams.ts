/**
 * The seam between the exchange of one request for one response and the protocols that carry it.
 *
 * HTTP/1.1 connections implement both sides today; a tunnel stream or an HTTP/2 stream will implement the same. Heads
 * travel as indexed bytes (`Head`), bodies as stretches of somebody's buffer, without framing. Nobody buffers: what is
 * sent is gathered in the stream's outbox until `flush`, and `isBlocked` afterwards means that the source must pause.
 * @module
 */

import type { Socket } from 'node:net';
import type { Balanced } from '../balancer/balanced.ts';
import type { Head } from '../http1/grammar/head.ts';
import type { ReasonCode } from '../reasons.ts';
import type { RequestRows } from '../telemetry/request-rows.ts';
import type { Answer } from './answer.ts';
import type { Admission, RequestGuard } from './request-guard.ts';

/** A byte stream taken out of a protocol, with what was read from it but not used. */
export interface RawEnd {
  readonly socket: Socket;
  /** The TCP socket below TLS, the same as `socket` for plaintext: where a reset is sent from. */
  readonly transport: Socket;
  readonly leftover: Buffer | undefined;
}

/** The side of an exchange that faces the client. */
export interface DownstreamStream {
  readonly isBlocked: boolean;
  sendInterim(head: Head): void;
  /** @param extra complete header lines to add */
  sendHead(head: Head, extra: string): void;
  sendData(bytes: Buffer, start: number, end: number): void;
  /** @param trailers complete lines, or '' */
  sendEnd(trailers: string): void;
  /** Answers with a response of the mesh's own. Only before `sendHead`. */
  respond(answer: Answer): void;
  /**
   * The response cannot be completed; the client must notice.
   *
   * @param isReset by a reset, even where less would do
   */
  cut(isReset: boolean): void;
  /** The exchange is over: read on, or close. */
  done(): void;
  /** Stop delivering the request body until `release`. */
  hold(): void;
  release(): void;
  flush(): void;
  /** Leaves the byte stream to the caller, after a 101. */
  detach(): RawEnd;
}

/** What an exchange is told by the client's side. */
export interface RequestSink {
  begin(head: Head): void;
  requestData(bytes: Buffer, start: number, end: number): void;
  requestEnd(trailers: Head | undefined): void;
  /** The request will not be completed. Nothing more is sent to the client by the exchange. */
  requestAborted(reason: ReasonCode): void;
  /** The request cannot be read: the client is told, or cut off where its response has begun. */
  requestRefused(reason: ReasonCode): void;
  downstreamDrained(): void;
  flush(): void;
}

/** The side of an exchange that faces an endpoint. */
export interface UpstreamStream {
  readonly isBlocked: boolean;
  /** Whether the connection served a request before: then its death says nothing about this one. */
  readonly isReused: boolean;
  /** After a failure: whether it is certain that nothing of the request was looked at, so that any method may be repeated. */
  readonly isUntouched: boolean;
  begin(sink: ResponseSink): void;
  /** @param extra complete header lines to add */
  sendHead(head: Head, extra: string): void;
  sendData(bytes: Buffer, start: number, end: number): void;
  sendEnd(trailers: string): void;
  /** Stop delivering the response until `resumeResponse`. */
  pauseResponse(): void;
  resumeResponse(): void;
  flush(): void;
  /** Gives the exchange up; the stream tells its sink nothing more. */
  abort(): void;
  detach(): RawEnd;
}

/** What an exchange is told by the endpoint's side. */
export interface ResponseSink {
  responseInterim(head: Head): void;
  responseHead(head: Head): void;
  responseData(bytes: Buffer, start: number, end: number): void;
  responseEnd(trailers: Head | undefined): void;
  /** After `responseEnd`, once the stream has been given back. */
  responseComplete(): void;
  /** @param received whether any byte of a response had arrived */
  upstreamFailed(reason: ReasonCode, detail: string, received: boolean): void;
  upstreamDrained(): void;
  flush(): void;
}

/** Waits for a stream to an endpoint. Exactly one of the two is called, unless it is cancelled before. */
export interface Waiter {
  acquired(stream: UpstreamStream): void;
  acquireFailed(reason: ReasonCode, detail: string): void;
}

/** The destination's half of a hop that ends on this node: what another agent would judge and count is done in the same pass. */
export interface Arrival {
  /** Row in the statistics of its connections, beside that of the route. */
  readonly row: number;
  readonly requests: RequestRows;
  /** Of the workload that it is. */
  readonly version: string;
  readonly guard: RequestGuard;
  readonly admission: Admission | undefined;
  /** Complete header lines that each request gets; '' for none. */
  readonly lines: string;
  /** The request has become bytes between this client and the application. */
  switched(client: RawEnd): void;
}

/** Streams to one endpoint under one identity. */
export interface StreamPool {
  /** Whose load the streams count under. */
  readonly endpoint: Balanced;
  /** Where the streams lead to an application of this node that another node's agent would call through ours. */
  readonly arrival?: Arrival;
  /**
   * An idle stream, at once, or none.
   *
   * @param isOnce for a request that must not be sent twice: of a connection that may have ended, the kernel is asked first
   */
  take(isOnce?: boolean): UpstreamStream | undefined;
  /** Waits for a stream; false if too many wait already. */
  wait(waiter: Waiter): boolean;
  cancel(waiter: Waiter): void;
  /** Closes idle streams: one of them was found dead, the others are as old. */
  dropIdle(): void;
}
