/**
 * Records as spans: one of kind client where a request went out, one of kind server where it came in, and below it what the
 * mesh did with it: route, limit, delay, fault, queue, each attempt, each wait before another. Pure.
 *
 * The ids of those below are derived from that of the request's span, so that every node tells the same.
 * @module
 */
import { hash } from 'node:crypto';
import type { RecordedStep, RequestRecord } from '../../../proxy/telemetry/record.ts';
import type { Span } from '../../console/shapes/mesh.ts';
import { attributesOf, type EntryOptions, ownService, present } from '../access-log/entry.ts';

export function spansOf(record: RequestRecord, options: EntryOptions): readonly Span[] {
  const own = requestSpan(record, options);
  return [own, ...record.steps.map((step, i) => stepSpan(step, i, own))];
}

export function requestSpan(record: RequestRecord, options: EntryOptions): Span {
  const isInbound = record.direction === 'inbound';
  return {
    traceId: record.traceId,
    spanId: record.spanId,
    parentSpanId: record.parentSpanId,
    node: options.node,
    service: ownService(record),
    peer: isInbound ? record.sourceService || record.source : record.destination,
    kind: isInbound ? 'server' : 'client',
    name: nameOf(record),
    startMs: record.atMs,
    tookMs: record.tookMs,
    status: record.status,
    reason: record.reason,
    isFailed: record.kept.failed,
    inferredConfidence: null,
    attributes: present(attributesOf(record, options)),
  };
}

/** As the semantic conventions have it: low in cardinality, so without the path where no route is known. */
export function nameOf({ protocol, method, route, path }: RequestRecord): string {
  if (protocol === 'tcp') return 'connection';
  if (protocol === 'grpc') return path.replace(/^\//, '') || method;
  return route === '' ? method || 'request' : `${method} ${route}`;
}

function stepSpan(step: RecordedStep, index: number, { traceId, spanId, node, service, peer, startMs }: Span): Span {
  return {
    traceId,
    spanId: hash('sha1', `${spanId} ${index}`).slice(0, 16),
    parentSpanId: spanId,
    node,
    service,
    peer,
    kind: 'internal',
    name: step.kind,
    startMs: startMs + step.startMs,
    tookMs: step.tookMs,
    status: step.status,
    reason: step.reason,
    isFailed: step.reason !== '' || step.status >= 500,
    inferredConfidence: null,
    attributes: present({
      [step.kind === 'attempt' ? 'network.peer.address' : 'weft.subject']: step.subject,
      'http.response.status_code': step.status === 0 ? null : step.status,
      'weft.reason': step.reason,
      'weft.step': index + 1,
    }),
  };
}
