/**
 * What telemetry costs a request of two hops with mutual TLS: two pairs of agents that differ in nothing else, asked in turns.
 *
 * Instructions in user mode are told where `perf` can count them: on a busy machine they are steadier than time.
 * @module
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WRK_REPORT } from './load/load.ts';
import { startBackend } from './nginx.ts';
import { median, type OwnCase, type OwnResult } from './own-case.ts';
import { ROUTES, type Route } from './routes.ts';
import { type Round, round } from './traffic.ts';
import { startWeft } from './weft.ts';

const OFF = { sampleRatio: 0, propagate: false, slowMs: 3_600_000 };
/** Rounds that are not counted: code that has not been compiled yet costs several times as much. */
const WARM_UP = 3;

export const TELEMETRY: OwnCase = {
  name: 'telemetry',
  async measure({ rounds }) {
    const directory = mkdtempSync(join(tmpdir(), 'weft-telemetry-'));
    try {
      return await measureIn(directory, rounds);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

async function measureIn(directory: string, rounds: number): Promise<OwnResult> {
  const root = join(directory, 'files');
  mkdirSync(root);
  const script = join(directory, 'report.lua');
  writeFileSync(script, WRK_REPORT);
  const routes = ['off', 'on'].map(
    (name, i): Route => ({
      name,
      protocol: 'http',
      hops: 2,
      entryPort: 9_030 + i,
      endpoints: [ROUTES.tenEndpoints.endpoints[i]!],
    }),
  );
  await using _backend = await startBackend({ directory, root });
  await using off = await startWeft(join(directory, 'off'), [routes[0]!], { settings: { telemetry: OFF } });
  await using on = await startWeft(join(directory, 'on'), [routes[1]!], { network: '127.0.18' });
  const sides = [off, on].map((weft, i) => ({ ask: () => round(weft, routes[i]!, script), rounds: [] as Round[] }));
  for (let i = 0; i < WARM_UP; i++) for (const { ask } of sides) await ask();
  for (let i = 0; i < rounds; i++) for (const side of sides) side.rounds.push(await side.ask());
  return report(sides[0]!.rounds, sides[1]!.rounds);
}

function report(off: readonly Round[], on: readonly Round[]): OwnResult {
  const cpuUs = [off, on].map((all) => median(all.map((one) => one.cpuUs)));
  const cpuRatio = median(on.map((one, i) => one.cpuUs / off[i]!.cpuUs));
  const counted = on.flatMap(({ userInstructions }, i) => {
    const other = off[i]!.userInstructions;
    return userInstructions === undefined || other === undefined ? [] : userInstructions / other;
  });
  const instructionsRatio = counted.length === 0 ? null : median(counted);
  const told = instructionsRatio === null ? '' : `, ${instructionsRatio.toFixed(3)}x the user instructions`;
  const [without, with_] = cpuUs.map((one) => one.toFixed(1));
  const line = `telemetry: ${with_} us of CPU a request against ${without} without, ${cpuRatio.toFixed(2)}x${told}`;
  return { figures: { cpuUs: { off: cpuUs[0], on: cpuUs[1] }, cpuRatio, instructionsRatio }, lines: [line] };
}
