/** Policy on three real agents: published on one, through a partition, a kill -9 and a start alone, and from a snapshot. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type LabAgent, MeshLab } from '../../agent/lab/mesh-lab.ts';
import { labObstacle } from '../../agent/lab/support.ts';
import { publish, type Said, untilApplied, weftAt } from './operator.ts';

const obstacle = await labObstacle();

describe.skipIf(obstacle !== undefined)(
  `documents on three agents${obstacle === undefined ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let mesh: MeshLab;
    let agents: [LabAgent, LabAgent, LabAgent];

    beforeEach(async () => {
      mesh = await MeshLab.create({ name: 'docs', nodes: 3 });
      agents = (await mesh.startAgents()) as typeof agents;
      await mesh.untilAlive(agents);
    });
    afterEach(() => mesh?.close());

    const weft = (agent: LabAgent, ...argv: readonly string[]): Promise<Said> => weftAt(mesh, agent, ...argv);

    /** Publishes a MeshConfig of this name. @returns the revision */
    async function publishAs(agent: LabAgent, displayName: string): Promise<string> {
      const spec = { displayName };
      const document = { apiVersion: 'weft.dev/v1alpha1', kind: 'MeshConfig', metadata: { name: 'default' }, spec };
      const { revisions, warnings } = await publish(mesh, agent, document);
      expect(warnings).toBe('');
      return revisions[0]!;
    }

    function untilShown(agent: LabAgent, displayName: string): Promise<void> {
      return agent.until(`mesh ${displayName}`, async () => (await agent.status())?.mesh?.displayName === displayName);
    }

    test('apply on one is in use on all, and says so from any of them', async () => {
      const [n1, , n3] = agents;
      const revision = await publishAs(n1, 'Lab');
      for (const agent of agents) await untilShown(agent, 'Lab');
      await untilApplied(mesh, n3, revision, 3);
      expect((await weft(n3, 'status', revision)).out).toContain('\napplied on 3 of 3\n');
      expect((await weft(n3, 'get', 'MeshConfig', '-o', 'json')).out).toContain('"displayName": "Lab"');
    });

    test('both sides of a partition may write; once healed, one revision is in force everywhere and the other is marked', async () => {
      const [n1, n2, n3] = agents;
      const first = await publishAs(n1, 'Before');
      for (const agent of agents) await untilApplied(mesh, agent, first, 3);

      for (const agent of [n1, n2]) await mesh.lab.dropBetween(agent.node, n3.node);
      await n1.until('n3 gone', async () => (await n1.alive()).length === 2);
      await n3.until('the others gone', async () => (await n3.alive()).length === 1);
      const left = await publishAs(n1, 'Left');
      const right = await publishAs(n3, 'Right'); // the later one
      await untilApplied(mesh, n2, left, 2);
      await untilApplied(mesh, n3, right, 1);
      expect((await n3.status())?.mesh?.displayName).toBe('Right');

      await mesh.lab.heal();
      for (const agent of agents) await untilShown(agent, 'Right');
      for (const agent of agents) await untilApplied(mesh, agent, right, 3);
      expect((await weft(n2, 'status', left)).out).toContain(`superseded by ${right}, which is in force`);
      const standings = (await weft(n1, 'history', 'MeshConfig', 'default')).out.match(/current|superseded|replaced/g);
      expect(standings).toEqual(['current', 'superseded', 'replaced']);
    });

    test('killed without warning and started alone, an agent serves its last good documents from disk', async () => {
      const [n1, n2, n3] = agents;
      const revision = await publishAs(n1, 'Kept');
      await untilApplied(mesh, n3, revision, 3);
      await n3.kill();
      await Promise.all([n1.close(), n2.close()]);
      const alone = await mesh.startAgent(n3.node);
      expect((await alone.status())?.mesh?.displayName).toBe('Kept'); // in its very first answer
      await untilApplied(mesh, alone, revision, 1);
    });

    test('a snapshot brings a mesh back that lost all it had on disk', async () => {
      const [n1, , n3] = agents;
      await publishAs(n1, 'One');
      const revision = await publishAs(n1, 'Two');
      await untilApplied(mesh, n3, revision, 3);
      const snapshot = join(mesh.directory, 'snapshot.json');
      expect((await weft(n3, 'snapshot', snapshot)).out).toContain('2 revisions written');
      expect(existsSync(snapshot)).toBe(true);

      await Promise.all(agents.map((agent) => agent.close()));
      agents = (await mesh.startAgents({ dataDirectory: 'data-of-another-life' })) as typeof agents;
      await mesh.untilAlive(agents);
      expect((await weft(agents[0], 'status', revision)).code).toBe(1);
      expect((await weft(agents[0], 'restore', snapshot)).out).toContain('2 of 2 revisions brought back');
      for (const agent of agents) await untilApplied(mesh, agent, revision, 3);
      for (const agent of agents) await untilShown(agent, 'Two');
    });
  },
);
