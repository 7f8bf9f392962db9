/** How often somebody may try to log in: ten times a minute from an address, a hundred times in all. Pure. @module */

const WINDOW_MS = 60_000;
const PER_ADDRESS = 10;
const IN_ALL = 100;
const ALL = '*';

export class LoginLimit {
  /** By address; at most IN_ALL of them, because no more tries than that are let through. */
  readonly #tries = new Map<string, number>();
  #windowEndsMs = 0;

  /** @returns ms to wait; 0 where the try may go on */
  take(address: string, nowMs: number): number {
    if (nowMs >= this.#windowEndsMs) {
      this.#tries.clear();
      this.#windowEndsMs = nowMs + WINDOW_MS;
    }
    const [own, all] = [this.#tries.get(address) ?? 0, this.#tries.get(ALL) ?? 0];
    if (own >= PER_ADDRESS || all >= IN_ALL) return this.#windowEndsMs - nowMs;
    this.#tries.set(address, own + 1).set(ALL, all + 1);
    return 0;
  }
}
