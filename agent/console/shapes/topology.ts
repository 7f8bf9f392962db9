/** GET /api/v1/topology?view=service|workload|version|node&ns=&rangeMs=&atMs= @module */
import { z } from 'zod';
import { coverage } from '../../mesh-query/shapes.ts';
import { event, health, problem, series, signals } from './common.ts';

export const topologyNode = signals.extend({
  /** 'namespace/service'; in other views 'namespace/service@version', 'namespace/workload' or a node's name. */
  id: z.string(),
  namespace: z.string(),
  name: z.string(),
  kind: z.enum(['service', 'workload', 'version', 'node', 'ingress', 'outside', 'store', 'unmeshed']),
  health,
  cause: z.string(),
  versions: z.array(z.object({ name: z.string(), shareRatio: z.number().nullable() })),
  /** Null of an earlier moment: how endpoints fared is not kept. */
  endpointsReady: z.int().nullable(),
  endpointsTotal: z.int(),
  /** Of `canary`, `ejected 1/4`, `circuit open`, `fault`, `limit`, `certificate`; at most two are drawn. */
  badges: z.array(z.string()),
  lastSeenMs: z.number().nullable(),
});
export type TopologyNode = z.infer<typeof topologyNode>;

export const topologyEdge = signals.extend({
  /** Places in `nodes`. */
  from: z.int(),
  to: z.int(),
  protocol: z.enum(['http', 'grpc', 'tcp']),
  tls: z.enum(['mutual', 'plaintext', 'local', 'unknown']),
  health,
});
export type TopologyEdge = z.infer<typeof topologyEdge>;

export const topology = z.object({
  asOfMs: z.number(),
  rangeMs: z.number(),
  coverage,
  problems: z.array(problem),
  nodes: z.array(topologyNode),
  edges: z.array(topologyEdge),
  /** Failed requests of the last 24 h in steps of 5 min, for the strip. */
  strip: series,
  events: z.array(event),
});
export type Topology = z.infer<typeof topology>;
