/**
 * An opaque connection: finding an endpoint that takes it, then joining the two. Until then the client is not read beyond
 * what its socket buffers, and a client that leaves meanwhile is noticed.
 * @module
 */

import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Balanced } from '../balancer/balanced.ts';
import type { RawEnd } from '../http/streams.ts';
import type { ReasonCode } from '../reasons.ts';
import { tellOfConnection } from '../telemetry/connection-record.ts';
import type { Parties } from '../telemetry/parties.ts';
import { sharedIds } from '../telemetry/shared-ids.ts';
import type { DialResult } from '../upstream/dial.ts';
import { OpaqueRelay, type RelayContext } from './relay.ts';
import { reset } from './reset.ts';

/** One way to the destination. */
export interface Attempt {
  readonly endpoint: Balanced;
  readonly dial: (done: (result: DialResult) => void) => void;
  /** The destination's row in the statistics, where it is on this node and counted here as well. */
  readonly row?: number;
  readonly parties?: Parties;
}

export interface OpaqueOptions {
  readonly downstream: RawEnd;
  readonly row: number;
  readonly parties: Parties;
  readonly maxAttempts: number;
  /** The next way to try, or why there is none. */
  readonly next: (tried: readonly Balanced[]) => Attempt | ReasonCode;
  readonly context: RelayContext;
  /** Longest silence in both directions; left out: as configured. */
  readonly idleTimeoutMs?: number | undefined;
  /** Told when the endpoint was the first to send anything. */
  readonly onServerFirst?: () => void;
  /** Told why there is no way, before the client is reset. */
  readonly onFailed?: (reason: ReasonCode, detail: string) => void;
}

/** Joins a client to a destination. The client's socket must be paused. */
export function connectOpaque(options: OpaqueOptions): void {
  const { downstream, row, parties, context, onFailed } = options;
  const startedAtMs = performance.now();
  context.stats.opened(row);
  const client = downstream.socket;
  const shared = sharedIds(client);
  const close = ({ reason, detail }: Failure): void => {
    context.stats.failure(row, reason);
    context.stats.closed(row);
    const nothing = { endpoint: undefined, bytesReceived: 0, bytesSent: 0 };
    tellOfConnection(context.records, { ends: [parties], shared, startedAtMs, reason, ...nothing });
    onFailed?.(reason, detail);
    reset(downstream);
  };
  if (client.destroyed) {
    close(ABORTED);
    return;
  }
  tryNext({ ...options, shared }, [], undefined, close);
}

/** With what the client's end of its connection knows of their trace; undefined where it is not another agent. */
type Opened = OpaqueOptions & { readonly shared: Int32Array | undefined };

interface Failure {
  readonly reason: ReasonCode;
  readonly detail: string;
}

const ABORTED: Failure = { reason: 'client-aborted', detail: '' };

function tryNext(
  options: Opened,
  tried: readonly Balanced[],
  lastFailure: Failure | undefined,
  close: (failure: Failure) => void,
): void {
  const { downstream, context, maxAttempts, next } = options;
  const attempt = tried.length < maxAttempts ? next(tried) : 'connect-failed';
  if (typeof attempt === 'string') {
    close(lastFailure ?? { reason: attempt, detail: '' });
    return;
  }
  if (tried.length > 0) context.stats.count('upstreamRetried');
  const { endpoint } = attempt;
  endpoint.outstanding++;
  attempt.dial((result) => {
    if (downstream.socket.destroyed) {
      endpoint.outstanding--;
      if (result.ok) reset(result);
      close(ABORTED);
    } else if (result.ok) {
      join(options, { ...result, leftover: undefined }, attempt);
    } else {
      endpoint.outstanding--;
      if (result.reason === 'access-denied')
        close(result); // another endpoint has the same rules
      else tryNext(options, [...tried, endpoint], result, close);
    }
  });
}

function join(options: Opened, upstream: RawEnd, { endpoint, row: far, parties: farEnd }: Attempt): void {
  const startedAtMs = performance.now();
  const shared = options.shared ?? sharedIds(upstream.socket);
  const { downstream, context, onServerFirst } = options;
  const rows = far === undefined ? [options.row] : [options.row, far];
  if (far !== undefined) context.stats.opened(far);
  if (onServerFirst !== undefined) tellWhoSpeaksFirst(downstream.socket, upstream.socket, onServerFirst);
  new OpaqueRelay({
    downstream,
    upstream,
    rows,
    context,
    idleTimeoutMs: options.idleTimeoutMs,
    onClose: ({ received, sent, wasIdle }) => {
      endpoint.outstanding--;
      for (const row of rows) context.stats.closed(row);
      tellOfConnection(context.records, {
        ends: farEnd === undefined ? [options.parties] : [options.parties, farEnd],
        shared,
        startedAtMs,
        reason: wasIdle ? 'idle-timeout' : '',
        endpoint,
        bytesReceived: received,
        bytesSent: sent,
      });
    },
  }).start();
}

function tellWhoSpeaksFirst(client: Socket, server: Socket, onServerFirst: () => void): void {
  const settle = (): void => {
    client.off('data', settle);
    server.off('data', serverSpoke);
  };
  const serverSpoke = (): void => {
    settle();
    onServerFirst();
  };
  client.on('data', settle);
  server.on('data', serverSpoke);
}
