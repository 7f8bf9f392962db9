/** What telemetry costs a request: two pairs of agents that differ in nothing else, and one of them with and without taps. @module */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LOAD_CORE, pinned, stop } from './machine.ts';
import type { OwnCase, OwnResult } from './own-case.ts';
import { ROUTES, type Route } from './routes.ts';
import { askInTurns, costText, type Ground, onGround, type Way } from './ways.ts';
import { startWeft } from './weft.ts';

const OFF = { sampleRatio: 0, propagate: false, slowMs: 3_600_000 };
const WARM_UP = 3;

export const TELEMETRY: OwnCase = {
  name: 'telemetry',
  measure: ({ rounds }) => onGround('telemetry', (ground) => measureTelemetry(ground, rounds)),
};

/** One request of a hundred is for a path of its own. */
const ONE_OF_A_HUNDRED = `
local usual, rare, n
function init(args) usual = wrk.format(nil, "/") rare = wrk.format(nil, "/rare") n = 0 end
function request() n = n + 1 if n % 100 == 0 then return rare end return usual end
`;

export const TAP: OwnCase = {
  name: 'tap',
  measure: ({ rounds }) => onGround('tap', (ground) => measureTaps(ground, rounds), ONE_OF_A_HUNDRED),
};

function routeOf(name: string, i: number): Route {
  return { name, protocol: 'http', hops: 2, entryPort: 9_030 + i, endpoints: [ROUTES.tenEndpoints.endpoints[i]!] };
}

async function measureTelemetry({ directory, script }: Ground, rounds: number): Promise<OwnResult> {
  const [without, with_] = [routeOf('off', 0), routeOf('on', 1)];
  await using off = await startWeft(join(directory, 'off'), [without], { settings: { telemetry: OFF } });
  await using on = await startWeft(join(directory, 'on'), [with_], { network: '127.0.18' });
  const ways: Way[] = [
    { name: 'off', weft: off, route: without },
    { name: 'on', weft: on, route: with_ },
  ];
  const [before, after] = await askInTurns(ways, { rounds, warmUp: WARM_UP, script });
  const { cpuRatio, instructionsRatio } = after!;
  const cpuUs = { off: before!.cpuUs, on: after!.cpuUs };
  return { figures: { cpuUs, cpuRatio, instructionsRatio }, lines: [`telemetry: ${costText(after!, 'off')}`] };
}

async function measureTaps({ directory, root, script }: Ground, rounds: number): Promise<OwnResult> {
  writeFileSync(join(root, 'rare'), 'rare');
  const route = routeOf('tapped', 2);
  const home = join(directory, 'weft');
  await using weft = await startWeft(home, [route]);
  const tap = (...argv: readonly string[]) => ({ besides: () => startTap(home, argv) });
  const ways: Way[] = [
    { name: 'none', weft, route },
    { name: 'of another service', weft, route, ...tap('another') },
    { name: 'of failures of this one', weft, route, ...tap('tapped', '--status', '5xx') },
    { name: 'of one request in a hundred', weft, route, ...tap('tapped', '--path', '/rare') },
  ];
  const parts = await askInTurns(ways, { rounds, warmUp: WARM_UP, script });
  return { figures: { parts }, lines: parts.map((part) => `tap ${part.name}: ${costText(part, 'none')}`) };
}

/** `weft tap` as people run it, once both agents watch. */
async function startTap(home: string, argv: readonly string[]): Promise<AsyncDisposable> {
  const main = join(import.meta.dirname, '../../dist/agent/main.js');
  const socket = join(home, 'bench-client', 'agent.sock');
  const tap = pinned(LOAD_CORE, [process.execPath, main, 'tap', ...argv, '-s', socket], join(home, 'tap.log'));
  for (const address of ['127.0.11.1', '127.0.11.2']) await watching(`http://${address}:15020/metrics`);
  return { [Symbol.asyncDispose]: () => stop(tap) };
}

async function watching(url: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!/^weft_telemetry_taps 1$/m.test(await (await fetch(url)).text())) {
    if (performance.now() > deadline) throw new Error(`${url}: no tap after 20 s`);
    await new Promise((resolve) => setTimeout(resolve, 100)); // the pause between two looks
  }
}
