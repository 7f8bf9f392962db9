/** `kind: GRPCRoute`: where calls of gRPC go, by service and method. Of the Gateway API. @module */
import { z } from 'zod';
import type { HttpMatch } from '../../proxy/traffic/rules.ts';
import { checked } from './access-fields.ts';
import { expressionProblem } from './expressions.ts';
import { grpcFilters, toActions } from './route-filters.ts';
import { requestRules, routeKind, routeSchema } from './route-frame.ts';
import { headerMatches, OWN_TYPES, toHeaderMatches } from './route-matches.ts';
import {
  backends,
  GATEWAY_APIS,
  ruleName,
  ruleNameOf,
  sessionNotes,
  sessionPersistence,
  toAffinity,
  toBackends,
} from './route-rules.ts';
import { MAX_MATCHES } from './traffic-fields.ts';

const part = checked((text) => (text.includes('/') ? 'has a /; write service and method apart' : undefined), 1_024);

const method = z
  .strictObject({
    type: z.enum(['Exact', 'RegularExpression']).default('Exact').describe('How names are compared.'),
    service: part.optional().describe('With its package: shop.v1.Cart.'),
    method: part.optional().describe('Of the service.'),
  })
  .superRefine(({ type, service, method }, context) => {
    if (service === undefined && method === undefined) {
      context.addIssue({ code: 'custom', message: 'says nothing; name a service or a method, or leave it out' });
    }
    if (type === 'Exact') return;
    for (const [field, text] of Object.entries({ service, method })) {
      const problem = text === undefined ? undefined : expressionProblem(text);
      if (problem !== undefined) context.addIssue({ code: 'custom', path: [field], message: `${text} ${problem}` });
    }
  })
  .describe('What is called.');

const match = z.strictObject({ method: method.optional(), headers: headerMatches }).describe('A call. All must hold.');

const rule = z
  .strictObject({
    name: ruleName,
    matches: z.array(match).max(MAX_MATCHES).default([]).describe('Any of these calls; left out: all.'),
    filters: grpcFilters,
    backendRefs: backends,
    sessionPersistence: sessionPersistence.optional().describe('Calls of one session go to one endpoint.'),
  })
  .superRefine(({ matches, backendRefs }, context) => {
    const message = 'is of kind HTTPRoute with apiVersion weft.dev/v1alpha1 alone; leave it out';
    const refuse = (...path: (string | number)[]) => context.addIssue({ code: 'custom', path, message });
    for (const [i, { headers }] of matches.entries()) {
      for (const [j, { type, not }] of headers.entries()) {
        if (not !== undefined) refuse('matches', i, 'headers', j, 'not');
        if (OWN_TYPES.includes(type)) refuse('matches', i, 'headers', j, 'type');
      }
    }
    for (const [i, { subset }] of backendRefs.entries()) if (subset !== undefined) refuse('backendRefs', i, 'subset');
  })
  .describe('Calls that match, and what becomes of them.');

const apiVersion = z.enum(GATEWAY_APIS).describe('Of the Gateway API.');

export const grpcRouteKind = routeKind(
  'GRPCRoute',
  routeSchema('GRPCRoute', apiVersion, requestRules(rule)),
  ({ rules }, namespace) => ({
    http: rules.map(({ name, matches, filters, backendRefs, sessionPersistence }, i) => ({
      name: ruleNameOf(name, i),
      matches: matches.map(toMatch),
      ...toActions(filters, namespace),
      backends: toBackends(backendRefs, namespace),
      timeouts: {},
      ...(sessionPersistence === undefined ? {} : { affinity: toAffinity(sessionPersistence) }),
    })),
    notes: sessionNotes(rules),
  }),
);

function toMatch({ method, headers }: z.output<typeof match>): HttpMatch {
  const path = method === undefined ? undefined : toPath(method);
  return {
    ...(path === undefined ? {} : { path }),
    headers: toHeaderMatches(headers),
    query: [],
    cookies: [],
    sources: [],
  };
}

/** gRPC calls POST to /service/method. */
function toPath({ type, service, method }: z.output<typeof match>['method'] & object): HttpMatch['path'] {
  if (type === 'Exact' && service !== undefined) {
    return method === undefined
      ? { type: 'prefix', value: `/${service}` }
      : { type: 'exact', value: `/${service}/${method}` };
  }
  const asExpression = (text: string | undefined) =>
    text === undefined ? '[^/]+' : type === 'Exact' ? text.replaceAll(/[^\w]/g, '\\$&') : `(?:${text})`;
  return { type: 'regex', value: `/${asExpression(service)}/${asExpression(method)}` };
}
