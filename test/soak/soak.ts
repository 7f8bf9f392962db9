/**
 * `npm run soak`: minutes of mixed traffic through real agents in namespaces, while applications and data-plane workers are
 * killed at random. Every answer is compared with what the server sent; memory and descriptors of the agents must be flat.
 *
 * Usage: npm run -s soak -- [--minutes N] [--seed N] [-o table|json]
 *
 * Prints {requests, failed, mismatched, excused, kills, workerKills, rssStartMb, rssEndMb, fdStart, fdEnd}. A request that fails while one of its
 * servers or a worker on its way is dead, or was when it was sent, is excused: policies that try again elsewhere are the operator's to write. Exit
 * code 1 when any other failed, any answer was wrong, memory grew by more than 20 MB an agent, or descriptors leaked.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { LabPod } from '../../agent/lab/lab.ts';
import { type LabAgent, MeshLab } from '../../agent/lab/mesh-lab.ts';

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
const PORT = 8_080;
const CLIENTS = 12;
/** Between the end of one fault and the next. */
const CALM_MS = 4_000;
/** How long a killed one stays away. */
const AWAY_MS = 1_500;
/** After a server is back, requests that were sent before may still fail. */
const GRACE_MS = 2_000;
/** Code is compiled, heaps and what is kept of requests fill: of three agents some 70 MB, most of it in two minutes. */
const WARM_UP_MS = 120_000;
const MAX_GROWTH_MB = 20;

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
const isGrown = report.rssEndMb - report.rssStartMb > MAX_GROWTH_MB * 3;
if (report.failed > 0 || report.mismatched > 0 || isGrown || report.fdEnd > report.fdStart * 1.5) process.exitCode = 1;

async function soak() {
  await using mesh = await MeshLab.create({ name: 'soak', nodes: 3 });
  process.env.NODE_OPTIONS = `--import ${CRASH}`; // of what is started from here on
  const agents = await mesh.startAgents();
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
  const start = footprint(agents);
  const faults = await breakThings({ mesh, servers, agents }, Date.now() + Number(values.minutes) * 60_000);
  await delay(CALM_MS);
  const end = footprint(agents);
  load.kill('SIGTERM');
  await once(load, 'close');
  const told = JSON.parse(printed.slice(printed.indexOf('\n') + 1)) as LoadReport;
  const isExcused = ({ atMs }: { readonly atMs: number }): boolean =>
    faults.some(({ fromMs, untilMs }) => atMs >= fromMs && atMs <= untilMs + GRACE_MS);
  const unexcused = told.failures.filter((failure) => !isExcused(failure));
  for (const { kind, message } of unexcused.slice(0, 10)) process.stderr.write(`soak: ${kind} failed: ${message}\n`);
  return {
    requests: told.requests,
    failed: unexcused.length,
    mismatched: told.mismatched,
    excused: told.failures.length - unexcused.length,
    kills: faults.length,
    workerKills: faults.filter(({ what }) => what === 'worker').length,
    rssStartMb: start.rssMb,
    rssEndMb: end.rssMb,
    fdStart: start.descriptors,
    fdEnd: end.descriptors,
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
}

/** Kills an application or a worker, and the next when it is back. @returns what was away when */
async function breakThings(ground: Ground, untilMs: number): Promise<readonly Fault[]> {
  const { mesh, servers, agents } = ground;
  const faults: Fault[] = [];
  let state = Number(values.seed);
  const draw = (sides: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return (state >>> 8) % sides;
  };
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

/** Of all agents together. */
function footprint(agents: readonly LabAgent[]): { readonly rssMb: number; readonly descriptors: number } {
  const rss = agents.reduce((sum, agent) => sum + agent.rssBytes(), 0);
  const descriptors = agents.reduce((sum, { child }) => sum + readdirSync(`/proc/${child.pid}/fd`).length, 0);
  return { rssMb: Math.round(rss / 2 ** 20), descriptors };
}

function program(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}
