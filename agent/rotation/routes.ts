/** /v1/trust: which roots this node trusts, and to which of them the certificates of all members lead. @module */
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import { rootFingerprint } from '../../certs/root-rotation.ts';
import type { Member } from '../../gossip/view.ts';
import { type AdminRoutes, refusal } from '../admin/routes.ts';
import type { TrustView } from './views.ts';

export interface TrustSources {
  readonly node: () => NodeIdentity;
  readonly sequence: () => number;
  readonly members: () => readonly Member[];
}

export function trustRoutes(sources: TrustSources): AdminRoutes {
  return {
    paths: ['/v1/trust'],
    answer: async ({ method }) =>
      method === 'GET'
        ? { status: 200, body: trustView(sources) }
        : refusal(405, '/v1/trust can only be read; use GET'),
  };
}

function trustView({ node, sequence, members }: TrustSources): TrustView {
  const { trust } = node();
  return {
    trustDomain: trust.trustDomain,
    sequence: sequence(),
    roots: trust.roots.map((root) => ({
      fingerprint: rootFingerprint(root),
      notBefore: root.validFromDate.toISOString(),
      expiresAt: root.validToDate.toISOString(),
    })),
    members: members()
      .map(({ name, state, isSelf, root = '' }) => ({
        name,
        state,
        isSelf,
        root: root.replaceAll(':', '').toLowerCase(),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}
