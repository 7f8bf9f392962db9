/** The demo's mesh while it runs: ground, folder, agents and programs, started in order and closed together. @module */
import type { ChildProcess } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isInstalled, type SpawnOptions } from '../lab/processes.ts';
import { labObstacle } from '../lab/support.ts';
import { AgentClient } from './agent-client.ts';
import { DemoError } from './errors.ts';
import { RUN_VARIABLE } from './footprint.ts';
import type { Ground } from './ground.ts';
import { Load } from './load.ts';
import { LoopbackGround } from './loopback-ground.ts';
import { NamespaceGround } from './namespace-ground.ts';
import { Program } from './program.ts';
import { FRONT_SERVICE, type NodeSpec, type PodSpec, servicesOf, shopTopology, type Topology } from './topology.ts';
import type { TrafficReport } from './traffic-report.ts';
import { waitUntil } from './wait.ts';
import { METRICS_PORT, Workspace } from './workspace.ts';

const UP_TIMEOUT_MS = 60_000;
const UP_POLL_MS = 100;

export interface DemoMeshOptions {
  /** Mark of everything the run starts. */
  readonly runId: string;
  /** Loopback even where namespaces would do. */
  readonly loopback: boolean;
  /** Whether agents and programs that end are started again. */
  readonly restarts: boolean;
  readonly onEvent: (sentence: string) => void;
}

/** An agent of the demo: its process, and the way to ask it. */
export interface RunningAgent {
  readonly node: NodeSpec;
  readonly program: Program;
  readonly client: AgentClient;
  readonly socket: string;
}

export interface RunningPod {
  readonly pod: PodSpec;
  readonly program: Program;
}

export class DemoMesh implements AsyncDisposable {
  readonly topology: Topology;
  readonly ground: Ground;
  readonly workspace: Workspace;
  readonly agents: readonly RunningAgent[];
  /** All but the load generator's. */
  readonly pods: readonly RunningPod[];
  readonly #options: DemoMeshOptions;
  readonly #resources: AsyncDisposableStack;

  private constructor(parts: Pick<DemoMesh, 'topology' | 'ground' | 'workspace' | 'agents' | 'pods'>, how: How) {
    this.topology = parts.topology;
    this.ground = parts.ground;
    this.workspace = parts.workspace;
    this.agents = parts.agents;
    this.pods = parts.pods;
    this.#options = how.options;
    this.#resources = how.resources;
  }

  /** Resolves when everything is started, not when it is ready: that is waitUntilUp(). Leaves nothing when it fails. */
  static async start(options: DemoMeshOptions, signal: AbortSignal): Promise<DemoMesh> {
    await using resources = new AsyncDisposableStack();
    const topology = shopTopology();
    const ground = resources.use(await chooseGround(topology, options.loopback));
    signal.throwIfAborted();
    const workspace = resources.adopt(Workspace.create(topology, ground), (made) => made[Symbol.dispose]());
    const agents: RunningAgent[] = [];
    const pods: RunningPod[] = [];
    // Programs first: an agent that goes under its programs would be one more thing they complain about.
    resources.defer(async () => {
      await Promise.all(pods.map(({ program }) => program.close()));
      await Promise.all(agents.flatMap(({ program, client }) => [program.close(), client.close()]));
    });
    for (const node of topology.nodes) agents.push(startAgent({ node, workspace, ground, options }));
    for (const pod of topology.pods) {
      if (pod.program.kind !== 'traffic') pods.push({ pod, program: startPod({ pod, workspace, ground, options }) });
    }
    return new DemoMesh({ topology, ground, workspace, agents, pods }, { options, resources: resources.move() });
  }

  /** @throws DemoError naming what is missing, or the program that ended, with its last lines */
  async waitUntilUp(signal: AbortSignal): Promise<void> {
    const options = { intervalMs: UP_POLL_MS, timeoutMs: UP_TIMEOUT_MS, signal };
    const missing = await waitUntil(async () => {
      this.#throwIfEnded();
      return this.whatIsMissing();
    }, options);
    if (missing === undefined) return;
    const lines = this.agents.flatMap(({ program }) => program.tail().slice(-10));
    throw new DemoError('WEFT_DEMO_NOT_READY', missing, { lines });
  }

  /** Until every agent sees every member alive and every endpoint ready: what the first one lacks. */
  async whatIsMissing(): Promise<string | undefined> {
    const expected = this.topology.pods.filter((pod) => pod.serves).length;
    for (const { node, client } of this.agents) {
      const [members, endpoints] = await Promise.all([client.members(), client.endpoints()]);
      if (!members || !endpoints) return `an answer of the agent of ${node.name}`;
      const alive = members.filter((member) => member.state === 'alive').length;
      if (alive < this.topology.nodes.length) return `all members in the view of ${node.name} (it sees ${alive})`;
      const ready = endpoints.filter((endpoint) => endpoint.state === 'ready').length;
      if (ready < expected) return `all endpoints in the view of ${node.name} (it sees ${ready} of ${expected} ready)`;
    }
    return undefined;
  }

  agentOf(name: string): RunningAgent {
    const agent = this.agents.find(({ node }) => node.name === name);
    if (!agent) throw new RangeError(`no node ${name} in this topology`);
    return agent;
  }

  /** Names of the services somebody can call. */
  services(): readonly string[] {
    return servicesOf(this.topology);
  }

  /** Starts the load generator in the client's pod; the caller closes it. `path` may hold `{n}`. */
  startLoad(load: { path: string; perSecond: number; onReport: (report: TrafficReport) => void }): Load {
    const client = this.topology.pods.find((pod) => pod.program.kind === 'traffic')!;
    const call = client.calls.find(({ service }) => service === FRONT_SERVICE)!;
    const options = spawnOptions(this.#options.runId);
    return Load.start({
      url: this.ground.podPlace(client).reach(call).url + load.path,
      perSecond: load.perSecond,
      spawn: (argv) => this.ground.runInPod(client, argv, options),
      onReport: load.onReport,
    });
  }

  /** Runs a program of this folder as somebody who belongs to no node. It must end by itself. */
  runOutside(file: string, args: readonly string[]): ChildProcess {
    return this.ground.runOutside([process.execPath, ourFile(`./${file}`), ...args], spawnOptions(this.#options.runId));
  }

  /** Twice is fine. */
  close(): Promise<void> {
    return this.#resources.disposeAsync();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #throwIfEnded(): void {
    const programs = [...this.agents, ...this.pods].map(({ program }) => program);
    const ended = programs.find((program) => !program.isRunning);
    if (ended) throw new DemoError('WEFT_DEMO_PROGRAM_ENDED', ended.name, { lines: ended.tail() });
  }
}

interface How {
  readonly options: DemoMeshOptions;
  readonly resources: AsyncDisposableStack;
}

interface Starting {
  readonly workspace: Workspace;
  readonly ground: Ground;
  readonly options: DemoMeshOptions;
}

async function chooseGround(topology: Topology, loopback: boolean): Promise<Ground> {
  if (loopback || (await labObstacle()) !== undefined) return new LoopbackGround();
  return NamespaceGround.create(topology);
}

function startAgent({ node, workspace, ground, options }: Starting & { readonly node: NodeSpec }): RunningAgent {
  const name = `agent of ${node.name}`;
  const argv = [process.execPath, ...process.execArgv, ourFile('../main'), 'agent', '-c', workspace.agentConfig(node)];
  const program = Program.start({
    name,
    logPath: workspace.log(`agent-${node.name}`),
    spawn: () => ground.runOnNode(node, argv, spawnOptions(options.runId)),
    restarts: options.restarts,
    onEvent: options.onEvent,
  });
  const socket = workspace.socket(node);
  const { loopback, isReachable } = ground.nodePlace(node);
  const client = new AgentClient(socket, isReachable ? `http://${loopback}:${METRICS_PORT}` : undefined);
  return { node, program, client, socket };
}

function startPod({ pod, workspace, ground, options }: Starting & { readonly pod: PodSpec }): Program {
  const { bind, reach } = ground.podPlace(pod);
  const env: Record<string, string> = { HOST: bind, VERSION: pod.version };
  for (const call of pod.calls) env[call.variable] = reach(call).url;
  if (pod.serves) env.PORT = String(pod.serves.port);
  return Program.start({
    name: pod.name,
    logPath: workspace.log(pod.name),
    spawn: () => ground.runInPod(pod, commandOf(pod, bind), spawnOptions(options.runId, env)),
    restarts: options.restarts,
    onEvent: options.onEvent,
  });
}

function commandOf({ program, serves }: PodSpec, bind: string): readonly string[] {
  if (program.kind === 'sample') return [process.execPath, ourFile(`../../deploy/sample/${program.file}`)];
  if (!isInstalled('redis-server')) return [process.execPath, ourFile('../../deploy/sample/kv')];
  const addresses = bind === '::' ? ['0.0.0.0', '::'] : [bind];
  const inMemory = ['--save', '', '--appendonly', 'no', '--protected-mode', 'no'];
  return ['redis-server', '--port', String(serves?.port), '--bind', ...addresses, ...inMemory];
}

function spawnOptions(runId: string, env: Record<string, string> = {}): SpawnOptions {
  return { env: { ...env, [RUN_VARIABLE]: runId }, stdio: ['ignore', 'pipe', 'pipe'] };
}

/** A program of ours beside this one: .ts in the repository, .js in the package. */
function ourFile(path: string): string {
  return fileURLToPath(new URL(`${path}${extname(import.meta.filename)}`, import.meta.url));
}
