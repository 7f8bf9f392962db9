/** The demo as an operator runs it: as a process of its own, checked, and interrupted. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { listNamespaces } from '../../../agent/lab/leftovers.ts';
import { labObstacle } from '../../../agent/lab/support.ts';

const WEFT = new URL('../../../agent/main.ts', import.meta.url).pathname;
const TIMEOUT_MS = 120_000;

const obstacle = await labObstacle();
if (obstacle) console.warn(`the demo on network namespaces is not tested: ${obstacle}`);
const variants = [
  { name: 'loopback', flags: ['--loopback'] },
  ...(obstacle ? [] : [{ name: 'namespaces', flags: [] }]),
];

/** A fifth of the usual traffic: other tests run beside it. What a failed test leaves running would make others fail. */
function demo(...flags: string[]) {
  const argv = [WEFT, 'demo', '--rate', '20', ...flags];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGINT');
    await once(child, 'exit');
  });
  return { child, output: text(child.stdout), progress: createInterface({ input: child.stderr }) };
}

/** Namespaces and folders that carry the pid of a demo. */
function traces(pid: number): string[] {
  return [...listNamespaces(), ...readdirSync(tmpdir())].filter((name) => name.split('-').includes(String(pid)));
}

/** A command as the demo prints it. */
async function run(command: string): Promise<{ code: number | null; out: string }> {
  const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [out] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return { code: child.exitCode, out };
}

/** Looks again and again: each look is a process. The test's own timeout ends a wait in vain. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo()));
}

describe.each(variants)('the demo on $name', ({ flags }) => {
  test('proves itself and leaves nothing behind', { timeout: TIMEOUT_MS }, async () => {
    const { child, output, progress } = demo('--check', '--seconds', '2', ...flags);
    const said: string[] = [];
    progress.on('line', (line) => said.push(line));
    const [code] = await once(child, 'exit');
    expect(code, said.join('\n')).toBe(0);
    expect(JSON.parse(await output)).toEqual({
      members: 3,
      services: 5,
      requests: expect.any(Number),
      failed: 0,
      mtlsVerified: true,
      p50Ms: expect.any(Number),
      p99Ms: expect.any(Number),
      killedNodeDetectedMs: expect.any(Number),
      leftovers: [],
    });
  });

  test('says how to deny a caller, to ask why and to undo it, and that works as written', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const { child, progress } = demo('--no-view', ...flags);
    const tries = new Map<string, string>();
    for await (const said of progress) {
      const [, what, command] = /^demo: try: ([^:]+): (.+)$/.exec(said) ?? [];
      if (what !== undefined && command !== undefined) tries.set(what, command);
      if (what === 'read a log') break;
    }
    child.stderr.resume();
    const call = tries.get('call from a pod')!.replace('curl -s', "curl -s -o /dev/null -w '%{http_code}'");
    await until(async () => (await run(call)).out === '200');
    expect((await run(tries.get('deny a caller')!)).out).toMatch(/^AccessPolicy shop\/no-client created, revision /);
    await until(async () => (await run(call)).out === '403');
    const why = await run(tries.get('ask why')!);
    expect(why.code).toBe(5);
    expect(why.out).toContain('DENIED: DENY by AccessPolicy shop/no-client, rule front-page, revision ');
    expect((await run(tries.get('let it in again')!)).code).toBe(0);
    await until(async () => (await run(call)).out === '200');
    child.kill('SIGINT');
    await once(child, 'exit');
  });

  test.each([
    { when: 'while it starts', line: /nodes on/ },
    { when: 'once it is up', line: /everything is up/ },
  ])('leaves nothing behind when it is stopped $when', { timeout: TIMEOUT_MS }, async ({ line }) => {
    const { child, progress } = demo('--no-view', ...flags);
    for await (const said of progress) if (line.test(said)) break;
    child.stderr.resume();
    expect(traces(child.pid!)).not.toEqual([]);
    child.kill('SIGINT');
    child.kill('SIGTERM'); // an impatient second signal must not cut the cleaning short
    const [code, signal] = await once(child, 'exit');
    expect({ code, signal }).toEqual({ code: 0, signal: null });
    expect(traces(child.pid!)).toEqual([]);
  });
});
