/**
 * SPIFFE IDs, as names of workloads, nodes and operators.
 *
 * Source: SPIFFE-ID specification §2. Stricter where it leaves room: no ID without a path, no trust domain that starts
 * or ends with a dot. One spelling per identity is what lets the rest of Weft compare IDs as plain strings.
 * @module
 */
import { CertsError } from './errors.ts';

export interface SpiffeId {
  readonly trustDomain: string;
  /** Without a leading slash: `ns/shop/sa/web`. */
  readonly path: string;
}

/** What an ID stands for, by the shape of its path. */
export type SpiffeKind = 'workload' | 'node' | 'operator';

const MAX_ID_LENGTH = 2_048; // SPIFFE-ID §2.3
const MAX_TRUST_DOMAIN_LENGTH = 255;
const TRUST_DOMAIN = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;
const SEGMENT = /^(?!\.{1,2}$)[A-Za-z0-9._-]+$/;
const SCHEME = 'spiffe://';

/** @returns undefined for anything but the one canonical spelling of an ID; never throws, whatever a peer sent */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  if (text.length > MAX_ID_LENGTH || !text.startsWith(SCHEME)) return undefined;
  const slash = text.indexOf('/', SCHEME.length);
  if (slash === -1) return undefined;
  const trustDomain = text.slice(SCHEME.length, slash);
  const path = text.slice(slash + 1);
  if (!isTrustDomain(trustDomain) || !path.split('/').every(isSegment)) return undefined;
  return { trustDomain, path };
}

/** @returns undefined for a path that Weft gives no meaning to */
export function kindOf(id: SpiffeId): SpiffeKind | undefined {
  const segments = id.path.split('/');
  const [first, , third] = segments;
  if (segments.length === 4 && first === 'ns' && third === 'sa') return 'workload';
  if (segments.length === 2 && (first === 'node' || first === 'operator')) return first;
  return undefined;
}

/** The name in `node/NAME` or `operator/NAME`. */
export function nameOf(id: SpiffeId): string {
  return id.path.slice(id.path.lastIndexOf('/') + 1);
}

export function workloadId(trustDomain: string, namespace: string, serviceAccount: string): string {
  checkName('namespace', namespace);
  checkName('service account', serviceAccount);
  return `${trustDomainId(trustDomain)}/ns/${namespace}/sa/${serviceAccount}`;
}

export function nodeId(trustDomain: string, name: string): string {
  checkName('node name', name);
  return `${trustDomainId(trustDomain)}/node/${name}`;
}

export function operatorId(trustDomain: string, name: string): string {
  checkName('operator name', name);
  return `${trustDomainId(trustDomain)}/operator/${name}`;
}

/** The ID of the trust domain itself, which roots and issuers carry (X509-SVID §3.1: a signing certificate's has no path). */
export function trustDomainId(trustDomain: string): string {
  if (!isTrustDomain(trustDomain)) throw new CertsError('WEFT_CERTS_BAD_NAME', `trust domain ${quote(trustDomain)}`);
  return `${SCHEME}${trustDomain}`;
}

/** The trust domain that a root or issuer names; the inverse of `trustDomainId`. */
export function parseTrustDomainId(text: string): string | undefined {
  const trustDomain = text.slice(SCHEME.length);
  return text.startsWith(SCHEME) && isTrustDomain(trustDomain) ? trustDomain : undefined;
}

export function isSegment(text: string): boolean {
  return SEGMENT.test(text);
}

function isTrustDomain(text: string): boolean {
  return text.length <= MAX_TRUST_DOMAIN_LENGTH && TRUST_DOMAIN.test(text);
}

/** A name is one path segment; 253 is the longest Kubernetes gives to a node or a service account. */
function checkName(field: string, value: string): void {
  if (value.length > 253 || !isSegment(value)) throw new CertsError('WEFT_CERTS_BAD_NAME', `${field} ${quote(value)}`);
}

/** Foreign text for a message: short, on one line, plain ASCII, so that no terminal obeys it. */
export function quote(text: string): string {
  const short = text.length > 100 ? `${text.slice(0, 100)}...` : text;
  return JSON.stringify(short).replace(/[^ -~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
