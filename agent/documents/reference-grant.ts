/** `kind: ReferenceGrant`: lets routes of other namespaces lead to services of its own. Of the Gateway API. @module */
import { z } from 'zod';
import type { CompiledGrant } from '../traffic/compiled.ts';
import { type Compiled, compileBySchema, type DocumentKind } from './kind.ts';
import { dnsLabel, dnsName } from './resource.ts';
import { GATEWAY_APIS } from './route-rules.ts';
import { kubernetesMetadata, MAX_ITEMS, status } from './traffic-fields.ts';

const schema = z.strictObject({
  apiVersion: z.enum(GATEWAY_APIS).describe('Of the Gateway API.'),
  kind: z.literal('ReferenceGrant'),
  metadata: kubernetesMetadata,
  spec: z.strictObject({
    from: z
      .array(
        z
          .strictObject({
            group: z.string().max(253).describe('gateway.networking.k8s.io for routes.'),
            kind: z.string().max(63).describe('Such as HTTPRoute.'),
            namespace: dnsLabel.describe('Where they are.'),
          })
          .describe('Who may refer.'),
      )
      .min(1)
      .max(MAX_ITEMS)
      .describe('Any of these.'),
    to: z
      .array(
        z
          .strictObject({
            group: z.string().max(253).describe('"" for a Service.'),
            kind: z.string().max(63).describe('Service.'),
            name: dnsName.optional().describe('Left out: all of the namespace.'),
          })
          .describe('To what.'),
      )
      .min(1)
      .max(MAX_ITEMS)
      .describe('Any of these.'),
  }),
  status,
});

export const referenceGrantKind: DocumentKind = {
  kind: 'ReferenceGrant',
  schema,
  compile: (resource): Compiled => {
    const checked = compileBySchema(schema, resource);
    if (!checked.ok) return checked;
    const { metadata, spec } = checked.value as z.output<typeof schema>;
    const to = spec.to.map(({ name, ...ref }) => ({ ...ref, ...(name === undefined ? {} : { name }) }));
    return { ok: true, value: { namespace: metadata.namespace, from: spec.from, to } satisfies CompiledGrant };
  },
};
