/**
 * `kind: TrafficPolicy`: how calls to a service are balanced, timed, tried again and held back. Of several that are about a
 * call, the more specific one counts, field by field; what none says is left to the defaults (proxy/traffic/rules.ts).
 * @module
 */
import { z } from 'zod';
import { BALANCERS } from '../../proxy/balancer/balancer.ts';
import { DEFAULT_SETTINGS, type Fallback, type PolicySettings } from '../../proxy/traffic/rules.ts';
import type { CompiledPolicy } from '../traffic/compiled.ts';
import { headerName } from './access-fields.ts';
import { given, labels } from './call-source.ts';
import { target, toTarget } from './call-target.ts';
import { type Compiled, compileBySchema, type DocumentKind } from './kind.ts';
import { dnsLabel } from './resource.ts';
import { staticResponse, toResponse } from './route-filters.ts';
import { OWN_API, sessionPersistence, toAffinity } from './route-rules.ts';
import { durationOf, durationWithin, MAX_ITEMS, ownMetadata, percent, port, ratio, status } from './traffic-fields.ts';

const HOUR_MS = 3_600_000;
const upToDay = durationWithin(0, 24 * HOUR_MS, 'write 0s to 24h');
const MAX_COUNT = 1_000_000;
const count = z.int().min(1).max(MAX_COUNT);
const D = DEFAULT_SETTINGS;
const name = z.string().min(1).max(128);

const fields = {
  balancer: z
    .strictObject({
      name: z.enum(BALANCERS).describe(`How an endpoint is picked. Where none says: ${D.balancer.name}.`),
      hashOn: z
        .strictObject({
          header: headerName.optional().describe('A header.'),
          cookie: name.optional().describe('A cookie.'),
          query: name.optional().describe('A parameter of the query.'),
        })
        .refine(
          (on) => Object.values(on).filter((value) => value !== undefined).length === 1,
          'name one of header, cookie and query',
        )
        .optional()
        .describe('What ring-hash and maglev hash. Left out: who calls.'),
    })
    .optional()
    .describe('How an endpoint is picked.'),
  locality: z
    .strictObject({
      mode: z
        .enum(['nearest', 'off'])
        .default('nearest')
        .describe('nearest: this node, then zone, then region, then anywhere.'),
      spillBelow: ratio
        .default(D.locality.spillBelowRatio)
        .describe('Traffic stays near while this share of the endpoints there is well. Higher spills sooner.'),
    })
    .optional()
    .describe('Whether the nearest endpoints go first.'),
  subsets: z
    .array(
      z
        .strictObject({
          name: dnsLabel.describe('What routes call it.'),
          labels: labels.describe('What its endpoints have.'),
        })
        .describe('A subset.'),
    )
    .min(1)
    .max(64)
    .optional()
    .describe('Parts of the endpoints. Each value of the label version is one by itself.'),
  affinity: sessionPersistence.optional().describe('Calls of one session go to one endpoint for as long as it lives.'),
  warmUp: z
    .strictObject({
      duration: durationWithin(0, HOUR_MS, 'write 0s to 1h').describe(
        'How long until a new endpoint has its whole share.',
      ),
      minPercent: percent.default(10).describe('The share it begins with.'),
      aggression: z.number().min(0.1).max(10).default(1).describe('1 grows in a straight line; more, slower at first.'),
    })
    .optional()
    .describe('A new endpoint begins with a part of its share.'),
  panicBelow: ratio
    .optional()
    .describe(`Below this share of endpoints that are well, all of them are used. Where none says: ${D.panicRatio}.`),
  circuit: z
    .strictObject({
      maxConnections: count.optional().describe(`Where none says: ${D.circuit.maxConnections}.`),
      maxPending: z
        .int()
        .min(0)
        .max(MAX_COUNT)
        .optional()
        .describe(`Requests that wait. Where none says: ${D.circuit.maxPending}.`),
      maxRequests: count.optional().describe(`Open requests. Where none says: ${D.circuit.maxRequests}.`),
      maxRetries: z
        .int()
        .min(0)
        .max(MAX_COUNT)
        .optional()
        .describe(`Open repeats. Where none says: ${D.circuit.maxRetries}.`),
    })
    .optional()
    .describe('For each caller and service, over all workers of a node; beyond it a 503 at once.'),
  timeouts: z
    .strictObject({
      request: upToDay
        .optional()
        .describe('From a request to the end of its response, all attempts together. Where none says: none.'),
      backend: upToDay.optional().describe('Of one attempt. Where none says: none.'),
      connect: durationWithin(1, 60_000, 'write 1ms to 60s')
        .optional()
        .describe(`Where none says: ${D.timeouts.connectMs} ms.`),
      idle: upToDay
        .optional()
        .describe(
          'Silence on a connection of bytes, or in a request and its response. Where none says: as configured, none for requests.',
        ),
    })
    .optional()
    .describe('0s is none.'),
  retries: z
    .strictObject({
      attempts: z
        .int()
        .min(0)
        .max(10)
        .optional()
        .describe(`Besides the first. Where none says: ${D.retries.attempts}.`),
      on: z
        .array(z.enum(['connect-failure', 'refused', 'reset', '5xx', 'gateway-error', '429', 'timeout']))
        .max(7)
        .optional()
        .describe(
          `What is tried again. 5xx and gateway-error hold for no answer too. Where none says: ${D.retries.on.join(', ')}.`,
        ),
      codes: z.array(z.int().min(400).max(599)).max(MAX_ITEMS).optional().describe('Statuses besides those of on.'),
      backoff: durationWithin(0, 60_000, 'write 0s to 60s')
        .optional()
        .describe(`Where none says: ${D.retries.backoffMs} ms.`),
      maxBackoff: durationWithin(0, 60_000, 'write 0s to 60s')
        .optional()
        .describe(`Where none says: ${D.retries.maxBackoffMs} ms.`),
      anyMethod: z.boolean().optional().describe('Repeats what is not idempotent too.'),
    })
    .optional()
    .describe('When a request is tried again.'),
  retryBudget: z
    .strictObject({
      ratio: ratio
        .optional()
        .describe(`Share of the requests that may be repeats. Where none says: ${D.retryBudget.ratio}.`),
      window: durationWithin(1_000, HOUR_MS, 'write 1s to 1h')
        .optional()
        .describe(`Where none says: ${D.retryBudget.windowMs / 1_000} s.`),
      minPerSecond: z
        .number()
        .min(0)
        .max(10_000)
        .optional()
        .describe(`So many always. Where none says: ${D.retryBudget.minPerSecond}.`),
    })
    .optional()
    .describe('How many repeats there may be.'),
  outliers: z
    .strictObject({
      mode: z.enum(['on', 'off']).default('on').describe('off: nobody is ejected.'),
      consecutive: z
        .int()
        .min(1)
        .max(1_000)
        .optional()
        .describe(`Failures in a row. Where none says: ${D.outliers.consecutive}.`),
      successRatio: ratio
        .optional()
        .describe(`Share of answers that must be good. Where none says: ${D.outliers.successRatio}.`),
      minRequests: z
        .int()
        .min(1)
        .max(MAX_COUNT)
        .optional()
        .describe(`Fewer say nothing. Where none says: ${D.outliers.minRequests}.`),
      window: durationWithin(1_000, HOUR_MS, 'write 1s to 1h')
        .optional()
        .describe(`Where none says: ${D.outliers.windowMs / 1_000} s.`),
      eject: durationWithin(100, HOUR_MS, 'write 100ms to 1h')
        .optional()
        .describe(`Where none says: ${D.outliers.ejectMs / 1_000} s.`),
      maxEject: durationWithin(100, 24 * HOUR_MS, 'write 100ms to 24h')
        .optional()
        .describe(`Where none says: ${D.outliers.maxEjectMs / 1_000} s.`),
      maxEjected: ratio.optional().describe(`Share of the endpoints. Where none says: ${D.outliers.maxEjectedRatio}.`),
    })
    .optional()
    .describe('When an endpoint that fails is left out for a while.'),
  concurrency: z
    .strictObject({
      mode: z.enum(['on', 'off']).default('on').describe('off: as many at a time as come.'),
      minRequests: z.int().min(1).max(10_000).optional().describe('So many at a time always. Where none says: 4.'),
      maxRequests: z.int().min(1).max(MAX_COUNT).optional().describe('Never more. Where none says: 1000.'),
      priorityHeader: headerName
        .optional()
        .describe('Says how much a request matters, 0 (most) to 3. Where none says: weft-priority.'),
      defaultPriority: z.int().min(0).max(3).optional().describe('For requests without it. Where none says: 1.'),
    })
    .optional()
    .describe('At the destination: as many at a time as it can do well, the less important refused first.'),
  fallbacks: z
    .array(
      z
        .strictObject({
          subset: dnsLabel.optional().describe('Those endpoints of the same service.'),
          service: dnsLabel.optional().describe('Another service.'),
          namespace: dnsLabel.optional().describe('Of that service. Left out: the same.'),
          port: port.optional().describe('Of that service; must be given with it.'),
          respond: staticResponse.optional().describe('This answer.'),
        })
        .refine(
          ({ subset, service, respond }) =>
            [subset, service, respond].filter((value) => value !== undefined).length === 1,
          'name one of subset, service and respond',
        )
        .refine(({ service, port }) => (service === undefined) === (port === undefined), {
          path: ['port'],
          message: 'is given with service, and only then',
        })
        .describe('Where else calls go.'),
    )
    .max(MAX_ITEMS)
    .optional()
    .describe('In this order, where the service has no endpoint that is well.'),
  healthCheck: z
    .strictObject({
      mode: z.enum(['on', 'off']).default('on').describe('off: only its own node tries an endpoint.'),
      interval: durationWithin(500, HOUR_MS, 'write 500ms to 1h').default('5s').describe('Between two tries.'),
      timeout: durationWithin(50, 60_000, 'write 50ms to 1m')
        .default('1s')
        .describe('One that takes longer has failed.'),
      unhealthyAfter: z.int().min(1).max(100).default(3).describe('Failures in a row until it is said to fail.'),
      healthyAfter: z.int().min(1).max(100).default(2).describe('Successes in a row until it is well again.'),
    })
    .optional()
    .describe(
      'Three nodes, chosen by hash, try whether they reach the agent of each endpoint, by TCP and TLS. What two of them do ' +
        'not reach is left out of balancing everywhere. For a target without routes and from.',
    ),
};

const schema = z.strictObject({
  apiVersion: z.literal(OWN_API),
  kind: z.literal('TrafficPolicy'),
  metadata: ownMetadata,
  spec: z.strictObject({ target, ...fields }).superRefine(({ subsets = [] }, context) => {
    const seen = new Set<string>();
    for (const [i, { name }] of subsets.entries()) {
      const message = `${name} is there already; choose another`;
      if (seen.has(name)) context.addIssue({ code: 'custom', path: ['subsets', i, 'name'], message });
      seen.add(name);
    }
  }),
  status,
});

export const trafficPolicyKind: DocumentKind = {
  kind: 'TrafficPolicy',
  schema,
  compile: (resource): Compiled => {
    const checked = compileBySchema(schema, resource);
    if (!checked.ok) return checked;
    const { metadata, spec } = checked.value as z.output<typeof schema>;
    const { namespace } = metadata;
    const value: CompiledPolicy = {
      target: toTarget(spec.target, namespace),
      settings: toSettings(spec, spec.target.namespace ?? namespace),
    };
    return isCheckForSome(value) ? { ok: false, problem: CHECK_FOR_SOME } : { ok: true, value };
  },
};

const CHECK_FOR_SOME =
  'spec.healthCheck: is the same for all routes and callers; put it into a policy in the namespace of the service, with no ' +
  'routes and no from in its target';

/** One of another namespace is for its own callers alone. */
function isCheckForSome({ target: { routes, from }, settings }: CompiledPolicy): boolean {
  return settings.healthCheck !== undefined && routes.length + from.length > 0;
}

type Spec = z.output<typeof schema>['spec'];
/** What is yet undefined is taken out at the end. */
type Draft = { -readonly [K in keyof PolicySettings]: PolicySettings[K] | undefined };

function toSettings(spec: Spec, namespace: string): PolicySettings {
  const { balancer, locality, subsets, affinity, warmUp, circuit, timeouts, fallbacks } = spec;
  const draft: Draft = {
    balancer:
      balancer &&
      (given({ ...balancer, hashOn: balancer.hashOn && given(balancer.hashOn) }) as PolicySettings['balancer']),
    locality: locality && { mode: locality.mode, spillBelowRatio: locality.spillBelow },
    subsets: subsets && Object.fromEntries(subsets.map(({ name, labels }) => [name, labels])),
    affinity: affinity && toAffinity(affinity),
    warmUp: warmUp && {
      durationMs: durationOf(warmUp.duration),
      minPercent: warmUp.minPercent,
      aggression: warmUp.aggression,
    },
    panicRatio: spec.panicBelow,
    circuit: circuit && given(circuit),
    timeouts:
      timeouts &&
      given({
        requestMs: ms(timeouts.request),
        backendMs: ms(timeouts.backend),
        connectMs: ms(timeouts.connect),
        idleMs: ms(timeouts.idle),
      }),
    retries: toRetries(spec.retries),
    retryBudget: spec.retryBudget && toBudget(spec.retryBudget),
    outliers: toOutliers(spec.outliers),
    concurrency: toConcurrency(spec.concurrency),
    fallbacks: fallbacks?.map((written) => toFallback(written, namespace)),
    healthCheck: toHealthCheck(spec.healthCheck),
  };
  return given(draft) as PolicySettings;
}

function toBudget({ ratio, window, minPerSecond }: NonNullable<Spec['retryBudget']>) {
  return given({ ratio, windowMs: ms(window), minPerSecond });
}

function toRetries(written: Spec['retries']): PolicySettings['retries'] {
  if (written === undefined) return undefined;
  const { attempts, on, codes, backoff, maxBackoff, anyMethod } = written;
  return given({ attempts, on, codes, backoffMs: ms(backoff), maxBackoffMs: ms(maxBackoff), isAnyMethod: anyMethod });
}

function toOutliers(written: Spec['outliers']): PolicySettings['outliers'] {
  if (written === undefined) return undefined;
  const { mode, window, eject, maxEject, maxEjected, ...same } = written;
  if (mode === 'off') return 'off';
  return given({
    ...same,
    windowMs: ms(window),
    ejectMs: ms(eject),
    maxEjectMs: ms(maxEject),
    maxEjectedRatio: maxEjected,
  });
}

function toConcurrency(written: Spec['concurrency']): PolicySettings['concurrency'] {
  if (written === undefined) return undefined;
  const { mode, ...same } = written;
  return mode === 'off' ? 'off' : given(same);
}

function toHealthCheck(written: Spec['healthCheck']): PolicySettings['healthCheck'] {
  if (written === undefined) return undefined;
  const { mode, interval, timeout, unhealthyAfter, healthyAfter } = written;
  if (mode === 'off') return 'off';
  return { intervalMs: durationOf(interval), timeoutMs: durationOf(timeout), unhealthyAfter, healthyAfter };
}

function toFallback(written: NonNullable<Spec['fallbacks']>[number], namespace: string): Fallback {
  const { subset, service, respond, port = 0 } = written;
  if (subset !== undefined) return { kind: 'subset', subset };
  if (respond !== undefined) return { kind: 'respond', respond: toResponse(respond) };
  return { kind: 'service', service: `${written.namespace ?? namespace}/${service}`, port };
}

function ms(text: string | undefined): number | undefined {
  return text === undefined ? undefined : durationOf(text);
}
