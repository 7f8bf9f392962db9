/** Second tier: production gossip over real libp2p and gossipsub, on the memory transport, under virtual time. */
import { describe, expect, test } from 'vitest';
import { MemoryMesh, type MemoryNode } from '../../../simulations/memory-tier/mesh.ts';

/** Views are equal before all who should watch each other are linked. */
const LINKING_MS = 3_000;
const TEST_MS = 120_000; // real; a run takes a few seconds of an idle core

/** A mesh that has formed, each node with an endpoint. */
async function formed(count: number): Promise<MemoryMesh> {
  const mesh = await MemoryMesh.start(count);
  for (const node of mesh.nodes) mesh.publish(node, ['web']);
  await untilAgreed(mesh, 10_000);
  await mesh.clock.runFor(LINKING_MS);
  return mesh;
}

function untilAgreed(mesh: MemoryMesh, withinMs: number, nodes?: readonly MemoryNode[]): Promise<number> {
  return mesh.until(() => mesh.disagreements(nodes).length === 0, withinMs);
}

describe('real libp2p under virtual time', () => {
  test('nodes that start at once form a mesh, and a change and a document reach all within a second', {
    timeout: TEST_MS,
  }, async () => {
    await using mesh = await formed(12);
    const [first, second] = mesh.nodes;
    mesh.publish(first!, ['web', 'cart']);
    await untilAgreed(mesh, 1_000);
    mesh.publish(first!, ['cart']);
    await untilAgreed(mesh, 1_000);

    const { id } = await mesh.write(second!, 'greeting', 'hello');
    await mesh.until(() => mesh.nodes.every((node) => node.heads().join().includes(id)), 1_000);
    expect(mesh.nodes.flatMap(({ deaths }) => deaths)).toEqual([]);
  });

  test('two halves go on alone and agree again after they met, and no deletion is undone', {
    timeout: TEST_MS,
  }, async () => {
    await using mesh = await formed(8);
    await mesh.write(mesh.nodes[0]!, 'gone', 'text');
    await mesh.clock.runFor(1_000);
    const halves = [mesh.nodes.slice(0, 4), mesh.nodes.slice(4)] as const;
    mesh.partition(halves);
    for (const half of halves) await untilAgreed(mesh, 10_000, half);

    mesh.publish(mesh.nodes[0]!, []);
    mesh.publish(mesh.nodes[7]!, ['web', 'cart']);
    await mesh.write(mesh.nodes[1]!, 'gone', null);
    await mesh.write(mesh.nodes[2]!, 'both', 'this side');
    await mesh.clock.runFor(100);
    const later = await mesh.write(mesh.nodes[6]!, 'both', 'that side');
    for (const half of halves) await untilAgreed(mesh, 2_000, half);
    await mesh.clock.runFor(30_000);

    mesh.heal();
    await untilAgreed(mesh, 10_000);
    for (const node of mesh.nodes) {
      expect(node.heads().join()).toContain(`Note/shop/both ${later.id}`);
      expect(node.gossip.documents.chain('Note/shop/gone')!.head.revision.body).toBeNull();
      const standings = node.gossip.documents.chain('Note/shop/both')!.standings();
      expect(standings.map(({ standing }) => standing)).toEqual(['current', 'superseded']);
    }
  });

  test('a node that is killed is known to be dead by all, and nobody else ever is', { timeout: TEST_MS }, async () => {
    await using mesh = await formed(8);
    const victim = mesh.nodes[5]!;
    mesh.kill(victim);
    const tookMs = await mesh.until(() => mesh.alive.every(({ deaths }) => deaths.includes(victim.name)), 2_500);
    expect(tookMs).toBeLessThanOrEqual(600); // known by refusal; bound of the third tier
    await untilAgreed(mesh, 1_000);
    await mesh.clock.runFor(60_000);
    expect(mesh.alive.map(({ deaths }) => deaths.join())).toEqual(mesh.alive.map(() => victim.name));
    expect(mesh.disagreements()).toEqual([]);
  });
});
