/** The registry of an agent: every metric but those of traffic, which `traffic-metrics.ts` writes. @module */
import type { Registry } from 'prom-client';
import { addCertsMetrics, type CertsMetricsSources } from './certs-metrics.ts';
import { addConsoleMetrics, type ConsoleFigures } from './console-metrics.ts';
import { addEjectionMetrics, type EjectionFigures } from './ejection-metrics.ts';
import { addMeshMetrics, type MeshMetricsSources } from './mesh-metrics.ts';
import { buildRegistry, type MetricsSources } from './metrics.ts';

export interface RegistrySources {
  readonly agent: MetricsSources;
  readonly mesh: MeshMetricsSources;
  readonly ejections: EjectionFigures;
  readonly certs: CertsMetricsSources;
  readonly console: ConsoleFigures;
}

export function agentRegistry({ agent, mesh, ejections, certs, console }: RegistrySources): Registry {
  const registry = buildRegistry(agent);
  addMeshMetrics(registry, mesh);
  addEjectionMetrics(registry, ejections);
  addCertsMetrics(registry, certs);
  addConsoleMetrics(registry, console);
  return registry;
}
