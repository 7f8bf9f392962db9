/**
 * `--check`: the demo proves itself. Brings the mesh up, sends traffic, reads the wire, kills an agent, tears all down,
 * and compares the machine with what it was.
 *
 * @module
 */
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { Capture } from '../lab/capture.ts';
import { DemoError } from './errors.ts';
import { type Footprint, leftovers, takeFootprint } from './footprint.ts';
import type { Load } from './load.ts';
import { DemoMesh, type DemoMeshOptions, type RunningAgent } from './mesh.ts';
import { NAMESPACE, VICTIM } from './topology.ts';
import { waitUntil } from './wait.ts';
import { readWire } from './wire.ts';

const TUNNEL_PORT = 15_008;
const PER_SECOND = 200;
const DEFAULT_STEADY_SECONDS = 8;
/** How much of the steady phase is recorded: enough for thousands of requests, little enough to keep. */
const RECORDED_MS = 3_000;
const FIRST_ANSWER_TIMEOUT_MS = 10_000;
const AFTER_KILL_MS = 4_000;
const DETECTION_POLL_MS = 50;
const DETECTION_TIMEOUT_MS = 15_000;
/** What issue and docs promise. */
const DETECTION_LIMIT_MS = 5_000;

/** What `npm start -- --check` prints. */
export interface CheckResult {
  readonly members: number;
  readonly services: number;
  readonly requests: number;
  readonly failed: number;
  readonly mtlsVerified: boolean;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** From SIGKILL of an agent until no other agent would route to its endpoints; null: not within the time we wait. */
  readonly killedNodeDetectedMs: number | null;
  readonly leftovers: readonly string[];
}

export interface CheckOptions {
  readonly mesh: DemoMeshOptions;
  readonly steadySeconds: number | undefined;
  readonly signal: AbortSignal;
  /** Progress, for people. */
  readonly say: (sentence: string) => void;
}

/** Rejects when the mesh does not come up at all; otherwise the result says what is wrong. */
export async function runCheck(options: CheckOptions): Promise<CheckResult> {
  const before = await takeFootprint();
  const { directory, ...findings } = await whileUp(options);
  const left = await comparedTo(before, { id: options.mesh.runId, directory });
  for (const what of left) options.say(`left behind: ${what}`);
  return { ...findings, leftovers: left };
}

/** What keeps a result from passing, a sentence each; none: it passes. */
export function shortcomings(result: CheckResult, expected: { members: number; services: number }): string[] {
  const { members, services, requests, failed, mtlsVerified, killedNodeDetectedMs } = result;
  const detected = killedNodeDetectedMs !== null && killedNodeDetectedMs <= DETECTION_LIMIT_MS;
  return [
    ...(members === expected.members ? [] : [`${members} members instead of ${expected.members}`]),
    ...(services === expected.services ? [] : [`${services} services instead of ${expected.services}`]),
    ...(requests > 0 ? [] : ['no request was sent']),
    ...(failed === 0 ? [] : [`${failed} of ${requests} requests failed`]),
    ...(mtlsVerified ? [] : ['mTLS between the nodes was not seen']),
    ...(detected ? [] : [`a killed node was noticed after ${killedNodeDetectedMs ?? 'more than 15,000'} ms`]),
    ...(result.leftovers.length === 0 ? [] : [`${result.leftovers.length} things were left behind`]),
  ];
}

type Findings = Omit<CheckResult, 'leftovers'> & { readonly directory: string };

async function whileUp({ mesh: meshOptions, steadySeconds, signal, say }: CheckOptions): Promise<Findings> {
  const startMs = performance.now();
  await using mesh = await DemoMesh.start(meshOptions, signal);
  say(`${mesh.topology.nodes.length} nodes on ${mesh.ground.description}`);
  for (const what of mesh.ground.cannotShow) say(`not shown: ${what}`);
  await mesh.waitUntilUp(signal);
  say(`everything is up after ${seconds(performance.now() - startMs)}`);

  const marker = `visitor${process.pid}x`; // in every request, and in what the shop makes of it
  await using capture = await mesh.ground.captureFabric('tcp');
  await using load = mesh.startLoad({ path: `/?user=${marker}{n}`, perSecond: PER_SECOND, onReport: () => {} });
  await firstAnswer(load, signal);
  say(`first request answered after ${seconds(performance.now() - startMs)}`);

  const steadyMs = (steadySeconds ?? DEFAULT_STEADY_SECONDS) * 1_000;
  await delay(Math.min(RECORDED_MS, steadyMs), undefined, { signal });
  const isWireClean = capture ? await readTheWire(capture, { marker, say }) : true;
  if (!capture)
    say('the wire was not recorded (tcpdump is missing, or there is no wire): mTLS is told from the knock only');
  const mtlsVerified = (await knock(mesh, { signal, say })) && isWireClean;
  await delay(Math.max(0, steadyMs - RECORDED_MS), undefined, { signal });
  const seen = await censusOf(mesh.agents[0]!);
  const { latency } = load.tally;
  const steady = { p50Ms: rounded(latency.quantile(0.5)), p99Ms: rounded(latency.quantile(0.99)) };
  say(
    `steady: ${load.tally.requests} requests, ${load.tally.failed} failed, p50 ${steady.p50Ms} ms, p99 ${steady.p99Ms} ms`,
  );

  const killedNodeDetectedMs = await killAndDetect(mesh, { signal, say });
  await delay(AFTER_KILL_MS, undefined, { signal });
  await load.close();
  const { requests, failed, failures } = load.tally;
  say(`whole run: ${requests} requests, ${failed} failed, versions ${versionsOf(load)}`);
  for (const { at, reason } of failures.slice(0, 10)) say(`failed at ${at}: ${reason}`);
  if (load.errorText) say(`the load generator said: ${load.errorText}`);
  const { directory } = mesh.workspace;
  return { ...seen, requests, failed, mtlsVerified, ...steady, killedNodeDetectedMs, directory };
}

async function firstAnswer(load: Load, signal: AbortSignal): Promise<void> {
  const missing = await waitUntil(
    async () => (load.tally.latency.total > 0 ? undefined : 'a first answer to the load generator'),
    { intervalMs: 20, timeoutMs: FIRST_ANSWER_TIMEOUT_MS, signal },
  );
  const lines = [load.errorText, ...load.tally.failures.slice(0, 5).map(({ reason }) => reason)];
  if (missing) throw new DemoError('WEFT_DEMO_NOT_READY', missing, { lines });
}

interface Telling {
  readonly marker: string;
  readonly say: (sentence: string) => void;
}

/** TLS between the agents, and nowhere the text of a request. */
async function readTheWire(capture: Capture, { marker, say }: Telling): Promise<boolean> {
  const words = [marker, 'HINCRBY', '"coffee"'];
  const { packets, tlsRecords, plaintextSegments, wordsSeen } = readWire(await capture.stop(), TUNNEL_PORT, words);
  const seen = wordsSeen.length > 0 ? `seen: ${wordsSeen.join(', ')}` : 'not seen';
  say(
    `wire between the nodes: ${packets} packets, ${tlsRecords} TLS records on ${TUNNEL_PORT}, text of requests ${seen}`,
  );
  if (plaintextSegments > 0) say(`${plaintextSegments} segments on port ${TUNNEL_PORT} are plain HTTP`);
  return tlsRecords > 0 && plaintextSegments === 0 && wordsSeen.length === 0;
}

interface Asking {
  readonly signal: AbortSignal;
  readonly say: (sentence: string) => void;
}

/** Whether every endpoint's agent turns a caller without a certificate away: the mutual half of mTLS. */
async function knock(mesh: DemoMesh, { say }: Asking): Promise<boolean> {
  const pods = mesh.topology.pods.flatMap(({ serves, ...pod }) => (serves ? [{ ...pod, serves }] : []));
  const answers = await Promise.all(
    pods.map((pod) => {
      const { address } = mesh.ground.podPlace(pod);
      const name = `${pod.serves.port}.${pod.service}.${NAMESPACE}.weft`;
      return text(mesh.runOutside('stranger', [address, String(TUNNEL_PORT), name]).stdout!);
    }),
  );
  const refused = answers.filter((answer) => answer.trim() === 'refused').length;
  say(`a stranger without a certificate was refused at ${refused} of ${pods.length} endpoints`);
  return refused === pods.length;
}

/** What an agent sees while all is well. */
async function censusOf({ client }: RunningAgent): Promise<{ members: number; services: number }> {
  const [members, endpoints] = await Promise.all([client.members(), client.endpoints()]);
  const ready = endpoints?.filter((endpoint) => endpoint.state === 'ready') ?? [];
  return {
    members: members?.filter((member) => member.state === 'alive').length ?? 0,
    services: new Set(ready.map((endpoint) => `${endpoint.namespace}/${endpoint.service}`)).size,
  };
}

/** @returns null when others would still route to the dead agent after all the time we give them */
async function killAndDetect(mesh: DemoMesh, { signal, say }: Asking): Promise<number | null> {
  const victim = mesh.agentOf(VICTIM);
  const survivors = mesh.agents.filter((agent) => agent !== victim);
  say(`killing the ${victim.program.name} (pid ${victim.program.child.pid})`);
  const killedMs = performance.now();
  victim.program.child.kill('SIGKILL');
  const missing = await waitUntil(() => stillRoutes(survivors, VICTIM), {
    intervalMs: DETECTION_POLL_MS,
    timeoutMs: DETECTION_TIMEOUT_MS,
    signal,
  });
  const tookMs = Math.round(performance.now() - killedMs);
  say(missing ? `not noticed in ${tookMs} ms: ${missing}` : `no other agent routes to it after ${tookMs} ms`);
  return missing ? null : tookMs;
}

async function stillRoutes(agents: readonly RunningAgent[], node: string): Promise<string | undefined> {
  const views = await Promise.all(agents.map(({ client }) => client.endpoints()));
  const which = views.findIndex(
    (endpoints) => !endpoints || endpoints.some((endpoint) => endpoint.node === node && endpoint.state === 'ready'),
  );
  return which < 0 ? undefined : `the agent of ${agents[which]!.node.name} still lists an endpoint of ${node}`;
}

/** The kernel frees the last of a namespace a moment after its name; programs that were killed go likewise. */
async function comparedTo(before: Footprint, run: { id: string; directory: string }): Promise<string[]> {
  let left: string[] = [];
  await waitUntil(
    async () => {
      left = leftovers(before, await takeFootprint(), run);
      return left[0];
    },
    { intervalMs: 100, timeoutMs: 3_000, signal: new AbortController().signal },
  );
  return left;
}

function versionsOf({ tally }: Load): string {
  return [...tally.versions].map(([version, count]) => `${version} ${count}`).join(', ');
}

function rounded(ms: number | undefined): number {
  return ms === undefined ? 0 : Math.round(ms * 100) / 100;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
