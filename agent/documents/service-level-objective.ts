/**
 * `kind: ServiceLevelObjective`: how many requests of a service have to go well, and how fast failures may use up the rest.
 *
 * Fields are called as in OpenSLO where its shape fits. Its indicators are queries to a store of metrics, of which there is none
 * here, and so `indicator` is our own.
 * @module
 */
import { z } from 'zod';
import { BURN_BAD, BURN_WARN, type Objective } from '../observe/slo.ts';
import { checked } from './access-fields.ts';
import { type Compiled, compileBySchema, type DocumentKind } from './kind.ts';
import { dnsLabel } from './resource.ts';
import { OWN_API } from './route-rules.ts';
import { ownMetadata, status } from './traffic-fields.ts';

const DAY_MS = 86_400_000;
const MAX_DAYS = 90;
const MAX_BURN = 1_000;

const days = checked((text) => {
  const [, count] = /^([1-9]\d{0,2})d$/.exec(text) ?? [];
  return Number(count) <= MAX_DAYS ? undefined : `is no number of days from 1d to ${MAX_DAYS}d; write for example 30d`;
}, 8);

const schema = z.strictObject({
  apiVersion: z.literal(OWN_API),
  kind: z.literal('ServiceLevelObjective'),
  metadata: ownMetadata.extend({ namespace: dnsLabel.describe('That of the service.') }).describe('Who it is.'),
  spec: z.strictObject({
    service: dnsLabel.describe('Whose requests, by its name. Of several objectives for one the first by name holds.'),
    description: z.string().max(1_024).optional().describe('What it is there for, in words.'),
    indicator: z
      .strictObject({
        availability: z
          .boolean()
          .default(true)
          .describe(
            'Requests that fail count: 5xx, gRPC 2 4 13 14 15, resets, and what the mesh ended without policy.',
          ),
        latency: z
          .strictObject({
            thresholdMs: z
              .number()
              .min(1)
              .max(60_000)
              .describe('Longer is too slow. Read from buckets: at most a fifth off.'),
          })
          .optional()
          .describe('Requests that are too slow count.'),
      })
      .refine(({ availability, latency }) => availability || latency !== undefined, {
        path: ['latency'],
        error: 'give a thresholdMs, or leave availability true: something has to count',
      })
      .prefault({})
      .describe('What counts against it. Each is held to the target by itself, and the worse one is judged.'),
    targetPercent: z.number().min(50).max(99.999).describe('Of the requests, so many have to go well: 99.9.'),
    timeWindow: z
      .strictObject({
        duration: days
          .default('30d')
          .describe('Rolling: 30d ends now. What is left of the budget is told of as many days as history.days keeps.'),
      })
      .prefault({})
      .describe('The time in which the target has to be met.'),
    alerting: z
      .strictObject({
        fastBurnRate: z
          .number()
          .min(1)
          .max(MAX_BURN)
          .default(BURN_BAD)
          .describe(
            'Over 5 min and over 1 h: it is bad. 1 uses the budget up exactly in the window; lower tells sooner.',
          ),
        slowBurnRate: z
          .number()
          .min(1)
          .max(MAX_BURN)
          .default(BURN_WARN)
          .describe('Over 30 min and over 6 h: it warns.'),
      })
      .prefault({})
      .describe('From how fast a use of the budget on its health changes.'),
  }),
  status,
});

export interface CompiledObjective {
  /** 'namespace/service' */
  readonly service: string;
  readonly objective: Objective;
}

export const serviceLevelObjectiveKind: DocumentKind = {
  kind: 'ServiceLevelObjective',
  schema,
  compile: (resource): Compiled => {
    const checked = compileBySchema(schema, resource);
    if (!checked.ok) return checked;
    const { metadata, spec } = checked.value as z.output<typeof schema>;
    const { indicator, alerting } = spec;
    const value: CompiledObjective = {
      service: `${metadata.namespace}/${spec.service}`,
      objective: {
        targetRatio: Number((spec.targetPercent / 100).toPrecision(10)),
        windowMs: Number.parseInt(spec.timeWindow.duration, 10) * DAY_MS,
        countsFailures: indicator.availability,
        ...(indicator.latency === undefined ? {} : { latencyMs: indicator.latency.thresholdMs }),
        limits: { bad: alerting.fastBurnRate, warn: alerting.slowBurnRate },
      },
    };
    return { ok: true, value };
  },
};
