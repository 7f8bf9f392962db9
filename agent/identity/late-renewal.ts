/**
 * An agent that is started with a bundle that has just expired: it asks the issuers it knew to renew it, before it gives
 * up.
 * @module
 */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { CertsError } from '../../certs/errors.ts';
import { readCertificates } from '../../certs/files.ts';
import { installNodeBundle, loadNodeBundle, nodeBundleFiles } from '../../certs/node-bundle.ts';
import { parseChain, verifyChain } from '../../certs/verify.ts';
import { parseHostPort } from '../../gossip/edge/address.ts';
import type { AgentConfig } from '../config.ts';
import { renewAtListener } from '../join/client.ts';
import { REMEMBERED_FILE } from './certificates.ts';
import { RememberedIssuers } from './remembered.ts';

interface LateConfig extends Pick<AgentConfig, 'dataDirectory'> {
  readonly certs: Pick<AgentConfig['certs'], 'bundleDirectory'>;
}

/** Does nothing when the bundle is in its time, or is wrong in another way: its loader has the words for that. */
export async function renewIfExpired({ certs, dataDirectory }: LateConfig, log: Logger): Promise<void> {
  const { bundleDirectory } = certs;
  if (!hasExpired(bundleDirectory)) return;
  const endedAtMs = readCertificates(nodeBundleFiles(bundleDirectory).certificates)[0]!.validToDate.getTime();
  const identity = loadNodeBundle(bundleDirectory, endedAtMs);
  for (const text of new RememberedIssuers(join(dataDirectory, REMEMBERED_FILE)).addresses) {
    const address = parseHostPort(text);
    if (address === undefined) continue;
    try {
      const answer = await renewAtListener(identity, address);
      const chain = answer.kind === 'issued' ? parseChain(answer.chain) : undefined;
      if (!Array.isArray(chain)) throw new Error(answer.kind === 'refused' ? answer.detail : 'no certificate came');
      const options = { trust: identity.trust, role: 'node', expected: identity.spiffeId } as const;
      const verdict = verifyChain(chain, { ...options, nowMs: Date.now() });
      if (!verdict.ok) throw new Error(verdict.detail);
      installNodeBundle(bundleDirectory, { chain });
      log.info({ issuer: text }, 'the node certificate had expired and was renewed');
      return;
    } catch (err) {
      log.warn({ err, issuer: text }, 'the expired node certificate could not be renewed');
    }
  }
}

function hasExpired(directory: string): boolean {
  try {
    loadNodeBundle(directory);
    return false;
  } catch (err) {
    return err instanceof CertsError && err.code === 'WEFT_CERTS_NODE_EXPIRED';
  }
}
