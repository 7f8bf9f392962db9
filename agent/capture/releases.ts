/**
 * Namespaces that are captured no more, where connections made in a client's name are still open. Their way back is kept
 * until they have ended, or the data plane would have ended them.
 * @module
 */
import { hasKeptConnections } from './kept-connections.ts';
import { isSameNamespace, type Linux, type NamespaceIdentity } from './linux.ts';
import type { Namespace } from './namespace.ts';
import { applyRuleset } from './nft.ts';
import { removeReturnPath } from './return-path.ts';
import { removeRuleset, returningRuleset } from './rules.ts';

/** As long as the data plane lets open work go on. */
const PATIENCE_MS = 5_000;
const LOOK_MS = 50;

/** Removes everything of ours. Where there is nothing, nothing happens. */
export async function removeCapture(linux: Linux, namespace: number): Promise<void> {
  await applyRuleset(linux, namespace, removeRuleset());
  removeReturnPath(linux, namespace);
}

interface Held {
  readonly namespace: Namespace;
  readonly removed: () => Promise<void>;
  readonly untilMs: number;
}

export class Releases implements AsyncDisposable {
  readonly #linux: Linux;
  readonly #held = new Set<Held>();
  #clock: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(linux: Linux) {
    this.#linux = linux;
  }

  /**
   * Ends capture, at once but for the way back.
   *
   * @param namespace owned, and closed, from here on, also when this fails
   * @param removed called when nothing is left
   */
  async release(namespace: Namespace, removed: () => Promise<void>): Promise<void> {
    try {
      if (hasKeptConnections(this.#linux, namespace)) {
        await applyRuleset(this.#linux, namespace.fd, returningRuleset());
        this.#held.add({ namespace, removed, untilMs: performance.now() + PATIENCE_MS });
        this.#clock ??= setInterval(() => this.#look(), LOOK_MS).unref();
        return;
      }
      await removeCapture(this.#linux, namespace.fd);
      await removed();
    } catch (err) {
      namespace.close();
      throw err;
    }
    namespace.close();
  }

  /** It is to be captured again: what is there is replaced then, and not removed here. */
  async reclaim(identity: NamespaceIdentity): Promise<void> {
    await this.#working;
    for (const held of this.#held) {
      if (!isSameNamespace(held.namespace.identity, identity)) continue;
      this.#held.delete(held);
      held.namespace.close();
    }
  }

  /** Removes what is left, however many connections it had. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#clock);
    await this.#working;
    await this.#finish([...this.#held]);
  }

  #look(): void {
    const nowMs = performance.now();
    const over = [...this.#held].filter(
      ({ namespace, untilMs }) => nowMs >= untilMs || !hasKeptConnections(this.#linux, namespace),
    );
    if (over.length > 0) this.#working = this.#working.then(() => this.#finish(over));
  }

  async #finish(over: readonly Held[]): Promise<void> {
    for (const held of over) {
      if (!this.#held.delete(held)) continue; // reclaimed meanwhile
      const { namespace, removed } = held;
      try {
        await removeCapture(this.#linux, namespace.fd);
        await removed();
      } catch {
        // It stays on the list of captured namespaces: the next start tries again.
      } finally {
        namespace.close();
      }
    }
    if (this.#held.size > 0) return;
    clearInterval(this.#clock);
    this.#clock = undefined;
  }
}
