/** What the demo writes is what the agent reads. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readResources } from '../../../agent/cli/document-files.ts';
import { loadConfig } from '../../../agent/config.ts';
import { LoopbackGround } from '../../../agent/demo/loopback-ground.ts';
import { grantOf, podsOf, servicesOf, shopTopology, VICTIM } from '../../../agent/demo/topology.ts';
import { Workspace } from '../../../agent/demo/workspace.ts';
import { parseWorkloadFile } from '../../../agent/workloads/workload-file.ts';
import { loadNodeBundle } from '../../../certs/node-bundle.ts';

const topology = shopTopology();
let workspace: Workspace;

beforeAll(() => {
  workspace = Workspace.create(topology, new LoopbackGround());
});
afterAll(() => workspace[Symbol.dispose]());

describe('the folder of a run', () => {
  test('holds an agent.yaml for each node that the agent accepts', () => {
    for (const node of topology.nodes) {
      const config = loadConfig(workspace.agentConfig(node));
      expect(config.nodeName).toBe(node.name);
      expect(config.admin.socket).toBe(workspace.socket(node));
      expect(config.capture.mode).toBe('none');
    }
  });

  test('holds workload files that the agent accepts, one for each pod', () => {
    for (const node of topology.nodes) {
      const directory = join(workspace.directory, node.name, 'workloads.d');
      const names = readdirSync(directory);
      expect(names).toHaveLength(podsOf(topology.pods, node).length);
      for (const name of names) {
        const read = parseWorkloadFile(readFileSync(join(directory, name), 'utf8'), name);
        expect(read).toMatchObject({ ok: true, value: [{}] });
      }
    }
  });

  test('holds a bundle for each node that speaks for what runs there and nothing else', () => {
    for (const node of topology.nodes) {
      const identity = loadNodeBundle(join(workspace.directory, node.name, 'bundle'));
      expect(identity.name).toBe(node.name);
      expect([...identity.grant].sort()).toEqual(grantOf(topology, node).sort());
    }
    expect(grantOf(topology, topology.nodes[2]!)).toEqual(['ns/shop/sa/catalog']);
  });

  test('holds weft as a command of its own, and a policy to try', () => {
    expect(statSync(workspace.weft).mode & 0o777).toBe(0o700);
    const [policy] = readResources(workspace.samplePolicy);
    expect(policy?.resource.metadata).toMatchObject({ name: 'no-client', namespace: 'shop' });
  });

  test('takes the place of one whose process was killed, and is gone when disposed of', () => {
    const orphan = join(tmpdir(), 'weft-demo-4194305-orphan'); // above the largest pid there is
    mkdirSync(orphan);
    const other = Workspace.create(topology, new LoopbackGround());
    expect(existsSync(orphan)).toBe(false);
    expect(existsSync(workspace.directory)).toBe(true);
    other[Symbol.dispose]();
    expect(existsSync(other.directory)).toBe(false);
  });
});

test('the node that is killed holds one of two versions of a service, and nothing that stands alone', () => {
  const victims = topology.pods.filter((pod) => pod.node.name === VICTIM);
  for (const victim of victims) {
    expect(topology.pods.some((pod) => pod.service === victim.service && pod.node.name !== VICTIM)).toBe(true);
  }
  expect(servicesOf(topology)).toEqual(['web', 'cart', 'catalog', 'payments', 'redis']);
});
