/** Three nodes with certificates of twenty seconds: joining by token, renewal under traffic, and an issuer that goes away. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LabNode, LabPod } from '../../agent/lab/lab.ts';
import { HTTP_PORTS, type LabAgent, MeshLab, RESOLV_CONF, weft } from '../../agent/lab/mesh-lab.ts';
import { labObstacle } from '../../agent/lab/support.ts';
import { CLOCK_SKEW_MS } from '../../certs/verify.ts';

const obstacle = await labObstacle();
const [HTTP_APP, STEADY] = ['http-app', 'steady'].map((name) =>
  join(import.meta.dirname, 'programs', `${name}.ts`),
) as [string, string];
const LIFE_MS = 20_000;

describe.skipIf(obstacle !== undefined)(
  `a mesh whose certificates are short${obstacle === undefined ? '' : ` (skipped: ${obstacle})`}`,
  { timeout: 180_000 },
  () => {
    let mesh: MeshLab;
    let nodes: [LabNode, LabNode, LabNode];
    let agents: LabAgent[];
    let client: LabPod;
    let startedAtMs: number;
    let load: ChildProcess;
    const issuing = {
      certs: {
        bundleDirectory: 'bundle',
        issuerDirectory: '../trust',
        nodeTtlMs: LIFE_MS,
        join: { listen: '0.0.0.0:15012' },
      },
    };
    const web = { ports: HTTP_PORTS };

    beforeAll(async () => {
      mesh = await MeshLab.create({ name: 'certs', nodes: 3 });
      nodes = [1, 2, 3].map((n) => mesh.lab.node(n)) as typeof nodes;
      const [n1, n2, n3] = nodes;
      rmSync(join(mesh.directory, n3.name, 'bundle'), { recursive: true });
      for (const node of [n1, n2]) mesh.issue(node.name, { ttlMs: LIFE_MS });
      startedAtMs = Date.now();
      client = await mesh.addPod(n1, { name: 'client' });
      const server = await mesh.addPod(n2, { name: 'web', ...web });
      await mesh.serve(server, HTTP_APP, 8080, 'web');
      agents = await Promise.all([mesh.startAgent(n1, issuing), mesh.startAgent(n2)]);
      await mesh.untilRouted(agents, ['web']);
      const argv = [process.execPath, STEADY, 'http://web.shop.weft/', '20'];
      load = mesh.lab.spawn(client.namespace, argv, { resolvConf: RESOLV_CONF });
    }, 60_000);
    afterAll(() => mesh?.close());

    const weftIn = (node: LabNode, ...args: string[]) => mesh.lab.exec(node.namespace, weft(...args));
    const home = (node: LabNode, ...path: string[]): string => join(mesh.directory, node.name, ...path);
    const renewals = async (agent: LabAgent): Promise<number> =>
      (await agent.status())?.certificates?.renewal.renewals ?? 0;

    test('a third node joins with a token while two run under traffic', async () => {
      const [n1, , n3] = nodes;
      const operator = join(mesh.directory, 'trust');
      const grant = ['--grant', 'ns/shop/*', '--operator', operator];
      const { stdout: token } = await weftIn(n1, 'token', 'create', ...grant, '--name', n3.name);
      writeFileSync(join(mesh.directory, 'token'), token);
      const joining = [
        'join',
        `@${join(mesh.directory, 'token')}`,
        `${n1.address4}:15012`,
        '--out',
        home(n3, 'bundle'),
      ];
      expect(await weftIn(n3, ...joining)).toMatchObject({
        code: 0,
        stdout: expect.stringContaining(`This is ${n3.name}`),
      });
      const again = await weftIn(n3, ...joining.slice(0, 3), '--out', home(n3, 'another'));
      expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('used by another node') });
      agents.push(await mesh.startAgent(n3));
      const server = await mesh.addPod(n3, { name: 'late', ...web });
      await mesh.serve(server, HTTP_APP, 8080, 'late');
      await mesh.untilRouted(agents, ['late', 'web']);
      expect(JSON.parse((await mesh.curl(client, 'http://late.shop.weft/who')).body)).toMatchObject({ name: 'late' });
    });

    test('certificates are renewed again and again, past the end of the first, and no request fails', async () => {
      const ended = LIFE_MS + CLOCK_SKEW_MS + 5_000;
      const untilMs = startedAtMs + ended;
      const isOver = async (): Promise<boolean> => Date.now() > untilMs;
      await agents[0]!.until('the end of the first certificates', isOver, { lookMs: 500, patienceMs: ended });
      const exited = once(load, 'exit');
      const said = text(load.stdout!);
      load.kill('SIGTERM');
      await exited;
      const { requests, failures } = JSON.parse(await said) as { requests: number; failures: string[] };
      expect(failures).toEqual([]);
      expect(requests).toBeGreaterThan(1_000);
      for (const agent of agents) {
        expect(await renewals(agent)).toBeGreaterThanOrEqual(4);
        expect((await agent.alive()).length).toBe(3);
        expect(agent.log()).not.toContain('link cut');
      }
    });

    test('with the issuer away, what runs goes on, check says what to do, and its return heals it', async () => {
      const [n1, n2] = nodes;
      const [issuer, second] = agents as [LabAgent, LabAgent];
      await issuer.close();
      const look = { lookMs: 200, patienceMs: 60_000 };
      const check = async () => weftIn(n2, 'check', '-s', home(n2, 'agent.sock'));
      await second.until('a failing check', async () => (await check()).stdout.includes('less than a third'), look);
      const { code, stdout } = await check();
      expect(code).toBe(1);
      expect(stdout).toContain('see that an agent with certs.issuerDirectory is up');
      const warning = 'less than a third of the life of the node certificate is left';
      await second.until('a warning', async () => second.log().includes(warning), look);
      expect(await second.metrics()).toMatch(/weft_certs_renewals_total\{outcome="failed"\} [1-9]/);
      const pod = await mesh.lab.addPod(n2, 'probe');
      mesh.writeWorkload(n2, { name: 'probe', spec: { runs: { netns: pod.namespacePath } } });
      await second.until('the new pod', async () =>
        (await second.workloads())!.workloads.some(({ name, state }) => name === 'probe' && state === 'ready'),
      );
      expect((await mesh.curl(pod, 'http://late.shop.weft/who')).code).toBe(0);

      const before = await renewals(second);
      agents[0] = await mesh.startAgent(n1, issuing);
      await second.until('a renewal', async () => (await renewals(second)) > before, look);
      await second.until('a good check', async () => (await check()).code === 0, look);
    });
  },
);
