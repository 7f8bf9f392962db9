import { describe, expect, test } from 'vitest';
import type { Context } from '../../../gossip/effects.ts';
import { Bootstrap } from '../../../gossip/overlay/bootstrap.ts';
import { emptyCoreStats } from '../../../gossip/stats.ts';
import { SETTINGS, seededRandom, ToySigner } from '../support/world.ts';

const HOUR_MS = 3_600_000;

/** A bootstrap alone in the dark: whoever it dials does not answer, unless a test says so. */
class Dark {
  readonly context: Context = {
    self: 'n0',
    trustDomain: 'sim.example',
    settings: SETTINGS,
    signer: new ToySigner('n0'),
    random: seededRandom(1),
    stats: emptyCoreStats(),
    nowMs: 0,
    out: [],
  };
  readonly dialled: { readonly atMs: number; readonly address: string }[] = [];
  hasLinks = false;
  readonly bootstrap = new Bootstrap(
    this.context,
    () => false,
    () => this.hasLinks,
  );
  readonly #armed = new Map<string, number>();

  start(seeds: readonly string[], remembered: readonly string[]): this {
    this.bootstrap.start(seeds, remembered);
    this.settle();
    return this;
  }

  /** Carries out what was asked for. */
  settle(): void {
    for (const effect of this.context.out.splice(0)) {
      if (effect.kind === 'arm') this.#armed.set(effect.timer.about, effect.atMs);
      if (effect.kind !== 'join') continue;
      this.dialled.push({ atMs: this.context.nowMs, address: effect.seed });
      this.bootstrap.failed(effect.seed, false);
      this.settle();
    }
  }

  runUntil(atMs: number): void {
    for (;;) {
      const [next] = [...this.#armed].sort(([, a], [, b]) => a - b);
      if (next === undefined || next[1] > atMs) break;
      this.#armed.delete(next[0]);
      this.context.nowMs = next[1];
      this.bootstrap.fired(next[0]);
      this.settle();
    }
    this.context.nowMs = atMs;
  }
}

const peers = Array.from({ length: 32 }, (_, i) => `10.0.0.${i}:7946`);

describe('a node that finds nobody', () => {
  test('dials its seeds and all peers it remembers for as long as that lasts, and none of them often', () => {
    const dark = new Dark().start(['seed:1'], peers);
    dark.runUntil(48 * HOUR_MS);
    for (const address of ['seed:1', ...peers]) {
      const last = dark.dialled.findLast((one) => one.address === address)!;
      expect(last.atMs, address).toBeGreaterThan(48 * HOUR_MS - 3 * 60_000);
    }
    const lastHour = dark.dialled.filter(({ atMs }) => atMs > 47 * HOUR_MS);
    expect(lastHour.length).toBeLessThan(3_000); // five each ten seconds, a quarter sooner at most
    expect(lastHour.length).toBeGreaterThan(1_200);
  });

  test('does not dial in step with others that lost the mesh at the same moment', () => {
    const dark = new Dark().start(['seed:1'], peers);
    dark.runUntil(HOUR_MS);
    const times = dark.dialled.filter(({ address }) => address === 'seed:1').map(({ atMs }) => atMs);
    const gaps = times.slice(-50).map((atMs, i, all) => atMs - (all[i - 1] ?? atMs));
    expect(new Set(gaps.map(Math.round)).size).toBeGreaterThan(40);
  });

  test('has its hands off remembered peers while it has links, and comes back to the latest of them when it has none', () => {
    const dark = new Dark().start([], peers);
    dark.hasLinks = true;
    dark.runUntil(HOUR_MS);
    const before = dark.dialled.length;
    expect(before).toBe(peers.length);

    dark.bootstrap.remember(['10.9.9.9:7946']);
    dark.bootstrap.remember([]); // it is alone: no reason to forget whom it knew
    dark.hasLinks = false;
    dark.bootstrap.lonely();
    dark.settle();
    dark.runUntil(HOUR_MS + 5_000);
    expect(dark.dialled.slice(before).map(({ address }) => address)).toContain('10.9.9.9:7946');
  });
});
