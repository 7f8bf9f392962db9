/**
 * Who may admit nodes: an issuer, certified by a trusted root, and what shows the credential of its join listener.
 * The same rules as in verify.ts, for the two shapes that it does not know.
 * @module
 */
import type { X509Certificate } from 'node:crypto';
import { KEY_USAGE } from './certificate.ts';
import { trustDomainId } from './spiffe.ts';
import {
  type ChainOptions,
  checkAuthorities,
  checkSignatures,
  checkTimes,
  findRoot,
  hasUsage,
  type Link,
  type Refused,
  readLinks,
  refuse,
} from './verify.ts';

/** @returns why this is no issuer of the trust domain, or undefined when it is one; never throws */
export function verifyIssuer(certificate: X509Certificate, options: ChainOptions): Refused | undefined {
  const links = readLinks([certificate], options);
  if (!Array.isArray(links)) return links;
  return verifyPath(links, options) ?? judgeIssuer(links[0]!, options);
}

/**
 * @param chain what the join listener presented: its certificate, the issuer's; without the root
 * @returns why it is not the desk of an issuer, or undefined when it is one; never throws
 */
export function verifyDesk(chain: readonly X509Certificate[], options: ChainOptions): Refused | undefined {
  if (chain.length !== 2) return refuse('wrong-role', `${chain.length} certificates, the desk of an issuer shows 2`);
  const links = readLinks(chain, options);
  if (!Array.isArray(links)) return links;
  const [desk, issuer] = links;
  return verifyPath(links, options) ?? judgeIssuer(issuer!, options) ?? judgeDesk(desk!, options);
}

function verifyPath(links: readonly Link[], options: ChainOptions): Refused | undefined {
  const top = links.at(-1)!;
  const root = findRoot(top, options);
  if (root === undefined) return refuse('untrusted-root', `no trusted root signed ${top.label}`);
  const path = [...links, root];
  return checkSignatures(links, options) ?? checkTimes(path, options.nowMs) ?? checkAuthorities(path);
}

function judgeIssuer({ label, facts }: Link, { trust }: ChainOptions): Refused | undefined {
  if (!facts.isCa) return refuse('not-a-ca', `${label} is an issuer and not a CA`);
  if (facts.pathLength !== 1) return refuse('path-length', `${label} is an issuer, its path length must be 1`);
  if (!hasUsage(facts, KEY_USAGE.keyCertSign)) return refuse('key-usage', `${label} may not sign certificates`);
  return namesOnly(trust.trustDomain, { label, facts });
}

function judgeDesk({ label, facts }: Pick<Link, 'label' | 'facts'>, { trust }: ChainOptions): Refused | undefined {
  if (facts.isCa) return refuse('wrong-role', `${label} is a CA, which no join listener is`);
  if (!hasUsage(facts, KEY_USAGE.digitalSignature)) return refuse('key-usage', `${label} may not sign`);
  return namesOnly(trust.trustDomain, { label, facts });
}

function namesOnly(trustDomain: string, { label, facts }: Pick<Link, 'label' | 'facts'>): Refused | undefined {
  const [uri] = facts.uris;
  if (facts.uris.length === 1 && uri === trustDomainId(trustDomain)) return undefined;
  return refuse('wrong-trust-domain', `${label} is not of ${trustDomain}`);
}
