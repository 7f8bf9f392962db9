/** Records as workers send them, for tests. */
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';

export const T0 = Date.parse('2026-03-01T12:00:00Z');

/** A request from shop/web to shop/cart that went well and was sampled. */
export function record(fields: Partial<RequestRecord> = {}): RequestRecord {
  return {
    direction: 'outbound',
    atMs: T0,
    tookMs: 12,
    source: 'spiffe://lab.example/ns/shop/sa/web',
    sourceService: 'shop/web',
    destination: 'shop/cart',
    protocol: 'http',
    method: 'GET',
    authority: 'cart.shop.weft:80',
    path: '/v1/carts/7',
    route: '/v1/carts/{id}',
    status: 200,
    grpcStatus: null,
    reason: '',
    endpoint: '10.1.0.7:8080',
    version: 'v2',
    bytesReceived: 10,
    bytesSent: 200,
    userAgent: 'curl/8',
    server: '',
    user: '',
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    spanId: '00f067aa0ba902b7',
    parentSpanId: '',
    kept: { sampled: true, failed: false, slow: false, tapped: false },
    isMirror: false,
    steps: [],
    ...fields,
  };
}

export function ids(n: number): { traceId: string; spanId: string } {
  const hex = n.toString(16);
  return { traceId: hex.padStart(32, '0'), spanId: hex.padStart(16, '0') };
}
