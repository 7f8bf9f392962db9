/**
 * What one peer may send: so many frames and bytes a second, with room for the bursts of a mesh that heals or starts.
 *
 * What is above the rate is dropped. That alone would not stop a flood, because what is dropped was read and decrypted; so
 * a peer that goes on regardless loses its link, and gets no new one for a while.
 * @module
 */
import { TokenBucket } from './token-bucket.ts';

export interface AllowanceLimits {
  readonly framesPerSecond: number;
  readonly frameBurst: number;
}

export type Allowed = 'yes' | 'dropped' | 'flood';

/** A healing mesh of a thousand nodes sends a few MB over one link, once. */
const BYTES_PER_SECOND = 4 * 1024 * 1024;
const BYTE_BURST = 8 * 1024 * 1024;
/** What a frame weighs that makes no sense: a newer agent may send some that we do not know, a broken one sends many. */
const MALFORMED_WEIGHT = 10;

export class Allowance {
  readonly #frames: TokenBucket;
  readonly #bytes: TokenBucket;
  readonly #patience: TokenBucket;

  constructor({ framesPerSecond, frameBurst }: AllowanceLimits, nowMs: number) {
    this.#frames = new TokenBucket(framesPerSecond, frameBurst, nowMs);
    this.#bytes = new TokenBucket(BYTES_PER_SECOND, BYTE_BURST, nowMs);
    this.#patience = new TokenBucket(framesPerSecond / 10, frameBurst, nowMs);
  }

  /** It was read, and made no sense. */
  wasted(bytes: number, nowMs: number): Exclude<Allowed, 'yes'> {
    return this.#bear(MALFORMED_WEIGHT, bytes, nowMs);
  }

  take(bytes: number, nowMs: number): Allowed {
    if (this.#frames.take(nowMs) && this.#bytes.take(nowMs, bytes)) return 'yes';
    return this.#bear(1, bytes, nowMs);
  }

  /** A large frame weighs more: an ordinary one has about 100 bytes. */
  #bear(weight: number, bytes: number, nowMs: number): Exclude<Allowed, 'yes'> {
    return this.#patience.take(nowMs, Math.max(weight, bytes / 100)) ? 'dropped' : 'flood';
  }
}
