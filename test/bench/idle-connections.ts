/**
 * What an idle captured connection costs in memory: ten thousand of one pod (fewer where the machine allows
 * fewer descriptors), each used once, held through real agents whose
 * capture redirects them, to a service on another node.
 *
 * HTTP connections share the tunnel between the nodes; each opaque one has a TLS connection of its own, whose price is in
 * its figure. Resident memory of the client's agent is read when it has come to rest, before and after.
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LabPod } from '../../agent/lab/lab.ts';
import { type LabAgent, MeshLab, RESOLV_CONF } from '../../agent/lab/mesh-lab.ts';
import { labObstacle } from '../../agent/lab/support.ts';
import { atRest, descriptorLimit } from './machine.ts';
import type { OwnCase } from './own-case.ts';

type Kind = 'http' | 'tcp';

const MOST = 10_000;
/** What an agent has open besides. */
const OTHER_DESCRIPTORS = 1_000;
/** Of the agent, for one connection: an opaque one has a way of its own to the other node. */
const DESCRIPTORS_EACH = { http: 1, tcp: 2 } as const;
/** Opened and closed before anything is read, so that code and pools are there. */
const WARM_UP = 50;
const PORT = 8_080;
const APP = { http: 'http-app.ts', tcp: 'echo.ts' } as const;

export const IDLE_CONNECTIONS: readonly OwnCase[] = (['http', 'tcp'] as const).map((kind) => ({
  name: `idle-connections-${kind}`,
  measure: () => measure(kind),
}));

async function measure(kind: Kind) {
  const obstacle = await labObstacle();
  if (obstacle !== undefined)
    return { figures: { skipped: true }, lines: [`idle-connections-${kind}: skipped, ${obstacle}`] };
  const connections = Math.min(MOST, Math.floor((descriptorLimit() - OTHER_DESCRIPTORS) / DESCRIPTORS_EACH[kind]));
  await using mesh = await MeshLab.create({ name: 'idle', nodes: 2 });
  const [here, there] = (await mesh.startAgents({ workers: 1 })) as [LabAgent, LabAgent];
  const client = await mesh.addPod(here.node, { name: 'client' });
  const ports = [{ name: 'port', port: PORT, appProtocol: kind }];
  const server = await mesh.addPod(there.node, { name: 'server', ports });
  await mesh.serve(server, join(import.meta.dirname, '../netns/programs', APP[kind]), PORT, 'server');
  await mesh.untilRouted([here, there], ['server']);
  await release(await hold(mesh, client, kind, WARM_UP));
  const before = await resident(here, there);
  const holder = await hold(mesh, client, kind, connections);
  const after = await resident(here, there);
  await release(holder);
  const kbEach = (beforeMb: number, afterMb: number): number => ((afterMb - beforeMb) * 1e3) / connections;
  const figures = {
    connections,
    rssBeforeMb: before.here,
    rssAfterMb: after.here,
    kbPerConnection: kbEach(before.here, after.here),
    /** Of the agent at the other end. */
    serverKbPerConnection: kbEach(before.there, after.there),
  };
  const line =
    `idle-connections-${kind}: ${connections} held, ${figures.kbPerConnection.toFixed(1)} kB each ` +
    `(${before.here.toFixed(0)} to ${after.here.toFixed(0)} MB); ${figures.serverKbPerConnection.toFixed(1)} kB at the server's agent`;
  return { figures, lines: [line] };
}

/** Megabytes of both agents, once they no longer change. */
async function resident(here: LabAgent, there: LabAgent) {
  const [mbHere, mbThere] = await Promise.all([atRest(here.child.pid!), atRest(there.child.pid!)]);
  return { here: mbHere, there: mbThere };
}

async function hold(mesh: MeshLab, client: LabPod, kind: Kind, count: number): Promise<Holder> {
  const program = join(import.meta.dirname, 'load/idle-holder.ts');
  const argv = [process.execPath, program, kind, 'server.shop.weft', String(PORT), String(count)];
  const child = mesh.lab.spawn(client.namespace, argv, { resolvConf: RESOLV_CONF });
  child.stderr!.pipe(process.stderr);
  const lines = createInterface(child.stdout!)[Symbol.asyncIterator]();
  const said = await lines.next();
  if (said.value !== 'held') throw new Error(`not all of ${count} ${kind} connections could be opened`);
  return { child, lines };
}

interface Holder {
  readonly child: ChildProcess;
  readonly lines: AsyncIterator<string>;
}

/** Every connection must still be open: memory that was freed by closing them would be no merit. */
async function release({ child, lines }: Holder): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const said = await lines.next();
  await exited;
  if (said.value !== 'lost 0') throw new Error(`idle connections were closed: ${String(said.value)}`);
}
