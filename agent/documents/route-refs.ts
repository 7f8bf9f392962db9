/** What routes refer to: the services they are about, and those they lead to. @module */
import { z } from 'zod';
import type { BackendRef, ParentRef } from '../traffic/compiled.ts';
import { dnsLabel, dnsName } from './resource.ts';
import { MAX_ITEMS, port, sectionName, weight } from './traffic-fields.ts';

const GATEWAY_GROUP = 'gateway.networking.k8s.io';
const group = z.string().max(253);
const kind = z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,62}$/, 'use a kind such as Service');

export const parentRef = z
  .strictObject({
    group: group.default(GATEWAY_GROUP).describe('Of the kind; "" for a Service.'),
    kind: kind.default('Gateway').describe('Service: the route is about calls to it. Others are not for a mesh.'),
    namespace: dnsLabel
      .optional()
      .describe('Of the service; left out: that of the route. Of another namespace: for callers of the own one alone.'),
    name: dnsName.describe('Of the service.'),
    sectionName: sectionName.optional().describe('Name of a port, as the document of the service has it.'),
    port: port.optional().describe('The port that callers dial; left out: all that speak the protocol of the route.'),
  })
  .describe('What the route is attached to.');

export const parentRefs = z.array(parentRef).max(32).default([]).describe('The services it is about.');

export const targetRef = {
  group: group.default('').describe('Of the kind; "" for a Service.'),
  kind: kind.default('Service').describe('Service.'),
  name: dnsName.describe('Of the service.'),
  namespace: dnsLabel
    .optional()
    .describe(
      'Of the service; left out: that of the route. Neither that of the route nor that of its parent: a ReferenceGrant must allow it.',
    ),
  port: port.optional().describe('The port that is dialled; a Service must have it said.'),
};

export const needsPort = (ref: { readonly kind: string; readonly group: string; readonly port?: number | undefined }) =>
  ref.kind !== 'Service' || ref.group !== '' || ref.port !== undefined;
export const PORT_MISSING = {
  path: ['port'],
  message: 'must be given for a Service; write the port that callers dial',
};

/** @param own fields that not every backend has */
export const backendOf = <F extends object>(own: F) =>
  z
    .strictObject({
      ...targetRef,
      weight: weight.default(1).describe('Share of the traffic beside the others.'),
      ...own,
    })
    .refine((ref) => needsPort(ref as Parameters<typeof needsPort>[0]), PORT_MISSING)
    .describe('Where it leads.');

export const plainBackends = z.array(backendOf({})).min(1).max(MAX_ITEMS).describe('Where it leads, by weight.');

export function toParents(written: readonly z.output<typeof parentRef>[], namespace: string): readonly ParentRef[] {
  return written.map(({ sectionName, port, ...ref }) => ({
    ...ref,
    namespace: ref.namespace ?? namespace,
    ...(sectionName === undefined ? {} : { sectionName }),
    ...(port === undefined ? {} : { port }),
  }));
}

/** @param namespace that of the route */
export function toBackend(
  { group, kind, name, namespace: named, port }: z.output<z.ZodObject<typeof targetRef>>,
  namespace: string,
): Omit<BackendRef, 'weight'> {
  return { group, kind, namespace: named ?? namespace, name, ...(port === undefined ? {} : { port }) };
}
