/** What an SVID costs the control thread, and whether the renewal of a thousand at once would stall it. @module */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issueNodeBundle, loadNodeBundle } from '../../certs/node-bundle.ts';
import { mintSvid } from '../../certs/svid.ts';
import { createTrustDomain } from '../../certs/trust-domain.ts';
import { median, type OwnCase } from './own-case.ts';

const WORKLOADS = 1_000;

export const MINT: OwnCase = {
  name: 'mint',
  async measure({ rounds }) {
    const directory = mkdtempSync(join(tmpdir(), 'weft-mint-'));
    try {
      return report(mintAll(directory, rounds));
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

/** @returns milliseconds for each SVID */
function mintAll(directory: string, rounds: number): number[] {
  const [trust, bundle] = [join(directory, 'trust'), join(directory, 'node')];
  createTrustDomain({ trustDomain: 'bench.example', directory: trust });
  issueNodeBundle({ trustDirectory: trust, name: 'a', grant: ['ns/bench/*'], directory: bundle });
  const node = loadNodeBundle(bundle);
  const mint = (name: string): number => {
    const startedMs = performance.now();
    mintSvid(node, `spiffe://bench.example/ns/bench/sa/${name}`, { ttlMs: 3_600_000, nowMs: Date.now() });
    return performance.now() - startedMs;
  };
  for (let i = 0; i < WORKLOADS / 10; i++) mint('warm-up');
  return Array.from({ length: rounds * WORKLOADS }, (_, i) => mint(`workload-${i % WORKLOADS}`));
}

function report(times: readonly number[]) {
  const sorted = [...times].sort((a, b) => a - b);
  const figures = {
    svids: times.length,
    p50Ms: median(times),
    p99Ms: sorted[Math.floor(times.length * 0.99)]!,
    worstMs: sorted.at(-1)!,
  };
  const { p50Ms, p99Ms, worstMs } = figures;
  const lines = [
    `minting an SVID: p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, worst of ${times.length} ${worstMs.toFixed(1)} ms`,
  ];
  return { figures, lines };
}
