/**
 * `--check`: the demo proves itself. Brings the mesh up, sends traffic, reads the wire, kills an agent, tears all down,
 * and compares the machine with what it was.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DemoError } from './errors.ts';
import { type Footprint, leftovers, takeFootprint } from './footprint.ts';
import { Histogram } from './histogram.ts';
import type { Load } from './load.ts';
import { DemoMesh, type DemoMeshOptions } from './mesh.ts';
import { type Asking, census, countHandshakes, killAndDetect, knockAsStranger, readTheWire } from './proofs.ts';
import { waitUntil } from './wait.ts';

const FIRST_ANSWER_TIMEOUT_MS = 20_000;
/** Connections are made and code is compiled: counted like the rest, but kept out of the quantiles. */
const WARM_UP_MS = 2_000;
const DEFAULT_STEADY_SECONDS = 8;
/** How much of the steady phase is recorded: enough for thousands of requests, little enough to keep. */
const RECORDED_MS = 3_000;
const AFTER_KILL_MS = 4_000;
/** What we promise. */
const DETECTION_LIMIT_MS = 5_000;

/** What `npm start -- --check` prints. */
export interface CheckResult {
  readonly members: number;
  readonly services: number;
  /** Of the whole run, as are those that failed: warm-up, steady phase and after the kill. */
  readonly requests: number;
  readonly failed: number;
  readonly mtlsVerified: boolean;
  /** Of the steady phase, as the client sees it. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** From SIGKILL of an agent until no other agent would route to its endpoints; null: not within the time we wait. */
  readonly killedNodeDetectedMs: number | null;
  readonly leftovers: readonly string[];
}

export interface CheckOptions extends Asking {
  readonly mesh: DemoMeshOptions;
  /** Visits to the shop. */
  readonly perSecond: number;
  readonly steadySeconds: number | undefined;
}

/** Rejects when the mesh does not come up at all; otherwise the result says what is wrong. */
export async function runCheck(options: CheckOptions): Promise<CheckResult> {
  const before = await takeFootprint();
  const { directory, ...findings } = await whileUp(options);
  const left = await leftSince(before, { id: options.mesh.runId, directory });
  for (const what of left) options.say(`left behind: ${what}`);
  return { ...findings, leftovers: left };
}

/** What keeps a result from passing, a sentence each; none: it passes. */
export function shortcomings(result: CheckResult, expected: { members: number; services: number }): string[] {
  const { members, services, requests, failed, mtlsVerified, killedNodeDetectedMs } = result;
  const isDetected = killedNodeDetectedMs !== null && killedNodeDetectedMs <= DETECTION_LIMIT_MS;
  return [
    ...(members === expected.members ? [] : [`${members} members instead of ${expected.members}`]),
    ...(services === expected.services ? [] : [`${services} services instead of ${expected.services}`]),
    ...(requests > 0 ? [] : ['no request was sent']),
    ...(failed === 0 ? [] : [`${failed} of ${requests} requests failed`]),
    ...(mtlsVerified ? [] : ['mTLS between the nodes was not seen']),
    ...(isDetected ? [] : [`the killed node was not noticed within ${DETECTION_LIMIT_MS} ms`]),
    ...(result.leftovers.length === 0 ? [] : [`${result.leftovers.length} things were left behind`]),
  ];
}

type Findings = Omit<CheckResult, 'leftovers'> & { readonly directory: string };

async function whileUp({ mesh: meshOptions, perSecond, steadySeconds, signal, say }: CheckOptions): Promise<Findings> {
  const startMs = performance.now();
  const sinceStart = (): string => `${((performance.now() - startMs) / 1_000).toFixed(1)} s`;
  await using mesh = await DemoMesh.start(meshOptions, signal);
  say(`${mesh.topology.nodes.length} nodes on ${mesh.ground.description}`);
  for (const what of mesh.ground.cannotShow) say(`not shown: ${what}`);
  await mesh.waitUntilUp(signal);
  say(`everything is up after ${sinceStart()}`);

  const marker = `visitor${process.pid}x`; // in every request, and in what the shop makes of it
  const latency = new Histogram();
  await using load = mesh.startLoad({
    path: `/?user=${marker}{n}`,
    perSecond,
    onReport: (report) => latency.addSparse(report.latency),
  });
  await firstAnswer(load, signal);
  say(`first request answered after ${sinceStart()}`);

  await delay(WARM_UP_MS, undefined, { signal });
  latency.clear();
  const steadyMs = (steadySeconds ?? DEFAULT_STEADY_SECONDS) * 1_000;
  const recordedMs = Math.min(RECORDED_MS, steadyMs);
  await using capture = await mesh.ground.captureFabric('tcp');
  await delay(recordedMs, undefined, { signal });
  const isEncrypted = capture ? await readTheWire(capture, { marker, say }) : await countHandshakes(mesh, say);
  await delay(steadyMs - recordedMs, undefined, { signal });
  const p50Ms = rounded(latency.quantile(0.5));
  const p99Ms = rounded(latency.quantile(0.99));
  say(`steady: ${perSecond} visits a second, p50 ${p50Ms} ms, p99 ${p99Ms} ms, ${load.tally.failed} failed so far`);

  const isMutual = await knockAsStranger(mesh, { signal, say });
  const { members, services } = await census(mesh);
  const killedNodeDetectedMs = await killAndDetect(mesh, { signal, say });
  await delay(AFTER_KILL_MS, undefined, { signal });
  await load.close();
  tellOf(load, say);
  return {
    members,
    services,
    requests: load.tally.requests,
    failed: load.tally.failed,
    mtlsVerified: isEncrypted && isMutual,
    p50Ms,
    p99Ms,
    killedNodeDetectedMs,
    directory: mesh.workspace.directory,
  };
}

async function firstAnswer(load: Load, signal: AbortSignal): Promise<void> {
  const missing = await waitUntil(
    async () => (load.tally.latency.total > 0 ? undefined : 'a first answer to the load generator'),
    { intervalMs: 20, timeoutMs: FIRST_ANSWER_TIMEOUT_MS, signal },
  );
  const lines = [load.errorText, ...load.tally.failures.slice(0, 5).map(({ reason }) => reason)];
  if (missing) throw new DemoError('WEFT_DEMO_NOT_READY', missing, { lines });
}

function tellOf({ tally, errorText }: Load, say: Asking['say']): void {
  const versions = [...tally.versions].map(([version, count]) => `${version} ${count}`).join(', ');
  say(`whole run: ${tally.requests} requests, ${tally.failed} failed; by version of the catalog: ${versions}`);
  for (const { at, reason } of tally.failures.slice(0, 10)) say(`failed at ${at}: ${reason}`);
  if (errorText) say(`the load generator said: ${errorText}`);
}

/** Looks again for a moment: the kernel frees the last of a namespace shortly after its name. */
async function leftSince(before: Footprint, run: { id: string; directory: string }): Promise<string[]> {
  let left: string[] = [];
  const look = async (): Promise<string | undefined> => {
    left = leftovers(before, await takeFootprint(), run);
    return left[0];
  };
  await waitUntil(look, { intervalMs: 100, timeoutMs: 3_000, signal: new AbortController().signal });
  return left;
}

function rounded(ms: number | undefined): number {
  return ms === undefined ? 0 : Math.round(ms * 100) / 100;
}
