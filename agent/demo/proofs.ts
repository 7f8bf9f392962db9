/** The proofs of `--check`, one function each: what is asked, of whom, and what counts as an answer. @module */
import { text } from 'node:stream/consumers';
import type { Capture } from '../lab/capture.ts';
import type { DemoMesh, RunningAgent } from './mesh.ts';
import { NAMESPACE, VICTIM } from './topology.ts';
import { waitUntil } from './wait.ts';
import { readWire } from './wire.ts';

const TUNNEL_PORT = 15_008;
const DETECTION_POLL_MS = 50;
const DETECTION_TIMEOUT_MS = 15_000;

export interface Asking {
  readonly signal: AbortSignal;
  /** Progress, for people. */
  readonly say: (sentence: string) => void;
}

/**
 * TLS between the agents, and nowhere the text of a request.
 *
 * @param telling.marker a word in every request and in what the shop stores of it
 */
export async function readTheWire(
  capture: Capture,
  { marker, say }: { readonly marker: string; readonly say: Asking['say'] },
): Promise<boolean> {
  const words = [marker, 'HINCRBY', '"coffee"', 'HTTP/1.1'];
  const { packets, tlsRecords, plaintextSegments, wordsSeen } = readWire(await capture.stop(), TUNNEL_PORT, words);
  const seen = wordsSeen.length > 0 ? `seen: ${wordsSeen.join(', ')}` : 'not seen';
  say(
    `wire between the nodes: ${packets} packets, ${tlsRecords} TLS records on ${TUNNEL_PORT}, text of requests ${seen}`,
  );
  if (plaintextSegments > 0) say(`${plaintextSegments} segments on port ${TUNNEL_PORT} are plain HTTP`);
  return tlsRecords > 0 && plaintextSegments === 0 && wordsSeen.length === 0;
}

/** For where there is no wire to read: whether every agent that was called has verified certificates of callers. */
export async function countHandshakes({ agents }: DemoMesh, say: Asking['say']): Promise<boolean> {
  const counts = await Promise.all(
    agents.map(async ({ client }) => {
      const line = /^weft_proxy_handshakes_completed_total (\d+)$/m.exec((await client.metrics()) ?? '');
      return Number(line?.[1] ?? 0);
    }),
  );
  say(`no wire was recorded; the agents say that they verified ${counts.join(' + ')} TLS handshakes`);
  return counts.every((count) => count > 0);
}

/** Whether every endpoint's agent turns a caller without a certificate away: the mutual half of mTLS. */
export async function knockAsStranger(mesh: DemoMesh, { say }: Asking): Promise<boolean> {
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

/** What the first agent sees while all is well. */
export async function census({ agents }: DemoMesh): Promise<{ members: number; services: number }> {
  const { client } = agents[0]!;
  const [members = [], endpoints = []] = await Promise.all([client.members(), client.endpoints()]);
  const ready = endpoints.filter((endpoint) => endpoint.state === 'ready');
  return {
    members: members.filter((member) => member.state === 'alive').length,
    services: new Set(ready.map((endpoint) => `${endpoint.namespace}/${endpoint.service}`)).size,
  };
}

/** @returns null when others would still route to the dead agent after all the time we give them */
export async function killAndDetect(mesh: DemoMesh, { signal, say }: Asking): Promise<number | null> {
  const victim = mesh.agentOf(VICTIM);
  const survivors = mesh.agents.filter((agent) => agent !== victim);
  const killedMs = performance.now();
  victim.program.child.kill('SIGKILL');
  const missing = await waitUntil(() => whoStillRoutes(survivors, VICTIM), {
    intervalMs: DETECTION_POLL_MS,
    timeoutMs: DETECTION_TIMEOUT_MS,
    signal,
  });
  const tookMs = Math.round(performance.now() - killedMs);
  say(
    missing ? `${missing} after ${tookMs} ms` : `no other agent routes to ${VICTIM} ${tookMs} ms after it was killed`,
  );
  return missing ? null : tookMs;
}

/** An agent that does not answer counts as one that still routes: nothing shows that it does not. */
async function whoStillRoutes(agents: readonly RunningAgent[], node: string): Promise<string | undefined> {
  for (const agent of agents) {
    const endpoints = await agent.client.endpoints();
    if (!endpoints) return `the agent of ${agent.node.name} does not answer`;
    const isListed = endpoints.some((endpoint) => endpoint.node === node && endpoint.state === 'ready');
    if (isListed) return `the agent of ${agent.node.name} still routes to ${node}`;
  }
  return undefined;
}
