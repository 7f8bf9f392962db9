/**
 * What a worker tells of one request or connection that is worth keeping: sampled, failed, slow, or watched by a tap. The
 * control thread makes access logs, spans, taps and the list of observed routes of it. Plain data: it crosses by structured clone.
 * @module
 */
import type { ReasonCode } from '../reasons.ts';

/** Why it was kept. Several hold at once. */
export interface Kept {
  /** By the decision at the head of its trace. */
  readonly sampled: boolean;
  /** 5xx, gRPC 2 4 13 14 15, or ended by the mesh; never said of a copy at its source. */
  readonly failed: boolean;
  /** Over `telemetry.slowMs`. */
  readonly slow: boolean;
  /** A tap asked for it. */
  readonly tapped: boolean;
}

/** One try at one endpoint, a wait before it, or what a fault did to it: a delay, or its end. Instants count from the start of the request. */
export interface RecordedStep {
  readonly kind: 'route' | 'limit' | 'delay' | 'fault' | 'queue' | 'attempt' | 'backoff';
  readonly startMs: number;
  readonly tookMs: number;
  /** `address:port` of an attempt; the document of a route, limit or fault (`HTTPRoute shop/cart rule 2`); else empty. */
  readonly subject: string;
  /** Status of an attempt; 0 where there was none. */
  readonly status: number;
  readonly reason: ReasonCode | '';
}

export interface RequestRecord {
  readonly direction: 'outbound' | 'inbound';
  /** When its head was read, ms since 1970. */
  readonly atMs: number;
  readonly tookMs: number;
  /** SPIFFE id of the caller; empty in plaintext. */
  readonly source: string;
  /** 'namespace/service' of the calling workload; empty where only its identity is known. */
  readonly sourceService: string;
  /** 'namespace/service', or 'passthrough'. */
  readonly destination: string;
  readonly protocol: 'http' | 'grpc' | 'tcp';
  readonly method: string;
  readonly authority: string;
  /** As the client sent it, without the query, at most 1,024 characters. */
  readonly path: string;
  /** `/v1/accounts/{id}`: of the route that matched, or of path templating. */
  readonly route: string;
  /** 0 where there was no final response. */
  readonly status: number;
  readonly grpcStatus: number | null;
  readonly reason: ReasonCode | '';
  /** `address:port` that answered; empty for none. */
  readonly endpoint: string;
  /** Version of that endpoint. */
  readonly version: string;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly userAgent: string;
  /** `Server` of the response: a hint at language and framework. */
  readonly server: string;
  /** What `telemetry.userHeader` or `userClaim` says, verified by nobody; empty for none. */
  readonly user: string;
  /** 32, 16 and 16 lower-case hex digits; no parent: empty. */
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly kept: Kept;
  /** A copy that a route had made of another request, at its source. */
  readonly isMirror: boolean;
  readonly steps: readonly RecordedStep[];
}
