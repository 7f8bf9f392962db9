/**
 * `kind: HTTPRoute`: where requests to a service go, and what is done to them. The Gateway API's own, unmodified; under
 * apiVersion weft.dev/v1alpha1 matches may also ask who calls, for cookies and for a share, and a rule may answer by itself.
 * @module
 */
import { z } from 'zod';
import type { CompiledRoute, HttpDraft } from '../traffic/compiled.ts';
import { type Compiled, compileBySchema, type DocumentKind } from './kind.ts';
import { httpFilters, prefixReplacement, toActions } from './route-filters.ts';
import { httpMatch, ownFields, toMatch } from './route-matches.ts';
import { parentRefs, toParents } from './route-refs.ts';
import {
  backends,
  createdAtOf,
  GATEWAY_APIS,
  IDLE_NOTE,
  namesDiffer,
  OWN_API,
  ownOnly,
  ruleName,
  ruleNameOf,
  sessionPersistence,
  toAffinity,
  toBackends,
  useDefaultGateways,
} from './route-rules.ts';
import {
  duration,
  durationOf,
  hostname,
  kubernetesMetadata,
  MAX_ITEMS,
  MAX_MATCHES,
  MAX_RULES,
  status,
} from './traffic-fields.ts';

const rule = z
  .strictObject({
    name: ruleName,
    matches: z.array(httpMatch).max(MAX_MATCHES).default([]).describe('Any of these requests; left out: all.'),
    filters: httpFilters,
    backendRefs: backends,
    timeouts: z
      .strictObject({
        request: duration
          .optional()
          .describe('From the request to the end of its response, all attempts together. 0s: none.'),
        backendRequest: duration.optional().describe('Of one attempt. 0s: none.'),
      })
      .refine(
        ({ request, backendRequest }) =>
          request === undefined ||
          backendRequest === undefined ||
          durationOf(request) === 0 ||
          durationOf(backendRequest) <= durationOf(request),
        { path: ['backendRequest'], message: 'is longer than request; make it shorter' },
      )
      .default({})
      .describe('How long a request may take.'),
    retry: z
      .strictObject({
        codes: z
          .array(z.int().min(400).max(599))
          .max(MAX_MATCHES)
          .default([])
          .describe('Statuses that are tried again.'),
        attempts: z.int().min(0).max(100).optional().describe('How often, besides the first.'),
        backoff: duration.optional().describe('Shortest wait before the next.'),
      })
      .optional()
      .describe('When a request is tried again.'),
    sessionPersistence: sessionPersistence.optional().describe('Requests of one session go to one endpoint.'),
  })
  .superRefine(({ filters, backendRefs, matches }, context) => {
    const types = new Set(filters.map(({ type }) => type));
    const answers = ['RequestRedirect', 'DirectResponse'].find((type) => types.has(type as never));
    if (answers !== undefined && backendRefs.length > 0) {
      const message = `${answers} answers by itself, so that nothing comes here; leave one of them out`;
      context.addIssue({ code: 'custom', path: ['backendRefs'], message });
    }
    const replaces = prefixReplacement(filters);
    const isPrefix = matches.every(({ path }) => path === undefined || path.type === 'PathPrefix');
    if (replaces !== -1 && !isPrefix) {
      const message =
        'ReplacePrefixMatch needs matches of type PathPrefix alone; use ReplaceFullPath, or another match';
      context.addIssue({ code: 'custom', path: ['filters', replaces], message });
    }
  })
  .describe('Requests that match, and what becomes of them.');

const schema = z
  .strictObject({
    apiVersion: z.enum([...GATEWAY_APIS, OWN_API]).describe('Of the Gateway API, or our own with more in it.'),
    kind: z.literal('HTTPRoute'),
    metadata: kubernetesMetadata,
    spec: z
      .strictObject({
        parentRefs,
        useDefaultGateways,
        hostnames: z
          .array(hostname)
          .max(MAX_ITEMS)
          .default([])
          .describe('For gateways; in a mesh the service that was dialled counts.'),
        rules: z.array(rule).max(MAX_RULES).default([]).describe('The most specific match of all of them counts.'),
      })
      .superRefine(({ rules }, context) => namesDiffer(rules, context)),
    status,
  })
  .superRefine(({ apiVersion, spec }, context) => {
    if (apiVersion === OWN_API) return;
    const refuse = (path: readonly (string | number)[]) =>
      context.addIssue({ code: 'custom', path: ['spec', 'rules', ...path], message: ownOnly });
    for (const [i, { matches, filters, backendRefs }] of spec.rules.entries()) {
      for (const [j, match] of matches.entries())
        for (const path of ownFields(match)) refuse([i, 'matches', j, ...path]);
      for (const [j, { type }] of filters.entries()) if (type === 'DirectResponse') refuse([i, 'filters', j, 'type']);
      for (const [j, { subset }] of backendRefs.entries()) {
        if (subset !== undefined) refuse([i, 'backendRefs', j, 'subset']);
      }
    }
  });

export const httpRouteKind: DocumentKind = {
  kind: 'HTTPRoute',
  schema,
  compile: (resource): Compiled => {
    const checked = compileBySchema(schema, resource);
    return checked.ok ? { ok: true, value: toRoute(checked.value as z.output<typeof schema>) } : checked;
  },
};

function toRoute({ metadata, spec }: z.output<typeof schema>): CompiledRoute {
  const { namespace, name } = metadata;
  const isIdle = spec.rules.some((rule) => rule.sessionPersistence?.idleTimeout !== undefined);
  return {
    kind: 'HTTPRoute',
    namespace,
    name,
    createdAtMs: createdAtOf(metadata),
    parents: toParents(spec.parentRefs, namespace),
    http: spec.rules.map((rule, i) => toDraft(rule, i, namespace)),
    streams: [],
    notes: isIdle ? [IDLE_NOTE] : [],
  };
}

function toDraft(written: z.output<typeof rule>, position: number, namespace: string): HttpDraft {
  const { name, matches, filters, backendRefs, timeouts, retry, sessionPersistence } = written;
  const { request, backendRequest } = timeouts;
  return {
    name: ruleNameOf(name, position),
    matches: matches.map(toMatch),
    ...toActions(filters, namespace),
    backends: toBackends(backendRefs, namespace),
    timeouts: {
      ...(request === undefined ? {} : { requestMs: durationOf(request) }),
      ...(backendRequest === undefined ? {} : { backendRequestMs: durationOf(backendRequest) }),
    },
    ...(retry === undefined
      ? {}
      : {
          retry: {
            codes: retry.codes,
            ...(retry.attempts === undefined ? {} : { attempts: retry.attempts }),
            ...(retry.backoff === undefined ? {} : { backoffMs: durationOf(retry.backoff) }),
          },
        }),
    ...(sessionPersistence === undefined ? {} : { affinity: toAffinity(sessionPersistence) }),
  };
}
