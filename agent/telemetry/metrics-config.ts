/** What an operator may set about metrics: their number, and which names they have. @module */
import { z } from 'zod';

export const metricsFields = {
  maxSeries: z
    .int()
    .min(100)
    .max(1_000_000)
    .default(20_000)
    .describe(
      'Most series of traffic of this node: caller, destination, version, route and method each make one of requests. What does not fit is counted as "other". More cost memory and scrape time, about 1.5 kB each and worker.',
    ),
  istioNames: z
    .boolean()
    .default(true)
    .describe(
      "Whether /metrics has Istio's names and labels (istio_requests_total and others) beside weft_*. false halves the page; dashboards made for Istio then show nothing.",
    ),
} as const;
