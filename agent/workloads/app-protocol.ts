/**
 * What `appProtocol` means to the data plane: `http` gets requests, `http2` the same over HTTP/2, `tcp` bytes; left out, the
 * first bytes decide between `http` and `tcp`.
 *
 * The names are those of Kubernetes (KEP-1422, `kubernetes.io/*`) and of Istio's port naming. TLS that the application
 * speaks itself is opaque bytes. @module
 */
import { nearest } from '../nearest.ts';

export type Protocol = 'http' | 'http2' | 'tcp' | 'auto';

const PROTOCOLS: ReadonlyMap<string, Protocol> = new Map<string, Protocol>([
  ...['http', 'http/1.1', 'ws', 'kubernetes.io/ws', 'grpc-web'].map((name) => [name, 'http'] as const),
  ...['http2', 'http/2', 'h2c', 'kubernetes.io/h2c', 'grpc'].map((name) => [name, 'http2'] as const),
  ...['tcp', 'tls', 'https', 'wss', 'kubernetes.io/wss'].map((name) => [name, 'tcp'] as const),
  ...['redis', 'mysql', 'postgres', 'postgresql', 'mongo', 'mongodb', 'kafka', 'amqp', 'mqtt', 'nats', 'cassandra'].map(
    (name) => [name, 'tcp'] as const,
  ),
]);

export const KNOWN_APP_PROTOCOLS: readonly string[] = [...PROTOCOLS.keys()];

/** @returns undefined for a name that is not known */
export function protocolOf(appProtocol: string | undefined): Protocol | undefined {
  return appProtocol === undefined ? 'auto' : PROTOCOLS.get(appProtocol.toLowerCase());
}

/** What to tell somebody who wrote a name that is not known. */
export function unknownProtocolMessage(appProtocol: string): string {
  const guess = nearest(appProtocol, KNOWN_APP_PROTOCOLS);
  const fix = guess === undefined ? '' : `did you mean ${guess}? `;
  return `${appProtocol} is not known; ${fix}Known: ${KNOWN_APP_PROTOCOLS.join(', ')}; or leave it out to detect it`;
}
