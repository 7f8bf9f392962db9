/** What is told of a connection that is not HTTP, once it is over: made then, as there is nothing to remember until then. @module */

import { performance } from 'node:perf_hooks';
import type { Balanced } from '../balancer/balanced.ts';
import type { ReasonCode } from '../reasons.ts';
import { answererOf, type Parties } from './parties.ts';
import type { Kept } from './record.ts';
import type { RecordKeeper } from './record-keeper.ts';
import { NO_TAPS } from './taps.ts';
import { idText, isChosen } from './trace-ids.ts';

export interface EndedConnection {
  /** Of either end of the hop that is here. */
  readonly ends: readonly Parties[];
  /** See `sharedIds`; undefined where the other end of the hop has no part in it, or is here. */
  readonly shared: Int32Array | undefined;
  readonly startedAtMs: number;
  readonly reason: ReasonCode | '';
  readonly endpoint: Balanced | undefined;
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

const SPAN = 4;
const WORDS = 6;

export function tellOfConnection(keeper: RecordKeeper, connection: EndedConnection): void {
  const { ends, shared, startedAtMs, reason, endpoint, bytesReceived, bytesSent } = connection;
  const { ids, sampleRatio } = keeper.trace;
  const words = shared ?? new Int32Array(WORDS);
  if (shared === undefined) {
    ids.beginTrace(words, 0);
    ids.span(words, SPAN);
  }
  const sampled = isChosen(words, 0, sampleRatio);
  const failed = reason !== '';
  if (!sampled && !failed && !keeper.hasTaps) return;
  const tookMs = performance.now() - startedAtMs;
  const traceId = idText(words, 0, 4);
  let parentSpanId = '';
  for (const parties of ends) {
    // Where the caller's end is another agent's, the span that both know of is that one's.
    if (shared !== undefined && parties.direction === 'inbound') parentSpanId = idText(words, SPAN, 2);
    if (parentSpanId !== '') ids.span(words, SPAN);
    const spanId = idText(words, SPAN, 2);
    const between = { parties, taps: NO_TAPS, among: NO_TAPS };
    const tapped = keeper.isTapped(between, undefined, { status: 0, reason, tookMs });
    const kept: Kept = { sampled, failed, slow: false, tapped };
    if ((sampled || failed || tapped) && keeper.admits(kept)) {
      keeper.add({
        ...parties,
        atMs: Date.now() - tookMs,
        tookMs,
        protocol: 'tcp',
        method: '',
        authority: '',
        path: '',
        route: '',
        status: 0,
        grpcStatus: null,
        reason,
        ...answererOf(endpoint),
        bytesReceived,
        bytesSent,
        userAgent: '',
        server: '',
        user: '',
        traceId,
        spanId,
        parentSpanId,
        kept,
        isMirror: false,
        steps: [],
      });
    }
    parentSpanId = spanId;
  }
}
