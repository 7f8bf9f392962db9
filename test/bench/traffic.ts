/**
 * What traffic management costs a request of two hops with mutual TLS: services that differ in what documents say of them, each
 * with an entry of its own at the same two agents, asked in turns.
 *
 * Instructions in user mode are told where `perf` can count them: on a busy machine they are steadier than time.
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { runCli } from '../../agent/cli/cli.ts';
import type { RevisionStatusView } from '../../agent/documents/views.ts';
import { runLoad, WRK_REPORT } from './load/load.ts';
import { cpuSeconds } from './machine.ts';
import { startBackend } from './nginx.ts';
import { median, type OwnCase, type OwnResult } from './own-case.ts';
import { BACKEND_PORT, ROUTES, type Route } from './routes.ts';
import { startWeft } from './weft.ts';

const CONNECTIONS = 32;
const SECONDS = 2;
const AGENTS = 2;
const RULES = 20;

/** A service and what is said of it. */
interface Variant {
  readonly name: string;
  readonly documents: (service: string) => readonly object[];
}

const VARIANTS: readonly Variant[] = [
  { name: 'nothing', documents: () => [] },
  { name: 'route', documents: (service) => [route(service, [{ backendRefs: [backend(service)] }])] },
  { name: `route-${RULES}-rules`, documents: (service) => [route(service, rules(service))] },
  { name: 'limit', documents: (service) => [limit(service)] },
  { name: 'outliers-off', documents: (service) => [policy(service, { outliers: { mode: 'off' } })] },
  {
    name: 'all',
    documents: (service) => [
      route(service, rules(service)),
      limit(service),
      policy(service, { timeouts: { request: '10s', backend: '5s' }, retries: { attempts: 2 } }),
    ],
  },
];

const SERVED: readonly Route[] = VARIANTS.map(({ name }, i) => ({
  name,
  protocol: 'http',
  hops: 2,
  entryPort: 9_010 + i,
  endpoints: [ROUTES.tenEndpoints.endpoints[i]!],
}));

export interface Round {
  readonly cpuUs: number;
  /** Undefined where nobody can count them. */
  readonly userInstructions: number | undefined;
}

export const TRAFFIC: OwnCase = {
  name: 'traffic',
  async measure({ rounds }) {
    const directory = mkdtempSync(join(tmpdir(), 'weft-traffic-'));
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
  await using _backend = await startBackend({ directory, root });
  await using weft = await startWeft(join(directory, 'weft'), SERVED);
  await publish(join(directory, 'weft'));
  const measured = SERVED.map((): Round[] => []);
  const ask = (route: Route) => round(weft, route, script);
  for (const route of SERVED) await ask(route); // warm up
  for (let i = 0; i < rounds; i++) for (const [k, route] of SERVED.entries()) measured[k]!.push(await ask(route));
  return report(measured);
}

/** Publishes what is said of all of them, and waits until both agents have it in use. */
async function publish(home: string): Promise<void> {
  const file = join(home, 'documents.yaml');
  const documents = VARIANTS.flatMap(({ name, documents }) => documents(name));
  writeFileSync(file, documents.map((document) => stringify(document)).join('---\n'));
  const told = await weftCommand(home, 'apply', '-f', file);
  for (const [, revision] of told.matchAll(/revision ([0-9a-f]{12})/g)) {
    const deadlineMs = performance.now() + 20_000;
    for (;;) {
      const status = JSON.parse(await weftCommand(home, 'status', revision!, '-o', 'json')) as RevisionStatusView;
      if (status.applied === AGENTS) break;
      if (performance.now() > deadlineMs) throw new Error(`not in use after 20 s: ${JSON.stringify(status)}`);
      await new Promise((resolve) => setTimeout(resolve, 50)); // the pause between two looks
    }
  }
}

async function weftCommand(home: string, ...argv: readonly string[]): Promise<string> {
  let out = '';
  let err = '';
  const code = await runCli([...argv, '-s', join(home, 'bench-client', 'agent.sock')], {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: { WEFT_OPERATOR: join(home, 'trust') },
    signal: new AbortController().signal,
    nowMs: () => Date.now(),
  });
  if (code !== 0) throw new Error(`weft ${argv.join(' ')}: ${err}`);
  return out;
}

/** Asks a route for a while, and tells what that cost the agents. */
export async function round(
  weft: { readonly address: string; readonly pids: readonly number[] },
  route: Route,
  script: string,
): Promise<Round> {
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

function report(measured: readonly (readonly Round[])[]): OwnResult {
  const nothing = measured[0]!;
  const parts = VARIANTS.map(({ name }, k) => {
    const rounds = measured[k]!;
    const instructions = rounds.flatMap(({ userInstructions }) => userInstructions ?? []);
    return {
      name,
      cpuUs: median(rounds.map(({ cpuUs }) => cpuUs)),
      cpuRatio: median(rounds.map(({ cpuUs }, i) => cpuUs / nothing[i]!.cpuUs)),
      userInstructions: instructions.length === 0 ? null : Math.round(median(instructions)),
      instructionsRatio:
        instructions.length === 0
          ? null
          : median(rounds.map((one, i) => one.userInstructions! / nothing[i]!.userInstructions!)),
    };
  });
  const lines = parts.map(({ name, cpuUs, cpuRatio, userInstructions, instructionsRatio }) => {
    const counted =
      userInstructions === null ? '' : `; ${userInstructions} user instructions, ${instructionsRatio!.toFixed(3)}x`;
    return `traffic, ${name}: ${cpuUs.toFixed(1)} us of CPU a request, ${cpuRatio.toFixed(2)}x nothing${counted}`;
  });
  return { figures: { connections: CONNECTIONS, parts }, lines };
}

function rules(service: string): readonly object[] {
  const missed = Array.from({ length: RULES - 1 }, (_, i) => ({
    matches: [{ path: { type: 'PathPrefix', value: `/v1/items${i}` }, headers: [{ name: 'x-canary', value: `${i}` }] }],
    backendRefs: [backend(service)],
  }));
  return [...missed, { backendRefs: [backend(service)] }];
}

function route(service: string, rules: readonly object[]): object {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: service, namespace: 'bench' },
    spec: { parentRefs: [{ group: '', kind: 'Service', name: service, port: BACKEND_PORT }], rules },
  };
}

function backend(name: string): object {
  return { name, port: BACKEND_PORT };
}

/** One that nobody reaches. */
function limit(service: string): object {
  return own('RateLimit', service, { requestsPerSecond: 1_000_000 });
}

function policy(service: string, spec: object): object {
  return own('TrafficPolicy', service, spec);
}

function own(kind: string, service: string, spec: object): object {
  return {
    apiVersion: 'weft.dev/v1alpha1',
    kind,
    metadata: { name: service, namespace: 'bench' },
    spec: { target: { services: [service] }, ...spec },
  };
}
