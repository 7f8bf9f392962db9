/**
 * Real agents on two nodes with the pods and Services of the suite: echo-v1 and echo-v2 on different nodes, so that one of the
 * backends is reached in memory and the other through a tunnel, and a client in a namespace of its own.
 * @module
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { runCli } from '../../agent/cli/cli.ts';
import type { RevisionStatusView } from '../../agent/documents/views.ts';
import type { LabPod } from '../../agent/lab/lab.ts';
import { type LabAgent, MeshLab } from '../../agent/lab/mesh-lab.ts';
import type { CaseAnswer } from './client.ts';
import type { CaseRequest, ConformanceCase } from './data.ts';

const NAMESPACE = 'gateway-conformance-mesh';
const CONSUMER = 'gateway-conformance-mesh-consumer';
const PORTS = [
  { name: 'http', port: 8_080, appProtocol: 'http' },
  { name: 'grpc', port: 7_070, appProtocol: 'grpc' },
  { name: 'tcp', port: 9_090, appProtocol: 'tcp' },
] as const;
const PROGRAMS = import.meta.dirname;
/** A batch is given 5 s by the suite; starting Node in a pod takes time as well. */
const ASK_TIMEOUT_MS = 30_000;

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

export class ConformanceGround implements AsyncDisposable {
  readonly #mesh: MeshLab;
  readonly #agents: readonly LabAgent[];
  readonly #pods: ReadonlyMap<string, LabPod>;
  readonly #scratch = mkdtempSync(join(tmpdir(), 'weft-conformance-'));

  private constructor(mesh: MeshLab, agents: readonly LabAgent[], pods: ReadonlyMap<string, LabPod>) {
    this.#mesh = mesh;
    this.#agents = agents;
    this.#pods = pods;
  }

  /** @param base the manifests that every test needs, of which the Services count here */
  static async create(base: string): Promise<ConformanceGround> {
    const mesh = await MeshLab.create({ name: 'conform', nodes: 2, grant: ['ns/*'] });
    try {
      const [n1, n2] = [mesh.lab.node(1), mesh.lab.node(2)];
      const pods = new Map<string, LabPod>();
      for (const [node, namespace, version] of [
        [n1, NAMESPACE, 'v1'],
        [n2, NAMESPACE, 'v2'],
        [n2, CONSUMER, 'v1'],
      ] as const) {
        const service = `echo-${version}`;
        const name = namespace === CONSUMER ? `c-${service}` : service;
        const labels = { app: 'echo', version };
        const pod = await mesh.addPod(node, { name, namespace, labels, service, version, ports: PORTS });
        await mesh.serve(pod, join(PROGRAMS, 'echo.ts'), `${service}-pod`, namespace);
        pods.set(`${namespace}/${service}`, pod);
      }
      await mesh.serve(n1, join(PROGRAMS, 'resolver.ts'), n1.address4);
      const agents = await mesh.startAgents();
      await mesh.untilRouted(agents, ['c-echo-v1', 'echo-v1', 'echo-v2']);
      const ground = new ConformanceGround(mesh, agents, pods);
      await ground.apply(base);
      return ground;
    } catch (error) {
      await mesh.close();
      throw error;
    }
  }

  /** Publishes a file as it is, but for kinds that only a cluster has, and waits until all agents have it in use. */
  async apply(file: string): Promise<readonly Manifest[]> {
    const manifests = parseAllDocuments(readFileSync(file, 'utf8'))
      .map((document) => document.toJS() as Manifest | null)
      .filter((manifest): manifest is Manifest => manifest !== null)
      .filter(({ kind }) => kind === 'Service' || kind.endsWith('Route') || kind === 'ReferenceGrant');
    const copy = join(this.#scratch, 'manifests.yaml');
    writeFileSync(copy, manifests.map((manifest) => stringify(manifest)).join('---\n'));
    const revisions = [...(await this.#weft('apply', '-f', copy)).matchAll(/revision ([0-9a-f]{12})/g)];
    for (const [, revision] of revisions) await this.#untilApplied(revision!);
    return manifests;
  }

  async remove(manifests: readonly Manifest[]): Promise<void> {
    for (const { kind, metadata } of manifests) {
      const { name, namespace = '' } = metadata;
      const said = await this.#weft('delete', kind, name, '-n', namespace);
      await this.#untilApplied(/revision ([0-9a-f]{12})/.exec(said)![1]!);
    }
  }

  /** Sends from where the case says. */
  async ask({ from, request }: ConformanceCase, times: number): Promise<readonly CaseAnswer[]> {
    const pod = this.#pods.get(`${from.namespace}/${from.client}`)!;
    const argv = [
      process.execPath,
      join(PROGRAMS, 'client.ts'),
      JSON.stringify({ request: this.#placed(request), times }),
    ];
    const zone = 'svc.cluster.local';
    const resolver = this.#mesh.lab.node(1).address4;
    const resolvConf = `nameserver ${resolver}\nsearch ${from.namespace}.${zone} ${zone}\noptions timeout:1 attempts:1 ndots:5\n`;
    const options = { resolvConf, timeoutMs: ASK_TIMEOUT_MS };
    const { stdout, stderr } = await this.#mesh.lab.exec(pod.namespace, argv, options);
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout) as CaseAnswer[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mesh.close();
    rmSync(this.#scratch, { recursive: true, force: true });
  }

  /** The one host that the data cannot know. */
  #placed(request: CaseRequest): CaseRequest {
    const match = /^<address of a pod of (\S+)>(:\d+)$/.exec(request.host);
    if (match === null) return request;
    return { ...request, host: `${this.#pods.get(`${NAMESPACE}/${match[1]}`)!.address4}${match[2]}` };
  }

  async #untilApplied(revision: string): Promise<void> {
    const [agent] = this.#agents;
    await agent!.until(`revision ${revision} applied everywhere`, async () => {
      const status = JSON.parse(await this.#weft('status', revision, '-o', 'json')) as RevisionStatusView;
      return status.applied === this.#agents.length;
    });
  }

  async #weft(...argv: readonly string[]): Promise<string> {
    let out = '';
    let err = '';
    const code = await runCli([...argv, '-s', join(this.#agents[0]!.home, 'agent.sock')], {
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (err += text) },
      env: { WEFT_OPERATOR: join(this.#mesh.directory, 'trust') },
      signal: new AbortController().signal,
      nowMs: Date.now,
    });
    if (code !== 0) throw new Error(`weft ${argv.join(' ')}: ${err}`);
    return out;
  }
}
