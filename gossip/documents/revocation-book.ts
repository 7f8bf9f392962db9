/**
 * The revocations that a library's documents amount to: which operators' word counts for nothing, and until when which
 * identity is revoked.
 * @module
 */
import type { RevocationEntry } from '../../certs/revocation.ts';
import { Revocations } from '../../certs/revocation.ts';
import type { Held } from './revision.ts';
import type { Revoking } from './revocation.ts';
import { isCall, revocationOf } from './revocation.ts';
import type { Statement } from './revoked-operators.ts';
import { revokedOperators } from './revoked-operators.ts';

export class RevocationBook {
  readonly #trustDomain: string;
  /** By document, what each revision kept of it says of an operator; latest first. */
  readonly #calls = new Map<string, readonly Statement[]>();
  /** By document, what its revision in force revokes: nodes and workloads. */
  readonly #others = new Map<string, Revoking>();
  #operators = new Revocations();

  constructor(trustDomain: string) {
    this.#trustDomain = trustDomain;
  }

  /** Documents about operators. */
  get calls(): number {
    return this.#calls.size;
  }

  /** All that revoke something, or did until it expired. */
  get size(): number {
    return this.#calls.size + this.#others.size;
  }

  /** Operators whose word counts for nothing. */
  get operators(): Revocations {
    return this.#operators;
  }

  /**
   * A document of kind Revocation changed.
   *
   * @param held what is kept of it, latest first; nothing when it is gone
   * @param issuedAtMs when the author of a revision was certified
   * @returns whether it changed which operators are revoked
   */
  note(key: string, held: readonly Held[], issuedAtMs: (held: Held) => number): boolean {
    const [head] = held;
    if (head === undefined) {
      this.#others.delete(key);
      return false;
    }
    if (isCall(head.revision)) {
      this.#calls.set(
        key,
        held.map((one) => this.#statement(one, issuedAtMs(one))),
      );
      return this.#reckon();
    }
    const revoking = revocationOf(this.#trustDomain, head.revision);
    if (revoking === undefined) this.#others.delete(key);
    else this.#others.set(key, revoking);
    return false;
  }

  /** The document about an operator that is given up first when there are too many: of the oldest author, by certificate. */
  leastCall(): { readonly key: string; readonly issuedAtMs: number } | undefined {
    let least: { readonly key: string; readonly issuedAtMs: number } | undefined;
    for (const [key, statements] of this.#calls) {
      const issuedAtMs = Math.max(...statements.map(({ author }) => author.issuedAtMs));
      const isLess = least === undefined || issuedAtMs < least.issuedAtMs;
      if (isLess || (issuedAtMs === least?.issuedAtMs && key < least.key)) least = { key, issuedAtMs };
    }
    return least;
  }

  /** @returns whether it changed which operators are revoked */
  drop(key: string): boolean {
    this.#calls.delete(key);
    return this.#reckon();
  }

  /** All that holds at this instant. */
  entries(wallMs: number): readonly RevocationEntry[] {
    const others = [...this.#others.values()].filter(({ untilMs }) => wallMs <= untilMs);
    return [...this.#operators.entries(), ...others.map(({ subject, beforeMs }) => ({ subject, beforeMs }))];
  }

  #statement({ revision }: Held, issuedAtMs: number): Statement {
    return { author: { spiffeId: revision.author, issuedAtMs }, revokes: revocationOf(this.#trustDomain, revision) };
  }

  #reckon(): boolean {
    const before = this.#operators;
    this.#operators = revokedOperators([...this.#calls.values()]);
    const isSame = ({ subject, beforeMs }: RevocationEntry): boolean => before.beforeMs(subject) === beforeMs;
    return this.#operators.size !== before.size || !this.#operators.entries().every(isSame);
  }
}
