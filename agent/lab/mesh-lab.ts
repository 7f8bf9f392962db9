/**
 * Real agents on a lab's nodes: a trust domain, a bundle and agent.yaml for each node, the agent as a process of its own
 * inside the node's namespace, workload files for pods. What an operator would do, in a few calls.
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Agent as HttpAgent, request } from 'undici';
import { stringify } from 'yaml';
import { issueNodeBundle } from '../../certs/node-bundle.ts';
import { createTrustDomain } from '../../certs/trust-domain.ts';
import type { EndpointView, MemberView, StatusView, WorkloadsView } from '../admin/views.ts';
import { Lab, type LabNode, type LabPod } from './lab.ts';
import { stopProcess } from './processes.ts';

const PATIENCE_MS = 60_000;
/** A resolver that exists nowhere: a name of the mesh must not need it. Asked once, so that nothing lost goes unseen. */
export const RESOLV_CONF = 'nameserver 192.0.2.53\noptions timeout:10 attempts:1\n';

/** Of an application at 8080 that callers dial at 80. */
export const HTTP_PORTS = [{ name: 'http', port: 8080, servicePort: 80, appProtocol: 'http' }];

export interface MeshLabOptions {
  /** Up to 8 lower-case letters and digits, its own for each test file. */
  readonly name: string;
  readonly nodes: number;
  /** What the nodes may speak for. Default: namespace shop. */
  readonly grant?: readonly string[];
}

export interface PodOptions {
  readonly name: string;
  /** Default: shop. */
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly service?: string;
  readonly version?: string;
  readonly ports?: readonly {
    readonly name: string;
    readonly port: number;
    readonly servicePort?: number;
    readonly appProtocol?: string;
  }[];
  readonly spec?: Readonly<Record<string, unknown>>;
}

export class MeshLab implements AsyncDisposable {
  readonly lab: Lab;
  readonly directory: string;
  readonly #agents: LabAgent[] = [];

  private constructor(lab: Lab, directory: string) {
    this.lab = lab;
    this.directory = directory;
  }

  static async create({ name, nodes, grant }: MeshLabOptions): Promise<MeshLab> {
    await Lab.sweep(name);
    const lab = await Lab.create({ name, nodes });
    const mesh = new MeshLab(lab, mkdtempSync(join(tmpdir(), `weft-${name}-`)));
    mesh.createTrust('trust');
    for (const node of lab.nodes) mesh.issue(node.name, grant === undefined ? {} : { grant });
    return mesh;
  }

  /** Makes a trust domain of the usual name; two of them share the name and nothing else. */
  createTrust(folder: string): void {
    createTrustDomain({ trustDomain: 'lab.example', directory: join(this.directory, folder) });
  }

  issue(
    node: string,
    options: { readonly trust?: string; readonly grant?: readonly string[]; readonly ttlMs?: number } = {},
  ): void {
    const { trust = 'trust', grant = ['ns/shop/*'], ttlMs = 3_600_000 } = options;
    issueNodeBundle({
      trustDirectory: join(this.directory, trust),
      name: node,
      grant,
      ttlMs,
      directory: join(this.directory, node, 'bundle'),
    });
    mkdirSync(join(this.directory, node, 'workloads.d'), { recursive: true });
  }

  /** Starts the agent of a node and waits until it answers. Seeds: the first two nodes of the lab. */
  async startAgent(node: LabNode, config: Readonly<Record<string, unknown>> = {}): Promise<LabAgent> {
    const agent = this.launchAgent(node, config);
    await agent.until('an answer', async () => (await agent.status()) !== undefined);
    return agent;
  }

  /** As `startAgent`, without waiting. @param argv more for the command line */
  launchAgent(node: LabNode, config: Readonly<Record<string, unknown>> = {}, ...argv: readonly string[]): LabAgent {
    const home = join(this.directory, node.name);
    const seeds = this.lab.nodes.slice(0, 2).filter((other) => other !== node);
    writeFileSync(
      join(home, 'agent.yaml'),
      stringify({
        nodeName: node.name,
        dataDirectory: 'data',
        workloadsDirectory: 'workloads.d',
        workers: 2,
        certs: { bundleDirectory: 'bundle' },
        gossip: { listen: `${node.address4}:7946`, seeds: seeds.map(({ address4 }) => `${address4}:7946`) },
        admin: { socket: 'agent.sock' },
        ...config,
      }),
    );
    const command = weft('agent', '-c', join(home, 'agent.yaml'), ...argv);
    const agent = new LabAgent({ node, home, lab: this.lab, child: this.lab.spawn(node.namespace, command) });
    this.#agents.push(agent);
    return agent;
  }

  startAgents(config?: Readonly<Record<string, unknown>>): Promise<LabAgent[]> {
    return Promise.all(this.lab.nodes.map((node) => this.startAgent(node, config)));
  }

  /** A pod and its workload file. */
  async addPod(node: LabNode, options: PodOptions): Promise<LabPod> {
    const pod = await this.lab.addPod(node, options.name);
    this.writeWorkload(node, { ...options, spec: { ...runsIn(pod), ...options.spec } });
    return pod;
  }

  /** @param options.spec at least where it runs */
  writeWorkload(node: LabNode, options: PodOptions): void {
    const { name, namespace = 'shop', labels = {}, service = name, version = '', ports = [], spec = {} } = options;
    const document = {
      apiVersion: 'weft.dev/v1alpha1',
      kind: 'Workload',
      metadata: { name, namespace, labels },
      spec: { service, version, ports, ...spec },
    };
    writeFileSync(this.workloadFile(node, name), stringify(document));
  }

  workloadFile(node: LabNode, name: string): string {
    return join(this.directory, node.name, 'workloads.d', `${name}.yaml`);
  }

  /** Runs a Node program and waits until it says that it listens. */
  async serve(place: LabPod | LabNode, file: string, ...args: readonly (string | number)[]): Promise<ChildProcess> {
    const child = this.lab.spawn(place.namespace, [process.execPath, file, ...args.map(String)]);
    await once(child.stdout!, 'data');
    child.stdout!.resume();
    return child;
  }

  /** Runs a Node program to its end and reads the JSON it prints. */
  async ask<T>(place: LabPod | LabNode, file: string, ...args: readonly (string | number)[]): Promise<T> {
    const argv = [process.execPath, file, ...args.map(String)];
    const { stdout, stderr } = await this.lab.exec(place.namespace, argv, { resolvConf: RESOLV_CONF });
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout) as T;
  }

  /** curl as it comes, in a pod. The exit code 0 means that an HTTP answer came. */
  async curl(
    place: LabPod | LabNode,
    ...args: readonly string[]
  ): Promise<{ code: number | null; body: string; stderr: string }> {
    const argv = ['curl', '--silent', '--show-error', '--max-time', '8', ...args];
    const { code, stdout, stderr } = await this.lab.exec(place.namespace, argv, { resolvConf: RESOLV_CONF });
    return { code, body: stdout, stderr };
  }

  /** Until every one of these agents knows all of them to be alive. */
  async untilAlive(agents: readonly LabAgent[], options?: UntilOptions): Promise<void> {
    const { length } = agents;
    await Promise.all(
      agents.map((agent) =>
        agent.until(`${length} alive`, async () => (await agent.alive()).length === length, options),
      ),
    );
  }

  /** Until every one of these agents routes to exactly these workloads, all ready. */
  async untilRouted(agents: readonly LabAgent[], workloads: readonly string[]): Promise<void> {
    const wanted = [...workloads].sort().join(' ');
    await Promise.all(
      agents.map((agent) => agent.until(`endpoints ${wanted}`, async () => (await agent.ready()).join(' ') === wanted)),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.close()));
    await this.lab.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

export interface UntilOptions {
  readonly lookMs?: number;
  readonly patienceMs?: number;
}

export class LabAgent {
  readonly node: LabNode;
  readonly home: string;
  readonly child: ChildProcess;
  readonly #lab: Lab;
  readonly #http: HttpAgent;

  constructor({ node, home, lab, child }: { node: LabNode; home: string; lab: Lab; child: ChildProcess }) {
    this.node = node;
    this.home = home;
    this.child = child;
    this.#lab = lab;
    this.#http = new HttpAgent({ connect: { socketPath: join(home, 'agent.sock') } });
    const log = createWriteStream(join(home, 'log'), { flags: 'a' });
    child.stdout!.pipe(log, { end: false });
    child.stderr!.pipe(log, { end: false });
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  status(): Promise<StatusView | undefined> {
    return this.#get('/v1/status');
  }

  async members(): Promise<readonly MemberView[]> {
    return (await this.#get<readonly MemberView[]>('/v1/members')) ?? [];
  }

  async endpoints(): Promise<readonly EndpointView[]> {
    return (await this.#get<readonly EndpointView[]>('/v1/endpoints')) ?? [];
  }

  /** What the admin API answers on a path; undefined when nobody does. */
  read<T>(path: string): Promise<T | undefined> {
    return this.#get(path);
  }

  workloads(): Promise<WorkloadsView | undefined> {
    return this.#get('/v1/workloads');
  }

  /** Names of the workloads behind ready endpoints, sorted. */
  async ready(): Promise<string[]> {
    const ready = (await this.endpoints()).filter(({ state }) => state === 'ready');
    return [...new Set(ready.map(({ workload }) => workload))].sort();
  }

  /** Names of alive members, sorted. */
  async alive(): Promise<string[]> {
    return (await this.members())
      .filter(({ state }) => state === 'alive')
      .map(({ name }) => name)
      .sort();
  }

  /** What Prometheus would scrape, on the node's loopback. */
  async metrics(): Promise<string> {
    const url = 'http://127.0.0.1:15020/metrics';
    return (await this.#lab.exec(this.node.namespace, ['curl', '--silent', '--fail', url])).stdout;
  }

  /** The log so far, for assertions and for the message of a failed wait. */
  log(): string {
    return readFileSync(join(this.home, 'log'), 'utf8');
  }

  /** Resident bytes of the process. */
  rssBytes(): number {
    const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))![1];
    return Number(kilobytes) * 1024;
  }

  /** Asks again until it is so; the agent ending, or time running out, is an error with the end of the log. */
  async until(what: string, isSo: () => Promise<boolean>, options: UntilOptions = {}): Promise<void> {
    const { lookMs = 20, patienceMs = PATIENCE_MS } = options;
    const deadlineMs = performance.now() + patienceMs;
    for (;;) {
      if (await isSo()) return;
      if (!this.isRunning)
        throw new Error(`${this.node.name} ended while ${what} was awaited:\n${this.log().slice(-4_000)}`);
      if (performance.now() > deadlineMs)
        throw new Error(`${this.node.name}: no ${what} in ${patienceMs} ms:\n${this.log().slice(-4_000)}`);
      await new Promise((resolve) => setTimeout(resolve, lookMs)); // the pause between two looks
    }
  }

  /** kill -9: no goodbye. */
  async kill(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }

  /** An orderly stop; resolves to the exit code. */
  async close(): Promise<number | null> {
    await stopProcess(this.child, 15_000);
    if (!this.#http.closed && !this.#http.destroyed) await this.#http.destroy();
    return this.child.exitCode;
  }

  async #get<T>(path: string): Promise<T | undefined> {
    try {
      const { body } = await request(`http://agent${path}`, { dispatcher: this.#http });
      return (await body.json()) as T;
    } catch {
      return undefined; // not up yet, or gone
    }
  }
}

/** `spec.runs` of a pod. */
export function runsIn(pod: LabPod): { readonly runs: { readonly netns: string } } {
  return { runs: { netns: pod.namespacePath } };
}

/** The command line of a `weft` command. */
export function weft(...args: readonly string[]): string[] {
  const main = fileURLToPath(new URL(`../main${extname(import.meta.filename)}`, import.meta.url));
  return [process.execPath, '--max-semi-space-size=2', main, ...args];
}
