/** Traffic under the names and labels of Istio, so that dashboards and alerts made for it work unchanged. @module */
import { REASONS, type ReasonCode } from '../../proxy/reasons.ts';
import type { SeriesLabels } from '../../proxy/telemetry/stats-table.ts';
import type { Family } from './exposition.ts';

const UNKNOWN = 'unknown';

export const ISTIO_LABELS = [
  'reporter',
  'source_workload',
  'source_workload_namespace',
  'source_principal',
  'source_app',
  'source_version',
  'source_cluster',
  'destination_workload',
  'destination_workload_namespace',
  'destination_principal',
  'destination_app',
  'destination_version',
  'destination_service',
  'destination_service_name',
  'destination_service_namespace',
  'destination_cluster',
  'request_protocol',
  'connection_security_policy',
] as const;
const OUTCOME_LABELS = ['response_code', 'grpc_response_status', 'response_flags'] as const;

/** Where Istio's labels come from that a series does not say. */
export interface IstioContext {
  readonly trustDomain: string;
  /** SPIFFE id of the workloads of a service, if it is known. */
  readonly identityOf: (service: string) => string | undefined;
}

function family(name: string, type: Family['type'], help: string, isOfRequests: boolean): Family {
  return { name, type, help, labels: isOfRequests ? [...ISTIO_LABELS, ...OUTCOME_LABELS] : ISTIO_LABELS };
}

export const ISTIO_FAMILIES = {
  requests: family('istio_requests_total', 'counter', 'Requests of HTTP and gRPC, as Istio counts them.', true),
  duration: family(
    'istio_request_duration_milliseconds',
    'histogram',
    'Time from the head of a request to the end of its response.',
    false,
  ),
  requestBytes: family(
    'istio_request_bytes',
    'histogram',
    'Bytes of requests, heads included; sum and count alone, as sizes are not kept.',
    false,
  ),
  responseBytes: family(
    'istio_response_bytes',
    'histogram',
    'Bytes of responses, heads included; sum and count alone, as sizes are not kept.',
    false,
  ),
  tcpReceived: family('istio_tcp_received_bytes_total', 'counter', 'Bytes received from callers on opaque connections.', false),
  tcpSent: family('istio_tcp_sent_bytes_total', 'counter', 'Bytes sent to callers on opaque connections.', false),
  tcpOpened: family('istio_tcp_connections_opened_total', 'counter', 'Opaque connections opened.', false),
  tcpClosed: family('istio_tcp_connections_closed_total', 'counter', 'Opaque connections closed.', false),
} as const;

/** Values of `ISTIO_LABELS`. */
export function istioValues(labels: SeriesLabels, { trustDomain, identityOf }: IstioContext): readonly string[] {
  const source = /^spiffe:\/\/([^/]+)\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(labels.source);
  const [sourceNamespace, sourceName] = labels.sourceService === '' ? [source?.[2], source?.[3]] : split(labels.sourceService);
  const isOut = labels.destination === 'passthrough';
  const [namespace, name] = isOut || labels.destination === 'other' ? [UNKNOWN, UNKNOWN] : split(labels.destination);
  const isInbound = labels.direction === 'inbound';
  return [
    isInbound ? 'destination' : 'source',
    sourceName ?? UNKNOWN,
    sourceNamespace ?? UNKNOWN,
    source === null ? UNKNOWN : labels.source,
    sourceName ?? UNKNOWN,
    UNKNOWN,
    source?.[1] ?? UNKNOWN,
    name,
    namespace,
    identityOf(labels.destination) ?? UNKNOWN,
    name,
    labels.version === '' ? UNKNOWN : labels.version,
    isOut || name === UNKNOWN ? UNKNOWN : `${name}.${namespace}.weft`,
    isOut ? 'PassthroughCluster' : name,
    namespace,
    isOut ? UNKNOWN : trustDomain,
    labels.protocol,
    isInbound ? (source === null ? 'none' : 'mutual_tls') : UNKNOWN,
  ];
}

/** Bytes of a request reach the destination by mutual TLS or not at all; only the destination says so, as in Istio. */
function split(service: string): [namespace: string, name: string] {
  const slash = service.indexOf('/');
  return slash === -1 ? [UNKNOWN, service] : [service.slice(0, slash), service.slice(slash + 1)];
}

/** Envoy's response flags. */
const FLAGS: Partial<Record<ReasonCode, string>> = {
  'access-denied': 'UAEX',
  'rate-limited': 'RL',
  overflow: 'UO',
  overloaded: 'UO',
  'upstream-overflow': 'UO',
  'pending-timeout': 'UO',
  'too-many-connections': 'UO',
  'no-endpoint': 'UH',
  'workload-gone': 'UH',
  draining: 'UH',
  'connect-failed': 'UF',
  'connect-timeout': 'UF',
  'handshake-failed': 'UF',
  'identity-refused': 'UF',
  'app-unreachable': 'UF',
  'out-of-sockets': 'UF',
  'tunnel-refused': 'UF',
  'no-route': 'NR',
  'no-such-port': 'NR',
  misdirected: 'NR',
  'bad-backend': 'NC',
  'fault-injected': 'FI',
  'upstream-failed': 'URX',
  'backend-timeout': 'UT',
  'deadline-exceeded': 'UT',
  silent: 'SI',
  'idle-timeout': 'SI',
  'body-timeout': 'SI',
  'request-timeout': 'DT',
  'upstream-closed': 'UC',
  'upstream-reset': 'UR',
  'upstream-truncated': 'UC',
  'upstream-malformed': 'UPE',
  'upstream-interim-flood': 'UPE',
  'upstream-unasked-upgrade': 'UPE',
  'client-aborted': 'DC',
  'request-truncated': 'DC',
  'mirror-cut': 'DC',
};

/** What is not in the table and has a status of its own is a request that could not be read. */
export function responseFlags(reason: ReasonCode | ''): string {
  if (reason === '') return '-';
  return FLAGS[reason] ?? (REASONS[reason].status >= 400 ? 'DPE' : '-');
}
