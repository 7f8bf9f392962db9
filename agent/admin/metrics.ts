/** All metrics of an agent, read from its parts when Prometheus asks. @module */
import { readdirSync } from 'node:fs';
import { Registry } from 'prom-client';
import type { GossipStats } from '../../gossip/view.ts';
import type { StatsReader } from '../../proxy/telemetry/stats-reader.ts';
import { addGossipMetrics } from './gossip-metrics.ts';
import { addProxyMetrics } from './proxy-metrics.ts';
import { addCounter, addGauge, oncePerScrape, type Sample } from './scraped.ts';
import type { AdminSources } from './views.ts';

/** Where the numbers come from. All but gossip's are in memory of this thread. */
export interface MetricsSources extends Pick<AdminSources, 'status' | 'workloads'> {
  readonly proxy: Pick<StatsReader, 'counters' | 'each' | 'access'>;
  gossip(): Promise<GossipStats>;
  /** How many data-plane workers died and were started again. */
  workerRestarts(): number;
}

export function buildRegistry(sources: MetricsSources): Registry {
  const registry = new Registry();
  addAgentMetrics(registry, sources);
  addProxyMetrics(registry, sources.proxy);
  addGossipMetrics(registry, () => sources.gossip());
  addProcessMetrics(registry);
  return registry;
}

function addAgentMetrics(registry: Registry, sources: MetricsSources): void {
  const status = oncePerScrape(async () => sources.status());
  const workloads = oncePerScrape(async () => sources.workloads());
  addGauge(registry, {
    name: 'weft_agent_info',
    help: 'Always 1; its labels say which agent this is.',
    labels: ['node', 'zone', 'version', 'capture'],
    read: async () => {
      const { node, zone, version, captureMode } = await status();
      return [[{ node, zone, version, capture: captureMode }, 1]];
    },
  });
  addGauge(registry, {
    name: 'weft_agent_ready',
    help: '1 when /readyz answers 200.',
    read: async () => [[{}, Number((await status()).isReady)]],
  });
  addGauge(registry, {
    name: 'weft_agent_services',
    help: 'Services that workloads of this node can call.',
    read: async () => [[{}, (await status()).services]],
  });
  addGauge(registry, {
    name: 'weft_agent_workloads',
    help: 'Workloads of this node, by state.',
    labels: ['state'],
    read: async () => tally((await workloads()).workloads.map(({ state }) => state)),
  });
  addGauge(registry, {
    name: 'weft_agent_workload_problems',
    help: 'Mistakes in workload files; weft status lists them.',
    read: async () => [[{}, (await workloads()).problems.length]],
  });
  addCounter(registry, {
    name: 'weft_agent_worker_restarts_total',
    help: 'Data-plane workers that died and were started again.',
    read: () => [[{}, sources.workerRestarts()]],
  });
  addGauge(registry, {
    name: 'weft_certs_node_expiry_timestamp_seconds',
    help: 'When the first certificate on the way from this node to the root expires, in Unix time.',
    read: async () => [[{}, seconds((await status()).certificateExpiresAt)]],
  });
  addGauge(registry, {
    name: 'weft_certs_svid_expiry_timestamp_seconds',
    help: 'When the certificate of a workload expires, in Unix time.',
    labels: ['namespace', 'workload'],
    read: async () =>
      (await workloads()).workloads
        .filter(({ certificateExpiresAt }) => certificateExpiresAt !== '')
        .map(({ namespace, name, certificateExpiresAt }): Sample => {
          return [{ namespace, workload: name }, seconds(certificateExpiresAt)];
        }),
  });
}

/** Names as every Prometheus client has them. Not prom-client's own set: its event-loop probe wakes an idle agent. */
function addProcessMetrics(registry: Registry): void {
  const startedAtS = performance.timeOrigin / 1000;
  addCounter(registry, {
    name: 'process_cpu_seconds_total',
    help: 'CPU time of all threads of the agent, in seconds.',
    read: () => {
      const { user, system } = process.cpuUsage();
      return [[{}, (user + system) / 1e6]];
    },
  });
  addGauge(registry, {
    name: 'process_resident_memory_bytes',
    help: 'Resident memory of the agent, in bytes.',
    read: () => [[{}, process.memoryUsage.rss()]],
  });
  addGauge(registry, {
    name: 'process_start_time_seconds',
    help: 'When the agent started, in Unix time.',
    read: () => [[{}, startedAtS]],
  });
  addGauge(registry, {
    name: 'process_open_fds',
    help: 'Open file descriptors of the agent; absent where the system does not tell.',
    read: () => openDescriptors(),
  });
}

function openDescriptors(): readonly Sample[] {
  try {
    return [[{}, readdirSync('/proc/self/fd').length]];
  } catch {
    return [];
  }
}

function tally(words: readonly string[]): readonly Sample[] {
  return [...Map.groupBy(words, (word) => word)].map(([state, all]): Sample => [{ state }, all.length]);
}

function seconds(instant: string): number {
  return Date.parse(instant) / 1000;
}
