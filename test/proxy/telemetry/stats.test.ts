import { expect, test } from 'vitest';
import { BUCKET_BOUNDS_MS, BUCKETS, bucketOf, quantile } from '../../../proxy/telemetry/histogram.ts';
import { StatsReader } from '../../../proxy/telemetry/stats-reader.ts';
import { createStatsBuffer, type SeriesLabels } from '../../../proxy/telemetry/stats-table.ts';
import { StatsWriter } from '../../../proxy/telemetry/stats-writer.ts';

function labels(destination: string): SeriesLabels {
  return { direction: 'outbound', source: 'spiffe://t/ns/shop/sa/web', destination, protocol: 'http' };
}

function worker(reader: StatsReader, name: string, maxSeries?: number): StatsWriter {
  const buffer = createStatsBuffer(maxSeries);
  reader.attach(name, buffer);
  return new StatsWriter(buffer, (row, rowLabels) => reader.register(name, row, rowLabels));
}

test('what two workers count is read as one', () => {
  const reader = new StatsReader();
  for (const writer of [worker(reader, '0'), worker(reader, '1')]) {
    const row = writer.series(labels('shop/cart'));
    expect(writer.series(labels('shop/cart'))).toBe(row);
    writer.opened(row);
    writer.request(row, 200, 3);
    writer.request(row, 503, 700);
    writer.failure(row, 'no-endpoint');
    writer.bytes(row, 10, 20);
    writer.count('connectionsAccepted');
  }
  expect(reader.series()).toHaveLength(1);
  expect(reader.series()[0]).toMatchObject({
    labels: labels('shop/cart'),
    connectionsOpened: 2,
    connectionsActive: 2,
    bytesReceived: 20,
    bytesSent: 40,
    requests: [0, 2, 0, 0, 2],
    latencySumMs: 1_406,
    failures: { 'no-endpoint': 2 },
  });
  expect(reader.counters().connectionsAccepted).toBe(2);
  expect(reader.totals()).toMatchObject({ requests: 4, serverErrors: 2, failures: 2 });
});

test('what a worker counted stays counted after it is gone, but its connections are not', () => {
  const reader = new StatsReader();
  const writer = worker(reader, '0');
  const row = writer.series(labels('shop/cart'));
  writer.opened(row);
  writer.request(row, 200, 1);
  writer.count('upstreamConnects');
  reader.detach('0');
  worker(reader, '0').request(1, 200, 1); // a row nobody registered yet is not read
  expect(reader.series()).toHaveLength(1);
  expect(reader.series()[0]).toMatchObject({ connectionsOpened: 1, connectionsActive: 0, requests: [0, 1, 0, 0, 0] });
  expect(reader.counters().upstreamConnects).toBe(1);
});

test('a full table counts the rest in one overflow series', () => {
  const reader = new StatsReader();
  const writer = worker(reader, '0', 3); // the overflow row and two more
  for (let i = 0; i < 10; i++) writer.opened(writer.series(labels(`shop/s${i}`)));
  const other = reader.series().find((series) => series.labels.destination === 'other');
  expect(other?.connectionsOpened).toBe(8);
  expect(reader.counters().seriesOverflow).toBe(8);
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
