/**
 * Which certificates were called back, although their time is not over.
 *
 * A revocation names an identity and an instant: whatever was certified for that identity until then is worth nothing,
 * and what is certified later is a new beginning. Revoking a node ends every SVID it minted, as its certificate is in
 * their chains.
 * @module
 */
import { createHash } from 'node:crypto';
import { kindOf, parseSpiffeId } from './spiffe.ts';

/** Plain data, as it crosses threads. */
export interface RevocationEntry {
  /** SPIFFE ID of a node, a workload or an operator. */
  readonly subject: string;
  /** Certificates issued at this instant or earlier are revoked. */
  readonly beforeMs: number;
}

/** An identity of a chain and when it was certified: what is kept of a session, to judge it again without its chain. */
export interface Issued {
  readonly spiffeId: string;
  /** In whole seconds, as certificates tell time. */
  readonly issuedAtMs: number;
}

/** Never changes: what is revoked later is another of these. */
export class Revocations {
  readonly #beforeMs = new Map<string, number>();

  /** Of several entries for one subject, the latest instant counts. */
  constructor(entries: Iterable<RevocationEntry> = []) {
    for (const { subject, beforeMs } of entries) {
      this.#beforeMs.set(subject, Math.max(beforeMs, this.#beforeMs.get(subject) ?? Number.NEGATIVE_INFINITY));
    }
  }

  /** Identities with a revocation. */
  get size(): number {
    return this.#beforeMs.size;
  }

  /** Until when what was certified for this identity is revoked; undefined for one that nobody revoked. */
  beforeMs(spiffeId: string): number | undefined {
    return this.#beforeMs.get(spiffeId);
  }

  entries(): readonly RevocationEntry[] {
    return [...this.#beforeMs].map(([subject, beforeMs]) => ({ subject, beforeMs }));
  }

  covers({ spiffeId, issuedAtMs }: Issued): boolean {
    const beforeMs = this.#beforeMs.get(spiffeId);
    return beforeMs !== undefined && issuedAtMs <= beforeMs;
  }
}

/**
 * The SPIFFE ID that people write as `node/NAME`, `workload/ns/NS/sa/SA` or `operator/NAME`.
 *
 * @returns undefined for anything else
 */
export function revocationSubject(trustDomain: string, text: string): string | undefined {
  const path = text.startsWith('workload/') ? text.slice('workload/'.length) : text;
  const spiffeId = `spiffe://${trustDomain}/${path}`;
  const id = parseSpiffeId(spiffeId);
  const kind = id && kindOf(id);
  const isSpelledRight = (kind === 'workload') === (path !== text);
  return kind !== undefined && isSpelledRight ? spiffeId : undefined;
}

/**
 * The one name of the revocation of a subject, so that there is one document for each and the latest word on it counts:
 * `node.n3`, `operator.alice`, `workload.ns.shop.sa.web`, or a hash in place of what is no lower-case DNS name.
 *
 * @param text as people write it; see `revocationSubject`
 */
export function revocationName(text: string): string {
  const [kind = '', ...rest] = text.split('/');
  const plain = rest.join('.');
  // Dots tell segments apart: where one is part of a segment, two subjects would look alike.
  const isPlain = PLAIN.test(plain) && plain.length <= 200 && (rest.length === 1 || !rest.join('').includes('.'));
  return `${kind}.${isPlain ? plain : `sha256-${createHash('sha256').update(text).digest('hex')}`}`;
}

/** A lower-case DNS name that is not taken for a hash. */
const PLAIN = /^(?!sha256-)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

/** The first instant at which a certificate can be issued that this revocation does not cover; they tell whole seconds. */
export function afterRevocationMs(beforeMs: number): number {
  return (Math.floor(beforeMs / 1_000) + 1) * 1_000;
}
