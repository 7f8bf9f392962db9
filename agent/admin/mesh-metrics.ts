/** How the mesh itself fares on this node: how fast news come into use, what is carried, how old what it trusts is. @module */
import type { Registry } from 'prom-client';
import { DELAY_BOUNDS_S, type DocumentDelay } from '../telemetry/document-delay.ts';
import { addGauge, addHistogram } from './scraped.ts';

export interface MeshMetricsSources {
  readonly delay: Pick<DocumentDelay, 'counts' | 'sumS'>;
  /** Time since this node last had a peer. */
  stateAgeMs(): number;
  /** Of workloads of this node, which of them are carried: '' where one is not. */
  workloads(): readonly { readonly address: string }[];
  /** When the node certificate was issued, and when each root of the mesh ends; ms since 1970. */
  certificates(): { readonly issuedAtMs: number; readonly rootsExpireAtMs: readonly number[] };
}

export function addMeshMetrics(registry: Registry, sources: MeshMetricsSources): void {
  addHistogram(registry, {
    name: 'weft_agent_document_propagation_seconds',
    help: 'From the writing of a revision of a document to its use on this node, by the clocks of both; those from before the start are left out.',
    labels: [],
    bounds: DELAY_BOUNDS_S,
    read: () => [{ labels: {}, counts: sources.delay.counts, sum: sources.delay.sumS }],
  });
  addGauge(registry, {
    name: 'weft_gossip_state_age_seconds',
    help: 'How old what this node knows of the others is: time since it last had a peer. 0 while it has one.',
    read: () => [[{}, sources.stateAgeMs() / 1_000]],
  });
  addGauge(registry, {
    name: 'weft_agent_capture_coverage_ratio',
    help: 'Share of the workloads of this node whose traffic passes the agent; 1 where all do. Absent while there is none.',
    read: () => {
      const workloads = sources.workloads();
      const carried = workloads.filter(({ address }) => address !== '').length;
      return workloads.length === 0 ? [] : [[{}, carried / workloads.length]];
    },
  });
  addGauge(registry, {
    name: 'weft_certs_node_age_seconds',
    help: 'Time since the certificate of this node was issued.',
    read: () => [[{}, Math.max(0, (Date.now() - sources.certificates().issuedAtMs) / 1_000)]],
  });
  addGauge(registry, {
    name: 'weft_certs_root_expiry_timestamp_seconds',
    help: 'When the first root of the mesh that this node trusts expires, in Unix time.',
    read: () => [[{}, Math.min(...sources.certificates().rootsExpireAtMs) / 1_000]],
  });
}
