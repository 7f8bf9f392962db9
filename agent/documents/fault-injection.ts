/**
 * `kind: FaultInjection`: failures on purpose, to see what callers make of them. It ends by itself, and `spec.faults: off` of
 * the MeshConfig ends all of them at once.
 * @module
 */
import { z } from 'zod';
import type { CompiledFault } from '../traffic/compiled.ts';
import { target, toTarget } from './call-target.ts';
import { type Compiled, compileBySchema, type DocumentKind } from './kind.ts';
import { headerMatches, toHeaderMatches } from './route-matches.ts';
import { OWN_API } from './route-rules.ts';
import { durationOf, durationWithin, ownMetadata, percent, status } from './traffic-fields.ts';

const share = percent.default(100).describe('Share of the calls.');
const WEEK_MS = 7 * 24 * 3_600_000;

const schema = z.strictObject({
  apiVersion: z.literal(OWN_API),
  kind: z.literal('FaultInjection'),
  metadata: ownMetadata,
  spec: z
    .strictObject({
      target,
      headers: headerMatches.describe('Requests with these headers alone.'),
      delay: z
        .strictObject({
          duration: durationWithin(1, 300_000, 'write 1ms to 5m').describe('How long each waits.'),
          percent: share,
        })
        .optional()
        .describe('Requests wait before they go on.'),
      abort: z
        .strictObject({
          status: z.int().min(200).max(599).describe('What they are answered with.'),
          grpcStatus: z.int().min(1).max(16).optional().describe('For calls of gRPC.'),
          percent: share,
        })
        .optional()
        .describe('Requests are answered at once, and go nowhere.'),
      reset: z.strictObject({ percent: share }).optional().describe('Connections or streams are torn down.'),
      bandwidth: z
        .strictObject({
          bytesPerSecond: z.int().min(1).max(10_000_000_000).describe('No more than that of each response.'),
          percent: share,
        })
        .optional()
        .describe('Responses trickle.'),
      ttl: durationWithin(1_000, WEEK_MS, 'write 1s to 168h')
        .default('10m')
        .describe('It ends so long after this revision was written, by the clock of its author.'),
    })
    .refine(
      ({ delay, abort, reset, bandwidth }) => (delay ?? abort ?? reset ?? bandwidth) !== undefined,
      'does nothing; give one of delay, abort, reset and bandwidth',
    ),
  status,
});

export const faultInjectionKind: DocumentKind = {
  kind: 'FaultInjection',
  schema,
  compile: (resource): Compiled => {
    const checked = compileBySchema(schema, resource);
    if (!checked.ok) return checked;
    const { metadata, spec } = checked.value as z.output<typeof schema>;
    const { delay, abort, reset, bandwidth } = spec;
    const value: CompiledFault = {
      target: toTarget(spec.target, metadata.namespace),
      headers: toHeaderMatches(spec.headers),
      ...(delay === undefined ? {} : { delay: { ms: durationOf(delay.duration), percent: delay.percent } }),
      ...(abort === undefined
        ? {}
        : {
            abort: {
              status: abort.status,
              percent: abort.percent,
              ...(abort.grpcStatus === undefined ? {} : { grpcStatus: abort.grpcStatus }),
            },
          }),
      ...(reset === undefined ? {} : { reset }),
      ...(bandwidth === undefined ? {} : { bandwidth }),
      ttlMs: durationOf(spec.ttl),
    };
    return { ok: true, value };
  },
};
