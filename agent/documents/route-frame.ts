/** The frame of all routes of the Gateway API: what they are about, their rules, and what both come to. @module */
import { z } from 'zod';
import type { CompiledRoute, RouteKind } from '../traffic/compiled.ts';
import { type Compiled, compileBySchema, type DocumentKind } from './kind.ts';
import { parentRefs, toParents } from './route-refs.ts';
import { namesDiffer, useDefaultGateways } from './route-rules.ts';
import { hostname, kubernetesMetadata, MAX_ITEMS, MAX_RULES, status } from './traffic-fields.ts';

type Named = z.ZodType<readonly { readonly name?: string | undefined }[]>;

/** @param fields of `spec`, beside what it is about */
export function routeSchema<K extends RouteKind, A extends string, F extends { readonly rules: Named }>(
  kind: K,
  apiVersion: z.ZodType<A>,
  fields: F,
) {
  return z.strictObject({
    apiVersion,
    kind: z.literal(kind),
    metadata: kubernetesMetadata,
    spec: z
      .strictObject({ parentRefs, useDefaultGateways, ...fields })
      .superRefine((spec, context) => namesDiffer((spec as { rules: z.output<Named> }).rules, context)),
    status,
  });
}

export const hostnamesOf = (description: string) => z.array(hostname).max(MAX_ITEMS).default([]).describe(description);

/** Fields of `spec` of a route of requests. */
export const requestRules = <R extends z.ZodType>(rule: R) => ({
  hostnames: hostnamesOf('For gateways; in a mesh the service that was dialled counts.'),
  rules: z.array(rule).max(MAX_RULES).default([]).describe('The most specific match of all of them counts.'),
});

type Route = z.ZodType<{
  readonly metadata: z.output<typeof kubernetesMetadata>;
  readonly spec: { readonly parentRefs: z.output<typeof parentRefs> };
}>;

/** @param toRules what rules come to; `namespace` is that of the route */
export function routeKind<S extends Route>(
  kind: RouteKind,
  schema: S,
  toRules: (spec: z.output<S>['spec'], namespace: string) => Partial<Pick<CompiledRoute, 'http' | 'streams' | 'notes'>>,
): DocumentKind {
  const toRoute = ({ metadata, spec }: z.output<S>): CompiledRoute => {
    const { namespace, name, creationTimestamp } = metadata;
    return {
      kind,
      namespace,
      name,
      createdAtMs: creationTimestamp === undefined ? 0 : Date.parse(creationTimestamp),
      parents: toParents(spec.parentRefs, namespace),
      ...{ http: [], streams: [], notes: [] },
      ...toRules(spec, namespace),
    };
  };
  return {
    kind,
    schema,
    compile: (resource): Compiled => {
      const checked = compileBySchema(schema, resource);
      return checked.ok ? { ok: true, value: toRoute(checked.value as z.output<S>) } : checked;
    },
  };
}
