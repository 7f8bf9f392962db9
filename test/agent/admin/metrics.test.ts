import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { buildRegistry, type MetricsSources } from '../../../agent/admin/metrics.ts';
import { addHistogram, oncePerScrape, snakeCase } from '../../../agent/admin/scraped.ts';
import { emptyCoreStats, emptyTrafficStats } from '../../../gossip/stats.ts';
import type { GossipStats } from '../../../gossip/view.ts';
import { COUNTER_NAMES } from '../../../proxy/telemetry/counters.ts';
import { StatsReader } from '../../../proxy/telemetry/stats-reader.ts';
import { createStatsBuffer } from '../../../proxy/telemetry/stats-table.ts';
import { StatsWriter } from '../../../proxy/telemetry/stats-writer.ts';
import { sources } from './fixtures.ts';

/** A worker that counts, as the data plane's do, and the reader of the control thread. */
function dataPlane(): { writer: StatsWriter; reader: StatsReader } {
  const reader = new StatsReader();
  const buffer = createStatsBuffer();
  reader.attach('0', buffer);
  return { reader, writer: new StatsWriter(buffer, (row, labels) => reader.register('0', row, labels)) };
}

function gossipStats(): GossipStats {
  const core = { ...emptyCoreStats(), suspicions: 3, antiEntropySessions: 9 };
  const traffic = { ...emptyTrafficStats(), bytesSent: { ping: 120 }, refused: { 'untrusted-root': 2 } };
  return {
    ...core,
    ...traffic,
    registerDigest: 77,
    peers: [],
    members: { alive: 2, suspect: 0, unresponsive: 0, dead: 1, left: 0 },
    links: 1,
    endpoints: 5,
  };
}

function build(replaced: Partial<MetricsSources> = {}): Registry {
  const { status, workloads } = sources();
  return buildRegistry({
    status,
    workloads,
    proxy: dataPlane().reader,
    gossip: async () => gossipStats(),
    workerRestarts: () => 1,
    ...replaced,
  });
}

/** Lines of the exposition by name and labels. */
async function scrape(registry: Registry): Promise<Map<string, number>> {
  const lines = (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

test('what the agent knows of itself is told', async () => {
  const values = await scrape(build());
  expect(values.get('weft_agent_info{node="n1",zone="a",version="0.1.0",capture="namespace"}')).toBe(1);
  expect(values.get('weft_agent_ready')).toBe(1);
  expect(values.get('weft_agent_worker_restarts_total')).toBe(1);
  expect(values.get('weft_certs_node_expiry_timestamp_seconds')).toBe(Date.parse('2026-01-08T00:00:00.000Z') / 1000);
  expect(values.get('process_resident_memory_bytes')).toBeGreaterThan(1e6);
  expect(values.get('process_open_fds')).toBeGreaterThan(2);
});

test('workloads count by state, and each names the end of its certificate', async () => {
  const workload = {
    namespace: 'shop',
    service: 'web',
    version: '',
    identity: 'spiffe://t/ns/shop/sa/web',
    unit: 'host',
    address: '127.0.0.1',
    ports: [],
    detail: '',
  };
  const workloads = [
    { ...workload, name: 'web-1', state: 'ready', certificateExpiresAt: '1970-01-01T00:01:00.000Z' },
    { ...workload, name: 'web-2', state: 'unready', certificateExpiresAt: '' },
    { ...workload, name: 'web-3', state: 'ready', certificateExpiresAt: '' },
  ];
  const values = await scrape(build({ workloads: () => ({ workloads, problems: [] }) }));
  expect(values.get('weft_agent_workloads{state="ready"}')).toBe(2);
  expect(values.get('weft_agent_workloads{state="unready"}')).toBe(1);
  expect(values.get('weft_certs_svid_expiry_timestamp_seconds{namespace="shop",workload="web-1"}')).toBe(60);
  expect(values.has('weft_certs_svid_expiry_timestamp_seconds{namespace="shop",workload="web-2"}')).toBe(false);
});

test('gossip is told by kind, reason and state', async () => {
  const values = await scrape(build());
  expect(values.get('weft_gossip_suspicions_total')).toBe(3);
  expect(values.get('weft_gossip_anti_entropy_sessions_total')).toBe(9);
  expect(values.get('weft_gossip_sent_bytes_total{kind="ping"}')).toBe(120);
  expect(values.get('weft_gossip_peers_refused_total{reason="untrusted-root"}')).toBe(2);
  expect(values.get('weft_gossip_members{state="dead"}')).toBe(1);
});

test('every number that gossip counts is a metric', async () => {
  const text = await build().metrics();
  const plain = Object.entries(gossipStats()).filter(([, value]) => typeof value === 'number');
  const missing = plain.filter(([name]) => !new RegExp(`^weft_gossip_${snakeCase(name)}(_total)? `, 'm').test(text));
  expect(missing).toEqual([]);
});

test('what workers count is told by caller and destination', async () => {
  const { reader, writer } = dataPlane();
  writer.count('peersRefusedGrant');
  const parties = {
    direction: 'outbound',
    source: 'spiffe://t/ns/shop/sa/web',
    sourceService: 'shop/web',
    destination: 'shop/cart',
  } as const;
  const row = writer.requests(parties).row({ route: '/', method: 'GET' }, '', false);
  writer.request(row, 200, 3);
  writer.request(row, 503, 700);
  const values = await scrape(build({ proxy: reader }));
  const labels = 'direction="outbound",source="spiffe://t/ns/shop/sa/web",destination="shop/cart",protocol="http"';
  expect(values.get('weft_proxy_peers_refused_grant_total')).toBe(1);
  expect(values.get(`weft_proxy_requests_total{${labels},status_class="2xx"}`)).toBe(1);
  expect(values.get(`weft_proxy_requests_total{${labels},status_class="5xx"}`)).toBe(1);
  expect(values.get(`weft_proxy_request_duration_seconds_count{${labels}}`)).toBe(2);
  expect(values.get(`weft_proxy_request_duration_seconds_sum{${labels}}`)).toBeCloseTo(0.703);
  const bucket = (le: string) => values.get(`weft_proxy_request_duration_seconds_bucket{${labels},le="${le}"}`);
  expect([bucket('0.0016'), bucket('0.0032'), bucket('0.4096'), bucket('0.8192'), bucket('+Inf')]).toEqual([
    0, 1, 1, 2, 2,
  ]);
});

test('names and help follow the rules of Prometheus', async () => {
  const text = await build().metrics();
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => ({ name, type }));
  expect(types.length).toBeGreaterThan(COUNTER_NAMES.length);
  expect(types.filter(({ name, type }) => name.endsWith('_total') !== (type === 'counter'))).toEqual([]);
  expect(types.filter(({ name }) => !/^(weft_(agent|certs|gossip|proxy)|process)_[a-z0-9_]+$/.test(name))).toEqual([]);
  const helps = [...text.matchAll(/^# HELP \S+ (.*)$/gm)].map(([, help = '']) => help);
  expect(helps.filter((help) => !help.endsWith('.'))).toEqual([]);
});

test('a scrape asks each source once, and the next one asks again', async () => {
  let asked = 0;
  const registry = build({
    gossip: async () => {
      asked += 1;
      return gossipStats();
    },
  });
  await registry.metrics();
  expect(asked).toBe(1);
  await new Promise((resolve) => setImmediate(resolve));
  await registry.metrics();
  expect(asked).toBe(2);
});

test('what a source counted is read as it is, also when it counts anew', async () => {
  let value = 5;
  const registry = build({ workerRestarts: () => value });
  expect((await scrape(registry)).get('weft_agent_worker_restarts_total')).toBe(5);
  value = 2;
  expect((await scrape(registry)).get('weft_agent_worker_restarts_total')).toBe(2);
});

test('buckets of a histogram add up from below', async () => {
  const registry = new Registry();
  const read = () => [{ labels: { to: 'x' }, counts: [1, 2, 3], sum: 9 }];
  addHistogram(registry, { name: 'weft_test_seconds', help: 'A test.', labels: ['to'], bounds: [1, 2], read });
  expect((await registry.metrics()).trim().split('\n')).toEqual([
    '# HELP weft_test_seconds A test.',
    '# TYPE weft_test_seconds histogram',
    'weft_test_seconds_bucket{to="x",le="1"} 1',
    'weft_test_seconds_bucket{to="x",le="2"} 3',
    'weft_test_seconds_bucket{to="x",le="+Inf"} 6',
    'weft_test_seconds_sum{to="x"} 9',
    'weft_test_seconds_count{to="x"} 6',
  ]);
});

test('a source that failed is asked again', async () => {
  let fails = true;
  const read = oncePerScrape(() => {
    if (fails) throw new Error('broken');
    return 1;
  });
  expect(read).toThrow('broken');
  fails = false;
  expect(read()).toBe(1);
});
