/** `weft_gossip_*`: what the mesh thread counts; which, gossip itself says. @module */
import type { Registry } from 'prom-client';
import { GOSSIP_HISTOGRAMS, GOSSIP_METRICS } from '../../gossip/metrics.ts';
import type { GossipStats } from '../../gossip/view.ts';
import { addCounter, addGauge, addHistogram, oncePerScrape, type Sample } from './scraped.ts';

/** @param read asks the mesh thread; called once a scrape */
export function addGossipMetrics(registry: Registry, read: () => Promise<GossipStats>): void {
  const stats = oncePerScrape(read);
  for (const { name, help, type, label, read: valuesOf } of GOSSIP_METRICS) {
    const samples = async (): Promise<readonly Sample[]> =>
      Object.entries(valuesOf(await stats())).map(([key, value]) => [
        label === undefined ? {} : { [label]: key },
        value,
      ]);
    const metric = { name, help, read: samples, ...(label === undefined ? {} : { labels: [label] }) };
    if (type === 'counter') addCounter(registry, metric);
    else addGauge(registry, metric);
  }
  for (const { name, help, label, bounds, read: seriesOf } of GOSSIP_HISTOGRAMS) {
    const series = async () =>
      Object.entries(seriesOf(await stats())).map(([key, { counts, sum }]) => ({
        labels: { [label]: key },
        counts,
        sum,
      }));
    addHistogram(registry, { name, help, labels: [label], bounds, read: series });
  }
}
