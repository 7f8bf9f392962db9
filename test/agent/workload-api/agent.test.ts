/** The Workload API of a real agent that captures pods, asked by programs in them. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LabPod } from '../../../agent/lab/lab.ts';
import { type LabAgent, MeshLab } from '../../../agent/lab/mesh-lab.ts';
import { OBSTACLE } from '../capture/support.ts';

const PROGRAM = join(import.meta.dirname, 'program.ts');

interface Said {
  readonly svids?: readonly { readonly id: string }[];
  readonly code?: number;
}

describe.skipIf(OBSTACLE !== undefined)('the Workload API of an agent', () => {
  let mesh: MeshLab;
  let agent: LabAgent;
  let web: LabPod;
  let cart: LabPod;
  beforeAll(async () => {
    mesh = await MeshLab.create({ name: 'wlapi', nodes: 1 });
    const node = mesh.lab.node(1);
    web = await mesh.addPod(node, { name: 'web' });
    cart = await mesh.addPod(node, { name: 'cart' });
    agent = await mesh.startAgent(node, { workloadApi: { socket: 'workload/api.sock' } });
    await agent.until('workloads', async () => (await agent.workloads())?.workloads.length === 2);
  });
  afterAll(() => mesh?.close());

  function ask(namespace: string): () => Promise<Said> {
    const child = mesh.lab.spawn(namespace, [process.execPath, PROGRAM, join(agent.home, 'workload/api.sock')]);
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    return async () => JSON.parse((await lines.next()).value as string) as Said;
  }

  test('each pod gets its own identity, and a program beside the agent none', async () => {
    expect(await ask(web.namespace)()).toMatchObject({ svids: [{ id: 'spiffe://lab.example/ns/shop/sa/web' }] });
    expect(await ask(cart.namespace)()).toMatchObject({ svids: [{ id: 'spiffe://lab.example/ns/shop/sa/cart' }] });
    expect(await ask(agent.node.namespace)()).toMatchObject({ code: grpc.status.PERMISSION_DENIED });
  });

  test('a workload whose file goes away loses its stream, others keep theirs', async () => {
    const [ofWeb, ofCart] = [ask(web.namespace), ask(cart.namespace)];
    await Promise.all([ofWeb(), ofCart()]);
    rmSync(mesh.workloadFile(agent.node, 'web'));
    expect(await ofWeb()).toMatchObject({ code: grpc.status.PERMISSION_DENIED });
    expect(await ask(cart.namespace)()).toMatchObject({ svids: [{ id: 'spiffe://lab.example/ns/shop/sa/cart' }] });
  });
});
