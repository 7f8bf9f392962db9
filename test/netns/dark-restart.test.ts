/** An agent that starts while nobody is in reach serves its workloads from what it knew, and says how old that is. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LabPod } from '../../agent/lab/lab.ts';
import { HTTP_PORTS, type LabAgent, MeshLab, weft } from '../../agent/lab/mesh-lab.ts';
import { labObstacle } from '../../agent/lab/support.ts';

const obstacle = await labObstacle();
const HTTP_APP = join(import.meta.dirname, 'programs', 'http-app.ts');
const CUT = `table inet cut {
  chain in { type filter hook input priority 0; tcp dport 7946 drop; tcp sport 7946 drop; }
  chain out { type filter hook output priority 0; tcp dport 7946 drop; tcp sport 7946 drop; }
}`;

describe.skipIf(obstacle !== undefined)('an agent started in the dark', () => {
  let mesh: MeshLab;
  let client: LabPod;
  let agents: LabAgent[];

  beforeAll(async () => {
    mesh = await MeshLab.create({ name: 'dark', nodes: 2 });
    client = await mesh.addPod(mesh.lab.node(1), { name: 'client' });
    const server = await mesh.addPod(mesh.lab.node(2), { name: 'web', ports: HTTP_PORTS });
    await mesh.serve(server, HTTP_APP, 8080, 'web');
    agents = await mesh.startAgents();
    await mesh.untilRouted(agents, ['web']);
    expect((await mesh.curl(client, 'http://web.shop.weft/who')).code).toBe(0);
  });
  afterAll(() => mesh?.close());

  test('calls the services of other nodes as it remembers them', async () => {
    const cut = await mesh.lab.exec(mesh.lab.node(2).namespace, ['nft', '-f', '-'], { input: CUT });
    expect([cut.code, cut.stderr]).toEqual([0, '']);
    await agents[0]!.close();
    agents[0] = await mesh.startAgent(mesh.lab.node(1));
    expect(await agents[0].alive()).toEqual(['n1']);
    const { code, body } = await mesh.curl(client, 'http://web.shop.weft/who');
    expect([code, JSON.parse(body).name]).toEqual([0, 'web']);
  });

  test('and says how old that is', async () => {
    const said = async () =>
      (await mesh.lab.exec(agents[0]!.node.namespace, weft('status', '-s', join(agents[0]!.home, 'agent.sock'))))
        .stdout;
    await agents[0]!.until('an age', async () => /^state .*old: no peer is in reach; 1 endpoints/m.test(await said()));
    const age = /^weft_gossip_state_age_seconds (\S+)$/m.exec(await agents[0]!.metrics());
    expect(Number(age?.[1])).toBeGreaterThan(0);
  });

  test('the first peer it meets has the word from there on', async () => {
    await mesh.lab.exec(mesh.lab.node(2).namespace, ['nft', 'delete', 'table', 'inet', 'cut']);
    await agents[0]!.until('both members', async () => (await agents[0]!.alive()).length === 2);
    await agents[0]!.until('nothing remembered', async () => (await agents[0]!.status())?.rememberedEndpoints === 0);
    expect(await agents[0]!.ready()).toEqual(['web']);
    expect(await agents[0]!.metrics()).toMatch(/^weft_gossip_state_age_seconds 0$/m);
    expect((await mesh.curl(client, 'http://web.shop.weft/who')).code).toBe(0);
  });
});
