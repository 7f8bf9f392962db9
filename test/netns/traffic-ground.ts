/** What tests of traffic on real agents share: documents applied as an operator does, load from inside a pod, what came of it. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { LabNode, LabPod } from '../../agent/lab/lab.ts';
import { HTTP_PORTS, type LabAgent, MeshLab, RESOLV_CONF } from '../../agent/lab/mesh-lab.ts';
import { stopProcess } from '../../agent/lab/processes.ts';
import { publish, untilApplied, weftDone } from './operator.ts';
import type { LoadPlan, LoadReport } from './programs/load.ts';

const SERVICE = join(import.meta.dirname, 'programs', 'service.ts');
const LOAD = join(import.meta.dirname, 'programs', 'load.ts');

export interface Behaviour {
  readonly status?: number;
  readonly delayMs?: number;
}

export interface Load {
  readonly begun: Promise<void>;
  readonly done: Promise<LoadReport>;
  stop(): Promise<LoadReport>;
}

export class TrafficGround implements AsyncDisposable {
  readonly mesh: MeshLab;
  readonly agents: readonly LabAgent[];
  readonly client: LabPod;
  readonly #pods = new Map<string, LabPod>();
  readonly #programs = new Map<string, ChildProcess>();

  private constructor(mesh: MeshLab, client: LabPod, agents: readonly LabAgent[]) {
    this.mesh = mesh;
    this.client = client;
    this.agents = agents;
  }

  /** Two nodes, a client on the first. @param config of the agents, besides */
  static async create(name: string, config: Readonly<Record<string, unknown>> = {}): Promise<TrafficGround> {
    const mesh = await MeshLab.create({ name, nodes: 2 });
    try {
      const client = await mesh.addPod(mesh.lab.node(1), { name: 'client' });
      return new TrafficGround(mesh, client, await mesh.startAgents(config));
    } catch (err) {
      await mesh.close();
      throw err;
    }
  }

  /** A pod and its application. */
  async add(node: LabNode, pod: string, service: string, behaviour: Behaviour = {}): Promise<void> {
    this.#pods.set(pod, await this.mesh.addPod(node, { name: pod, service, ports: HTTP_PORTS }));
    await this.start(pod, behaviour);
  }

  async start(pod: string, { status = 200, delayMs = 0 }: Behaviour = {}): Promise<void> {
    this.#programs.set(pod, await this.mesh.serve(this.#pods.get(pod)!, SERVICE, 8080, pod, status, delayMs));
  }

  /** SIGTERM, and nothing before or besides. */
  async stop(pod: string): Promise<void> {
    await stopProcess(this.#programs.get(pod)!, 5_000);
  }

  /** Takes its workload file away; the application goes on. */
  remove(pod: string): void {
    rmSync(this.mesh.workloadFile(this.#pods.get(pod)!.node, pod));
  }

  /** Requests that an application has been asked, told by itself. */
  async seen(pod: string): Promise<number> {
    const argv = ['curl', '-sS', '--fail', 'http://127.0.0.1:8080/seen'];
    const { stdout } = await this.mesh.lab.exec(this.#pods.get(pod)!.namespace, argv);
    return (JSON.parse(stdout) as { seen: number }).seen;
  }

  untilReady(...pods: readonly string[]): Promise<void> {
    return this.mesh.untilRouted(this.agents, pods);
  }

  /** Until no agent sends anybody there any more. */
  async untilOut(pod: string): Promise<void> {
    const isOut = async (agent: LabAgent): Promise<boolean> => !(await agent.ready()).includes(pod);
    await Promise.all(this.agents.map((agent) => agent.until(`${pod} out`, () => isOut(agent))));
  }

  /** Publishes documents and waits until all agents use them. @returns how long that took, the command included */
  async apply(...documents: readonly unknown[]): Promise<number> {
    const fromMs = performance.now();
    const [first] = this.agents as [LabAgent];
    const { revisions } = await publish(this.mesh, first, ...(documents as readonly object[]));
    for (const revision of revisions) await untilApplied(this.mesh, first, revision, this.agents.length);
    return performance.now() - fromMs;
  }

  weft(...argv: readonly string[]): Promise<string> {
    return weftDone(this.mesh, this.agents[0]!, ...argv);
  }

  /** Runs a load to its end. */
  run(plan: LoadPlan): Promise<LoadReport> {
    return this.load(plan).done;
  }

  /** A load from the client's pod; `begun` when it has had its first answer. */
  load(plan: LoadPlan): Load {
    const argv = [process.execPath, LOAD, JSON.stringify(plan)];
    const child = this.mesh.lab.spawn(this.client.namespace, argv, { resolvConf: RESOLV_CONF });
    let text = '';
    let errors = '';
    child.stdout!.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.stderr!.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const begun = once(child.stdout!, 'data').then(() => {});
    const done = once(child, 'close').then(() => {
      const report = text.split('\n')[1];
      if (report === undefined) throw new Error(`the load ended without a report: ${errors}`);
      return JSON.parse(report) as LoadReport;
    });
    done.catch(() => {}); // told to whoever waits for it
    const stop = (): Promise<LoadReport> => {
      child.kill('SIGTERM');
      return done;
    };
    return { begun, done, stop };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.mesh.close();
  }
}

export function service(name: string): unknown {
  const ports = [{ port: 80, targetPort: 8080, appProtocol: 'http' }];
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'shop' }, spec: { ports } };
}

/** An HTTPRoute of service `web` that splits its traffic. */
export function split(shares: Readonly<Record<string, number>>): unknown {
  const backendRefs = Object.entries(shares).map(([name, weight]) => ({ name, port: 80, weight }));
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { parentRefs: [{ group: '', kind: 'Service', name: 'web', port: 80 }], rules: [{ backendRefs }] },
  };
}

/** A document of our own about service `web` or another. */
export function own(kind: string, name: string, spec: unknown): unknown {
  return { apiVersion: 'weft.dev/v1alpha1', kind, metadata: { name, namespace: 'shop' }, spec };
}
