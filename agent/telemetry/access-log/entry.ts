/**
 * A record as a line of the access log: the log data model of OpenTelemetry, attributes by its semantic conventions, and
 * `weft.*` for what these do not know. Pure; what is empty or unknown is left out. @module
 */
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';

export interface LogEntry {
  /** ISO 8601, when the request was read. */
  readonly timestamp: string;
  readonly severity_text: 'INFO' | 'WARN' | 'ERROR';
  readonly severity_number: 9 | 13 | 17;
  readonly body: string;
  readonly trace_id?: string;
  readonly span_id?: string;
  readonly resource: Readonly<Record<string, string>>;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

export interface EntryOptions {
  readonly node: string;
  readonly isUserHashed: boolean;
}

const SEVERITIES = { INFO: 9, WARN: 13, ERROR: 17 } as const;

export function logEntry(record: RequestRecord, options: EntryOptions): LogEntry {
  const severity = severityOf(record);
  return {
    timestamp: new Date(record.atMs).toISOString(),
    severity_text: severity,
    severity_number: SEVERITIES[severity],
    body: bodyOf(record),
    ...(record.traceId === '' ? {} : { trace_id: record.traceId, span_id: record.spanId }),
    resource: present({ ...serviceOf(record), 'host.name': options.node }) as Record<string, string>,
    attributes: present(attributesOf(record, options)),
  };
}

/** Of whom the line speaks: who was called where it came in, the caller where it went out. */
export function ownService({ direction, destination, sourceService, source }: RequestRecord): string {
  return direction === 'inbound' ? destination : sourceService || source || 'unknown';
}

/** `namespace/service` as OpenTelemetry has it. */
export function serviceAttributes(service: string): Record<'service.name' | 'service.namespace', string> {
  const at = service.startsWith('spiffe://') ? -1 : service.indexOf('/');
  return { 'service.name': service.slice(at + 1), 'service.namespace': at < 0 ? '' : service.slice(0, at) };
}

export type AttributeValue = string | number | boolean;

/** Shared by lines and spans. */
export function attributesOf(record: RequestRecord, options: EntryOptions): Record<string, AttributeValue | null> {
  const { protocol, status, reason, user, kept, endpoint } = record;
  const isRequest = protocol !== 'tcp';
  const peer = splitAddress(endpoint);
  const server = splitAddress(record.authority);
  return {
    'http.request.method': isRequest ? record.method : '',
    'url.path': isRequest ? record.path : '',
    'http.route': record.route,
    'http.response.status_code': status === 0 ? null : status,
    'http.request.size': isRequest ? record.bytesReceived : null,
    'http.response.size': isRequest ? record.bytesSent : null,
    'weft.bytes_received': isRequest ? null : record.bytesReceived,
    'weft.bytes_sent': isRequest ? null : record.bytesSent,
    ...(protocol === 'grpc' ? rpcAttributes(record) : {}),
    'server.address': server.address,
    'server.port': server.port,
    'network.transport': 'tcp',
    'network.protocol.name': isRequest ? 'http' : '',
    'network.peer.address': peer.address,
    'network.peer.port': peer.port,
    'user_agent.original': record.userAgent,
    [options.isUserHashed ? 'user.hash' : 'user.id']: user,
    'error.type': reason || (kept.failed && status > 0 ? String(status) : ''),
    'weft.direction': record.direction,
    'weft.source': record.sourceService || record.source,
    'weft.source_identity': record.source,
    'weft.destination': record.destination,
    'weft.destination_version': record.version,
    'weft.reason': reason,
    'weft.mirror': record.isMirror || null,
    'weft.duration_ms': rounded(record.tookMs),
    'weft.attempts': record.steps.filter(({ kind }) => kind === 'attempt').length || null,
    'weft.kept': (['sampled', 'failed', 'slow', 'tapped'] as const).filter((why) => kept[why]).join(','),
  };
}

export function present(fields: Readonly<Record<string, AttributeValue | null>>): Record<string, AttributeValue> {
  const known = Object.entries(fields).filter(
    (field): field is [string, AttributeValue] => field[1] !== null && field[1] !== '',
  );
  return Object.fromEntries(known);
}

function rpcAttributes({ path, grpcStatus }: RequestRecord): Record<string, AttributeValue | null> {
  const [, service = '', method = ''] = path.split('/');
  return { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': method, 'rpc.grpc.status_code': grpcStatus };
}

function serviceOf(record: RequestRecord): Record<string, string> {
  const version = record.direction === 'inbound' ? record.version : '';
  return { ...serviceAttributes(ownService(record)), 'service.version': version };
}

function severityOf({ kept, status, reason }: RequestRecord): keyof typeof SEVERITIES {
  if (kept.failed) return 'ERROR';
  return kept.slow || status >= 400 || reason !== '' ? 'WARN' : 'INFO';
}

function bodyOf({ protocol, method, path, destination, status, grpcStatus, reason, tookMs }: RequestRecord): string {
  const what = protocol === 'tcp' ? `connection to ${destination}` : `${method} ${path}`;
  const how = [
    status === 0 ? '' : String(status),
    grpcStatus === null ? '' : `grpc ${grpcStatus}`,
    reason === '' ? '' : `(${reason})`,
  ].filter((text) => text !== '');
  return [what, ...how, `${rounded(tookMs)} ms`].join(' ');
}

/** Of `host:port`, `[v6]:port` or a bare host; what is none has no port. */
function splitAddress(text: string): { address: string; port: number | null } {
  const [, v6, name = '', port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? [
    undefined,
    undefined,
    text,
  ];
  return { address: v6 ?? name, port: port === undefined ? null : Number(port) };
}

function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
