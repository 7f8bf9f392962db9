/**
 * `npm run soak`: minutes of mixed traffic through real agents in namespaces, while applications and data-plane workers are
 * killed at random. Every answer is compared with what the server sent; memory and descriptors of the agents must be flat.
 *
 * Usage: npm run -s soak -- [--minutes N] [--seed N] [-o table|json]
 *
 * Prints {requests, failed, mismatched, excused, kills, workerKills, rssStartMb, rssEndMb, heldMb, heapRiseMb, mallocRiseMb, residentRiseMb, rises, fdStart,
 * fdEnd}. A request that fails while one of its servers or a worker on its way is dead, or was when it was sent, is excused: policies that
 * try again elsewhere are the operator's to write. Once a minute the traffic rests and the agents are weighed (`weights.ts`). `heldMb` is what all
 * of them held, one figure each time; the first two belong to the warm-up, and the others are judged. `rises` tells which agent grew in what.
 * Exit code 1 when any other request failed, any answer was wrong, heaps or malloc rose by more than `MAX_RISE_MB`, or descriptors leaked.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { LabPod } from '../../agent/lab/lab.ts';
import { type LabAgent, MeshLab } from '../../agent/lab/mesh-lab.ts';
import { held, rise, type Weight, weigh } from './weights.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    output: { type: 'string', short: 'o', default: 'table' },
  },
});

const APP = program('../netns/programs/http-app.ts');
const LOAD = program('./load.ts');
const CRASH = program('./crash-on-signal.mjs');
const WEIGH = program('./weigh-on-signal.mjs');
const PORT = 8_080;
const CLIENTS = 12;
/** Between the end of one fault and the next. */
const CALM_MS = 4_000;
/** How long a killed one stays away. */
const AWAY_MS = 1_500;
/** After a server is back, requests that were sent before may still fail. */
const GRACE_MS = 2_000;
/** Code is compiled and heaps fill: of three agents some 70 MB, most of it in the first minute of traffic and two of faults. */
const WARM_UP_MS = 60_000;
const WARM_UP_WEIGHINGS = 2;
const WEIGH_EVERY_MS = 60_000;
/** How long what is under way may take to end. */
const REST_MS = 30_000;
/** Of all agents together, whatever the time. */
const MAX_RISE_MB = 4;
/** Stores of requests are so small that they are full before it begins: what they may grow by is not looked for here. */
const STORES = { telemetry: { traces: { maxRecords: 100 }, accessLog: { recent: 100 } } };

interface LoadReport {
  readonly requests: number;
  readonly mismatched: number;
  readonly failures: readonly { readonly atMs: number; readonly kind: string; readonly message: string }[];
}

interface Server {
  readonly name: string;
  readonly pod: LabPod;
  process: ChildProcess;
}

const report = await soak();
if (values.output === 'json') console.log(JSON.stringify(report));
else for (const [name, value] of Object.entries(report)) console.log(`${name.padEnd(12)} ${String(value)}`);
const isGrown = report.heapRiseMb > MAX_RISE_MB || report.mallocRiseMb > MAX_RISE_MB;
if (report.failed > 0 || report.mismatched > 0 || isGrown || report.fdEnd > report.fdStart * 1.5) process.exitCode = 1;

async function soak() {
  await using mesh = await MeshLab.create({ name: 'soak', nodes: 3 });
  process.env.NODE_OPTIONS = `--import ${CRASH} --import ${WEIGH}`; // of what is started from here on
  const agents = await mesh.startAgents(STORES);
  delete process.env.NODE_OPTIONS;
  const [n1, n2, n3] = mesh.lab.nodes as [LabAgent['node'], LabAgent['node'], LabAgent['node']];
  const client = await mesh.addPod(n1, { name: 'client' });
  const servers: Server[] = [];
  for (const [i, node] of [n2, n2, n3, n3].entries()) {
    const name = `web-${i}`;
    const ports = [{ name: 'http', port: PORT, appProtocol: 'http' }];
    const spec = { healthCheck: { tcp: { port: PORT, intervalMs: 500 } } };
    const pod = await mesh.addPod(node, { name, service: 'web', ports, spec });
    servers.push({ name, pod, process: await mesh.serve(pod, APP, PORT, name) });
  }
  await mesh.untilRouted(
    agents,
    servers.map(({ name }) => name),
  );
  const argv = [process.execPath, LOAD, `http://web.shop.weft:${PORT}`, String(CLIENTS), values.seed];
  const load = mesh.lab.spawn(client.namespace, argv);
  let printed = '';
  load.stdout!.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  await delay(WARM_UP_MS);
  const fdStart = footprint(agents).descriptors;
  const weighings = [await weighAtRest(load, agents)];
  const faults: Fault[] = [];
  const ground: Ground = { mesh, servers, agents, draw: drawing(Number(values.seed)) };
  for (let minute = 0; minute < WARM_UP_WEIGHINGS + Number(values.minutes); minute++) {
    faults.push(...(await breakThings(ground, Date.now() + WEIGH_EVERY_MS - CALM_MS)));
    await delay(CALM_MS);
    weighings.push(await weighAtRest(load, agents));
  }
  const weights = weighings.slice(WARM_UP_WEIGHINGS);
  const fdEnd = footprint(agents).descriptors;
  load.kill('SIGTERM');
  await once(load, 'close');
  const told = JSON.parse(printed.slice(printed.lastIndexOf('\n') + 1)) as LoadReport;
  const isExcused = ({ atMs }: { readonly atMs: number }): boolean =>
    faults.some(({ fromMs, untilMs }) => atMs >= fromMs && atMs <= untilMs + GRACE_MS);
  const unexcused = told.failures.filter((failure) => !isExcused(failure));
  for (const { kind, message } of unexcused.slice(0, 10)) process.stderr.write(`soak: ${kind} failed: ${message}\n`);
  const riseOf = (part: (weight: Weight) => number): number => round(rise(weights.map((all) => sum(all.map(part)))));
  return {
    requests: told.requests,
    failed: unexcused.length,
    mismatched: told.mismatched,
    excused: told.failures.length - unexcused.length,
    kills: faults.length,
    workerKills: faults.filter(({ what }) => what === 'worker').length,
    rssStartMb: round(sum(weights[0]!.map(({ rss }) => rss))),
    rssEndMb: round(sum(weights.at(-1)!.map(({ rss }) => rss))),
    heldMb: weighings.map((all) => round(sum(all.map(held)))),
    heapRiseMb: riseOf(({ heap }) => heap),
    mallocRiseMb: riseOf(({ malloc }) => malloc),
    residentRiseMb: riseOf(({ resident }) => resident),
    rises: agents.map(({ node }, i) => `${node.name}: ${risesOf(weights.map((all) => all[i]!))}`),
    fdStart,
    fdEnd,
  };
}

interface Fault {
  readonly what: 'application' | 'worker';
  /** Unix time. */
  readonly fromMs: number;
  readonly untilMs: number;
}

interface Ground {
  readonly mesh: MeshLab;
  readonly servers: readonly Server[];
  readonly agents: readonly LabAgent[];
  /** A number from 0 to below `sides`. */
  readonly draw: (sides: number) => number;
}

/** Kills an application or a worker, and the next when it is back. @returns what was away when */
async function breakThings(ground: Ground, untilMs: number): Promise<readonly Fault[]> {
  const { mesh, servers, agents, draw } = ground;
  const faults: Fault[] = [];
  while (Date.now() < untilMs) {
    await delay(CALM_MS);
    const what = draw(3) === 0 ? 'worker' : 'application';
    const fromMs = Date.now();
    const name =
      what === 'worker'
        ? await killWorker(agents[draw(agents.length)]!)
        : await killApplication(mesh, servers[draw(servers.length)]!);
    faults.push({ what, fromMs, untilMs: Date.now() });
    const { rssMb, descriptors } = footprint(agents);
    process.stderr.write(`soak: ${name} was killed and is back; ${rssMb} MB, ${descriptors} descriptors\n`);
  }
  return faults;
}

function drawing(seed: number): Ground['draw'] {
  let state = seed;
  return (sides) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return (state >>> 8) % sides;
  };
}

async function killApplication(mesh: MeshLab, server: Server): Promise<string> {
  const exited = once(server.process, 'exit');
  server.process.kill('SIGKILL');
  await exited;
  await delay(AWAY_MS);
  server.process = await mesh.serve(server.pod, APP, PORT, server.name);
  return server.name;
}

async function killWorker(agent: LabAgent): Promise<string> {
  const deaths = (): number => agent.log().split('data-plane worker died').length;
  const before = deaths();
  agent.child.kill('SIGUSR2');
  await agent.until('a worker to die', () => Promise.resolve(deaths() > before));
  await delay(AWAY_MS);
  return `a worker of ${agent.node.name}`;
}

/** Of each agent, with nothing under way. */
async function weighAtRest(load: ChildProcess, agents: readonly LabAgent[]): Promise<readonly Weight[]> {
  load.kill('SIGUSR2');
  await once(load.stdout!, 'data', { signal: AbortSignal.timeout(REST_MS) }); // it says nothing else meanwhile
  const weights = await Promise.all(agents.map(weigh));
  load.kill('SIGUSR2');
  for (const [i, { rss, heap, malloc, resident }] of weights.entries())
    process.stderr.write(
      `soak: ${agents[i]!.node.name}: ${round(rss)} MB, at rest heaps ${round(heap)} malloc ${round(malloc)} resident ${round(resident)}\n`,
    );
  return weights;
}

/** From the first weighing to the last. */
function risesOf(weights: readonly Weight[]): string {
  const parts = (['heap', 'malloc', 'resident', 'rss'] as const).map((part) => {
    const figure = round(rise(weights.map((weight) => weight[part])));
    return `${part} ${figure < 0 ? '' : '+'}${figure}`;
  });
  return `${parts.join(', ')} MB`;
}

function sum(figures: readonly number[]): number {
  return figures.reduce((a, b) => a + b, 0);
}

function round(mb: number): number {
  return Math.round(mb * 10) / 10;
}

/** Of all agents together. */
function footprint(agents: readonly LabAgent[]): { readonly rssMb: number; readonly descriptors: number } {
  const rss = agents.reduce((sum, agent) => sum + agent.rssBytes(), 0);
  const descriptors = agents.reduce((sum, { child }) => sum + readdirSync(`/proc/${child.pid}/fd`).length, 0);
  return { rssMb: Math.round(rss / 2 ** 20), descriptors };
}

function program(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}
