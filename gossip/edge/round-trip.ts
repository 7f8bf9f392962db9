/**
 * What the pings to one peer tell about the way there and about its clock.
 *
 * An ack carries the peer's wall clock. Taken half-way between ping and ack it gives the skew between both clocks, wrong by
 * half of the round trip at most (NTP, RFC 5905 §8); so of the last few the one with the shortest round trip is believed.
 * Of two that watch each other only one pings, so a ping says what the other needs: the time, and the last round trip.
 * @module
 */

/** What is known of a peer's clock and of the way there. */
export interface Pulse {
  /** The last that either side measured. */
  readonly rttMs: number;
  /** The peer's wall clock less ours. Undefined when it does not tell the time. */
  readonly skewMs: number | undefined;
  /** When the last ack or ping came, on the clock of `performance.now`. */
  readonly heardAtMs: number;
}

interface Sample {
  readonly rttMs: number;
  readonly skewMs: number;
}

const SAMPLES = 8;
const MAX_RTT_MS = 60_000;
/** A clock further away than this is a lie, or no use as a correction. */
const MAX_SKEW_MS = 366 * 86_400_000;

export class RoundTrip {
  readonly #samples: Sample[] = [];
  #seq: number | undefined;
  #sentAtMs = 0;
  #sentWallMs = 0;
  #pulse: Pulse | undefined;

  get pulse(): Pulse | undefined {
    return this.#pulse;
  }

  /** Only the last ping is waited for. */
  pinged(seq: number, nowMs: number, wallMs: number): void {
    this.#seq = seq;
    this.#sentAtMs = nowMs;
    this.#sentWallMs = wallMs;
  }

  /** @param theirWallMs the time by the peer's clock, as the peer says */
  acked(seq: number, nowMs: number, theirWallMs: number | undefined): void {
    if (seq !== this.#seq) return;
    this.#seq = undefined;
    const rttMs = nowMs - this.#sentAtMs;
    this.#heard(rttMs, nowMs, theirWallMs === undefined ? undefined : theirWallMs - (this.#sentWallMs + rttMs / 2));
  }

  /** They pinged us. @param said the time by their clock, and the last round trip they measured, as far as they say */
  wasPinged(said: { readonly wallMs?: number; readonly rttMs?: number }, nowMs: number, wallMs: number): void {
    if (said.wallMs === undefined || said.rttMs === undefined || said.rttMs > MAX_RTT_MS) return;
    this.#heard(said.rttMs, nowMs, said.wallMs + said.rttMs / 2 - wallMs);
  }

  #heard(rttMs: number, nowMs: number, skewMs: number | undefined): void {
    if (skewMs !== undefined) this.#learn(rttMs, skewMs);
    const best = this.#samples.reduce<Sample | undefined>(
      (shortest, one) => (shortest === undefined || one.rttMs < shortest.rttMs ? one : shortest),
      undefined,
    );
    this.#pulse = { rttMs, skewMs: best?.skewMs, heardAtMs: nowMs };
  }

  #learn(rttMs: number, skewMs: number): void {
    if (Math.abs(skewMs) > MAX_SKEW_MS) return;
    this.#samples.push({ rttMs, skewMs });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
  }
}
