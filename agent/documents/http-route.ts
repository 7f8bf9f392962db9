/**
 * `kind: HTTPRoute`: where requests to a service go, and what is done to them. The Gateway API's own, unmodified; under
 * apiVersion weft.dev/v1alpha1 matches may also ask who calls, for cookies and for a share, and a rule may answer by itself.
 * @module
 */
import { z } from 'zod';
import type { HttpDraft } from '../traffic/compiled.ts';
import { httpFilters, prefixReplacement, toActions } from './route-filters.ts';
import { requestRules, routeKind, routeSchema } from './route-frame.ts';
import { httpMatch, ownFields, toMatch } from './route-matches.ts';
import {
  backends,
  GATEWAY_APIS,
  OWN_API,
  ownOnly,
  ruleName,
  ruleNameOf,
  sessionNotes,
  sessionPersistence,
  toAffinity,
  toBackends,
} from './route-rules.ts';
import { duration, durationOf, MAX_MATCHES } from './traffic-fields.ts';

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

const apiVersion = z.enum([...GATEWAY_APIS, OWN_API]).describe('Of the Gateway API, or our own with more in it.');

const schema = routeSchema('HTTPRoute', apiVersion, requestRules(rule)).superRefine(({ apiVersion, spec }, context) => {
  if (apiVersion === OWN_API) return;
  const refuse = (path: readonly (string | number)[]) =>
    context.addIssue({ code: 'custom', path: ['spec', 'rules', ...path], message: ownOnly });
  for (const [i, { matches, filters, backendRefs }] of spec.rules.entries()) {
    for (const [j, match] of matches.entries()) for (const path of ownFields(match)) refuse([i, 'matches', j, ...path]);
    for (const [j, { type }] of filters.entries()) if (type === 'DirectResponse') refuse([i, 'filters', j, 'type']);
    for (const [j, { subset }] of backendRefs.entries()) {
      if (subset !== undefined) refuse([i, 'backendRefs', j, 'subset']);
    }
  }
});

export const httpRouteKind = routeKind('HTTPRoute', schema, ({ rules }, namespace) => ({
  http: rules.map((rule, i) => toDraft(rule, i, namespace)),
  notes: sessionNotes(rules),
}));

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
