import fc from 'fast-check';
import { expect, test } from 'vitest';
import { responseFlags } from '../../../agent/admin/istio-names.ts';
import { outcomesOf } from '../../../agent/admin/outcomes.ts';
import { trafficMetrics } from '../../../agent/admin/traffic-metrics.ts';
import { wholeText } from '../../../agent/telemetry/traffic-page.ts';
import { REASON_CODES } from '../../../proxy/reasons.ts';
import { StatsReader } from '../../../proxy/telemetry/stats-reader.ts';
import { createStatsBuffer } from '../../../proxy/telemetry/stats-table.ts';
import { StatsWriter } from '../../../proxy/telemetry/stats-writer.ts';

function dataPlane(): { writer: StatsWriter; reader: StatsReader } {
  const reader = new StatsReader();
  const buffer = createStatsBuffer();
  reader.attach('0', buffer);
  return { reader, writer: new StatsWriter(buffer, (row, labels) => reader.register('0', row, labels)) };
}

const WEB = 'spiffe://t/ns/shop/sa/web';
const CALL = { direction: 'outbound', source: WEB, sourceService: 'shop/web', destination: 'pay/ledger' } as const;
const istio = () => ({
  trustDomain: 't',
  identityOf: (service: string) => (service === 'pay/ledger' ? 'spiffe://t/ns/pay/sa/ledger' : undefined),
});

test('requests are told by route and outcome, and under the names of Istio', async () => {
  const { writer, reader } = dataPlane();
  const row = writer.requests(CALL).row({ route: '/a"b\\{id}', method: 'GET' }, 'v2', false);
  writer.request(row, 200, 1);
  writer.request(row, 503, 1);
  writer.request(row, 503, 1);
  writer.failure(row, 'no-endpoint');
  const text = await wholeText(trafficMetrics({ proxy: reader, istio }));
  const party = `direction="outbound",source="${WEB}",source_service="shop/web",destination="pay/ledger",route="/a\\"b\\\\{id}",method="GET"`;
  const outcome = (code: number, reason: string): string =>
    `weft_requests_total{${party},protocol="http",version="v2",code="${code}",grpc_status="",reason="${reason}"} 1`;
  for (const line of [outcome(200, ''), outcome(503, ''), outcome(503, 'no-endpoint')]) expect(text).toContain(line);
  expect(text).toContain(`weft_request_duration_seconds_count{${party}} 3`);
  expect(text).toMatch(
    /istio_requests_total\{reporter="source",source_workload="web",source_workload_namespace="shop",.*destination_principal="spiffe:\/\/t\/ns\/pay\/sa\/ledger",.*destination_service="ledger\.pay\.weft",.*response_code="503",grpc_response_status="",response_flags="UH"\} 1/,
  );
  expect(await wholeText(trafficMetrics({ proxy: reader, istio: undefined }))).not.toContain('istio_');
});

test('opaque connections are told to Istio, with those that are closed', async () => {
  const { writer, reader } = dataPlane();
  const row = writer.connections(CALL, 'tcp');
  for (let i = 0; i < 3; i++) writer.opened(row);
  writer.closed(row);
  writer.bytes(row, 5, 7);
  const text = await wholeText(trafficMetrics({ proxy: reader, istio }));
  const value = (name: string): string | undefined => new RegExp(`^${name}\\{.*\\} (\\d+)$`, 'm').exec(text)?.[1];
  expect(
    ['connections_opened', 'connections_closed', 'received_bytes', 'sent_bytes'].map((n) =>
      value(`istio_tcp_${n}_total`),
    ),
  ).toEqual(['3', '1', '5', '7']);
});

test('outcomes add up to the requests, whatever was counted', () => {
  const status = fc.constantFrom('0', '200', '404', '503', '5xx');
  const count = fc.integer({ min: 1, max: 50 });
  const counts = fc.array(fc.tuple(status, count)).map((pairs) => Object.fromEntries(pairs) as Record<string, number>);
  const reasons = fc.array(fc.tuple(fc.constantFrom(...REASON_CODES), count)).map((pairs) => Object.fromEntries(pairs));
  fc.assert(
    fc.property(counts, reasons, counts, fc.boolean(), (statuses, failures, injected, isCall) => {
      const total = Object.values(statuses).reduce((a, b) => a + b, 0);
      const outcomes = outcomesOf({
        labels: { ...CALL, protocol: isCall ? 'grpc' : 'http', version: '', route: '/', method: 'GET' },
        connectionsOpened: 0,
        connectionsActive: 0,
        bytesReceived: 0,
        bytesSent: 0,
        requests: [],
        statuses,
        grpcStatuses: isCall && total > 0 ? { '0': Math.floor(total / 2), other: Math.ceil(total / 2) } : {},
        latencySumMs: 0,
        latencyCounts: [],
        failures,
        injected,
      });
      expect(outcomes.reduce((sum, outcome) => sum + outcome.count, 0)).toBe(total);
      for (const [code, wanted] of Object.entries(statuses)) {
        const told = outcomes
          .filter((outcome) => outcome.code === code)
          .reduce((sum, outcome) => sum + outcome.count, 0);
        expect(told).toBe(wanted);
      }
    }),
  );
});

test('every reason has a flag of Envoy', () => {
  expect(REASON_CODES.filter((reason) => responseFlags(reason) === '-')).toEqual([
    'plaintext-refused',
    'no-destination',
    'loop-refused',
  ]);
  expect(responseFlags('bad-host')).toBe('DPE');
});

test('many series are written in many pieces', async () => {
  const { writer, reader } = dataPlane();
  const requests = writer.requests(CALL);
  for (let i = 0; i < 100; i++) {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE'])
      writer.request(requests.row({ route: `/r${i}`, method }, '', false), 200, 1);
  }
  const sizes: number[] = [];
  for await (const piece of trafficMetrics({ proxy: reader, istio })) sizes.push(piece.length);
  expect(sizes.length).toBeGreaterThan(10);
  expect(Math.max(...sizes)).toBeLessThan(2_000_000);
});
