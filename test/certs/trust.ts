/** A real trust domain on disk for a test, and what it takes to forge around it. @module */
import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CertificateSpec, signCertificate } from '../../certs/issue.ts';
import { issueNodeBundle, loadNodeBundle, type NodeIdentity } from '../../certs/node-bundle.ts';
import { OID } from '../../certs/oids.ts';
import { mintSvid, type Svid } from '../../certs/svid.ts';
import { parseCertificates, type TrustBundle } from '../../certs/trust-bundle.ts';
import { createTrustDomain } from '../../certs/trust-domain.ts';

export const TRUST_DOMAIN = 'test.example';
export const WEB = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/web`;
export const HOUR_MS = 3_600_000;

/** Removed at the end of the block that holds it. */
export class TemporaryDirectory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'weft-certs-'));

  sub(name: string): string {
    return join(this.path, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** `weft init`, `weft node issue` and the load of the bundle, as in production. */
export function makeNode(
  directory: TemporaryDirectory,
  options: { name?: string; grant?: readonly string[]; trustDomain?: string; nowMs?: number; ttlMs?: number } = {},
): NodeIdentity {
  const {
    name = 'a',
    grant = ['ns/shop/*'],
    trustDomain = TRUST_DOMAIN,
    nowMs = Date.now(),
    ttlMs = HOUR_MS,
  } = options;
  createTrustDomain({ trustDomain, directory: directory.sub('trust'), nowMs });
  return addNode(directory, { name, grant, nowMs, ttlMs });
}

/** One more node of the same trust domain. */
export function addNode(
  directory: TemporaryDirectory,
  options: { name: string; grant: readonly string[]; nowMs: number; ttlMs: number },
): NodeIdentity {
  const bundle = directory.sub(`node-${options.name}`);
  issueNodeBundle({ ...options, trustDirectory: directory.sub('trust'), directory: bundle });
  return loadNodeBundle(bundle, options.nowMs);
}

export function mint(node: NodeIdentity, spiffeId = WEB, nowMs = Date.now()): Svid {
  return mintSvid(node, spiffeId, { ttlMs: HOUR_MS, nowMs });
}

export function chainOf(svid: Svid): readonly X509Certificate[] {
  return parseCertificates(svid.certificateChainPem, 'svid');
}

export interface Forged {
  readonly certificate: X509Certificate;
  readonly privateKey: KeyObject;
}

export interface ForgedChain {
  readonly trust: TrustBundle;
  readonly root: Forged;
  readonly issuer: Forged;
  readonly node: Forged;
  readonly svid: Forged;
  /** SVID, node, issuer. */
  readonly chain: readonly X509Certificate[];
}

export const NOW_MS = Date.UTC(2026, 0, 15, 12);

type Twist = Partial<CertificateSpec>;
type Level = 'root' | 'issuer' | 'node' | 'svid';

/** What each level says unless it is twisted. */
export const SHAPE: { readonly [L in Level]: Omit<CertificateSpec, 'publicKey'> } = {
  root: level({ subject: 'root', uris: [`spiffe://${TRUST_DOMAIN}`], authority: { pathLength: 2 } }),
  issuer: level({ subject: 'issuer', uris: [`spiffe://${TRUST_DOMAIN}`], authority: { pathLength: 1 } }),
  node: level({
    subject: 'node',
    uris: [`spiffe://${TRUST_DOMAIN}/node/a`],
    authority: { pathLength: 0 },
    keyUsage: ['digitalSignature', 'keyCertSign'],
    lists: [{ oid: OID.weftGrant, strings: ['ns/shop/*'] }],
  }),
  svid: level({ subject: '', uris: [WEB], keyUsage: ['digitalSignature'], isTlsPeer: true }),
};

function level(spec: Partial<CertificateSpec>): Omit<CertificateSpec, 'publicKey'> {
  return {
    subject: '',
    uris: [],
    notBeforeMs: NOW_MS - HOUR_MS,
    notAfterMs: NOW_MS + HOUR_MS,
    keyUsage: ['keyCertSign'],
    ...spec,
  };
}

/** A good chain, but for what is twisted at one or several of its levels. Every signature in it is real. */
export function forgeChain(twists: { readonly [L in Level]?: Twist } = {}): ForgedChain {
  const root = forge({ ...SHAPE.root, ...twists.root });
  const issuer = forge({ ...SHAPE.issuer, ...twists.issuer }, root);
  const node = forge({ ...SHAPE.node, ...twists.node }, issuer);
  const svid = forge({ ...SHAPE.svid, ...twists.svid }, node);
  const trust = { trustDomain: TRUST_DOMAIN, roots: [root.certificate] };
  return { trust, root, issuer, node, svid, chain: [svid, node, issuer].map((forged) => forged.certificate) };
}

/** A certificate of any shape, of a level's unless said otherwise, signed by anyone. */
export function forge(spec: Partial<CertificateSpec>, signer?: Forged): Forged {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const certificate = signCertificate(
    { ...SHAPE.svid, publicKey: keys.publicKey, ...spec },
    signer ?? { privateKey: keys.privateKey },
  );
  return { certificate, privateKey: keys.privateKey };
}

/** The DER of a certificate with some bytes replaced by as many others, as an attacker on the wire would. */
export function altered(certificate: X509Certificate, from: string, to: string): X509Certificate {
  const text = certificate.raw.toString('latin1');
  if (!text.includes(from) || from.length !== to.length) throw new Error(`${from} cannot be replaced by ${to}`);
  return new X509Certificate(Buffer.from(text.replace(from, to), 'latin1'));
}
