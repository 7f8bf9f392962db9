/** Requests, traces and who did not answer, as text for people. @module */

import { workloadOf } from '../../proxy/telemetry/workload-name.ts';
import type { Logs, Span, Trace, Traces } from '../console/shapes/mesh.ts';
import type { Coverage } from '../mesh-query/shapes.ts';
import type { Column } from './output.ts';
import { table, span as timeSpan } from './output.ts';

type LogRow = Logs['logs'][number];
type Attributes = Readonly<Record<string, unknown>>;

const BAR = 30;

/** A sentence for standard error; undefined when all nodes answered. */
export function coverageText({ asked, answered, missing }: Coverage, nowMs: number): string | undefined {
  if (missing.length === 0) return undefined;
  const who = missing.map(({ node, reason, lastHeardMs }) => {
    const heard = lastHeardMs === null ? '' : `, last heard ${timeSpan(nowMs - lastHeardMs)} ago`;
    return `${node} (${reason}${heard})`;
  });
  return `incomplete: ${answered} of ${asked} nodes answered; not ${who.join(', ')}\n`;
}

const LOG_COLUMNS: readonly (Column<LogRow> & { readonly width: number })[] = [
  { heading: 'AT', width: 12, text: ({ atMs }) => new Date(atMs).toISOString().slice(11, 23) },
  { heading: 'NODE', width: 10, text: ({ node }) => node },
  { heading: 'DIR', width: 3, text: (row) => (attribute(row, 'weft.direction') === 'inbound' ? 'in' : 'out') },
  { heading: 'FROM', width: 18, text: (row) => workloadOf(attribute(row, 'weft.source')) },
  { heading: 'TO', width: 18, text: (row) => attribute(row, 'weft.destination') },
  { heading: 'STATUS', width: 6, text: statusOf },
  { heading: 'TOOK', width: 9, text: (row) => `${attribute(row, 'weft.duration_ms')} ms` },
  { heading: 'REASON', width: 14, text: (row) => attribute(row, 'weft.reason') },
  { heading: 'REQUEST', width: 0, text: requestOf },
];

/** Rows one after the other, while more may follow: columns do not grow with what comes later. */
export function logLine(row: LogRow): string {
  return `${LOG_COLUMNS.map(({ text, width }) => (printable(text(row)) || '-').padEnd(width))
    .join('  ')
    .trimEnd()}\n`;
}

export function logHeading(): string {
  return `${LOG_COLUMNS.map(({ heading, width }) => heading.padEnd(width))
    .join('  ')
    .trimEnd()}\n`;
}

export function logsText(rows: readonly LogRow[]): string {
  return table(rows, LOG_COLUMNS);
}

export function tracesText({ traces }: Traces): string {
  return table(traces, [
    { heading: 'AT', text: ({ startMs }) => new Date(startMs).toISOString().slice(11, 23) },
    { heading: 'TRACE', text: ({ traceId }) => traceId },
    { heading: 'SERVICE', text: ({ service }) => service },
    { heading: 'REQUEST', text: ({ root }) => root },
    { heading: 'STATUS', text: ({ status, isFailed }) => `${status || '-'}${isFailed ? ' failed' : ''}` },
    { heading: 'TOOK', text: ({ tookMs }) => milliseconds(tookMs) },
    { heading: 'SPANS', text: ({ spans }) => String(spans) },
    { heading: 'SERVICES', text: ({ services }) => services.join(' ') },
    { heading: 'USER', text: ({ user }) => user },
  ]);
}

/** A tree: whom each span was made for, where it began and how long it took, by the clock of its node. */
export function traceText({ traceId, spans }: Trace): string {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const children = Map.groupBy(spans, ({ parentSpanId }) => (ids.has(parentSpanId) ? parentSpanId : ''));
  const fromMs = Math.min(...spans.map(({ startMs }) => startMs));
  const tookMs = Math.max(...spans.map((span) => span.startMs + span.tookMs)) - fromMs;
  const rows: { label: string; span: Span }[] = [];
  const seen = new Set<string>();
  const walk = (parent: string, indent: string): void => {
    const own = (children.get(parent) ?? []).filter(({ spanId }) => !seen.has(spanId));
    for (const [i, span] of own.entries()) {
      seen.add(span.spanId);
      const isLast = i === own.length - 1;
      const branch = parent === '' ? '' : isLast ? '└─ ' : '├─ ';
      rows.push({ label: `${indent}${branch}${labelOf(span)}`, span });
      walk(span.spanId, parent === '' ? indent : `${indent}${isLast ? '   ' : '│  '}`);
    }
  };
  walk('', '');
  const services = new Set(spans.map(({ service }) => service));
  const heading = `trace ${traceId}: ${spans.length} spans of ${services.size} services, ${milliseconds(tookMs)}\n`;
  return `${heading}${table(rows, [
    { heading: 'SPAN', text: ({ label }) => label },
    { heading: 'NODE', text: ({ span }) => span.node },
    { heading: 'STATUS', text: ({ span }) => endOf(span) },
    { heading: 'FROM', text: ({ span }) => milliseconds(span.startMs - fromMs) },
    { heading: 'TOOK', text: ({ span }) => milliseconds(span.tookMs) },
    { heading: 'WHEN', text: ({ span }) => barOf(span, fromMs, tookMs) },
  ])}`;
}

function labelOf({ kind, service, peer, name, attributes, inferredConfidence }: Span): string {
  const guess = inferredConfidence === null ? '' : ` (parent guessed, ${Math.round(inferredConfidence * 100)} %)`;
  const does = attributes['weft.mirror'] === true ? 'copies to' : 'calls';
  if (kind === 'client') return `${workloadOf(service)} ${does} ${workloadOf(peer)}: ${name}${guess}`;
  if (kind === 'server') return `${service} answers: ${name}`;
  return [name, String(attributes['network.peer.address'] ?? attributes['weft.subject'] ?? '')].join(' ').trimEnd();
}

function endOf({ status, reason, isFailed }: Span): string {
  return [status === 0 ? '' : String(status), reason, isFailed && reason === '' ? 'failed' : ''].join(' ').trim();
}

/** One character and more, so that what is short is seen. */
function barOf({ startMs, tookMs }: Span, fromMs: number, wholeMs: number): string {
  if (wholeMs <= 0) return '█';
  const at = Math.min(BAR - 1, Math.round(((startMs - fromMs) / wholeMs) * BAR));
  const length = Math.max(1, Math.min(BAR - at, Math.round((tookMs / wholeMs) * BAR)));
  return `${'·'.repeat(at)}${'█'.repeat(length)}${'·'.repeat(BAR - at - length)}`;
}

function attribute({ record }: LogRow, name: string): string {
  const value = (record.attributes as Attributes | undefined)?.[name];
  return value === undefined ? '' : String(value);
}

function statusOf(row: LogRow): string {
  const grpc = attribute(row, 'rpc.grpc.status_code');
  const status = attribute(row, 'http.response.status_code');
  return grpc === '' ? status : `${status} g${grpc}`.trim();
}

function requestOf(row: LogRow): string {
  return `${attribute(row, 'http.request.method')} ${attribute(row, 'url.path')}`.trim();
}

export function milliseconds(ms: number): string {
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** What clients sent is printed on a terminal: control characters must not reach it. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}
