import { expect, test } from 'vitest';
import { BUCKET_BOUNDS_MS, BUCKETS, bucketOf, quantile } from '../../../proxy/telemetry/histogram.ts';
import type { Parties } from '../../../proxy/telemetry/parties.ts';
import { StatsReader } from '../../../proxy/telemetry/stats-reader.ts';
import { clearStatsBuffer, createStatsBuffer } from '../../../proxy/telemetry/stats-table.ts';
import { IDLE_SWEEPS, StatsWriter } from '../../../proxy/telemetry/stats-writer.ts';

function to(destination: string): Parties {
  return { direction: 'outbound', source: 'spiffe://t/ns/shop/sa/web', sourceService: 'shop/web', destination };
}

/** A worker whose listener tells the reader at once, and is told as quickly that a row is free. */
function worker(reader: StatsReader, name: string, maxSeries?: number): StatsWriter {
  const buffer = createStatsBuffer(maxSeries);
  reader.attach(name, buffer);
  const writer = new StatsWriter(buffer, (row, labels) => {
    reader.register(name, row, labels);
    if (labels === undefined) writer.freed(row);
  });
  return writer;
}

const GET_CART = { route: '/v1/carts/{id}', method: 'GET' };

/** Lets the time pass after which rows without use are freed. */
function idle(reader: StatsReader, ...writers: readonly StatsWriter[]): void {
  for (let i = 0; i <= IDLE_SWEEPS; i++) {
    for (const writer of writers) writer.sweep();
    reader.sweep();
  }
}

test('what two workers count is read as one', () => {
  const reader = new StatsReader();
  for (const writer of [worker(reader, '0'), worker(reader, '1')]) {
    const connections = writer.connections(to('shop/cart'), 'http');
    expect(writer.connections(to('shop/cart'), 'http')).toBe(connections);
    writer.opened(connections);
    writer.bytes(connections, 10, 20);
    const requests = writer.requests(to('shop/cart'));
    const row = requests.row(GET_CART, 'v2', false);
    expect(requests.row(GET_CART, 'v2', false)).toBe(row);
    writer.request(row, 200, 3);
    writer.request(row, 503, 700);
    writer.request(row, 599, 1);
    writer.request(row, 0, 1);
    writer.failure(row, 'no-endpoint');
    writer.bytes(row, 5, 6);
    writer.count('connectionsAccepted');
  }
  const [connections, requests, ...others] = reader.series();
  expect(others).toEqual([]);
  expect(connections).toMatchObject({
    labels: { ...to('shop/cart'), protocol: 'http', version: '', route: '', method: '' },
    connectionsOpened: 2,
    connectionsActive: 2,
    bytesReceived: 20,
    bytesSent: 40,
    statuses: {},
  });
  expect(requests).toMatchObject({
    labels: { ...to('shop/cart'), protocol: 'http', version: 'v2', ...GET_CART },
    requests: [0, 2, 0, 0, 4],
    statuses: { '0': 2, '200': 2, '503': 2, '5xx': 2 },
    grpcStatuses: {},
    latencySumMs: 1_410,
    bytesReceived: 10,
    failures: { 'no-endpoint': 2 },
  });
  expect(reader.counters().connectionsAccepted).toBe(2);
  expect(reader.totals()).toMatchObject({
    requests: 6,
    serverErrors: 4,
    failures: 2,
    bytesReceived: 20,
    bytesSent: 40,
  });
});

test('versions, methods and calls of gRPC have rows of their own', () => {
  const reader = new StatsReader();
  const writer = worker(reader, '0');
  const requests = writer.requests(to('shop/cart'));
  const call = { route: '/shop.Cart/Add', method: 'POST' };
  for (const version of ['v1', 'v2', 'v1']) writer.request(requests.row(GET_CART, version, false), 200, 1);
  writer.request(requests.row({ ...GET_CART, method: 'PUT' }, 'v1', false), 204, 1);
  for (const status of [0, 14, 99, -1]) {
    const row = requests.row(call, 'v1', true);
    writer.request(row, 200, 1);
    writer.grpc(row, status);
  }
  const counted = reader.series().map(({ labels: { protocol, version, method }, statuses, grpcStatuses }) => {
    return [protocol, version, method, statuses, grpcStatuses];
  });
  expect(counted).toEqual([
    ['http', 'v1', 'GET', { '200': 2 }, {}],
    ['http', 'v2', 'GET', { '200': 1 }, {}],
    ['http', 'v1', 'PUT', { '204': 1 }, {}],
    ['grpc', 'v1', 'POST', { '200': 4 }, { '0': 1, '14': 1, other: 2 }],
  ]);
});

test('what a worker counted stays counted after it is gone, but its connections are not', () => {
  const reader = new StatsReader();
  const writer = worker(reader, '0');
  const row = writer.connections(to('shop/cart'), 'tcp');
  writer.opened(row);
  writer.bytes(row, 1, 2);
  writer.count('upstreamConnects');
  reader.detach('0');
  worker(reader, '0').bytes(row, 1, 2); // a row nobody registered yet is not read
  expect(reader.series()).toHaveLength(1);
  expect(reader.series()[0]).toMatchObject({ connectionsOpened: 1, connectionsActive: 0, bytesSent: 2 });
  expect(reader.counters().upstreamConnects).toBe(1);
});

test('a table that is cleared serves the next worker, and what was counted in it is counted once', () => {
  const reader = new StatsReader();
  const buffer = createStatsBuffer();
  for (let life = 0; life < 3; life++) {
    reader.detach('0');
    clearStatsBuffer(buffer);
    expect(new Float64Array(buffer).some((cell) => cell !== 0)).toBe(false);
    reader.attach('0', buffer);
    const writer = new StatsWriter(buffer, (row, labels) => reader.register('0', row, labels));
    const row = writer.connections(to('shop/cart'), 'tcp');
    writer.opened(row);
    writer.bytes(row, 1, 2);
    writer.count('upstreamConnects');
  }
  expect(reader.series()).toHaveLength(1);
  expect(reader.series()[0]).toMatchObject({ connectionsOpened: 3, connectionsActive: 1, bytesSent: 6 });
  expect(reader.counters().upstreamConnects).toBe(3);
});

test('a full table counts the rest in overflow series of their direction and kind', () => {
  const reader = new StatsReader();
  const writer = worker(reader, '0', 2);
  for (let i = 0; i < 10; i++) writer.opened(writer.connections(to(`shop/s${i}`), 'http'));
  writer.request(writer.requests({ ...to('shop/s0'), direction: 'inbound' }).row(GET_CART, '', false), 200, 1);
  const others = reader.series().filter(({ labels }) => labels.destination === 'other');
  expect(
    others.map(({ labels: { direction, route }, connectionsOpened, statuses }) => {
      return [direction, route, connectionsOpened, statuses];
    }),
  ).toEqual([
    ['outbound', '', 8, {}],
    ['inbound', '{other}', 0, { '200': 1 }],
  ]);
  expect(reader.counters().seriesOverflow).toBe(9);
});

test('workers that fill their tables differently have no more series together than one may', () => {
  const reader = new StatsReader(5);
  for (const [i, writer] of [worker(reader, '0', 5), worker(reader, '1', 5)].entries()) {
    for (let j = 0; j < 5; j++) writer.opened(writer.connections(to(`shop/s${i}-${j}`), 'tcp'));
  }
  const opened = reader.series().map(({ labels, connectionsOpened }) => [labels.destination, connectionsOpened]);
  expect(opened).toHaveLength(6);
  expect(opened.at(-1)).toEqual(['other', 5]);
});

test('a series that nobody uses vanishes, its row is used again, and totals remember it', () => {
  const reader = new StatsReader();
  const writer = worker(reader, '0', 1);
  const requests = writer.requests(to('shop/cart'));
  const row = requests.row(GET_CART, '', false);
  writer.request(row, 200, 3);
  idle(reader, writer);
  expect(reader.series()).toEqual([]);
  expect(reader.totals().requests).toBe(1);
  expect(reader.counters().seriesExpired).toBe(1);
  const other = { route: '/other', method: 'GET' };
  expect(requests.row(other, '', false)).toBe(row); // who kept its number has noticed
  writer.request(row, 404, 1);
  expect(reader.series()).toHaveLength(1);
  expect(reader.series()[0]).toMatchObject({ labels: other, statuses: { '404': 1 }, latencySumMs: 1 });
});

test('a series never goes back while one worker still has it', () => {
  const reader = new StatsReader();
  const busy = worker(reader, '0');
  const quiet = worker(reader, '1');
  const count = (writer: StatsWriter): void =>
    writer.request(writer.requests(to('shop/cart')).row(GET_CART, '', false), 200, 1);
  for (let i = 0; i < 5; i++) count(quiet);
  for (let i = 0; i < 3 * IDLE_SWEEPS; i++) {
    count(busy);
    busy.sweep();
    quiet.sweep();
    reader.sweep();
    expect(reader.series()[0]?.statuses).toEqual({ '200': 6 + i });
  }
  expect(reader.counters().seriesExpired).toBe(1);
});

test('an open connection keeps its row', () => {
  const reader = new StatsReader();
  const writer = worker(reader, '0');
  const row = writer.connections(to('shop/cart'), 'tcp');
  writer.opened(row);
  idle(reader, writer);
  writer.closed(row);
  expect(reader.series()[0]).toMatchObject({ connectionsOpened: 1, connectionsActive: 0 });
});

test('every latency has a bucket, and quantiles are read back within a fifth', () => {
  expect(bucketOf(0)).toBe(0);
  expect(bucketOf(1e9)).toBe(BUCKETS - 1);
  for (const [i, bound] of BUCKET_BOUNDS_MS.entries()) {
    expect(bucketOf(bound * 0.999)).toBe(i);
    expect(bucketOf(bound * 1.001)).toBe(i + 1);
  }
  const counts = Array<number>(BUCKETS).fill(0);
  for (let ms = 1; ms <= 1_000; ms++) counts[bucketOf(ms)]!++;
  for (const share of [0.1, 0.5, 0.9, 0.99]) {
    const read = quantile(counts, share)!;
    expect(Math.abs(read - share * 1_000) / (share * 1_000)).toBeLessThan(0.2);
  }
  expect(quantile(Array<number>(BUCKETS).fill(0), 0.5)).toBeUndefined();
});
