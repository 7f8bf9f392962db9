/** A stolen node, on three real agents under traffic: called back once, it is out of the mesh on all others. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Load } from '../../agent/demo/load.ts';
import type { LabPod } from '../../agent/lab/lab.ts';
import { type LabAgent, MeshLab, RESOLV_CONF } from '../../agent/lab/mesh-lab.ts';
import { labObstacle } from '../../agent/lab/support.ts';
import { type Said, weftAt } from './operator.ts';

const obstacle = await labObstacle();
const HTTP_APP = join(import.meta.dirname, 'programs', 'http-app.ts');
const PER_SECOND = 100;
/** On a machine that other tests share, all may stand still for seconds; nothing may be lost. */
const TIMEOUT_MS = 30_000;

describe.skipIf(obstacle !== undefined)(
  `a node that is revoked${obstacle === undefined ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let mesh: MeshLab;
    let agents: [LabAgent, LabAgent, LabAgent];
    /** A caller on n1 and one on n3, the node to be revoked. */
    let client: LabPod;
    let spy: LabPod;

    beforeAll(async () => {
      mesh = await MeshLab.create({ name: 'revoke', nodes: 3 });
      client = await mesh.addPod(mesh.lab.node(1), { name: 'client' });
      spy = await mesh.addPod(mesh.lab.node(3), { name: 'spy' });
      for (const [index, name] of [
        [2, 'web'],
        [3, 'other'],
      ] as const) {
        const ports = [{ name: 'http', port: 8080, appProtocol: 'http' }];
        await mesh.serve(await mesh.addPod(mesh.lab.node(index), { name, ports }), HTTP_APP, 8080, name);
      }
      agents = (await mesh.startAgents()) as typeof agents;
      await mesh.untilRouted(agents, ['other', 'web']);
    }, 60_000);
    afterAll(() => mesh?.close());

    function load(from: LabPod, service: string, timeoutMs = 5_000): Load {
      return Load.start({
        url: `http://${service}.shop.weft:8080/who`,
        perSecond: PER_SECOND,
        timeoutMs,
        spawn: (argv) => mesh.lab.spawn(from.namespace, argv, { resolvConf: RESOLV_CONF }),
        onReport: () => {},
      });
    }

    const weft = (agent: LabAgent, ...argv: readonly string[]): Promise<Said> => weftAt(mesh, agent, ...argv);

    /** The sum of a counter. */
    async function counted(agent: LabAgent, metric: string): Promise<number> {
      const lines = (await agent.metrics()).split('\n').filter((line) => line.startsWith(metric));
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    }

    const isOut = async (agent: LabAgent): Promise<boolean> =>
      (await agent.alive()).join() === 'n1,n2' &&
      (await agent.ready()).join() === 'web' &&
      (await counted(agent, 'weft_gossip_links_cut_total{reason="revoked"}')) > 0 &&
      (await counted(agent, 'weft_proxy_sessions_cut_revoked_total')) > 0;

    test('loses its links and its sessions everywhere, and the other two never fail each other', async () => {
      const [n1, n2] = agents;
      await using between = load(client, 'web', TIMEOUT_MS);
      await using into = load(client, 'other');
      await using outOf = load(spy, 'web');
      const all = [between, into, outOf];
      await n1.until('traffic', async () => all.every(({ tally }) => tally.requests > 2 * PER_SECOND));
      expect([between.tally.failures.slice(0, 3), all.map(({ errorText }) => errorText)]).toEqual([[], ['', '', '']]);
      for (const { tally } of all) expect(tally.requests - tally.failed).toBeGreaterThan(PER_SECOND);

      const beganMs = performance.now();
      const revoking = weft(n1, 'revoke', 'node/n3', '--reason', 'stolen');
      await Promise.all([n1, n2].map((agent) => agent.until('n3 out', () => isOut(agent))));
      const cutMs = performance.now() - beganMs;
      const { code, out, err } = await revoking;
      expect([code, err]).toEqual([0, '']);
      expect(out).toMatch(/^node\/n3 revoked, revision \w+\napplied on 2 of 2\n$/);
      console.log(`node/n3 out of the mesh on n1 and n2 ${Math.round(cutMs)} ms after weft revoke was typed`);

      const before = all.map(({ tally }) => tally.requests);
      await n1.until('more traffic', async () =>
        all.every(({ tally }, i) => tally.requests > before[i]! + 2 * PER_SECOND),
      );
      expect(between.tally.failures).toEqual([]);
      expect(into.tally.failed).toBeGreaterThan(PER_SECOND);
      // What n3 calls may wait for as long as it likes: none of its connections gets past the handshake.
      expect(await counted(n2, 'weft_proxy_peers_refused_revoked_total')).toBeGreaterThan(0);
      const fromSpy = 'weft_proxy_connections_active{direction="inbound",source="spiffe://lab.example/ns/shop/sa/spy"';
      expect(await counted(n2, fromSpy)).toBe(0);
    }, 60_000);

    test('cannot come back with the bundle it had, and one that is issued anew lets it in', async () => {
      const [n1, n2, n3] = agents;
      await n3.close();
      const refused = await counted(n1, 'weft_gossip_peers_refused_total{reason="revoked"}');
      agents[2] = await mesh.startAgent(mesh.lab.node(3));
      await n1.until(
        'a refusal',
        async () => (await counted(n1, 'weft_gossip_peers_refused_total{reason="revoked"}')) > refused,
      );
      expect(await agents[2].alive()).toEqual(['n3']);
      for (const agent of [n1, n2]) expect(await agent.alive()).toEqual(['n1', 'n2']);

      await agents[2].close();
      rmSync(join(mesh.directory, 'n3', 'bundle'), { recursive: true });
      mesh.issue('n3');
      agents[2] = await mesh.startAgent(mesh.lab.node(3));
      await mesh.untilRouted(agents, ['other', 'web']);
      expect((await mesh.curl(client, 'http://other.shop.weft:8080/who')).code).toBe(0);
      expect((await mesh.curl(spy, 'http://web.shop.weft:8080/who')).code).toBe(0);
    }, 60_000);

    test('is honoured by an agent that starts alone, before it listens', async () => {
      const [n1, n2, n3] = agents;
      expect((await weft(n1, 'revoke', 'node/n3')).code).toBe(0);
      await Promise.all([n1.close(), n2.close()]);
      agents[1] = await mesh.startAgent(mesh.lab.node(2)); // n3 is there and dials it, n1 is not
      await agents[1].until(
        'a refusal',
        async () => (await counted(agents[1], 'weft_gossip_peers_refused_total{reason="revoked"}')) > 0,
      );
      expect(await agents[1].alive()).toEqual(['n2']);
      expect((await mesh.curl(spy, 'http://web.shop.weft:8080/who')).body).not.toContain('"name"');
      expect(n3.isRunning).toBe(true);
    }, 60_000);
  },
);
