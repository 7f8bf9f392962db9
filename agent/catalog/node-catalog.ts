/** What one node tells others of its catalog, on the topic `catalog`. @module */
import { z } from 'zod';
import { fact } from '../console/shapes/services.ts';

const seen = { firstSeenMs: z.number(), lastSeenMs: z.number() };
const direction = z.enum(['outbound', 'inbound']);
const counts = z.record(z.string(), z.number());

/** As inventory.ts has them; what a newer node adds is not read. */
export const nodeCatalog = z.object({
  services: z.array(
    z.object({ id: z.string(), ...seen, trafficMs: z.number().nullable(), calledMs: z.number().nullable() }),
  ),
  tombstones: z.array(z.object({ id: z.string(), ...seen, goneMs: z.number() })),
  relations: z.array(
    z.object({
      from: z.string(),
      to: z.string(),
      protocol: z.string(),
      direction,
      count: z.number(),
      bytes: z.number(),
      ...seen,
    }),
  ),
  routes: z.array(
    z.object({
      service: z.string(),
      method: z.string(),
      template: z.string(),
      consumers: z.array(z.string()),
      statuses: counts,
      direction,
      count: z.number(),
      ...seen,
    }),
  ),
  /** What this node can tell of services that run on it. */
  facts: z.array(z.object({ service: z.string(), fact })),
  /** Callers without identity. */
  plaintext: z.array(z.object({ service: z.string(), source: z.string(), lastMs: z.number() })),
  certificates: z.array(z.object({ service: z.string(), expiresMs: z.number(), lifeMs: z.number() })),
});
export type NodeCatalog = z.infer<typeof nodeCatalog>;
export type NodeFact = NodeCatalog['facts'][number];
