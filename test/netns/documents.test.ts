/** Policy on three real agents: published on one, through a partition, a kill -9 and a start alone, and from a snapshot. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCli } from '../../agent/cli/cli.ts';
import type { RevisionStatusView } from '../../agent/documents/views.ts';
import { type LabAgent, MeshLab } from '../../agent/lab/mesh-lab.ts';
import { labObstacle } from '../../agent/lab/support.ts';

const obstacle = await labObstacle();

describe.skipIf(obstacle !== undefined)(
  `documents on three agents${obstacle === undefined ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let mesh: MeshLab;
    let agents: [LabAgent, LabAgent, LabAgent];

    beforeEach(async () => {
      mesh = await MeshLab.create({ name: 'docs', nodes: 3 });
      agents = (await mesh.startAgents()) as typeof agents;
      for (const agent of agents) await agent.until('three alive', async () => (await agent.alive()).length === 3);
    });
    afterEach(() => mesh?.close());

    /** `weft ARGV` as an operator types it, against the unix socket of one agent. */
    async function weft(
      agent: LabAgent,
      ...argv: readonly string[]
    ): Promise<{ code: number; out: string; err: string }> {
      let out = '';
      let err = '';
      const code = await runCli([...argv, '-s', join(agent.home, 'agent.sock')], {
        stdout: { write: (text) => (out += text) },
        stderr: { write: (text) => (err += text) },
        env: { WEFT_OPERATOR: join(mesh.directory, 'trust') },
        signal: new AbortController().signal,
        nowMs: Date.now,
      });
      return { code, out, err };
    }

    /** Publishes a MeshConfig of this name. @returns the revision */
    async function publish(agent: LabAgent, displayName: string): Promise<string> {
      const file = join(mesh.directory, 'mesh-config.yaml');
      writeFileSync(
        file,
        `apiVersion: weft.dev/v1alpha1\nkind: MeshConfig\nmetadata: {name: default}\nspec: {displayName: ${displayName}}\n`,
      );
      const { code, out, err } = await weft(agent, 'apply', '-f', file);
      expect([code, err]).toEqual([0, '']);
      return /revision ([0-9a-f]{12})\n$/.exec(out)![1]!;
    }

    async function statusOf(agent: LabAgent, revision: string): Promise<RevisionStatusView | undefined> {
      const { out } = await weft(agent, 'status', revision, '-o', 'json');
      return out === '' ? undefined : (JSON.parse(out) as RevisionStatusView);
    }

    function untilApplied(agent: LabAgent, revision: string, on: number): Promise<void> {
      return agent.until(`revision ${revision} applied on ${on}`, async () => {
        return (await statusOf(agent, revision))?.applied === on;
      });
    }

    function untilShown(agent: LabAgent, displayName: string): Promise<void> {
      return agent.until(`mesh ${displayName}`, async () => (await agent.status())?.mesh?.displayName === displayName);
    }

    test('apply on one is in use on all, and says so from any of them', async () => {
      const [n1, , n3] = agents;
      const revision = await publish(n1, 'Lab');
      for (const agent of agents) await untilShown(agent, 'Lab');
      await untilApplied(n3, revision, 3);
      expect((await weft(n3, 'status', revision)).out).toContain('\napplied on 3 of 3\n');
      expect((await weft(n3, 'get', 'MeshConfig', '-o', 'json')).out).toContain('"displayName": "Lab"');
    });

    test('both sides of a partition may write; once healed, one revision is in force everywhere and the other is marked', async () => {
      const [n1, n2, n3] = agents;
      const first = await publish(n1, 'Before');
      for (const agent of agents) await untilApplied(agent, first, 3);

      for (const agent of [n1, n2]) await mesh.lab.dropBetween(agent.node, n3.node);
      await n1.until('n3 gone', async () => (await n1.alive()).length === 2);
      await n3.until('the others gone', async () => (await n3.alive()).length === 1);
      const left = await publish(n1, 'Left');
      const right = await publish(n3, 'Right'); // the later one
      await untilApplied(n2, left, 2);
      await untilApplied(n3, right, 1);
      expect((await n3.status())?.mesh?.displayName).toBe('Right');

      await mesh.lab.heal();
      for (const agent of agents) await untilShown(agent, 'Right');
      for (const agent of agents) await untilApplied(agent, right, 3);
      expect((await weft(n2, 'status', left)).out).toContain(`superseded by ${right}, which is in force`);
      const standings = (await weft(n1, 'history', 'MeshConfig', 'default')).out.match(/current|superseded|replaced/g);
      expect(standings).toEqual(['current', 'superseded', 'replaced']);
    });

    test('killed without warning and started alone, an agent serves its last good documents from disk', async () => {
      const [n1, n2, n3] = agents;
      const revision = await publish(n1, 'Kept');
      await untilApplied(n3, revision, 3);
      await n3.kill();
      await Promise.all([n1.close(), n2.close()]);
      const alone = await mesh.startAgent(n3.node);
      expect((await alone.status())?.mesh?.displayName).toBe('Kept'); // in its very first answer
      await untilApplied(alone, revision, 1);
    });

    test('a snapshot brings a mesh back that lost all it had on disk', async () => {
      const [n1, , n3] = agents;
      await publish(n1, 'One');
      const revision = await publish(n1, 'Two');
      await untilApplied(n3, revision, 3);
      const snapshot = join(mesh.directory, 'snapshot.json');
      expect((await weft(n3, 'snapshot', snapshot)).out).toContain('2 revisions written');
      expect(existsSync(snapshot)).toBe(true);

      await Promise.all(agents.map((agent) => agent.close()));
      agents = (await mesh.startAgents({ dataDirectory: 'data-of-another-life' })) as typeof agents;
      for (const agent of agents) await agent.until('three alive', async () => (await agent.alive()).length === 3);
      expect((await weft(agents[0], 'status', revision)).code).toBe(1);
      expect((await weft(agents[0], 'restore', snapshot)).out).toContain('2 of 2 revisions brought back');
      for (const agent of agents) await untilApplied(agent, revision, 3);
      for (const agent of agents) await untilShown(agent, 'Two');
    });
  },
);
