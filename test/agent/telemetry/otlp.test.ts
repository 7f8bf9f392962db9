/** Spans for a collector, against real servers: what arrives, and what becomes of it where nobody takes it. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Logger, pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { OtlpExporter } from '../../../agent/telemetry/otlp/otlp-exporter.ts';
import { otlpConfig } from '../../../agent/telemetry/otlp-config.ts';
import { spansOf } from '../../../agent/telemetry/traces/spans.ts';
import { ids, record, T0 } from './records.ts';

interface Sent {
  readonly headers: IncomingMessage['headers'];
  readonly body: { readonly resourceSpans: readonly Record<string, unknown>[] };
}

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function collector(status = 200): Promise<{ endpoint: string; sent: Sent[] }> {
  const sent: Sent[] = [];
  server = createServer(async (request, response) => {
    const chunks = await request.toArray();
    sent.push({ headers: request.headers, body: JSON.parse(Buffer.concat(chunks).toString()) });
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`, sent };
}

const silent = pino({ level: 'silent' });
const exporter = (config: Record<string, unknown>, log: Logger = silent): OtlpExporter =>
  new OtlpExporter(otlpConfig.parse({ intervalMs: 10, timeoutMs: 300, ...config }), log);
const spans = (n: number) =>
  spansOf(record({ ...ids(n), parentSpanId: ids(99).spanId }), { node: 'node-1', isUserHashed: true });

test('a span arrives with its service, parent, times, kind and attributes, under the headers of the operator', async () => {
  const { endpoint, sent } = await collector();
  await using otlp = exporter({ endpoint, headers: { authorization: 'Bearer 7' } });
  otlp.add(spans(5));
  await otlp.settled();
  expect(sent).toHaveLength(1);
  expect(sent[0]!.headers.authorization).toBe('Bearer 7');
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  expect(sent[0]!.body.resourceSpans).toMatchObject([
    {
      resource: {
        attributes: [text('service.name', 'web'), text('service.namespace', 'shop'), text('host.name', 'node-1')],
      },
      scopeSpans: [
        {
          scope: { name: 'weft' },
          spans: [
            {
              traceId: ids(5).traceId,
              spanId: ids(5).spanId,
              parentSpanId: ids(99).spanId,
              name: 'GET /v1/carts/{id}',
              kind: 3,
              startTimeUnixNano: `${T0}000000`,
              endTimeUnixNano: `${T0 + 12}000000`,
              status: { code: 0 },
            },
          ],
        },
      ],
    },
  ]);
  expect(JSON.stringify(sent[0]!.body)).toContain('{"key":"http.response.status_code","value":{"intValue":200}}');
  expect([otlp.sent, otlp.dropped]).toEqual([1, 0]);
});

test('many go in batches', async () => {
  const { endpoint, sent } = await collector();
  await using otlp = exporter({ endpoint, batch: 10 });
  for (let n = 1; n <= 25; n++) otlp.add(spans(n));
  await otlp.settled();
  expect([sent.length, otlp.sent, otlp.dropped]).toEqual([3, 25, 0]);
});

test('beyond its bound new ones are dropped and counted', async () => {
  const { endpoint } = await collector();
  await using otlp = exporter({ endpoint, maxQueue: 64, batch: 1_000 });
  for (let n = 1; n <= 100; n++) otlp.add(spans(n));
  expect(otlp.dropped).toBe(36);
  await otlp.settled();
  expect([otlp.sent, otlp.dropped]).toEqual([64, 36]);
});

test.each([
  ['refuses them', 400],
  ['is not there', 0],
])('a collector that %s costs the spans, which are counted, and one line in the log', async (_, status) => {
  const lines: { msg: string; dropped: number }[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const { endpoint } = await collector(status || 200);
  if (status === 0) await once(server!.close(), 'close');
  await using otlp = exporter({ endpoint, batch: 1 }, log);
  for (let n = 1; n <= 3; n++) otlp.add(spans(n));
  await otlp.settled();
  expect([otlp.sent, otlp.dropped]).toEqual([0, 3]);
  expect(lines.map(({ msg, dropped }) => [msg, dropped])).toEqual([
    ['spans could not be sent to telemetry.otlp.endpoint', 1],
  ]);
});

test('a collector that hangs does not hold up the end of the agent', async () => {
  server = createServer(() => {});
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const otlp = exporter({ endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, timeoutMs: 60_000 });
  otlp.add(spans(1));
  const from = performance.now();
  await otlp[Symbol.asyncDispose]();
  expect(performance.now() - from).toBeLessThan(10_000);
});
