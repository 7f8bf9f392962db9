/** The places the demo stands on, without agents: programs reach each other, and in-pod puts a command into a pod. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { Ground } from '../../../agent/demo/ground.ts';
import { LoopbackGround } from '../../../agent/demo/loopback-ground.ts';
import { NamespaceGround } from '../../../agent/demo/namespace-ground.ts';
import { shopTopology } from '../../../agent/demo/topology.ts';
import { Workspace } from '../../../agent/demo/workspace.ts';
import { labObstacle } from '../../../agent/lab/support.ts';

const obstacle = await labObstacle();
if (obstacle) console.warn(`tests on network namespaces are skipped: ${obstacle}`);

const topology = shopTopology();
const catalog = topology.pods.find((pod) => pod.name === 'catalog-v2')!;
const client = topology.pods.find((pod) => pod.name === 'client')!;
const SAMPLE = new URL('../../../deploy/sample/catalog.ts', import.meta.url).pathname;

/** Starts the catalog in its pod and asks it from another pod, past any agent. */
async function askAcross(ground: Ground): Promise<string> {
  const { address, bind } = ground.podPlace(catalog);
  const program = ground.runInPod(catalog, [process.execPath, SAMPLE], { env: { HOST: bind, VERSION: 'v2' } });
  await once(program.stdout!, 'data');
  const script = `process.stdout.write(await (await fetch('http://${address}:8080/items')).text())`;
  const asking = ground.runInPod(client, [process.execPath, '--input-type=module', '-e', script], {});
  const [text] = (await once(asking.stdout!, 'data')) as [Buffer];
  return text.toString();
}

test('on loopback, programs of two pods reach each other', async () => {
  await using ground = new LoopbackGround();
  expect(JSON.parse(await askAcross(ground))).toMatchObject({ version: 'v2' });
});

test('on loopback, every call of every pod has a listener of its own', () => {
  const ground = new LoopbackGround();
  const listeners = topology.pods.flatMap((pod) => pod.calls.map((call) => ground.podPlace(pod).reach(call).listen));
  expect(new Set(listeners).size).toBe(listeners.length);
});

describe.skipIf(obstacle)('on network namespaces', () => {
  test('programs of two pods reach each other', async () => {
    await using ground = await NamespaceGround.create(topology);
    expect(JSON.parse(await askAcross(ground))).toMatchObject({ version: 'v2' });
  });

  test('in-pod runs a command in a pod, with the resolver of the pod and its exit code', async () => {
    await using ground = await NamespaceGround.create(topology);
    using workspace = Workspace.create(topology, ground);
    const before = readFileSync('/etc/resolv.conf', 'utf8');
    const run = promisify(execFile);
    const { stdout } = await run(workspace.script('in-pod')!, [
      'client',
      'sh',
      '-c',
      'cat /etc/resolv.conf; ip -br addr show eth0',
    ]);
    expect(stdout).toContain('nameserver 10.77.0.254');
    expect(stdout).toContain(ground.podPlace(client).address);
    await expect(run(workspace.script('in-pod')!, ['client', 'sh', '-c', 'exit 7'])).rejects.toMatchObject({ code: 7 });
    expect(readFileSync('/etc/resolv.conf', 'utf8')).toBe(before);
  });

  test('cut separates a node from the others until heal', async () => {
    await using ground = await NamespaceGround.create(topology);
    using workspace = Workspace.create(topology, ground);
    const run = promisify(execFile);
    const v2 = topology.pods.find(({ name }) => name === 'catalog-v2')!;
    // Nobody listens there: a refusal means that the way is open, a timeout that it is not.
    const reach = (patienceSeconds: number): Promise<unknown> => {
      const url = `http://${ground.podPlace(v2).address}:1/`;
      return run(workspace.script('in-pod')!, ['client', 'curl', '-s', '-m', String(patienceSeconds), url]);
    };
    const REFUSED = { code: 7 };
    const TIMED_OUT = { code: 28 };
    await expect(reach(10)).rejects.toMatchObject(REFUSED);
    await run(workspace.script('cut')!, ['n3']);
    await expect(reach(1)).rejects.toMatchObject(TIMED_OUT);
    await run(workspace.script('heal')!);
    await expect(reach(10)).rejects.toMatchObject(REFUSED);
    await expect(run(workspace.script('cut')!, ['n9'])).rejects.toMatchObject({ code: 2 });
  });
});
