/** A result as lines and columns of text. @module */
import type { Delays, RunResult } from '../run.ts';

/** The names and values of a result, as people read them. */
export function fieldsOf(result: RunResult | undefined): readonly (readonly [name: string, value: string])[] {
  if (result === undefined) return [];
  const { detectMs, convergeMs, agreeMs, documents } = result;
  return [
    ['scenario', result.scenario],
    ['nodes', String(result.nodes)],
    ['seed', String(result.seed)],
    ['detect p50 / max', pair(detectMs.p50, detectMs.max)],
    ['converge p50 / p99 / max', triple(convergeMs)],
    ['views equal after', time(agreeMs.max)],
    ['documents held p50 / p99 / max', documents === undefined ? '-' : triple(documents.reachMs)],
    ['documents in use p50 / p99 / max', documents === undefined ? '-' : triple(documents.useMs)],
    ['false deaths', String(result.falseDeaths)],
    ['violations', String(result.violations)],
    ['bytes a node and second', String(result.bytesPerNodePerSecond)],
    ['virtual / wall', `${result.virtualSeconds} s / ${result.wallSeconds.toFixed(1)} s`],
    ['trace', result.traceHash],
  ];
}

function triple({ p50, p99, max }: Delays): string {
  return `${pair(p50, p99)} / ${time(max)}`;
}

function pair(a: number | null, b: number | null): string {
  return `${time(a)} / ${time(b)}`;
}

function time(ms: number | null): string {
  if (ms === null) return '-';
  return ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(2)} s`;
}
