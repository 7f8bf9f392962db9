/**
 * Who this node is, at this moment: one holder in the control thread, told to whoever depends on it when it changes.
 *
 * The bundle directory is the truth. What is put there, by a renewal or by an operator, is taken into use when peers would
 * accept it; otherwise what is in use stays, and the reason is kept for whoever asks.
 * @module
 */
import type { X509Certificate } from 'node:crypto';
import type { Logger } from 'pino';
import { installNodeBundle, loadNodeBundle, type NodeBundle, type NodeIdentity } from '../../certs/node-bundle.ts';
import { chainUnder } from '../../certs/root-rotation.ts';
import { AgentError, messageOf } from '../errors.ts';

export interface IdentityHolderOptions {
  readonly directory: string;
  readonly identity: NodeIdentity;
  readonly log: Logger;
}

export class IdentityHolder {
  readonly #options: IdentityHolderOptions;
  readonly #listeners: ((identity: NodeIdentity) => void)[] = [];
  #current: NodeIdentity;
  #issuers: readonly X509Certificate[] = [];
  #problem = '';

  constructor(options: IdentityHolderOptions) {
    this.#options = options;
    this.#current = options.identity;
  }

  get current(): NodeIdentity {
    return this.#current;
  }

  /** Why the bundle on disk is not the one in use; empty when it is. */
  get problem(): string {
    return this.#problem;
  }

  /** Called with each new identity, in the order of these calls. */
  onChange(listener: (identity: NodeIdentity) => void): void {
    this.#listeners.push(listener);
  }

  /** Writes a bundle, or a part of it, and takes it into use. @throws CertsError when it cannot be written or used */
  install(bundle: NodeBundle): void {
    const { trust } = this.#current;
    const chain = chainUnder(this.#issuers, bundle.chain, { trust, nowMs: Date.now() });
    installNodeBundle(this.#options.directory, { ...bundle, chain });
    this.#take(this.#load());
  }

  /** While roots are rotated: what an issuer gives that has yet to hear of it leads to where the others lead all the same. */
  preferIssuers(issuers: readonly X509Certificate[]): void {
    this.#issuers = issuers;
  }

  /** Trusts these roots from here on, and after a restart. @throws CertsError when they cannot be written or used */
  trustRoots(roots: readonly X509Certificate[]): void {
    this.install({ chain: this.#current.chain, roots });
  }

  /** Looks at the directory again: an operator may have replaced the bundle. */
  reload(): void {
    try {
      this.#take(this.#load());
    } catch (err) {
      const problem = messageOf(err);
      if (problem !== this.#problem) this.#options.log.error({ err }, 'the bundle on disk is not taken into use');
      this.#problem = problem;
    }
  }

  #load(): NodeIdentity {
    const loaded = loadNodeBundle(this.#options.directory);
    const { name, trustDomain } = this.#current;
    if (loaded.name !== name || loaded.trustDomain !== trustDomain) {
      throw new AgentError(
        'WEFT_AGENT_NODE_NAME',
        `this is ${name} of ${trustDomain}, the bundle of ${loaded.spiffeId}`,
      );
    }
    return loaded;
  }

  #take(loaded: NodeIdentity): void {
    this.#problem = '';
    if (isSame(loaded, this.#current)) return;
    this.#current = loaded;
    this.#options.log.info(
      { expiresAt: new Date(loaded.expiresAtMs).toISOString(), grant: loaded.grant, roots: loaded.trust.roots.length },
      'a new node certificate is in use',
    );
    for (const listener of this.#listeners) listener(loaded);
  }
}

function isSame(a: NodeIdentity, b: NodeIdentity): boolean {
  return isSameList(a.chain, b.chain) && isSameList(a.trust.roots, b.trust.roots);
}

function isSameList(a: readonly X509Certificate[], b: readonly X509Certificate[]): boolean {
  return a.length === b.length && a.every((one, i) => one.raw.equals(b[i]!.raw));
}
