/** What an operator sees when an agent cannot start, or starts into a world that is not ready for it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { stopProcess } from '../../agent/lab/processes.ts';
import { issueNodeBundle } from '../../certs/node-bundle.ts';
import { createTrustDomain } from '../../certs/trust-domain.ts';

const MAIN = join(import.meta.dirname, '../../agent/main.ts');
const isRoot = process.getuid?.() === 0;

let home: string;
let running: ChildProcess[];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'weft-start-'));
  running = [];
  createTrustDomain({ trustDomain: 'start.example', directory: join(home, 'trust') });
  mkdirSync(join(home, 'workloads.d'));
  issue();
});
afterEach(async () => {
  await Promise.all(running.map((child) => stopProcess(child, 10_000)));
  rmSync(home, { recursive: true });
});

test('an agent on free ports starts, answers, and stops with code 0', async () => {
  const agent = start();
  await agent.untilSaid('agent is running');
  const status = await weft('status', '-s', join(home, 'agent.sock'), '-o', 'json');
  expect(JSON.parse(status.stdout)).toMatchObject({ node: 'n1', trustDomain: 'start.example', isReady: true });
  agent.child.kill('SIGTERM');
  expect(await agent.ended).toMatchObject({ code: 0 });
});

test('a port in use is named, with the setting that chose it', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  try {
    for (const change of [
      { admin: { socket: 'agent.sock', listen: `127.0.0.1:${port}` } },
      { metrics: { listen: `127.0.0.1:${port}` } },
    ]) {
      const { code, output } = await start(change).ended;
      expect([code, output]).toEqual([1, expect.stringContaining(`127.0.0.1:${port}`)]);
      expect(output).toContain(`${Object.keys(change)[0]}.listen`);
    }
    const { code, output } = await start({ gossip: { listen: `127.0.0.1:${port}` } }).ended;
    expect([code, output]).toEqual([1, expect.stringMatching(/gossip/i)]);
  } finally {
    server.close();
  }
});

test('an expired node certificate is refused with what to do', async () => {
  const nowMs = Date.now() - 7_200_000;
  for (const folder of ['bundle', 'trust']) rmSync(join(home, folder), { recursive: true });
  createTrustDomain({ trustDomain: 'start.example', directory: join(home, 'trust'), nowMs });
  issue({ nowMs, ttlMs: 3_600_000 });
  const { code, output } = await start().ended;
  expect([code, output]).toEqual([1, expect.stringContaining('issue the node bundle again')]);
});

test('a certificate of another trust domain than its roots.crt is refused', async () => {
  createTrustDomain({ trustDomain: 'start.example', directory: join(home, 'foreign') });
  copyFileSync(join(home, 'foreign/roots.crt'), join(home, 'bundle/roots.crt'));
  const { code, output } = await start().ended;
  expect([code, output]).toEqual([1, expect.stringContaining('roots.crt')]);
});

test('a key that others may read is refused with the chmod to run', async () => {
  chmodSync(join(home, 'bundle/node.key'), 0o644);
  const { code, output } = await start().ended;
  expect([code, output]).toEqual([1, expect.stringContaining('chmod')]);
});

test("another node's bundle is refused", async () => {
  const { code, output } = await start({ nodeName: 'n2' }).ended;
  expect([code, output]).toEqual([1, expect.stringContaining('bundle of n1')]);
});

test('a mistake in agent.yaml names file, line, field and the nearest known one', async () => {
  const { code, output } = await start({ gosip: {} }).ended;
  expect(code).toBe(4);
  expect(output).toMatch(/agent\.yaml:\d+:\d+/);
  expect(output).toContain('gossip');
});

test('seeds that do not answer keep nobody from starting, and `weft check` says so', async () => {
  const agent = start({ gossip: { listen: '127.0.0.1:0', seeds: ['127.0.0.1:1'] } });
  await agent.untilSaid('agent is running');
  const { code, stdout } = await weft('check', '-s', join(home, 'agent.sock'), '-o', 'json');
  expect(code).toBe(1);
  const { results } = JSON.parse(stdout) as { results: { name: string; status: string; fix: string }[] };
  expect(results.find(({ name }) => name === 'peers')).toMatchObject({
    status: 'fail',
    fix: expect.stringContaining('gossip.seeds'),
  });
});

test.runIf(isRoot)('without the right to enter namespaces, capture says which rights are missing', async () => {
  const workload = {
    apiVersion: 'weft.dev/v1alpha1',
    kind: 'Workload',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { service: 'web', runs: { pid: 1 } },
  };
  writeFileSync(join(home, 'workloads.d/web.yaml'), stringify(workload));
  const agent = start({ capture: { mode: 'namespace' } }, ['setpriv', '--bounding-set', '-sys_admin,-net_admin']);
  await agent.untilSaid('could not be brought into the mesh');
  expect(agent.output()).toContain('CAP_SYS_ADMIN');
});

function issue(options: { nowMs?: number; ttlMs?: number } = {}): void {
  issueNodeBundle({
    trustDirectory: join(home, 'trust'),
    name: 'n1',
    grant: ['ns/shop/*'],
    directory: join(home, 'bundle'),
    ...options,
  });
}

interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; output: string }>;
  output(): string;
  untilSaid(sentence: string): Promise<void>;
}

/** Every port 0 and everything under `home`, unless `change` says otherwise. */
function start(change: Readonly<Record<string, unknown>> = {}, prefix: readonly string[] = []): Started {
  const config = {
    nodeName: 'n1',
    dataDirectory: 'data',
    workloadsDirectory: 'workloads.d',
    workers: 1,
    capture: { mode: 'none' },
    certs: { bundleDirectory: 'bundle' },
    gossip: { listen: '127.0.0.1:0' },
    admin: { socket: 'agent.sock', listen: '127.0.0.1:0' },
    metrics: { listen: '127.0.0.1:0' },
    ...change,
  };
  writeFileSync(join(home, 'agent.yaml'), stringify(config));
  const [command, ...args] = [...prefix, process.execPath, MAIN, 'agent', '-c', join(home, 'agent.yaml')];
  const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  running.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, output }));
  const untilSaid = async (sentence: string): Promise<void> => {
    while (!output.includes(sentence)) {
      const more = Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data'), ended.then(() => 'ended')]);
      if ((await more) === 'ended') throw new Error(`ended without saying "${sentence}":\n${output}`);
    }
  };
  return { child, ended, output: () => output, untilSaid };
}

async function weft(...args: string[]): Promise<{ code: number | null; stdout: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout };
}
