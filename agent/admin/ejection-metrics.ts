/** Endpoints that are left out of balancing, and whose word it is. @module */
import type { Registry } from 'prom-client';
import { addGauge } from './scraped.ts';

export interface EjectionFigures {
  readonly ejected: number;
  readonly believed: number;
  readonly accusations: number;
}

export function addEjectionMetrics(registry: Registry, figures: EjectionFigures): void {
  addGauge(registry, {
    name: 'weft_proxy_ejected_endpoints',
    help: 'Endpoints left out of balancing on this node: ejected by itself (own), or believed to fail because at least two other nodes say so (evidence).',
    labels: ['by'],
    read: () => [
      [{ by: 'own' }, figures.ejected],
      [{ by: 'evidence' }, figures.believed],
    ],
  });
  addGauge(registry, {
    name: 'weft_gossip_evidence_accusations',
    help: 'What other nodes say of endpoints that they have ejected, each node and endpoint counted once.',
    read: () => [[{}, figures.accusations]],
  });
}
