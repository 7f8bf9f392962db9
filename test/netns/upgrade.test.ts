/** An agent is replaced by another while traffic runs through it in both directions: nobody notices. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LabPod } from '../../agent/lab/lab.ts';
import { HTTP_PORTS, type LabAgent, MeshLab, RESOLV_CONF } from '../../agent/lab/mesh-lab.ts';
import { labObstacle } from '../../agent/lab/support.ts';

const obstacle = await labObstacle();
const HTTP_APP = join(import.meta.dirname, 'programs', 'http-app.ts');
const STEADY = join(import.meta.dirname, 'programs', 'steady.ts');

describe.skipIf(obstacle !== undefined)('an agent that is replaced', () => {
  let mesh: MeshLab;
  let agents: LabAgent[];
  /** Pods of n1, whose agent is replaced, and of n2. */
  let here: LabPod;
  let there: LabPod;

  beforeAll(async () => {
    mesh = await MeshLab.create({ name: 'upgr', nodes: 2 });
    const healthCheck = { http: { path: '/who', port: 8080 } };
    here = await mesh.addPod(mesh.lab.node(1), { name: 'here', ports: HTTP_PORTS, spec: { healthCheck } });
    there = await mesh.addPod(mesh.lab.node(2), { name: 'there', ports: HTTP_PORTS });
    await mesh.serve(here, HTTP_APP, 8080, 'here');
    await mesh.serve(there, HTTP_APP, 8080, 'there');
    agents = await mesh.startAgents();
    await mesh.untilRouted(agents, ['here', 'there']);
  });
  afterAll(() => mesh?.close());

  test('by one with a broken configuration goes on as if nothing had happened', async () => {
    const before = (await agents[0]!.status())!;
    const load = startLoad(mesh, here, there);
    for (const broken of [
      { gossip: { listen: '192.0.2.1:7946' } },
      { metrics: { listen: '192.0.2.1:15020' } },
      { nodeName: 'n2' },
    ]) {
      const successor = mesh.launchAgent(mesh.lab.node(1), broken, '--take-over');
      const [code] = await once(successor.child, 'exit');
      expect(code).not.toBe(0);
    }
    expect(await load.stop()).toEqual([]);
    const after = (await agents[0]!.status())!;
    expect([after.pid, after.startedAt, after.members]).toEqual([before.pid, before.startedAt, before.members]);
    expect((await mesh.lab.exec(here.namespace, ['nft', 'list', 'ruleset'])).stdout).toContain('table inet weft');
  }, 120_000);

  test('loses no request, cuts no download, and is not missed by its peers', async () => {
    const old = agents[0]!;
    const before = (await old.status())!;
    const load = startLoad(mesh, here, there);
    const downloads = [await Download.start(mesh, here, 'there'), await Download.start(mesh, there, 'here')];

    const successor = mesh.launchAgent(mesh.lab.node(1), {}, '--take-over');
    agents[0] = successor;
    const answers = async (): Promise<boolean> => ![undefined, before.pid].includes((await successor.status())?.pid);
    await successor.until('a successor that answers', answers, { patienceMs: 60_000 });
    const migrates = ['cat', '/proc/sys/net/ipv4/tcp_migrate_req'];
    expect((await mesh.lab.exec(here.namespace, migrates)).stdout).toBe('1\n');
    expect(old.isRunning).toBe(true); // the downloads are its own
    const now = (await successor.status())!;
    const data = join(successor.home, 'data');
    expect([filesOf(before.pid, data), filesOf(now.pid, data).length > 0]).toEqual([[], true]); // one writer
    for (const pod of [here, there])
      expect((await mesh.lab.exec(pod.namespace, ['curl', '-sS', 'http://127.0.0.1:8080/end'])).code).toBe(0);
    for (const { ended } of downloads) expect(await ended).toEqual({ code: 0, last: 'end' });
    if (old.isRunning) await once(old.child, 'exit');
    expect(old.child.exitCode).toBe(0);
    expect(await load.stop()).toEqual([]);

    await mesh.untilRouted(agents, ['here', 'there']);
    const seen = (await agents[1]!.members()).find(({ name }) => name === 'n1');
    expect(seen).toMatchObject({ state: 'alive', incarnation: 0 });
    expect(agents[1]!.log()).not.toMatch(/"member":"n1","state":"(dead|left)"/);
    expect(await successor.metrics()).toContain('weft_agent_ready 1');
  }, 120_000);

  test('leaves everything on disk to its successor, which stops as any other', async () => {
    const home = agents[0]!.home;
    expect(JSON.parse(readFileSync(join(home, 'data', 'capture.json'), 'utf8')).captures).toHaveLength(1);
    expect(await agents[0]!.read('/v1/audit/verify')).toMatchObject({ isWhole: true });
    expect(await agents[0]!.close()).toBe(0);
    expect((await mesh.lab.exec(here.namespace, ['nft', 'list', 'ruleset'])).stdout).toBe('');
    await agents[1]!.until('a farewell', async () =>
      (await agents[1]!.members()).some(({ name, state }) => name === 'n1' && state === 'left'),
    );
  }, 120_000);
});

/** What a process holds open below a folder. */
function filesOf(pid: number, folder: string): string[] {
  const files = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return ''; // closed meanwhile
    }
  });
  return files.filter((file) => file.startsWith(folder));
}

/** Requests all the time, in both directions, on new connections and on kept ones. `stop` resolves to what failed. */
function startLoad(mesh: MeshLab, here: LabPod, there: LabPod): { stop: () => Promise<string[]> } {
  const start = (pod: LabPod, service: string, ...args: string[]): ChildProcess => {
    const argv = [process.execPath, STEADY, `http://${service}.shop.weft/who`, ...args];
    return mesh.lab.spawn(pod.namespace, argv, { resolvConf: RESOLV_CONF });
  };
  const clients = [
    start(here, 'there', '20'),
    start(here, 'there', '20', 'keep-alive'),
    start(there, 'here', '20'),
    start(there, 'here', '20', 'keep-alive'),
  ];
  const stop = async (client: ChildProcess): Promise<string[]> => {
    let text = '';
    client.stdout!.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const closed = once(client, 'close'); // and all that it said is here
    client.kill('SIGTERM');
    await closed;
    const { requests, failures } = JSON.parse(text) as { requests: number; failures: string[] };
    expect(requests).toBeGreaterThan(20);
    return failures.map((failure) => `${client.spawnargs.slice(-3).join(' ')}: ${failure}`);
  };
  return { stop: async () => (await Promise.all(clients.map(stop))).flat() };
}

/** A response that is under way until its application is asked to end it. */
class Download {
  readonly ended: Promise<{ readonly code: number | null; readonly last: string }>;
  readonly #begun: Promise<unknown>;

  private constructor(curl: ChildProcess) {
    let last = '';
    curl.stdout!.on('data', (chunk: Buffer) => (last = (last + chunk.subarray(-3).toString()).slice(-3)));
    this.#begun = once(curl.stdout!, 'data');
    this.ended = once(curl, 'close').then(([code]) => ({ code: code as number | null, last }));
  }

  static async start(mesh: MeshLab, pod: LabPod, service: string): Promise<Download> {
    const argv = ['curl', '-sSN', '--fail', `http://${service}.shop.weft/stream`];
    const download = new Download(mesh.lab.spawn(pod.namespace, argv, { resolvConf: RESOLV_CONF }));
    await download.#begun;
    return download;
  }
}
