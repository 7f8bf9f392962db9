/** The demo's mesh on loopback with traffic, and the console of its first node. */
import { once } from 'node:events';
import { join } from 'node:path';
import type { Topology } from '../../agent/console/shapes/topology.ts';
import { DemoMesh } from '../../agent/demo/mesh.ts';
import { waitUntil } from '../../agent/demo/wait.ts';

const ADMIN_PORT = 15_000;
const UP_MS = 120_000;

export class RunningDemo implements AsyncDisposable {
  readonly mesh: DemoMesh;
  /** Of the console. */
  readonly url: string;
  readonly #owned: AsyncDisposableStack;

  private constructor(mesh: DemoMesh, url: string, owned: AsyncDisposableStack) {
    this.mesh = mesh;
    this.url = url;
    this.#owned = owned;
  }

  /** Resolves once the console tells of traffic. */
  static async start(perSecond = 20): Promise<RunningDemo> {
    await using owned = new AsyncDisposableStack();
    const signal = AbortSignal.timeout(UP_MS);
    const options = { runId: `console-${process.pid}`, loopback: true, restarts: false, onEvent: () => {} };
    const mesh = owned.use(await DemoMesh.start(options, signal));
    await mesh.waitUntilUp(signal);
    const load = mesh.startLoad({ path: '/?user=u{n}', perSecond, onReport: () => {} });
    owned.defer(() => load.close());
    const [first] = mesh.topology.nodes;
    const url = consoleAt(mesh, first!);
    const missing = await waitUntil(
      async () => {
        const answer = await fetch(`${url}/api/v1/topology?view=service&rangeMs=300000`);
        if (!answer.ok) return `the topology (${answer.status}: ${(await answer.text()).slice(0, 200)})`;
        const { edges } = (await answer.json()) as Topology;
        return edges.some(({ requestsPerSec }) => (requestsPerSec ?? 0) > 0) ? undefined : 'traffic in the topology';
      },
      { intervalMs: 500, timeoutMs: UP_MS, signal },
    );
    if (missing !== undefined) throw new Error(`the demo lacks ${missing}`);
    return new RunningDemo(mesh, url, owned.move());
  }

  /** Of the operator that may write everything. */
  get keyFiles(): string[] {
    const place = join(this.mesh.workspace.directory, 'trust');
    return [join(place, 'operator.key'), join(place, 'operator.crt')];
  }

  consoleOf(node: string): string {
    return consoleAt(this.mesh, this.mesh.topology.nodes.find(({ name }) => name === node)!);
  }

  /** As a machine that loses power; resolves once it is gone. */
  async kill(node: string): Promise<void> {
    const { child } = this.mesh.agentOf(node).program;
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  startAgain(node: string): void {
    this.mesh.agentOf(node).program.startAgain();
  }

  /** Browsers that the console tells what changes, as its agent counts them. */
  async streams(): Promise<number | undefined> {
    const [first] = this.mesh.agents;
    const [, count] = /^weft_agent_console_streams (\d+)$/m.exec((await first!.client.metrics()) ?? '') ?? [];
    return count === undefined ? undefined : Number(count);
  }

  async get<T>(path: string): Promise<T> {
    const answer = await fetch(`${this.url}/api/v1${path}`);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

function consoleAt(mesh: DemoMesh, node: DemoMesh['topology']['nodes'][number]): string {
  return `http://${mesh.ground.nodePlace(node).loopback}:${ADMIN_PORT}`;
}
