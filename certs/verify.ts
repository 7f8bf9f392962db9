/**
 * Who is on the other side: the one function that decides, for TLS peers and gossip peers alike.
 *
 * A chain has a fixed shape: [SVID, node, issuer] for a workload, [node, issuer] for a node; a trusted root signed the
 * issuer. A workload of another mesh has [SVID, foreign issuer], where that issuer is listed (foreign-issuer.ts). Follows RFC 5280 §6.1 and X509-SVID §5, and is stricter: one curve, one signature algorithm, one identity, and
 * the SVID within the grant of the node that signed it. Signatures are checked from the root down, so that no key is used
 * and no claim is weighed before somebody trusted vouched for it.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { type CertificateFacts, KEY_USAGE, MAX_CERTIFICATE_BYTES, readCertificate } from './certificate.ts';
import { grantCovers, grantProblem } from './grant.ts';
import type { CertificateMemory } from './memory.ts';
import { OID } from './oids.ts';
import type { Issued, Revocations } from './revocation.ts';
import { kindOf, nameOf, parseSpiffeId, parseTrustDomainId, quote, type SpiffeId } from './spiffe.ts';
import type { ForeignIssuer, TrustBundle } from './trust-bundle.ts';

/** Why a chain is refused: a closed set, so that it can label a metric. */
export type Refusal =
  | 'no-certificate'
  | 'untrusted-root'
  | 'expired'
  | 'not-yet-valid'
  | 'bad-signature'
  | 'not-a-ca'
  | 'path-length'
  | 'bad-spiffe-id'
  | 'wrong-trust-domain'
  | 'no-grant'
  | 'outside-grant'
  | 'wrong-role'
  | 'key-usage'
  | 'chain-too-long'
  | 'wrong-identity'
  | 'revoked'
  | 'malformed';

export type Verdict =
  | {
      readonly ok: true;
      readonly spiffeId: string;
      /** Name of the node that vouches, or of the foreign issuer; a node vouches for itself. */
      readonly node: string;
      /** When the first certificate of the chain, or its root, expires; without skew. */
      readonly expiresAtMs: number;
      /** Identities of the chain that can be revoked later: the workload and its node, or the node. */
      readonly issued: readonly Issued[];
    }
  | { readonly ok: false; readonly reason: Refusal; readonly detail: string };

export interface VerifyOptions {
  readonly trust: TrustBundle;
  readonly role: 'node' | 'workload';
  readonly nowMs: number;
  /** The SPIFFE ID that was dialled. */
  readonly expected?: string;
  /** Spares the signature checks of certificates met before. */
  readonly memory?: CertificateMemory;
  /** Left out where nobody can know of any: a bundle that is just made or loaded. */
  readonly revocations?: Revocations;
}

/** How far the clocks of two nodes may be apart. Certificates begin this long before they are issued. */
export const CLOCK_SKEW_MS = 60_000;
/** SVID, node, issuer. */
const MAX_CHAIN = 3;
/** Bounds the walk over what a peer sent; more than MAX_CHAIN, so that verifyChain can say that it is too long. */
const MAX_PRESENTED = 8;

/** What deciding about any chain takes, whatever the role of its leaf. */
export type ChainOptions = Pick<VerifyOptions, 'trust' | 'nowMs' | 'memory' | 'revocations'>;

export type Refused = Extract<Verdict, { ok: false }>;

/** What a certificate of a chain says. */
export interface Claim {
  /** Where in the chain, for messages. */
  readonly label: string;
  readonly facts: CertificateFacts;
}

export interface Link extends Claim {
  readonly certificate: X509Certificate;
}

/**
 * @param chain leaf first, as the peer presented it; the root is not part of it
 * @returns a typed refusal for whatever a peer may send; never throws
 */
export function verifyChain(chain: readonly X509Certificate[], options: VerifyOptions): Verdict {
  if (chain.length === 0) return refuse('no-certificate', 'the peer presented no certificate');
  const { foreignIssuers = [] } = options.trust;
  if (foreignIssuers.length > 0 && chain.length > 1 && isTrustedRoot(chain.at(-1)!, options)) {
    return verifyChain(chain.slice(0, -1), options); // what an ambient mesh sends along, needlessly
  }
  if (chain.length > MAX_CHAIN) return refuse('chain-too-long', `more than ${MAX_CHAIN} certificates`);
  const links = readLinks(chain, options);
  if (!Array.isArray(links)) return links;
  const root = findRoot(links.at(-1)!, options);
  if (root === undefined) return refuse('untrusted-root', `no trusted root signed ${links.at(-1)!.label}`);
  return checkSignatures(links, options) ?? judgePath([...links, root], options);
}

function isTrustedRoot(certificate: X509Certificate, { trust }: ChainOptions): boolean {
  return trust.roots.some(({ fingerprint256 }) => fingerprint256 === certificate.fingerprint256);
}

/**
 * verifyChain for the other side of a TLS connection.
 *
 * Of a peer met before only the leaf is looked at: what vouched for it then is judged again, by the clock, roots and
 * revocations of now. Where that does not do, what it presents now decides. So nobody is accepted but with a chain that
 * verifyChain accepts, this one or the one it presented then.
 */
export function verifyPeer(socket: TLSSocket, options: VerifyOptions): Verdict {
  const leaf = options.memory === undefined ? undefined : socket.getPeerX509Certificate();
  const verdict = leaf === undefined ? undefined : verifyKnown(leaf, options);
  return verdict?.ok ? verdict : verifyChain(peerChain(socket), options);
}

/**
 * A certificate met before, by what vouched for it then and the clock, roots, grant and revocations of now: all there is
 * to go by when a TLS session is resumed.
 *
 * @returns undefined when a part of its path was forgotten
 */
export function verifyKnown(leaf: X509Certificate, options: VerifyOptions): Verdict | undefined {
  const known = options.memory?.pathOf(leaf);
  if (known === undefined) return undefined;
  if (!options.trust.roots.some((root) => root.fingerprint256 === known.rootFingerprint)) {
    return refuse('untrusted-root', 'the root that vouched for it is not trusted any more');
  }
  return judgePath(known.facts.map(labelled), options);
}

/** @param path with the root at its end, all of its signatures checked */
function judgePath(path: readonly Claim[], options: VerifyOptions): Verdict {
  const expiresAtMs = Math.min(...path.map((link) => link.facts.notAfterMs));
  return checkTimes(path, options.nowMs) ?? checkAuthorities(path) ?? judge(path.slice(0, -1), expiresAtMs, options);
}

function labelled(facts: CertificateFacts, i: number): Claim {
  return { label: `certificate ${i + 1}`, facts };
}

/**
 * The chain that the other side of a TLS connection presented, leaf first, for verifyChain. Empty when there is none.
 *
 * A resumed session does not carry it: a server sees the leaf alone, a client nothing.
 */
export function peerChain(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined && chain.length < MAX_PRESENTED) {
    chain.push(certificate);
    certificate = certificate.issuerCertificate;
  }
  return chain;
}

/**
 * Certificates as bytes from the wire, leaf first, for verifyChain.
 *
 * @returns a refusal for bytes that OpenSSL does not take for a certificate, or more of them than any chain has
 */
export function parseChain(certificates: readonly Uint8Array[]): X509Certificate[] | Refused {
  if (certificates.length > MAX_CHAIN) return refuse('chain-too-long', `more than ${MAX_CHAIN} certificates`);
  const isHuge = certificates.some((der) => der.length > MAX_CERTIFICATE_BYTES);
  if (isHuge) return refuse('malformed', `a certificate of more than ${MAX_CERTIFICATE_BYTES} bytes`);
  try {
    return certificates.map((der) => new X509Certificate(der));
  } catch {
    return refuse('malformed', 'not a certificate');
  }
}

export function readLinks(chain: readonly X509Certificate[], { memory }: ChainOptions): Link[] | Refused {
  const links: Link[] = [];
  for (const [i, certificate] of chain.entries()) {
    const label = `certificate ${i + 1} of ${chain.length}`;
    const known = memory?.factsOf(certificate);
    const read = known === undefined ? readCertificate(certificate) : { ok: true as const, facts: known };
    if (!read.ok) return refuse('malformed', `${label} ${read.detail}`);
    if (!read.facts.isP256) return refuse('malformed', `${label} has a key that is not ECDSA P-256`);
    links.push({ label, certificate, facts: read.facts });
  }
  return links;
}

/**
 * The root that signed `top`. Two may have: while rotating, or when a root was renewed with its old key, which makes two
 * certificates of one name and key. One that is in its time is preferred.
 */
export function findRoot(top: Link, options: ChainOptions): Link | undefined {
  let outOfTime: Link | undefined;
  for (const certificate of options.trust.roots) {
    const facts = options.memory?.factsOf(certificate) ?? readRoot(certificate, options);
    if (facts === undefined) continue;
    const root: Link = { label: 'the root', certificate, facts };
    if (!isIssuedBy(top, root, options)) continue;
    if (checkTimes([root], options.nowMs) === undefined) return root;
    outOfTime = root;
  }
  return outOfTime;
}

function readRoot(certificate: X509Certificate, { memory }: ChainOptions): CertificateFacts | undefined {
  const read = readCertificate(certificate);
  if (!read.ok) return undefined; // parseTrustBundle lets no such root in
  memory?.remember(certificate, certificate, read.facts);
  return read.facts;
}

export function checkSignatures(links: readonly Link[], options: ChainOptions): Refused | undefined {
  for (let i = links.length - 2; i >= 0; i--) {
    const [link, above] = [links[i]!, links[i + 1]!];
    if (!isIssuedBy(link, above, options)) {
      return refuse('bad-signature', `${link.label} is not signed by the one above it`);
    }
  }
  return undefined;
}

function isIssuedBy(link: Link, issuer: Link, { memory }: ChainOptions): boolean {
  if (!link.facts.issuerName.equals(issuer.facts.subjectName)) return false;
  if (memory?.isSignedBy(link.certificate, issuer.certificate)) return true;
  if (link.facts.signatureAlgorithm !== OID.ecdsaWithSha256 || !hasSigned(issuer, link)) return false;
  memory?.remember(link.certificate, issuer.certificate, link.facts);
  return true;
}

function hasSigned(issuer: Link, link: Link): boolean {
  try {
    return link.certificate.verify(issuer.facts.publicKey);
  } catch {
    return false; // OpenSSL cannot check such a signature with such a key
  }
}

export function checkTimes(path: readonly Claim[], nowMs: number): Refused | undefined {
  for (const { label, facts } of path) {
    if (nowMs > facts.notAfterMs + CLOCK_SKEW_MS) {
      return refuse('expired', `${label} expired at ${new Date(facts.notAfterMs).toISOString()}`);
    }
    if (nowMs < facts.notBeforeMs - CLOCK_SKEW_MS) {
      return refuse('not-yet-valid', `${label} is valid from ${new Date(facts.notBeforeMs).toISOString()}`);
    }
  }
  return undefined;
}

/** Every certificate above the leaf must be a CA, allowed to sign certificates, with room for the CAs below it. */
export function checkAuthorities(path: readonly Claim[]): Refused | undefined {
  let casBelow = path[0]!.facts.isCa ? 1 : 0; // stricter than RFC 5280 §4.2.1.9: a node is there to issue
  for (const { label, facts } of path.slice(1)) {
    if (!facts.isCa) return refuse('not-a-ca', `${label} is not a CA`);
    if (!hasUsage(facts, KEY_USAGE.keyCertSign)) return refuse('key-usage', `${label} may not sign certificates`);
    if (casBelow > (facts.pathLength ?? Number.POSITIVE_INFINITY)) {
      return refuse('path-length', `${label} allows ${facts.pathLength} CAs below it, there are ${casBelow}`);
    }
    casBelow++;
  }
  return undefined;
}

/** The signatures are good; what remains is who it says it is, and whether the one that says so may. */
function judge(links: readonly Claim[], expiresAtMs: number, options: VerifyOptions): Verdict {
  const leaf = links[0]!;
  const id = identityOf(leaf, options);
  if ('reason' in id) return id;
  const kind = kindOf(id);
  if (kind !== options.role) {
    return refuse('wrong-role', `${quote(id.path)} is ${kind ?? 'nothing known'}, wanted ${options.role}`);
  }
  const vouched = options.role === 'node' ? checkNode(links, id, options) : checkWorkload(links, id, options);
  if (typeof vouched !== 'string') return vouched;
  const spiffeId = leaf.facts.uris[0]!;
  if (options.expected !== undefined && options.expected !== spiffeId) {
    return refuse('wrong-identity', `${quote(spiffeId)} answered, wanted ${quote(options.expected)}`);
  }
  const named = links.slice(0, options.role === 'node' ? 1 : 2);
  const issued = named.filter(({ facts }) => facts.uris.length > 0).map(issuedOf); // a foreign issuer may have no name
  const revoked = checkRevoked(issued, options);
  return revoked ?? { ok: true, spiffeId, node: vouched, expiresAtMs, issued };
}

/**
 * To whom a certificate with one name was issued, and when. A renewed one counts as of the first: otherwise a thief that
 * renews all the time would have one that is newer than any revocation.
 */
export function issuedOf({ facts }: Pick<Claim, 'facts'>): Issued {
  const issuedAtMs = Math.min(facts.notBeforeMs + CLOCK_SKEW_MS, facts.admittedAtMs ?? Number.POSITIVE_INFINITY);
  return { spiffeId: facts.uris[0]!, issuedAtMs };
}

export function checkRevoked(issued: readonly Issued[], { revocations }: ChainOptions): Refused | undefined {
  const revoked = issued.find((one) => revocations?.covers(one));
  if (revoked === undefined) return undefined;
  const { spiffeId, issuedAtMs } = revoked;
  return refuse(
    'revoked',
    `the certificate of ${quote(spiffeId)} of ${new Date(issuedAtMs).toISOString()} was revoked`,
  );
}

/** @returns the name of the node that vouches, or of the foreign issuer */
function checkWorkload(links: readonly Claim[], id: SpiffeId, options: VerifyOptions): string | Refused {
  const { label, facts } = links[0]!;
  if (facts.isCa) return refuse('wrong-role', `${label} is a CA, which no SVID is`);
  if (!hasUsage(facts, KEY_USAGE.digitalSignature) || hasUsage(facts, KEY_USAGE.keyCertSign | KEY_USAGE.cRLSign)) {
    return refuse('key-usage', `${label} needs the usage digitalSignature, critical, and may not sign certificates`);
  }
  if (!allowsTlsPeers(facts)) return refuse('key-usage', `${label} is not for both TLS servers and TLS clients`);
  const [node, ...above] = links.slice(1);
  const foreign = foreignIssuerOf(node, options);
  if (foreign !== undefined) {
    if (grantCovers(foreign.grant, id.path)) return foreign.name;
    return refuse('outside-grant', `foreign issuer ${quote(foreign.name)} may not speak for ${quote(id.path)}`);
  }
  if (node === undefined || parseTrustDomainId(node.facts.uris[0] ?? '') !== undefined) {
    return refuse('no-grant', `${label} is not signed by a node, but right by an issuer or a root`);
  }
  const nodeIdentity = identityOf(node, options);
  if ('reason' in nodeIdentity) return nodeIdentity;
  if (kindOf(nodeIdentity) !== 'node') return refuse('no-grant', `${label} is not signed by a node certificate`);
  const name = checkNode([node, ...above], nodeIdentity, options);
  if (typeof name === 'string' && !grantCovers(node.facts.grant ?? [], id.path)) {
    return refuse('outside-grant', `node ${quote(name)} may not speak for ${quote(id.path)}`);
  }
  return name;
}

/** The one that signed an SVID, where it is listed as such. A node of ours never is, whatever the list says. */
function foreignIssuerOf(signer: Claim | undefined, { trust }: VerifyOptions): ForeignIssuer | undefined {
  if (signer === undefined || signer.facts.grant !== undefined) return undefined;
  return trust.foreignIssuers?.find(({ fingerprint256 }) => fingerprint256 === signer.facts.fingerprint256);
}

/** @returns the name of the node */
function checkNode(links: readonly Claim[], id: SpiffeId, { trust }: VerifyOptions): string | Refused {
  const [node, issuer] = links;
  const { label, facts } = node!;
  if (!facts.isCa) return refuse('not-a-ca', `${label} is a node certificate and not a CA`);
  if (facts.pathLength !== 0) return refuse('path-length', `${label} is a node certificate, its path length must be 0`);
  if (!hasUsage(facts, KEY_USAGE.keyCertSign) || !hasUsage(facts, KEY_USAGE.digitalSignature)) {
    return refuse('key-usage', `${label} needs the usages keyCertSign and digitalSignature, critical`);
  }
  if (links.length !== 2 || issuer === undefined) return refuse('wrong-role', `${label} is not signed by an issuer`);
  if (issuer.facts.uris.length !== 1) return refuse('bad-spiffe-id', `${issuer.label} needs exactly one URI name`);
  if (parseTrustDomainId(issuer.facts.uris[0] ?? '') !== trust.trustDomain) {
    return refuse('wrong-trust-domain', `${issuer.label} is for ${quote(issuer.facts.uris[0]!)}`);
  }
  if (facts.grant === undefined) return refuse('no-grant', `${label} carries no grant`);
  const problem = grantProblem(facts.grant);
  if (problem !== undefined) return refuse('no-grant', `${label} carries a grant with ${problem}`);
  return nameOf(id);
}

export function identityOf({ label, facts }: Claim, { trust }: ChainOptions): SpiffeId | Refused {
  const [uri, ...others] = facts.uris;
  if (uri === undefined || others.length > 0) {
    return refuse('bad-spiffe-id', `${label} has ${facts.uris.length} URI names, needs exactly one`);
  }
  const id = parseSpiffeId(uri);
  if (id === undefined) return refuse('bad-spiffe-id', `${label} names ${quote(uri)}`);
  if (id.trustDomain !== trust.trustDomain) {
    return refuse('wrong-trust-domain', `${label} is of ${quote(id.trustDomain)}, wanted ${quote(trust.trustDomain)}`);
  }
  return id;
}

export function hasUsage(facts: CertificateFacts, bits: number): boolean {
  return ((facts.keyUsage ?? 0) & bits) !== 0;
}

/** Without the extension any use is allowed (RFC 5280 §4.2.1.12). */
function allowsTlsPeers({ extendedKeyUsage }: CertificateFacts): boolean {
  return (
    extendedKeyUsage === undefined ||
    (extendedKeyUsage.includes(OID.serverAuth) && extendedKeyUsage.includes(OID.clientAuth))
  );
}

export function refuse(reason: Refusal, detail: string): Refused {
  return { ok: false, reason, detail };
}
