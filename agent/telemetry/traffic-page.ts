/** What this agent writes of its traffic into a page of metrics. @module */
import type { IstioContext } from '../admin/istio-names.ts';
import { trafficMetrics } from '../admin/traffic-metrics.ts';
import type { AgentConfig } from '../config.ts';
import type { ServiceDirectory } from '../services.ts';
import type { DataPlane } from '../threads/data-plane.ts';

export interface TrafficPageSources {
  readonly config: Pick<AgentConfig, 'telemetry'>;
  readonly node: { readonly trustDomain: string };
  readonly plane: Pick<DataPlane, 'stats'>;
  readonly services: Pick<ServiceDirectory, 'endpoints'>;
}

export function trafficPage(sources: TrafficPageSources): () => AsyncIterable<string> {
  const istio = (): IstioContext => {
    const identities = new Map<string, string>();
    for (const { namespace, service, identity } of sources.services.endpoints())
      identities.set(`${namespace}/${service}`, identity);
    return { trustDomain: sources.node.trustDomain, identityOf: (service) => identities.get(service) };
  };
  const { istioNames } = sources.config.telemetry;
  return () => trafficMetrics({ proxy: sources.plane.stats, istio: istioNames ? istio : undefined });
}

export async function wholeText(pieces: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text;
}
