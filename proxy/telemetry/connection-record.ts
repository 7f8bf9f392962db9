/** What is told of a connection that is not HTTP, once it is over: made then, as there is nothing to remember until then. @module */

import type { Balanced } from '../balancer/balanced.ts';
import type { ReasonCode } from '../reasons.ts';
import { answererOf, type Place } from './place.ts';
import type { Kept } from './record.ts';
import type { RecordKeeper } from './record-keeper.ts';
import { idText, isChosen } from './trace-ids.ts';

export interface EndedConnection {
  /** Of either end of the hop that is here. */
  readonly places: readonly Place[];
  readonly startedAtMs: number;
  readonly reason: ReasonCode | '';
  readonly endpoint: Balanced | undefined;
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

export function tellOfConnection(keeper: RecordKeeper, connection: EndedConnection): void {
  const { places, startedAtMs, reason, endpoint, bytesReceived, bytesSent } = connection;
  const { ids, sampleRatio } = keeper.trace;
  const words = new Int32Array(8);
  ids.beginTrace(words, 0);
  const sampled = isChosen(words, 0, sampleRatio);
  const failed = reason !== '';
  if (!sampled && !failed && !keeper.hasTaps) return;
  const tookMs = performance.now() - startedAtMs;
  let parentSpanId = '';
  for (const place of places) {
    const about = { ...place, method: '', path: '', status: 0, reason };
    const kept: Kept = { sampled, failed, slow: false, tapped: keeper.hasTaps && keeper.isTapped(about) };
    ids.span(words, 4);
    const spanId = idText(words, 4, 2);
    if ((sampled || failed || kept.tapped) && keeper.admits(kept)) {
      keeper.add({
        ...about,
        atMs: Date.now() - tookMs,
        tookMs,
        protocol: 'tcp',
        authority: '',
        route: '',
        grpcStatus: null,
        ...answererOf(endpoint),
        bytesReceived,
        bytesSent,
        userAgent: '',
        server: '',
        user: '',
        traceId: idText(words, 0, 4),
        spanId,
        parentSpanId,
        kept,
        steps: [],
      });
    }
    parentSpanId = spanId;
  }
}
