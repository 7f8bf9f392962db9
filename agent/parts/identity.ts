/** Who this node is while the agent runs: its certificates, the roots it follows, and all that must hear of a change. @module */
import type { Logger } from 'pino';
import type { ForeignIssuerSpec } from '../../certs/foreign-issuer.ts';
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import type { Revocations } from '../../certs/revocation.ts';
import { verifyChain } from '../../certs/verify.ts';
import type { AuditRecord } from '../audit/entry.ts';
import type { AgentConfig } from '../config.ts';
import { Certificates } from '../identity/certificates.ts';
import { RootFollower } from '../rotation/root-follower.ts';
import { type Serving, trustOf } from './serving.ts';

export interface IdentityOptions {
  readonly config: AgentConfig;
  readonly node: NodeIdentity;
  readonly foreignIssuers: readonly ForeignIssuerSpec[];
  readonly serving: Serving;
  readonly revocations: () => Revocations;
  /** Into the audit trail. */
  readonly record: (what: AuditRecord) => void;
  /** Workers and SVIDs have heard of it. */
  readonly changed: () => void;
  readonly log: Logger;
}

export interface Identity {
  readonly certificates: Certificates;
  readonly roots: RootFollower;
}

/** Resolves when what the bundle directory says of roots is followed, as far as it can be. */
export async function startIdentity(owner: AsyncDisposableStack, options: IdentityOptions): Promise<Identity> {
  const { config, node, foreignIssuers, serving, revocations, record, changed, log } = options;
  const { plane, svids } = serving;
  const certificates = owner.use(
    new Certificates({ config, node, revocations, bundleChanged: () => void roots.catchUp(), record, log }),
  );
  certificates.holder.onChange((identity) => {
    svids.identityChanged(identity);
    plane.apply({ trust: trustOf(identity, foreignIssuers) });
    changed();
  });
  const roots = new RootFollower({
    directory: config.certs.bundleDirectory,
    holder: certificates.holder,
    issuersCertified: (issuers) => certificates.issuersCertified(issuers),
    renewNow: () => certificates.renewNow(),
    renewSoon: () => certificates.renewSoon(),
    settled: async () => {
      await svids.settled();
      await plane.settled();
    },
    log,
  });
  await roots.catchUp();
  return { certificates, roots };
}

/** It may well not hear of it: others cut it off at once. */
export function tellIfRevoked({ chain, trust, spiffeId }: NodeIdentity, revocations: Revocations, log: Logger): void {
  const verdict = verifyChain(chain, { trust, role: 'node', nowMs: Date.now(), revocations });
  if (verdict.ok || verdict.reason !== 'revoked') return;
  log.error({ spiffeId }, 'this node is revoked: all others refuse it until its bundle is issued anew');
}
