/** Which calls a policy, limit or fault is about. @module */
import { z } from 'zod';
import type { AccessSource } from '../../proxy/access/policy.ts';
import type { CallTarget } from '../../proxy/traffic/rules.ts';
import { SYSTEM_NAMESPACE } from './access-policy.ts';
import { ANYBODY, source, toSource } from './call-source.ts';
import { dnsLabel } from './resource.ts';
import { MAX_ITEMS, port } from './traffic-fields.ts';

const MAX_LIST = 256;
const ROUTE = /^(HTTPRoute|GRPCRoute|TCPRoute|TLSRoute)\/[a-z0-9-]{1,63}\/[a-z0-9.-]{1,253}$/;

const list = <T extends z.ZodType>(of: T, what: string) => z.array(of).min(1).max(MAX_LIST).optional().describe(what);

export const target = z
  .strictObject({
    namespace: dnsLabel
      .optional()
      .describe('Of the services; left out: its own. Another one: it is about callers of its own namespace alone.'),
    services: list(dnsLabel, 'Services; left out: all of the namespace.'),
    ports: list(port, 'Ports that callers dial; left out: all.'),
    routes: list(
      z.string().regex(ROUTE, 'write HTTPRoute/NAMESPACE/NAME, or another kind of route'),
      'Calls under these routes alone: HTTPRoute/shop/cart.',
    ),
    from: z.array(source).min(1).max(MAX_ITEMS).optional().describe('Any of these callers; left out: anybody.'),
  })
  .default({})
  .describe('The calls it is about. All fields that are given must hold.');

type Written = z.output<typeof target>;

/** @param own the namespace of the document */
export function toTarget(written: Written, own: string): CallTarget {
  const { services = [], ports = [], routes = [], from = [] } = written;
  const isMeshWide = own === SYSTEM_NAMESPACE;
  const namespace = written.namespace ?? (isMeshWide ? undefined : own);
  const sources = from.map(toSource);
  return {
    ...(namespace === undefined ? {} : { namespace }),
    services,
    ports,
    routes,
    from: isMeshWide || namespace === own ? sources : ownCallers(sources, own),
  };
}

/** Nobody but its own namespace may have another namespace's services treat its calls otherwise. */
function ownCallers(sources: readonly AccessSource[], own: string): readonly AccessSource[] {
  const all = sources.length === 0 ? [ANYBODY] : sources;
  return all.map((source) => ({
    ...source,
    namespaces: [own],
    notNamespaces: isWithin(source, own) ? source.notNamespaces : [...source.notNamespaces, own],
  }));
}

function isWithin({ namespaces }: AccessSource, own: string): boolean {
  return namespaces.length === 0 || namespaces.includes(own);
}
