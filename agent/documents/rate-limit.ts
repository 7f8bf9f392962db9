/** `kind: RateLimit`: how many requests a second; more get a 429. Each node counts for itself. @module */
import { z } from 'zod';
import type { CompiledLimit } from '../traffic/compiled.ts';
import { target, toTarget } from './call-target.ts';
import { type Compiled, compileBySchema, type DocumentKind } from './kind.ts';
import { OWN_API } from './route-rules.ts';
import { ownMetadata, status } from './traffic-fields.ts';

const MAX_RATE = 1_000_000;

const schema = z.strictObject({
  apiVersion: z.literal(OWN_API),
  kind: z.literal('RateLimit'),
  metadata: ownMetadata,
  spec: z
    .strictObject({
      target,
      per: z
        .enum(['target', 'workload', 'route', 'caller'])
        .default('target')
        .describe(
          'What has a bucket of its own: the target as a whole, each workload called, each route, each caller.',
        ),
      requestsPerSecond: z.number().min(0.001).max(MAX_RATE).describe('Over time.'),
      burst: z
        .int()
        .min(1)
        .max(MAX_RATE)
        .optional()
        .describe('At once. Left out: those of a second, and at least one.'),
      shadow: z.boolean().default(false).describe('Count what it would refuse, and refuse nothing.'),
    })
    .refine(({ per, target }) => per === 'target' || per === 'route' || target.routes === undefined, {
      path: ['target', 'routes'],
      error:
        'leave it out, or write `per: route`: workload and caller are counted where calls arrive, whatever their route',
    }),
  status,
});

export const rateLimitKind: DocumentKind = {
  kind: 'RateLimit',
  schema,
  compile: (resource): Compiled => {
    const checked = compileBySchema(schema, resource);
    if (!checked.ok) return checked;
    const { metadata, spec } = checked.value as z.output<typeof schema>;
    const { per, requestsPerSecond, burst = Math.max(1, Math.ceil(requestsPerSecond)), shadow } = spec;
    const value: CompiledLimit = {
      target: toTarget(spec.target, metadata.namespace),
      per,
      requestsPerSecond,
      burst,
      isShadow: shadow,
    };
    return { ok: true, value };
  },
};
