/** A result as lines and columns of text. @module */
import type { RunResult } from '../run.ts';

/** The names and values of a result, as people read them. */
export function fieldsOf(result: RunResult | undefined): readonly (readonly [name: string, value: string])[] {
  if (result === undefined) return [];
  const { detectMs, convergeMs, agreeMs } = result;
  return [
    ['scenario', result.scenario],
    ['nodes', String(result.nodes)],
    ['seed', String(result.seed)],
    ['detect p50 / max', pair(detectMs.p50, detectMs.max)],
    ['converge p50 / p99 / max', `${pair(convergeMs.p50, convergeMs.p99)} / ${time(convergeMs.max)}`],
    ['views equal after', time(agreeMs.max)],
    ['false deaths', String(result.falseDeaths)],
    ['violations', String(result.violations)],
    ['bytes a node and second', String(result.bytesPerNodePerSecond)],
    ['virtual / wall', `${result.virtualSeconds} s / ${result.wallSeconds.toFixed(1)} s`],
    ['trace', result.traceHash],
  ];
}

function pair(a: number | null, b: number | null): string {
  return `${time(a)} / ${time(b)}`;
}

function time(ms: number | null): string {
  if (ms === null) return '-';
  return ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(2)} s`;
}
