/**
 * Trust without a centre, on three real agents under load: certificates that live for minutes, a root that is replaced,
 * and a node that is called back.
 *
 * Half a minute of it is the least that shows anything; `renewals` asks for more. All on one machine, so times are upper
 * bounds.
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { extname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { CliIo } from '../../agent/cli/io.ts';
import { revoke } from '../../agent/cli/revoke-command.ts';
import { Load } from '../../agent/demo/load.ts';
import type { LabPod } from '../../agent/lab/lab.ts';
import { type LabAgent, MeshLab, RESOLV_CONF } from '../../agent/lab/mesh-lab.ts';
import { RootRotationDesk } from '../../agent/rotation/rotate-root.ts';
import type { TrustView } from '../../agent/rotation/views.ts';

export interface TrustOptions {
  /** Up to 8 lower-case letters and digits, for the namespaces. */
  readonly name: string;
  readonly perSecond: number;
  /** Each SVID is renewed at least so often by itself, beside what the rotation does. */
  readonly renewals: number;
  /** A sentence for each step, as it begins. */
  readonly onStep: (sentence: string) => void;
  readonly signal: AbortSignal;
}

export interface TrustReport {
  /** Requests without a good answer, while certificates were renewed, the root replaced, and a node called back. */
  readonly failed: number;
  readonly requests: number;
  readonly nodes: number;
  /** Nodes whose certificate leads to the new root and that trust no other. */
  readonly rotated: number;
  /** From typing `weft revoke node/n3` until it is no member, has no endpoint and no link on all others. */
  readonly revocationMs: number;
  /** From typing `begin` until all certificates led to the new root, and from `finish` until none trusted the old one. */
  readonly beginMs: number;
  readonly finishMs: number;
  /** SVIDs that were renewed, and node certificates. */
  readonly svidRenewals: number;
  readonly nodeRenewals: number;
  /** TLS handshakes between agents that were completed, and peers that were refused, before the node was called back. */
  readonly handshakes: number;
  readonly peersRefused: number;
  /** The first of them. */
  readonly failures: readonly string[];
}

const NODES = 3;
const SVID_TTL_MS = 60_000;
const NODE_TTL_MS = 300_000;
/** Requests on connections of their own: each is a handshake between two agents. */
const FRESH_PER_SECOND = 20;
/** For one answer, and one handshake: what is lost shows, and what a slow machine only delays does not. */
const ANSWER_TIMEOUT_MS = 30_000;
const PATIENCE_MS = 240_000;
const PORT = 8080;
const LOOK = { lookMs: 20, patienceMs: PATIENCE_MS };

/** @throws when a step does not come about; the message says which */
export async function runTrust(options: TrustOptions): Promise<TrustReport> {
  await using scenario = await TrustScenario.start(options);
  await scenario.renewals();
  const beginMs = await scenario.rotate('begin');
  await scenario.renewed();
  const finishMs = await scenario.rotate('finish');
  const rotated = await scenario.rotated();
  const counted = await scenario.counted();
  const revocationMs = await scenario.revoke();
  return { ...(await scenario.stopLoad()), nodes: NODES, rotated, revocationMs, beginMs, finishMs, ...counted };
}

/** Requests on connections of their own. */
interface FreshLoad {
  readonly child: ChildProcess;
  readonly said: Promise<string>;
}

class TrustScenario implements AsyncDisposable {
  readonly #options: TrustOptions;
  readonly #mesh: MeshLab;
  readonly #agents: readonly LabAgent[];
  /** Between nodes that stay, and into the one that is called back. */
  readonly #loads: readonly Load[];
  readonly #fresh: readonly FreshLoad[];

  private constructor(parts: {
    options: TrustOptions;
    mesh: MeshLab;
    agents: readonly LabAgent[];
    loads: readonly Load[];
    fresh: readonly FreshLoad[];
  }) {
    this.#options = parts.options;
    this.#mesh = parts.mesh;
    this.#agents = parts.agents;
    this.#loads = parts.loads;
    this.#fresh = parts.fresh;
  }

  static async start(options: TrustOptions): Promise<TrustScenario> {
    options.onStep(
      `${NODES} agents start, with SVIDs of ${SVID_TTL_MS / 1_000} s and node certificates of ${NODE_TTL_MS / 1_000} s`,
    );
    const mesh = await MeshLab.create({ name: options.name, nodes: NODES });
    try {
      return await TrustScenario.#start(options, mesh);
    } catch (err) {
      await mesh.close();
      throw err;
    }
  }

  static async #start(options: TrustOptions, mesh: MeshLab): Promise<TrustScenario> {
    const [n1, n2, n3] = mesh.lab.nodes as [LabAgent['node'], LabAgent['node'], LabAgent['node']];
    for (const node of mesh.lab.nodes) mesh.issue(node.name, { ttlMs: NODE_TTL_MS });
    const client = await mesh.addPod(n1, { name: 'client' });
    const rover = await mesh.addPod(n2, { name: 'rover' });
    for (const [node, name] of [
      [n2, 'web'],
      [n3, 'shop'],
    ] as const) {
      const ports = [{ name: 'http', port: PORT, servicePort: 80, appProtocol: 'http' }];
      const pod = await mesh.addPod(node, { name, ports });
      await mesh.serve(pod, programOf('server'), PORT);
      const raw = [{ name: 'raw', port: PORT + 1, servicePort: 81, appProtocol: 'tcp' }];
      const other = await mesh.addPod(node, { name: `${name}-raw`, ports: raw });
      await mesh.serve(other, programOf('server'), PORT + 1);
    }
    const certs = { bundleDirectory: 'bundle', svidTtlMs: SVID_TTL_MS, nodeTtlMs: NODE_TTL_MS };
    const issuing = { ...certs, issuerDirectory: '../trust', join: { listen: '0.0.0.0:15012' } };
    const handshakeTimeoutMs = ANSWER_TIMEOUT_MS;
    const proxy = {
      tcp: { maxTunnels: 0 }, // so that each fresh connection is a handshake
      tunnel: { handshakeTimeoutMs },
      upstream: { handshakeTimeoutMs },
    };
    const agents = await Promise.all([
      mesh.startAgent(n1, { certs: issuing, proxy }),
      mesh.startAgent(n2, { certs, proxy }),
      mesh.startAgent(n3, { certs, proxy }),
    ]);
    await mesh.untilRouted(agents, ['shop', 'shop-raw', 'web', 'web-raw']);
    const perSecond = options.perSecond / 2 - FRESH_PER_SECOND / 2;
    const run = (pod: LabPod) => (argv: readonly string[]) =>
      mesh.lab.spawn(pod.namespace, argv, { resolvConf: RESOLV_CONF });
    const load = (pod: LabPod, service: string): Load =>
      Load.start({
        url: `http://${service}.shop.weft/`,
        perSecond,
        timeoutMs: ANSWER_TIMEOUT_MS,
        spawn: run(pod),
        onReport: () => {},
      });
    const fresh = (pod: LabPod, service: string): FreshLoad => {
      const url = `http://${service}-raw.shop.weft:81/`;
      const settings = [FRESH_PER_SECOND / 2, ANSWER_TIMEOUT_MS].map(String);
      const child = run(pod)([process.execPath, programOf('fresh'), url, ...settings]);
      return { child, said: text(child.stdout!) };
    };
    const loads = [load(client, 'web'), load(rover, 'shop')];
    return new TrustScenario({ options, mesh, agents, loads, fresh: [fresh(client, 'web'), fresh(rover, 'shop')] });
  }

  /** Until each agent has renewed the SVIDs of its workloads by itself. */
  async renewals(): Promise<void> {
    const { renewals, onStep } = this.#options;
    onStep(`each SVID is renewed ${renewals} times under ${this.#options.perSecond} requests a second`);
    await this.#all('traffic', async () => this.#loads.every(({ tally }) => tally.requests > 100));
    if (renewals === 0) return;
    await Promise.all(
      this.#agents.map(async (agent) => {
        const ends = new Map<string, Set<string>>();
        const look = async (): Promise<boolean> => {
          for (const { name, certificateExpiresAt } of (await agent.workloads())?.workloads ?? []) {
            const seen = ends.get(name) ?? new Set();
            ends.set(name, seen.add(certificateExpiresAt));
          }
          return ends.size > 0 && [...ends.values()].every((seen) => seen.size > renewals);
        };
        await this.#until(agent, `${renewals} renewals`, look, { lookMs: 500, patienceMs: PATIENCE_MS });
      }),
    );
  }

  async rotate(step: 'begin' | 'finish'): Promise<number> {
    this.#options.onStep(step === 'begin' ? 'a new root is brought in' : 'the old root is retired');
    const beganMs = performance.now();
    const [trustDirectory, place] = [this.#trustDirectory, { kind: 'socket', path: this.#socket } as const];
    const where = { place, trustDirectory, operatorDirectory: trustDirectory, without: [], patienceMs: PATIENCE_MS };
    await new RootRotationDesk({ ...where, io: this.#io() })[step]();
    const tookMs = Math.round(performance.now() - beganMs);
    const before = this.#requests();
    await this.#all('more traffic', async () => this.#requests() > before + 2 * this.#options.perSecond);
    return tookMs;
  }

  /** Under the new root, without waiting for their half-life. */
  async renewed(): Promise<void> {
    this.#options.onStep('node certificates are renewed');
    await this.#all('a renewed node certificate', async (agent) => {
      return ((await agent.status())?.certificates?.renewal.renewals ?? 0) > 0;
    });
  }

  async rotated(): Promise<number> {
    const said = await Promise.all(this.#agents.map((agent) => agent.read<TrustView>('/v1/trust')));
    return said.filter((trust) => {
      const self = trust?.members.find(({ isSelf }) => isSelf);
      return trust?.roots.length === 1 && self?.root === trust.roots[0]!.fingerprint;
    }).length;
  }

  async counted(): Promise<Pick<TrustReport, 'svidRenewals' | 'nodeRenewals' | 'handshakes' | 'peersRefused'>> {
    const pages = await Promise.all(this.#agents.map((agent) => agent.metrics()));
    const sum = (metric: RegExp): number =>
      pages
        .flatMap((page) => page.split('\n').filter((line) => metric.test(line)))
        .reduce((all, line) => all + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    return {
      svidRenewals: sum(/^weft_certs_svid_renewals_total\{outcome="renewed"\}/),
      nodeRenewals: sum(/^weft_certs_renewals_total\{outcome="renewed"\}/),
      handshakes: sum(/^weft_proxy_handshakes_completed_total/),
      peersRefused: sum(/^weft_(proxy|gossip)_peers_refused/),
    };
  }

  /** What runs into the node that goes is stopped before: its failures would be rightful. */
  async revoke(): Promise<number> {
    this.#options.onStep('a node is called back');
    await this.#loads[1]!.close();
    await stop(this.#fresh[1]!.child);
    const others = this.#agents.slice(0, 2);
    const names = others.map(({ node }) => node.name).join();
    const victim = this.#agents[2]!.node.name;
    const beganMs = performance.now();
    const subject = { subject: `node/${victim}`, operator: this.#trustDirectory, socket: this.#socket };
    const revoking = revoke(subject, this.#io());
    const isOut = async (agent: LabAgent): Promise<boolean> =>
      (await agent.alive()).join() === names &&
      (await agent.ready()).every((name) => !name.startsWith('shop')) &&
      /^weft_gossip_links_cut_total\{reason="revoked"\} [1-9]/m.test(await agent.metrics());
    await Promise.all(others.map((agent) => this.#until(agent, `${victim} out`, () => isOut(agent))));
    const tookMs = Math.round(performance.now() - beganMs);
    await revoking;
    const before = this.#requests();
    await this.#all('more traffic', async () => this.#requests() > before + this.#options.perSecond);
    return tookMs;
  }

  async stopLoad(): Promise<Pick<TrustReport, 'failed' | 'requests' | 'failures'>> {
    await Promise.all([...this.#loads.map((load) => load.close()), ...this.#fresh.map(({ child }) => stop(child))]);
    const fresh = await Promise.all(
      this.#fresh.map(
        async ({ said }) => JSON.parse(await said) as { requests: number; failed: number; failures: string[] },
      ),
    );
    const failures = this.#loads.flatMap(({ tally }) => tally.failures.map(({ at, reason }) => `${at} ${reason}`));
    return {
      failed: sumOf([...this.#loads.map(({ tally }) => tally.failed), ...fresh.map(({ failed }) => failed)]),
      requests: this.#requests() + sumOf(fresh.map(({ requests }) => requests)),
      failures: [...failures, ...fresh.flatMap((one) => one.failures)].slice(0, 20),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#loads.map((load) => load.close()));
    await this.#mesh.close();
  }

  get #trustDirectory(): string {
    return join(this.#mesh.directory, 'trust');
  }

  #requests(): number {
    return sumOf(this.#loads.map(({ tally }) => tally.requests));
  }

  get #socket(): string {
    return join(this.#agents[0]!.home, 'agent.sock');
  }

  /** Of commands, which tell of failure by what they throw. */
  #io(): CliIo {
    const nobody = { write: () => {} };
    return { stdout: nobody, stderr: nobody, env: {}, signal: this.#options.signal, nowMs: Date.now };
  }

  #all(what: string, isSo: (agent: LabAgent) => Promise<boolean>): Promise<unknown> {
    return Promise.all(this.#agents.map((agent) => this.#until(agent, what, () => isSo(agent))));
  }

  #until(agent: LabAgent, what: string, isSo: () => Promise<boolean>, options = LOOK): Promise<void> {
    const look = async (): Promise<boolean> => {
      this.#options.signal.throwIfAborted();
      return isSo();
    };
    return agent.until(what, look, options);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

function programOf(name: string): string {
  return fileURLToPath(new URL(`./${name}${extname(import.meta.filename)}`, import.meta.url));
}
