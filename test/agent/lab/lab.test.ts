/** The lab against the real kernel: packets flow, break and heal, and nothing is left afterwards. Needs root. */
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab, type LabPod } from '../../../agent/lab/lab.ts';
import { labObstacle } from '../../../agent/lab/support.ts';

const obstacle = await labObstacle();
if (obstacle) console.warn(`lab tests are skipped: ${obstacle}`);

/** No answer for this long is silence. */
const QUIET_MS = 700;
/** Accepts, says hello and hangs up. */
const GREETER = `require('node:net').createServer((s) => s.end('hello')).listen(80, '::', () => console.log('up'))`;

describe.skipIf(obstacle)('a lab of three nodes', () => {
  let lab: Lab;
  let near: LabPod;
  let far: LabPod;

  beforeAll(async () => {
    await Lab.sweep('labt');
    lab = await Lab.create({ name: 'labt', nodes: 3 });
    [near, far] = await Promise.all([lab.addPod(lab.node(1), 'near'), lab.addPod(lab.node(3), 'far')]);
    const greeter = lab.spawn(far.namespace, [process.execPath, '-e', GREETER]);
    await once(greeter.stdout!, 'data');
  });

  afterAll(() => lab.close());

  /** What is expected to answer is waited for; silence is told from it by a shorter patience. */
  const greet = (address: string, patienceMs = 8_000) =>
    lab.exec(near.namespace, [
      process.execPath,
      '-e',
      `const s = require('node:net').connect({ host: '${address}', port: 80 });
       s.setTimeout(${patienceMs}, () => { console.log('silence'); process.exit() });
       s.on('data', (d) => process.stdout.write(d)).on('error', (e) => console.log(e.code))`,
    ]);

  test('a pod reaches a pod on another node over IPv4 and IPv6', async () => {
    expect((await greet(far.address4)).stdout).toBe('hello');
    expect((await greet(far.address6)).stdout).toBe('hello');
  });

  test('a pod reaches its node and the other nodes', async () => {
    const greeter = lab.spawn(lab.node(2).namespace, [process.execPath, '-e', GREETER]);
    await once(greeter.stdout!, 'data');
    expect((await greet(lab.node(2).address4)).stdout).toBe('hello');
    expect((await greet(lab.node(2).address6)).stdout).toBe('hello');
  });

  test('an address outside the lab is refused instead of being waited for', async () => {
    // The refusal may come back while connect() still holds the socket, and is then heard at the next SYN, a second on.
    expect((await greet('192.0.2.1')).stdout.trim()).toMatch(/EHOSTUNREACH|ENETUNREACH/);
    expect((await greet('2001:db8::1')).stdout.trim()).toMatch(/EHOSTUNREACH|ENETUNREACH/);
  });

  test('a cut separates two nodes both ways, leaves the third alone, and heals', async () => {
    await lab.dropBetween(lab.node(1), lab.node(3));
    expect((await greet(far.address4, QUIET_MS)).stdout.trim()).toBe('silence');
    expect((await greet(far.address6, QUIET_MS)).stdout.trim()).toBe('silence');
    await lab.dropBetween(lab.node(1), lab.node(2));
    await lab.heal();
    expect((await greet(far.address4)).stdout).toBe('hello');
    expect((await greet(far.address6)).stdout).toBe('hello');
  });

  test('total loss stops everything between nodes until it heals', async () => {
    await lab.loss(1);
    expect((await greet(far.address4, QUIET_MS)).stdout.trim()).toBe('silence');
    await lab.loss(0);
    expect((await greet(far.address4)).stdout).toBe('hello');
  });

  test('a capture on the fabric holds what nodes said to each other', async () => {
    const capture = await lab.capture(lab.fabric, { interface: 'br0', filter: 'tcp port 80' });
    if (!capture) return; // no tcpdump here
    await greet(far.address4);
    const pcap = await capture.stop();
    expect(pcap.includes('hello')).toBe(true);
    expect(await capture.stop()).toBe(pcap);
  });

  test('a program may have its own resolv.conf and user, and the machine keeps its own', async () => {
    const before = execFileSync('cat', ['/etc/resolv.conf']).toString();
    const { stdout } = await lab.exec(near.namespace, ['sh', '-c', 'cat /etc/resolv.conf; id -u'], {
      resolvConf: 'nameserver 192.0.2.53\n',
      uid: 1234,
    });
    expect(stdout).toBe('nameserver 192.0.2.53\n1234\n');
    expect(execFileSync('cat', ['/etc/resolv.conf']).toString()).toBe(before);
  });

  test('a program that runs too long is killed and named', async () => {
    await expect(lab.exec(near.namespace, ['sleep', '60'], { timeoutMs: 50 })).rejects.toThrow(
      /sleep 60: did not finish/,
    );
  });

  test('names that are taken or not usable are refused with a reason', async () => {
    await expect(lab.addPod(lab.node(1), 'near')).rejects.toThrow(/already exists/);
    await expect(lab.addPod(lab.node(1), 'n2')).rejects.toThrow(/already exists/);
    await expect(lab.addPod(lab.node(1), 'Not OK')).rejects.toThrow(/lower-case/);
    await expect(Lab.create({ name: 'labt', nodes: 1 })).rejects.toThrow(/already exists/);
    await expect(Lab.create({ name: 'labt', nodes: 0 })).rejects.toThrow(/1 to 200/);
  });
});

describe.skipIf(obstacle)('the end of a lab', () => {
  const footprint = () => ({
    namespaces: execFileSync('ip', ['netns', 'list']).toString(),
    links: execFileSync('ip', ['-o', 'link']).toString(),
    rules: execFileSync('nft', ['list', 'ruleset']).toString(),
  });
  /** Other suites come and go meanwhile: only what carries our prefix counts. */
  const ours = (namespaces: string) => namespaces.split('\n').filter((line) => line.startsWith('labe-'));

  test('leaves namespaces, links and rules of the machine as they were, with programs still running, twice', async () => {
    const before = footprint();
    const lab = await Lab.create({ name: 'labe', nodes: 2 });
    const pod = await lab.addPod(lab.node(2), 'pod');
    expect(footprint().links).toBe(before.links);
    expect(footprint().rules).toBe(before.rules);
    const stubborn = lab.spawn(pod.namespace, ['sh', '-c', 'sleep 300 & echo $!; wait']);
    const grandchild = Number((await once(stubborn.stdout!, 'data'))[0]);
    await Promise.all([lab.close(), lab.close()]);
    await lab.close();
    expect(ours(footprint().namespaces)).toEqual([]);
    expect(footprint().links).toBe(before.links);
    expect(() => readlinkSync(`/proc/${grandchild}/exe`)).toThrow(); // gone, or waiting to be buried by init
    expect(() => lab.spawn(pod.namespace, ['true'])).toThrow(/closed/);
  });

  test('comes also when its owner is killed: programs die with it, and the next run sweeps the namespaces', async () => {
    const script = `
      import { Lab } from './agent/lab/lab.ts';
      const lab = await Lab.create({ name: 'labe', nodes: 1 });
      const child = lab.spawn(lab.node(1).namespace, ['sleep', '300']);
      child.once('spawn', () => { process.kill(process.pid, 'SIGKILL') });`;
    const owner = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', script]);
    expect(owner.signal).toBe('SIGKILL');
    expect(ours(footprint().namespaces)).toHaveLength(2);
    expect(await Lab.sweep('labe')).toHaveLength(2);
    expect(ours(footprint().namespaces)).toEqual([]);
  });

  test('is not brought about by a sweep while its owner lives', async () => {
    await using lab = await Lab.create({ name: 'labe', nodes: 1 });
    expect(await Lab.sweep('labe')).toEqual([]);
    expect((await lab.exec(lab.node(1).namespace, ['true'])).code).toBe(0);
  });
});

test.skipIf(obstacle)('three nodes with seven pods come up in about a second', async () => {
  const startMs = performance.now();
  await using lab = await Lab.create({ name: 'labs', nodes: 3 });
  await Promise.all(Array.from({ length: 7 }, (_, i) => lab.addPod(lab.node((i % 3) + 1), `pod${i}`)));
  const tookMs = performance.now() - startMs;
  console.info(`three nodes and seven pods: ${Math.round(tookMs)} ms`);
  expect(tookMs).toBeLessThan(5_000); // with room for a machine that does other things
});
