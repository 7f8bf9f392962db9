/**
 * Several ways that the same requests go over two hops with mutual TLS, asked in turns, and what each costs the agents beside the
 * first of them. Instructions in user mode are told where `perf` can count them: on a busy machine they are steadier than time.
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runLoad, WRK_REPORT } from './load/load.ts';
import { cpuSeconds } from './machine.ts';
import { startBackend } from './nginx.ts';
import { median } from './own-case.ts';
import type { Proxies } from './proxies.ts';
import type { Route } from './routes.ts';

export const CONNECTIONS = 32;
const SECONDS = 2;

export interface Way {
  readonly name: string;
  readonly weft: Pick<Proxies, 'address' | 'pids'>;
  readonly route: Route;
  /** What goes on while it is asked, besides; begun and ended with each round. */
  readonly besides?: () => Promise<AsyncDisposable>;
}

/** What one way costs a request. */
export interface WayCost {
  readonly name: string;
  readonly cpuUs: number;
  /** To the first way, as the median of rounds side by side. */
  readonly cpuRatio: number;
  /** Null where nobody can count them. */
  readonly userInstructions: number | null;
  readonly instructionsRatio: number | null;
}

export interface Ground {
  readonly directory: string;
  /** Where the backend finds what it serves. */
  readonly root: string;
  /** For wrk. */
  readonly script: string;
}

interface Round {
  readonly cpuUs: number;
  readonly userInstructions: number | undefined;
}

/** With a backend, and a directory that is gone afterwards. @param requests how wrk makes its requests, in Lua; '' for all alike */
export async function onGround<T>(name: string, work: (ground: Ground) => Promise<T>, requests = ''): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), `weft-${name}-`));
  try {
    const root = join(directory, 'files');
    mkdirSync(root);
    const script = join(directory, 'report.lua');
    writeFileSync(script, requests + WRK_REPORT);
    await using _backend = await startBackend({ directory, root });
    return await work({ directory, root, script });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** @param warmUp rounds that are not counted: code that has not been compiled yet costs several times as much */
export async function askInTurns(
  ways: readonly Way[],
  { rounds, warmUp, script }: { readonly rounds: number; readonly warmUp: number; readonly script: string },
): Promise<readonly WayCost[]> {
  const measured = ways.map((): Round[] => []);
  for (let i = 0; i < warmUp; i++) for (const way of ways) await round(way, script);
  for (let i = 0; i < rounds; i++) for (const [k, way] of ways.entries()) measured[k]!.push(await round(way, script));
  return ways.map(({ name }, k) => costOf(name, measured[k]!, measured[0]!));
}

/** `111.0 us of CPU a request, 1.02x off; 43000 user instructions, 1.010x` @param first name of the first way */
export function costText({ cpuUs, cpuRatio, userInstructions, instructionsRatio }: WayCost, first: string): string {
  const counted =
    userInstructions === null ? '' : `; ${userInstructions} user instructions, ${instructionsRatio!.toFixed(3)}x`;
  return `${cpuUs.toFixed(1)} us of CPU a request, ${cpuRatio.toFixed(2)}x ${first}${counted}`;
}

function costOf(name: string, rounds: readonly Round[], first: readonly Round[]): WayCost {
  const counts = rounds.flatMap(({ userInstructions }) => userInstructions ?? []);
  const isCounted = counts.length === rounds.length && first.every((one) => one.userInstructions !== undefined);
  return {
    name,
    cpuUs: median(rounds.map(({ cpuUs }) => cpuUs)),
    cpuRatio: median(rounds.map(({ cpuUs }, i) => cpuUs / first[i]!.cpuUs)),
    userInstructions: isCounted ? Math.round(median(counts)) : null,
    instructionsRatio: isCounted ? median(counts.map((count, i) => count / first[i]!.userInstructions!)) : null,
  };
}

/** Asks for a while, and tells what that cost the agents. */
async function round({ weft, route, besides }: Way, script: string): Promise<Round> {
  await using _besides = await besides?.();
  const load = { kind: 'requests', connections: CONNECTIONS, path: '/' } as const;
  const counter = await countInstructions(weft.pids);
  const before = cpuSeconds(weft.pids);
  const { count, failed } = runLoad(load, { host: weft.address, port: route.entryPort }, { seconds: SECONDS, script });
  const cpu = cpuSeconds(weft.pids) - before;
  const instructions = await counter();
  if (failed > 0 || count === 0) throw new Error(`${route.name}: ${failed} of ${count} requests failed`);
  return {
    cpuUs: (cpu * 1e6) / count,
    userInstructions: instructions === undefined ? undefined : instructions / count,
  };
}

/** Counts instructions in user mode until it is asked for them. */
async function countInstructions(pids: readonly number[]): Promise<() => Promise<number | undefined>> {
  const argv = ['stat', '-x,', '-e', 'instructions:u', '-p', pids.join(',')];
  const child = spawn('perf', argv, { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.on('data', (bytes) => (text += String(bytes)));
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve()).once('close', () => resolve());
  });
  const isRunning = await once(child, 'spawn').then(
    () => true,
    () => false,
  );
  return async () => {
    if (isRunning) child.kill('SIGINT');
    await ended;
    const count = Number(text.split(',')[0]);
    return count > 0 ? count : undefined;
  };
}
