/** SVIDs: what a node mints for its own workloads, by itself, with no call to anyone. @module */
import { generateKeyPairSync } from 'node:crypto';
import { CertsError } from './errors.ts';
import { grantCovers } from './grant.ts';
import { signCertificate } from './issue.ts';
import type { NodeIdentity } from './node-bundle.ts';
import { kindOf, parseSpiffeId, quote } from './spiffe.ts';
import { toPem } from './trust-bundle.ts';
import { CLOCK_SKEW_MS } from './verify.ts';

export interface Svid {
  readonly spiffeId: string;
  /** SVID, node, issuer: what a TLS peer presents. */
  readonly certificateChainPem: string;
  readonly privateKeyPem: string;
  /** When it was minted. The certificate itself begins a minute earlier, for peers whose clock is behind. */
  readonly notBeforeMs: number;
  readonly expiresAtMs: number;
}

/**
 * @returns an SVID that expires after `ttlMs`, or with the node certificate if that is sooner
 * @throws CertsError for an identity outside the node's grant, or once the node certificate expired
 */
export function mintSvid(node: NodeIdentity, spiffeId: string, options: { ttlMs: number; nowMs: number }): Svid {
  const { ttlMs, nowMs } = options;
  const id = parseSpiffeId(spiffeId);
  if (id === undefined || kindOf(id) !== 'workload') throw new CertsError('WEFT_CERTS_BAD_NAME', quote(spiffeId));
  if (id.trustDomain !== node.trustDomain || !grantCovers(node.grant, id.path)) {
    throw new CertsError(
      'WEFT_CERTS_OUTSIDE_GRANT',
      `${quote(spiffeId)} on node ${node.name} (${node.grant.join(', ')})`,
    );
  }
  const expiresAtMs = Math.floor(Math.min(nowMs + ttlMs, node.expiresAtMs) / 1_000) * 1_000;
  if (expiresAtMs <= nowMs) {
    throw new CertsError('WEFT_CERTS_NODE_EXPIRED', `${node.spiffeId} (${new Date(node.expiresAtMs).toISOString()})`);
  }
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const certificate = signCertificate(
    {
      subject: '',
      publicKey: keys.publicKey,
      notBeforeMs: nowMs - CLOCK_SKEW_MS,
      notAfterMs: expiresAtMs,
      uris: [spiffeId],
      keyUsage: ['digitalSignature'],
      isTlsPeer: true,
    },
    { certificate: node.chain[0]!, privateKey: node.privateKey },
  );
  return {
    spiffeId,
    certificateChainPem: toPem([certificate, ...node.chain]),
    privateKeyPem: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    notBeforeMs: nowMs,
    expiresAtMs,
  };
}

/** Half-life with jitter, from 40 to 60 % of the life, so that SVIDs minted together are not renewed together. */
export function renewAtMs(svid: Pick<Svid, 'notBeforeMs' | 'expiresAtMs'>, random: () => number): number {
  return svid.notBeforeMs + (0.4 + 0.2 * random()) * (svid.expiresAtMs - svid.notBeforeMs);
}
