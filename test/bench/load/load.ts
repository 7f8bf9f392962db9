/** Load on one entry, from the load core: wrk where it can, else `generator.ts`. @module */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { LOAD_CORE } from '../machine.ts';

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** What a load generator is told to do. */
export type Load =
  /** Requests at saturation over so many connections; with `isOnce` each request has a connection of its own. */
  | { readonly kind: 'requests'; readonly connections: number; readonly path: string; readonly isOnce?: boolean }
  /** Requests at a fixed rate, whatever becomes of those before. */
  | { readonly kind: 'open-loop'; readonly requestsPerSecond: number }
  /** Requests at half the rate that the slowest set manages over so many connections, like `open-loop`. */
  | { readonly kind: 'half'; readonly connections: number }
  /** Small messages to an echo, one at a time on each connection; with `isOnce` one only. */
  | {
      readonly kind: 'ping-pong';
      readonly connections: number;
      readonly over: 'tcp' | 'websocket';
      readonly isOnce?: boolean;
    }
  /** One stream of bytes on one connection, once. */
  | { readonly kind: 'bulk'; readonly way: 'download' | 'upload' | 'tcp'; readonly bytes: number };

/** What can be run as it is. */
export type SteadyLoad = Exclude<Load, { kind: 'half' }>;

/** What came of it. Of a bulk load `count` are bytes and there are no latencies; else requests or messages. */
export interface LoadResult {
  readonly count: number;
  readonly seconds: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

export type GeneratorOrder = Exclude<SteadyLoad, { kind: 'requests' }> & Target & { readonly seconds: number };

/** @param script a file that holds `WRK_REPORT` */
export function runLoad(
  load: SteadyLoad,
  target: Target,
  options: { readonly seconds: number; readonly script: string },
): LoadResult {
  const { seconds, script } = options;
  if (load.kind !== 'requests') {
    const order: GeneratorOrder = { ...load, ...target, seconds };
    return pinned([process.execPath, join(import.meta.dirname, 'generator.ts'), JSON.stringify(order)]);
  }
  const closing = load.isOnce === true ? ['-H', 'Connection: close'] : [];
  const url = `http://${target.host}:${target.port}${load.path}`;
  return pinned(['wrk', '-t1', `-c${load.connections}`, `-d${seconds}s`, ...closing, '-s', script, url]);
}

function pinned(argv: readonly string[]): LoadResult {
  const output = execFileSync('taskset', ['-c', LOAD_CORE, ...argv], { encoding: 'utf8' });
  return JSON.parse(output.slice(output.lastIndexOf('\n{') + 1)) as LoadResult;
}

/** A wrk script that ends its report with one line of JSON. */
export const WRK_REPORT = `
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\n{"count":%d,"seconds":%.6f,"failed":%d,"p50Ms":%.4f,"p99Ms":%.4f,"p999Ms":%.4f}',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency:percentile(99.9) / 1e3))
end
`;
