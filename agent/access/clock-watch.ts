/** Compares the clock of this node with those of the others, again and again. @module */
import type { PeerHealth } from '../../gossip/view.ts';

export interface ClockWatchOptions {
  readonly peers: () => Promise<readonly Pick<PeerHealth, 'skewMs'>[]>;
  /** The clocks of the others less ours, as most of them see it; 0 where nobody is there to compare with. */
  readonly compared: (skewMs: number) => void;
  readonly intervalMs?: number;
}

const INTERVAL_MS = 10_000;

export class ClockWatch implements Disposable {
  readonly #options: ClockWatchOptions;
  readonly #timer: NodeJS.Timeout;

  constructor(options: ClockWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.look(), options.intervalMs ?? INTERVAL_MS).unref();
  }

  /** Without an answer of the mesh thread nothing new is known. */
  async look(): Promise<void> {
    const peers = await this.#options.peers().catch(() => undefined);
    if (peers !== undefined) this.#options.compared(commonSkewMs(peers));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** The median: one peer with a wrong clock, or a lie, moves it little. Of two, the one nearer to our clock. */
export function commonSkewMs(peers: readonly Pick<PeerHealth, 'skewMs'>[]): number {
  const skews = peers.flatMap(({ skewMs }) => (skewMs === undefined ? [] : [skewMs])).sort((a, b) => a - b);
  const middle = (skews.length - 1) / 2;
  const [low = 0, high = 0] = [skews[Math.floor(middle)], skews[Math.ceil(middle)]];
  return Math.abs(low) < Math.abs(high) ? low : high;
}
