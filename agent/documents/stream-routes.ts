/** `kind: TCPRoute` and `kind: TLSRoute`: where connections go, by weight and by the server name of TLS. Of the Gateway API. @module */
import { z } from 'zod';
import type { StreamDraft } from '../traffic/compiled.ts';
import { hostnamesOf, routeKind, routeSchema } from './route-frame.ts';
import { plainBackends, toBackend } from './route-refs.ts';
import { GATEWAY_APIS, ruleName, ruleNameOf } from './route-rules.ts';
import { MAX_ITEMS } from './traffic-fields.ts';

const apiVersion = z.enum(GATEWAY_APIS).describe('Of the Gateway API.');

const rule = z.strictObject({ name: ruleName, backendRefs: plainBackends }).describe('What becomes of connections.');
const rules = z.array(rule).min(1).max(MAX_ITEMS).describe('The first counts.');

export const tcpRouteKind = routeKind(
  'TCPRoute',
  routeSchema('TCPRoute', apiVersion, { rules }),
  ({ rules }, namespace) => ({ streams: toStreams(rules, [], namespace) }),
);

export const tlsRouteKind = routeKind(
  'TLSRoute',
  routeSchema('TLSRoute', apiVersion, {
    hostnames: hostnamesOf('Server names that callers ask for in TLS, which the mesh does not open. Left out: any.'),
    rules,
  }),
  ({ rules, hostnames }, namespace) => ({ streams: toStreams(rules, hostnames, namespace) }),
);

function toStreams(
  written: z.output<typeof rules>,
  serverNames: readonly string[],
  namespace: string,
): readonly StreamDraft[] {
  return written.map(({ name, backendRefs }, i) => ({
    name: ruleNameOf(name, i),
    serverNames,
    backends: backendRefs.map(({ weight, ...ref }) => ({ ...toBackend(ref, namespace), weight })),
  }));
}
