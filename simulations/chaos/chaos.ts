/**
 * The third tier: real agents, one in each namespace of a lab, broken with the kernel's own means. What the simulator
 * shows in virtual time at ten thousand nodes is shown here in wall time at a dozen.
 *
 * All agents share the cores of one machine, so its figures are upper bounds: an agent that waits for a core looks slow.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { LabNode } from '../../agent/lab/lab.ts';
import { type LabAgent, MeshLab } from '../../agent/lab/mesh-lab.ts';

export interface ChaosOptions {
  readonly nodes: number;
  /** How long a stall, a split and a lossy network last. */
  readonly faultMs: number;
  /** A sentence for each step, as it begins. */
  readonly onStep: (sentence: string) => void;
}

/** Milliseconds from the fault, or from its end, to the moment the last agent shows the outcome. */
export interface ChaosReport {
  readonly nodes: number;
  /** All agents started at once, until each sees all others and all endpoints. */
  readonly joinMs: number;
  /** A workload file written on one node, until its endpoint is ready everywhere. */
  readonly endpointMs: number;
  readonly killMs: number;
  readonly leaveMs: number;
  /** A node cut off from all others at once, as by a pulled cable. */
  readonly silentMs: number;
  /** The mesh split in two halves, mended, until all views are whole. */
  readonly healMs: number;
  /** All agents killed and started again. */
  readonly coldRestartMs: number;
  /** Agents that somebody called dead while they were merely stopped, or on a network that lost packets. */
  readonly falseDeaths: { readonly stall: number; readonly loss: number };
  readonly rssMb: { readonly median: number; readonly max: number };
}

const LOSS_RATIO = 0.1;
const LOOK_MS = 20;
const PATIENCE_MS = 60_000;

/** @throws when something does not come about within a minute; the message says what */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  await using chaos = await Chaos.start(options);
  const joinMs = await chaos.join();
  const endpointMs = await chaos.newEndpoint();
  const stall = await chaos.stall();
  const loss = await chaos.loss();
  const healMs = await chaos.split();
  const silentMs = await chaos.darkness();
  const killMs = await chaos.kill();
  const leaveMs = await chaos.leave();
  const coldRestartMs = await chaos.coldRestart();
  const rss = chaos.rssMb();
  return {
    nodes: options.nodes,
    joinMs,
    endpointMs,
    killMs,
    leaveMs,
    silentMs,
    healMs,
    coldRestartMs,
    falseDeaths: { stall, loss },
    rssMb: { median: rss[Math.floor(rss.length / 2)]!, max: rss.at(-1)! },
  };
}

class Chaos implements AsyncDisposable {
  readonly #mesh: MeshLab;
  readonly #options: ChaosOptions;
  /** By place of the node; a restarted one takes the place of the old. */
  readonly #agents: LabAgent[] = [];

  private constructor(mesh: MeshLab, options: ChaosOptions) {
    this.#mesh = mesh;
    this.#options = options;
  }

  static async start(options: ChaosOptions): Promise<Chaos> {
    return new Chaos(await MeshLab.create({ name: 'chaos', nodes: options.nodes }), options);
  }

  join(): Promise<number> {
    this.#options.onStep(`${this.#options.nodes} agents start at once`);
    for (const node of this.#nodes) this.#offer(node, 'svc');
    return this.#timed(() => this.#startAll());
  }

  async newEndpoint(): Promise<number> {
    this.#options.onStep('a workload appears on one node');
    const node = this.#nodes[1]!;
    const name = this.#offer(node, 'late');
    const ms = await this.#timed(() =>
      this.#all('the new endpoint', async (agent) => (await agent.ready()).includes(name)),
    );
    await this.#whole();
    return ms;
  }

  async stall(): Promise<number> {
    this.#options.onStep('one agent stands still');
    const stopped = this.#agents.at(-1)!;
    stopped.child.kill('SIGSTOP');
    const deaths = await this.#deathsDuring(this.#agents.slice(0, -1));
    stopped.child.kill('SIGCONT');
    await this.#whole();
    return deaths;
  }

  async loss(): Promise<number> {
    this.#options.onStep('one packet in ten is lost');
    await this.#mesh.lab.loss(LOSS_RATIO);
    const deaths = await this.#deathsDuring(this.#agents);
    await this.#mesh.lab.heal();
    await this.#whole();
    return deaths;
  }

  async split(): Promise<number> {
    this.#options.onStep('the mesh is split in two halves');
    const half = Math.floor(this.#nodes.length / 2);
    for (const a of this.#nodes.slice(0, half))
      for (const b of this.#nodes.slice(half)) await this.#mesh.lab.dropBetween(a, b);
    await this.#all('its own half only', async (agent) => (await agent.alive()).length <= this.#nodes.length - half);
    await delay(this.#options.faultMs);
    await this.#mesh.lab.heal();
    this.#options.onStep('the split is mended');
    return this.#timed(() => this.#whole());
  }

  async darkness(): Promise<number> {
    const [victim, ...others] = [...this.#agents].reverse() as [LabAgent, ...LabAgent[]];
    this.#options.onStep('one node is cut off from all others');
    for (const { node } of others) await this.#mesh.lab.dropBetween(victim.node, node);
    const ms = await this.#timed(() => this.#gone(victim, others));
    await this.#mesh.lab.heal();
    await this.#whole();
    return ms;
  }

  async kill(): Promise<number> {
    this.#options.onStep('one agent is killed');
    const [victim, ...others] = [...this.#agents].reverse() as [LabAgent, ...LabAgent[]];
    const ms = await this.#timed(async () => {
      await victim.kill();
      await this.#gone(victim, others);
    });
    await this.#restart(victim.node);
    await this.#whole();
    return ms;
  }

  async leave(): Promise<number> {
    this.#options.onStep('one agent is asked to stop');
    const [leaver, ...others] = [...this.#agents].reverse() as [LabAgent, ...LabAgent[]];
    const ended = leaver.close();
    const ms = await this.#timed(() => this.#gone(leaver, others));
    await ended;
    await this.#restart(leaver.node);
    await this.#whole();
    return ms;
  }

  async coldRestart(): Promise<number> {
    this.#options.onStep('all agents are killed and started again');
    await Promise.all(this.#agents.map((agent) => agent.kill()));
    return this.#timed(() => this.#startAll());
  }

  /** Megabytes of each agent, rising. */
  rssMb(): number[] {
    return this.#agents.map((agent) => Math.round(agent.rssBytes() / 1e6)).sort((a, b) => a - b);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#mesh.close();
  }

  get #nodes(): readonly LabNode[] {
    return this.#mesh.lab.nodes;
  }

  /** A workload on the node itself: no capture, so that this is about gossip alone. @returns its name */
  #offer(node: LabNode, service: string): string {
    const name = `${service}-${node.name}`;
    const port = service === 'svc' ? 8_080 : 8_081;
    const address = service === 'svc' ? node.address4 : node.address6; // without capture each needs one of its own
    const ports = [{ name: 'http', port }];
    this.#mesh.writeWorkload(node, { name, service, ports, spec: { runs: { host: {} }, address } });
    return name;
  }

  async #startAll(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => this.#restart(node)));
    await this.#whole();
  }

  async #restart(node: LabNode): Promise<void> {
    const config = { workers: 1, capture: { mode: 'none' } };
    this.#agents[node.index - 1] = await this.#mesh.startAgent(node, config);
  }

  /** Until each agent sees all members alive, and the endpoints of all. */
  #whole(): Promise<void> {
    const all = this.#nodes.length;
    return this.#all('a whole view', async (agent) => {
      const [alive, ready] = await Promise.all([agent.alive(), agent.ready()]);
      return alive.length === all && ready.filter((name) => name.startsWith('svc-')).length === all;
    });
  }

  #gone(victim: LabAgent, others: readonly LabAgent[]): Promise<void> {
    const { name } = victim.node;
    const isGone = async (agent: LabAgent): Promise<boolean> => {
      const [alive, ready] = await Promise.all([agent.alive(), agent.ready()]);
      return !alive.includes(name) && !ready.includes(`svc-${name}`);
    };
    return this.#all(`${name} gone`, isGone, others);
  }

  async #all(
    what: string,
    isSo: (agent: LabAgent) => Promise<boolean>,
    agents: readonly LabAgent[] = this.#agents,
  ): Promise<void> {
    const options = { lookMs: LOOK_MS, patienceMs: PATIENCE_MS };
    await Promise.all(agents.map((agent) => agent.until(what, () => isSo(agent), options)));
  }

  /** How many members were called dead by any of these agents at any look within the time of a fault. */
  async #deathsDuring(agents: readonly LabAgent[]): Promise<number> {
    const dead = new Set<string>();
    const endMs = performance.now() + this.#options.faultMs;
    while (performance.now() < endMs) {
      for (const members of await Promise.all(agents.map((agent) => agent.members())))
        for (const { name, state } of members) if (state === 'dead') dead.add(name);
      await delay(LOOK_MS * 5);
    }
    return dead.size;
  }

  async #timed(work: () => Promise<void>): Promise<number> {
    const startedMs = performance.now();
    await work();
    return Math.round(performance.now() - startedMs);
  }
}
