/**
 * Which members are issuers, where they welcome joiners, and which of them decides about a token.
 *
 * An issuer says so in its record and proves it with the issuer's key: a node that only claims to be one is not counted.
 * @module
 */
import { createHash, X509Certificate } from 'node:crypto';
import { type Issuer, proveIssuer, refuseProof } from '../../certs/issuer.ts';
import type { TrustBundle } from '../../certs/trust-bundle.ts';
import type { Member } from '../../gossip/view.ts';
import { pack, unpackGuarded } from '../../gossip/wire/pack.ts';

export interface KnownIssuer {
  /** Of the node. */
  readonly name: string;
  /** `host:port` of its join listener; empty when it has none. */
  readonly joinAddress: string;
  readonly isAlive: boolean;
  readonly isSelf: boolean;
}

/** What was found of a note, so that a signature is checked once. */
interface Judged {
  readonly note: Uint8Array;
  /** Undefined when it is no proof. */
  readonly joinAddress: string | undefined;
}

const MAX_ISSUERS = 64;

/** What an issuer writes into its record. */
export function issuerNote(issuer: Issuer, node: string, joinAddress: string): Uint8Array {
  const { certificate, signature } = proveIssuer(issuer, node, joinAddress);
  return pack([1, joinAddress, certificate.raw, signature]);
}

export class IssuerDirectory {
  readonly #trust: () => TrustBundle;
  #judged = new Map<string, Judged>();
  #issuers: readonly KnownIssuer[] = [];

  constructor(trust: () => TrustBundle) {
    this.#trust = trust;
  }

  /** Call with each new list of members. @returns whether an issuer came, went, moved, or was found alive */
  update(members: readonly Member[], nowMs: number): boolean {
    const judged = new Map<string, Judged>();
    const issuers: KnownIssuer[] = [];
    for (const { name, issuer: note, state, isSelf } of members) {
      if (note === undefined || judged.size === MAX_ISSUERS) continue;
      const known = this.#judged.get(name);
      const isSame = known !== undefined && Buffer.from(known.note).equals(note);
      const joinAddress = isSame ? known.joinAddress : this.#judge(name, note, nowMs);
      judged.set(name, { note, joinAddress });
      if (joinAddress !== undefined) issuers.push({ name, joinAddress, isAlive: state === 'alive', isSelf });
    }
    this.#judged = judged;
    const isChanged = JSON.stringify(issuers) !== JSON.stringify(this.#issuers);
    this.#issuers = issuers;
    return isChanged;
  }

  all(): readonly KnownIssuer[] {
    return this.#issuers;
  }

  /** Others that are in touch. */
  others(): readonly KnownIssuer[] {
    return this.#issuers.filter(({ isAlive, isSelf }) => isAlive && !isSelf);
  }

  isIssuer(name: string): boolean {
    return this.#issuers.some((issuer) => issuer.name === name);
  }

  /** Other trust roots: what was judged is judged again with the next update. */
  forget(): void {
    this.#judged.clear();
  }

  /** @returns where it welcomes joiners, or undefined when it is no issuer */
  #judge(node: string, note: Uint8Array, nowMs: number): string | undefined {
    const fields = unpackGuarded(note);
    if (!Array.isArray(fields)) return undefined;
    const [version, joinAddress, der, signature] = fields as unknown[];
    if (version !== 1 || typeof joinAddress !== 'string' || joinAddress.length > 300) return undefined;
    if (!(der instanceof Uint8Array && signature instanceof Uint8Array)) return undefined;
    const certificate = parse(der);
    if (certificate === undefined) return undefined;
    const about = { node, claim: joinAddress };
    const problem = refuseProof({ certificate, signature }, about, { trust: this.#trust(), nowMs });
    return problem === undefined ? joinAddress : undefined;
  }
}

/**
 * The one of these issuers that decides about a token: the highest hash of token and name (rendezvous hashing, Thaler and
 * Ravishankar 1998). Whoever sees the same issuers alive chooses the same one.
 */
export function decider(token: string, issuers: readonly string[]): string | undefined {
  const weighed = issuers.map((name) => ({
    name,
    weight: createHash('sha256').update(`${token} ${name}`).digest('hex'),
  }));
  return weighed.sort((a, b) => (a.weight < b.weight ? 1 : -1))[0]?.name;
}

function parse(der: Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}
