/**
 * Follows the roots of the trust domain while the agent runs: trusts them, moves its own certificates to where they are to
 * lead, and says so only when every part of the agent has it.
 *
 * More is trusted before anything moves, and less only after: at no moment does this node present what it would not accept.
 * @module
 */
import type { X509Certificate } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { CertsError } from '../../certs/errors.ts';
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import { followRotation, type Rotation, rootFingerprint, rootOf, type Standing } from '../../certs/root-rotation.ts';
import { followedSoFar, readRotation, writeRotation } from '../../certs/root-rotation-files.ts';
import { AgentError } from '../errors.ts';
import type { IdentityHolder } from '../identity/holder.ts';

/** What follows a change of certificates elsewhere in the agent. */
export interface FollowerParts {
  readonly holder: IdentityHolder;
  /** Issuers were certified anew; this agent may be one of them. */
  readonly issuersCertified: (issuers: readonly X509Certificate[]) => void;
  /** Asks for a certificate now; resolves when one came, or nobody gave one. */
  readonly renewNow: () => Promise<void>;
  /** As `renewNow`, at some moment of the next seconds. */
  readonly renewSoon: () => void;
  /** Resolves when SVIDs and workers have what the holder has. */
  readonly settled: () => Promise<void>;
}

export interface FollowerOptions extends FollowerParts {
  /** Of the node's bundle. */
  readonly directory: string;
  readonly log: Logger;
  /** Longest to wait for an issuer; default 5 s. */
  readonly renewalMs?: number;
  readonly nowMs?: () => number;
}

/** Other documents wait meanwhile. */
const RENEWAL_MS = 5_000;

export class RootFollower {
  readonly #options: FollowerOptions;
  readonly #nowMs: () => number;
  #rotation: Rotation | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#rotation = this.#read();
    options.holder.preferIssuers(this.#rotation?.issuers ?? []);
  }

  /** Of the statement that is followed; 0 when no root was ever rotated. */
  get sequence(): number {
    return followedSoFar(this.#options.holder.current.trust, this.#rotation).sequence;
  }

  /** A node that was away may find what it missed in its bundle directory: somebody put rotation.json there. */
  async catchUp(): Promise<void> {
    const rotation = this.#read();
    const last = rotation?.statements.at(-1)?.sequence;
    if (rotation === undefined || followedSoFar(this.#options.holder.current.trust, rotation).sequence === last) return;
    await this.follow(rotation).catch((err: unknown) => {
      this.#options.log.error({ err }, 'rotation.json in the bundle directory is not followed');
    });
  }

  /**
   * Resolves when all of the agent has it. What was followed before is followed again, to no effect.
   *
   * @throws AgentError saying why: statements that are not followed leave all as it was; when no issuer gives this node a
   *   certificate that it needs, it trusts what they say all the same
   */
  async follow(rotation: Rotation): Promise<void> {
    const { holder, issuersCertified, renewSoon, settled } = this.#options;
    const before = holder.current;
    const standing = this.#judge(rotation, before);
    holder.preferIssuers(rotation.issuers); // first: what is installed from here on is to lead there
    this.#take(standing, before);
    this.#rotation = rotation;
    writeRotation(this.#options.directory, rotation);
    issuersCertified(rotation.issuers);
    if (!this.#hasMoved(rotation)) await this.#renew(rotation);
    else if (isElsewhere(before, holder.current)) renewSoon();
    await settled();
    this.#tell(standing, before);
  }

  #judge(rotation: Rotation, { trust, chain }: NodeIdentity): Standing {
    const followed = followRotation(rotation, { ...followedSoFar(trust, this.#rotation), chain }, this.#nowMs());
    if (followed.ok) return followed;
    throw new AgentError('WEFT_AGENT_ROTATION_REFUSED', `${followed.reason}: ${followed.detail}`);
  }

  #take({ trust, chain }: Standing, before: NodeIdentity): void {
    const { holder } = this.#options;
    const added = trust.roots.filter((root) => !has(before.trust.roots, root));
    const all = [...before.trust.roots, ...added];
    if (added.length > 0) holder.trustRoots(all);
    if (!isSameChain(chain, before.chain)) holder.install({ chain });
    if (all.some((root) => !has(trust.roots, root))) holder.trustRoots(trust.roots);
  }

  /** Whether the certificate leads where the issuers named last lead. */
  #hasMoved({ issuers }: Rotation): boolean {
    const { chain, trust } = this.#options.holder.current;
    const wanted = issuers.map((issuer) => rootOf([issuer], trust)).filter((root) => root !== undefined);
    const root = rootOf(chain, trust);
    return wanted.length === 0 || (root !== undefined && has(wanted, root));
  }

  /** Its issuer is none of those: one of them has to give it another certificate. */
  async #renew(rotation: Rotation): Promise<void> {
    const { renewalMs = RENEWAL_MS } = this.#options;
    const untilMs = performance.now() + renewalMs;
    while (performance.now() < untilMs) {
      await Promise.race([this.#options.renewNow(), delay(untilMs - performance.now(), undefined, { ref: false })]);
      if (this.#hasMoved(rotation)) return;
      await delay(renewalMs / 10); // issuers hear of it in the same moment
    }
    const detail = 'no issuer in reach gave this node a certificate that leads to the new root';
    throw new AgentError('WEFT_AGENT_ROTATION_REFUSED', detail);
  }

  #tell({ trust, sequence }: Standing, before: NodeIdentity): void {
    const { holder, log } = this.#options;
    const root = rootOf(holder.current.chain, trust);
    const facts = {
      sequence,
      trusted: trust.roots.map(shortName),
      dropped: before.trust.roots.filter((one) => !has(trust.roots, one)).map(shortName),
      leadsTo: root === undefined ? '' : shortName(root),
    };
    log.info(facts, 'the roots of the trust domain are followed');
  }

  #read(): Rotation | undefined {
    try {
      return readRotation(this.#options.directory);
    } catch (err) {
      if (!(err instanceof CertsError)) throw err;
      this.#options.log.error({ err }, 'what was known of the rotation of roots is lost; it is learned anew');
      return undefined;
    }
  }
}

/** The part of a fingerprint that people read. */
export function shortName(root: X509Certificate): string {
  return rootFingerprint(root).slice(0, 16);
}

function has(roots: readonly X509Certificate[], root: X509Certificate): boolean {
  return roots.some((one) => one.raw.equals(root.raw));
}

function isSameChain(a: readonly X509Certificate[], b: readonly X509Certificate[]): boolean {
  return a.length === b.length && a.every((one, i) => one.raw.equals(b[i]!.raw));
}

function isElsewhere(a: NodeIdentity, b: NodeIdentity): boolean {
  return a.chain[1]?.raw.equals(b.chain[1]?.raw ?? new Uint8Array()) === false;
}
