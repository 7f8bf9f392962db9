/**
 * An endpoint that fails, on real agents: what two nodes found out for themselves, by requests or by checks, spares a third
 * the failures.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LabPod } from '../../agent/lab/lab.ts';
import { HTTP_PORTS, type LabAgent, MeshLab } from '../../agent/lab/mesh-lab.ts';
import { labObstacle } from '../../agent/lab/support.ts';
import { publish, untilApplied } from './operator.ts';

const obstacle = await labObstacle();
const [HTTP_APP, BROKEN, CALLS] = ['http-app', 'broken', 'calls'].map((name) =>
  join(import.meta.dirname, 'programs', `${name}.ts`),
) as [string, string, string];
const CHECK = { interval: '500ms', timeout: '2s', unhealthyAfter: 2, healthyAfter: 1 };

describe.skipIf(obstacle !== undefined)(
  `evidence on four agents${obstacle === undefined ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let mesh: MeshLab;
    let agents: readonly LabAgent[];
    let clients: readonly LabPod[];
    let well: LabPod;
    /** Paths that the broken endpoint was asked for. */
    const asked: string[] = [];

    beforeAll(async () => {
      mesh = await MeshLab.create({ name: 'evid', nodes: 4 });
      const { nodes } = mesh.lab;
      clients = await Promise.all(nodes.slice(0, 3).map((node, i) => mesh.addPod(node, { name: `client-${i + 1}` })));
      well = await mesh.addPod(nodes[3]!, { name: 'web-well', service: 'web', ports: HTTP_PORTS });
      const broken = await mesh.addPod(nodes[3]!, { name: 'web-broken', service: 'web', ports: HTTP_PORTS });
      await mesh.serve(well, HTTP_APP, 8080, 'well');
      const program = await mesh.serve(broken, BROKEN, 8080);
      program.stdout!.on('data', (data: Buffer) => asked.push(...data.toString().trim().split('\n')));
      agents = await mesh.startAgents({ workers: 1 });
      await mesh.untilAlive(agents);
      await mesh.untilRouted(agents, ['web-broken', 'web-well']);
      await ejectForLong();
    }, 120_000);
    afterAll(() => mesh?.close());

    /** Nobody tries the endpoint again while the test looks. */
    async function ejectForLong(): Promise<void> {
      const metadata = { name: 'web', namespace: 'shop' };
      const target = { services: ['web'] };
      // In turn: a balancer that looks at answers would seldom pick the one that fails, and prove little.
      const spec = { target, balancer: { name: 'round-robin' }, outliers: { eject: '5m' }, healthCheck: CHECK };
      const policy = { apiVersion: 'weft.dev/v1alpha1', kind: 'TrafficPolicy', metadata, spec };
      const { revisions, warnings } = await publish(mesh, agents[0]!, policy);
      expect(warnings).toBe('');
      await untilApplied(mesh, agents[0]!, revisions[0]!, 4);
    }

    const call = (from: number, count: number): Promise<number[]> =>
      mesh.ask(clients[from - 1]!, CALLS, `http://web.shop.weft/from-n${from}`, count);

    const figure = async (agent: LabAgent, series: string): Promise<number> => {
      const line = (await agent.metrics()).split('\n').find((one) => one.startsWith(`${series} `));
      return Number(line?.split(' ').at(-1));
    };
    const OWN = 'weft_proxy_ejected_endpoints{by="own"}';
    const ACCUSATIONS = 'weft_gossip_evidence_accusations';
    const BY_EVIDENCE = 'weft_proxy_ejected_endpoints{by="evidence"}';

    const callUntilEjected = (from: number): Promise<void> =>
      agents[from - 1]!.until('an ejection', async () => {
        await call(from, 20);
        return (await figure(agents[from - 1]!, OWN)) === 1;
      });

    /** Nothing of these pods reaches the agent of the well endpoint any more; of none: all is whole again. */
    async function cutOff(pods: readonly LabPod[]): Promise<void> {
      const drops = pods.flatMap((pod) => [
        `ip saddr ${pod.address4} ip daddr ${well.address4} tcp dport 15008 drop;`,
        `ip6 saddr ${pod.address6} ip6 daddr ${well.address6} tcp dport 15008 drop;`,
      ]);
      const chain = `chain cut { type filter hook forward priority 0; ${drops.join(' ')} };`;
      const rules = `table inet lab { }; delete table inet lab; table inet lab { ${chain} }`;
      const { code, stderr } = await mesh.lab.exec(well.node.namespace, ['nft', rules]);
      expect([code, stderr]).toEqual([0, '']);
    }

    test('what the checks of two nodes do not reach is left out on all, without a request, until one of them does', async () => {
      await cutOff(clients.slice(0, 2));
      for (const agent of agents)
        await agent.until('the word of two', async () => (await figure(agent, BY_EVIDENCE)) === 1);
      for (const agent of agents) expect(await figure(agent, OWN)).toBe(0);
      await cutOff([]);
      for (const agent of agents)
        await agent.until('no word any more', async () => (await figure(agent, ACCUSATIONS)) === 0);
    });

    test('one node that ejects it protects itself, and is not believed alone', async () => {
      await callUntilEjected(1);
      for (const agent of agents.slice(1))
        await agent.until('the word of n1', async () => (await figure(agent, ACCUSATIONS)) === 1);
      for (const agent of agents) expect(await figure(agent, BY_EVIDENCE)).toBe(0);
    });

    test('two that eject it spare the third node, which never called it, every failure', async () => {
      await callUntilEjected(2);
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
      expect(await figure(agents[2]!, ACCUSATIONS)).toBe(1);
    });
  },
);
