/** `kind: TCPRoute` and `kind: TLSRoute`: where connections go, by weight and by the server name of TLS. Of the Gateway API. @module */
import { z } from 'zod';
import type { CompiledRoute, RouteKind } from '../traffic/compiled.ts';
import { type Compiled, compileBySchema, type DocumentKind } from './kind.ts';
import { parentRefs, plainBackends, toBackend, toParents } from './route-refs.ts';
import { createdAtOf, GATEWAY_APIS, namesDiffer, ruleName, ruleNameOf, useDefaultGateways } from './route-rules.ts';
import { hostname, kubernetesMetadata, MAX_ITEMS, status } from './traffic-fields.ts';

const rules = z
  .array(z.strictObject({ name: ruleName, backendRefs: plainBackends }).describe('What becomes of connections.'))
  .min(1)
  .max(MAX_ITEMS)
  .describe('The first counts.');

const tcpSchema = z.strictObject({
  apiVersion: z.enum(GATEWAY_APIS).describe('Of the Gateway API.'),
  kind: z.literal('TCPRoute'),
  metadata: kubernetesMetadata,
  spec: z
    .strictObject({ parentRefs, useDefaultGateways, rules })
    .superRefine((spec, context) => namesDiffer(spec.rules, context)),
  status,
});

const tlsSchema = z.strictObject({
  apiVersion: z.enum(GATEWAY_APIS).describe('Of the Gateway API.'),
  kind: z.literal('TLSRoute'),
  metadata: kubernetesMetadata,
  spec: z
    .strictObject({
      parentRefs,
      useDefaultGateways,
      hostnames: z
        .array(hostname)
        .max(MAX_ITEMS)
        .default([])
        .describe('Server names that callers ask for in TLS, which the mesh does not open. Left out: any.'),
      rules,
    })
    .superRefine((spec, context) => namesDiffer(spec.rules, context)),
  status,
});

type Written = z.output<typeof tcpSchema> | z.output<typeof tlsSchema>;

function kindOf(kind: RouteKind, schema: z.ZodType): DocumentKind {
  return {
    kind,
    schema,
    compile: (resource): Compiled => {
      const checked = compileBySchema(schema, resource);
      return checked.ok ? { ok: true, value: toRoute(kind, checked.value as Written) } : checked;
    },
  };
}

export const tcpRouteKind = kindOf('TCPRoute', tcpSchema);
export const tlsRouteKind = kindOf('TLSRoute', tlsSchema);

function toRoute(kind: RouteKind, { metadata, spec }: Written): CompiledRoute {
  const { namespace, name } = metadata;
  return {
    kind,
    namespace,
    name,
    createdAtMs: createdAtOf(metadata),
    parents: toParents(spec.parentRefs, namespace),
    http: [],
    streams: spec.rules.map((rule, i) => ({
      name: ruleNameOf(rule.name, i),
      serverNames: 'hostnames' in spec ? spec.hostnames : [],
      backends: rule.backendRefs.map(({ weight, ...ref }) => ({ ...toBackend(ref, namespace), weight })),
    })),
    notes: [],
  };
}
