/**
 * What limits cost a request: a token bucket, a place in a circuit, an answer told to the health of an endpoint, a pick among
 * a hundred endpoints. Every one is timed over a thousand in a row, on a table of four workers.
 * @module
 */
import { PeakEwma } from '../../proxy/balancer/peak-ewma.ts';
import { Circuit } from '../../proxy/resilience/circuit.ts';
import { EndpointHealth } from '../../proxy/resilience/endpoint-health.ts';
import { EndpointPicker, type Pickable } from '../../proxy/resilience/picker.ts';
import { createSharedBuffer, SharedTable } from '../../proxy/resilience/shared-table.ts';
import { TokenBucket } from '../../proxy/resilience/token-bucket.ts';
import { DEFAULT_SETTINGS } from '../../proxy/traffic/rules.ts';
import { median, type OwnCase } from './own-case.ts';

const WORKERS = 4;
const BATCH = 1_000;
const BATCHES = 500;
const ENDPOINTS = 100;

export const LIMITS: OwnCase = {
  name: 'limits',
  measure: () => {
    const parts = measure();
    const lines = parts.map(
      ({ name, medianUs, p99Us }) => `limits, ${name}: median ${medianUs.toFixed(3)} us, p99 ${p99Us.toFixed(3)} us`,
    );
    return Promise.resolve({ figures: { workers: WORKERS, parts }, lines });
  },
};

interface Part {
  readonly name: string;
  readonly medianUs: number;
  readonly p99Us: number;
}

function measure(): readonly Part[] {
  const table = new SharedTable(createSharedBuffer(WORKERS), 0);
  const { circuit: limits, retryBudget, outliers } = DEFAULT_SETTINGS;
  const bucket = new TokenBucket(table, 'bench', { requestsPerSecond: 1_000, burst: 100 });
  const circuit = new Circuit(table, 'spiffe://bench.example/ns/a/sa/a', 'shop/cart', 80);
  const endpoints = Array.from({ length: ENDPOINTS }, (_, i) => endpoint(table, i));
  const peers = endpoints.map(({ health }) => health);
  const picker = new EndpointPicker<Pickable>({
    table,
    here: { node: 'n0', zone: 'eu/a' },
    settings: { ...DEFAULT_SETTINGS, outliers },
  });
  picker.update(endpoints, 0);
  const by = { key: 0, random: Math.random };
  const health = peers[0]!;
  return [
    timed('token bucket', (i) => bucket.take(i / 100)), // a hundred times its rate, so most are refused
    timed('token bucket that lets in', (i) => bucket.take(1e6 + i)),
    timed('circuit and budget', (i) => {
      const isIn = circuit.tryAcquire('requests', limits);
      circuit.countRequest(i / 100, retryBudget);
      circuit.release('requests');
      return isIn;
    }),
    timed('answer of an endpoint', (i) => {
      health.observe('good', i / 100, i / 100, outliers, peers);
      return true;
    }),
    timed(`pick of ${ENDPOINTS}`, (i) => picker.pick(by, [], i / 100) !== undefined),
  ];
}

function endpoint(table: SharedTable, i: number): Pickable {
  const name = `endpoint ${i}`;
  const zone = i % 2 === 0 ? 'eu/a' : 'eu/b';
  const latency = new PeakEwma();
  latency.observe(1, 1);
  return {
    name,
    weight: 100,
    outstanding: 0,
    latency,
    health: new EndpointHealth(table, name),
    data: { node: name, zone, labels: {}, version: '', state: 'ready' },
  };
}

function timed(name: string, run: (i: number) => boolean): Part {
  let count = 0;
  const us: number[] = [];
  for (let batch = -BATCHES / 5; batch < BATCHES; batch++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < BATCH; i++) if (run((batch + BATCHES) * BATCH + i)) count++;
    if (batch >= 0) us.push(Number(process.hrtime.bigint() - start) / 1_000 / BATCH);
  }
  if (count < 0) throw new Error('unreachable: keeps the decisions from being optimized away');
  us.sort((a, b) => a - b);
  return { name, medianUs: median(us), p99Us: us[Math.floor(us.length * 0.99)]! };
}
