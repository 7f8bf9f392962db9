/**
 * An endpoint that fails, on real agents: what two nodes found out for themselves spares a third the failures.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { runCli } from '../../agent/cli/cli.ts';
import type { LabPod } from '../../agent/lab/lab.ts';
import { type LabAgent, MeshLab } from '../../agent/lab/mesh-lab.ts';
import { labObstacle } from '../../agent/lab/support.ts';

const obstacle = await labObstacle();
const [HTTP_APP, BROKEN, CALLS] = ['http-app', 'broken', 'calls'].map((name) =>
  join(import.meta.dirname, 'programs', `${name}.ts`),
) as [string, string, string];
const PORTS = [{ name: 'http', port: 8080, servicePort: 80, appProtocol: 'http' }];

describe.skipIf(obstacle !== undefined)(
  `evidence on four agents${obstacle === undefined ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let mesh: MeshLab;
    let agents: readonly LabAgent[];
    let clients: readonly LabPod[];
    /** Paths that the broken endpoint was asked for. */
    const asked: string[] = [];

    beforeAll(async () => {
      mesh = await MeshLab.create({ name: 'evid', nodes: 4 });
      const { nodes } = mesh.lab;
      clients = await Promise.all(nodes.slice(0, 3).map((node, i) => mesh.addPod(node, { name: `client-${i + 1}` })));
      const well = await mesh.addPod(nodes[3]!, { name: 'web-well', service: 'web', ports: PORTS });
      const broken = await mesh.addPod(nodes[3]!, { name: 'web-broken', service: 'web', ports: PORTS });
      await mesh.serve(well, HTTP_APP, 8080, 'well');
      const program = await mesh.serve(broken, BROKEN, 8080);
      program.stdout!.on('data', (data: Buffer) => asked.push(...data.toString().trim().split('\n')));
      agents = await mesh.startAgents({ workers: 1 });
      for (const agent of agents) await agent.until('four alive', async () => (await agent.alive()).length === 4);
      await mesh.untilRouted(agents, ['web-broken', 'web-well']);
      await ejectForLong();
    }, 120_000);
    afterAll(() => mesh?.close());

    /** Nobody tries the endpoint again while the test looks. */
    async function ejectForLong(): Promise<void> {
      const file = join(mesh.directory, 'policy.yaml');
      const metadata = { name: 'web', namespace: 'shop' };
      const spec = { target: { services: ['web'] }, outliers: { eject: '5m' } };
      writeFileSync(file, stringify({ apiVersion: 'weft.dev/v1alpha1', kind: 'TrafficPolicy', metadata, spec }));
      const { code, out, err } = await weft('apply', '-f', file);
      expect([code, err]).toEqual([0, '']);
      const revision = /revision ([0-9a-f]{12})\n$/.exec(out)![1]!;
      await agents[0]!.until('the policy in use on all', async () =>
        (await weft('status', revision, '-o', 'json')).out.includes('"applied": 4'),
      );
    }

    async function weft(...argv: readonly string[]): Promise<{ code: number; out: string; err: string }> {
      let out = '';
      let err = '';
      const code = await runCli([...argv, '-s', join(agents[0]!.home, 'agent.sock')], {
        stdout: { write: (text) => (out += text) },
        stderr: { write: (text) => (err += text) },
        env: { WEFT_OPERATOR: join(mesh.directory, 'trust') },
        signal: new AbortController().signal,
        nowMs: Date.now,
      });
      return { code, out, err };
    }

    const call = (from: number, count: number): Promise<number[]> =>
      mesh.ask(clients[from - 1]!, CALLS, `http://web.shop.weft/from-n${from}`, count);

    const figure = async (agent: LabAgent, series: string): Promise<number> => {
      const line = (await agent.metrics()).split('\n').find((one) => one.startsWith(`${series} `));
      return Number(line?.split(' ').at(-1));
    };
    const OWN = 'weft_proxy_ejected_endpoints{by="own"}';
    const BY_EVIDENCE = 'weft_proxy_ejected_endpoints{by="evidence"}';

    test('one node that ejects it protects itself, and is not believed alone', async () => {
      await call(1, 40);
      await agents[0]!.until('an ejection', async () => (await figure(agents[0]!, OWN)) === 1);
      const heard = 'weft_gossip_evidence_accusations';
      for (const agent of agents.slice(1))
        await agent.until('the word of n1', async () => (await figure(agent, heard)) === 1);
      for (const agent of agents) expect(await figure(agent, BY_EVIDENCE)).toBe(0);
    });

    test('two that eject it spare the third node, which never called it, every failure', async () => {
      await call(2, 40);
      for (const agent of agents.slice(2))
        await agent.until('the word of two', async () => (await figure(agent, BY_EVIDENCE)) === 1);
      expect(asked.filter((path) => path === '/from-n3')).toEqual([]);
      expect(await call(3, 50)).toEqual(Array(50).fill(200));
      expect(asked.filter((path) => path === '/from-n3')).toEqual([]);
      expect(await figure(agents[2]!, OWN)).toBe(0);
    });

    test('the word of a node that is killed ends with it', async () => {
      await agents[0]!.kill();
      await agents[2]!.until('one word less', async () => (await figure(agents[2]!, BY_EVIDENCE)) === 0);
      expect(await figure(agents[2]!, 'weft_gossip_evidence_accusations')).toBe(1);
    });
  },
);
