import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { AdminServer } from '../../../agent/admin/admin-server.ts';
import type { AdminSources } from '../../../agent/admin/views.ts';
import { runCli } from '../../../agent/cli/cli.ts';
import { loadNodeBundle } from '../../../certs/node-bundle.ts';
import { sources } from '../admin/fixtures.ts';

let directory: string;
let socket: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-cli-'));
  socket = join(directory, 'agent.sock');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Half a minute after the instants of the fixture. */
const NOW_MS = Date.parse('2026-01-01T00:00:30.000Z');

async function weft(
  argv: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await runCli(argv, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env,
    signal: new AbortController().signal,
    nowMs: () => NOW_MS,
  });
  return { code, out, err };
}

function agent(replaced: Partial<AdminSources> = {}): Promise<AdminServer> {
  return AdminServer.start({
    socket,
    listen: '127.0.0.1:0',
    sources: sources(replaced),
    log: pino({ level: 'silent' }),
  });
}

test('status reads like a page', async () => {
  await using _agent = await agent();
  expect(await weft(['status', '-s', socket])).toEqual({
    code: 0,
    err: '',
    out: `node          n1, zone a
agent         0.1.0, pid 42, up 30s
ready         yes
trust domain  demo.weft, certificate valid for 6d 23h
members       2 alive, 1 dead
services      1
endpoints     1 of 2 ready
workloads     1 of 1 ready
capture       namespace, 2 workers
`,
  });
});

test('status tells what the agent waits for and which files it refuses', async () => {
  const status = {
    ...(await sources().status()),
    isReady: false,
    waitingFor: ['a seed'],
    certificateExpiresAt: '2025-12-31T23:00:00.000Z',
  };
  const problems = [{ file: 'a.yaml', line: 3, column: 5, field: 'spec.service', message: 'missing' }];
  await using _agent = await agent({ status: () => ({ ...status, problems }) });
  const { out } = await weft(['status', '-s', socket]);
  expect(out).toContain('ready         no: a seed\n');
  expect(out).toContain('certificate EXPIRED 1h ago\n');
  expect(out).toContain('problem       a.yaml:3:5: spec.service: missing\n');
});

test('listings are columns that line up', async () => {
  await using _agent = await agent();
  expect((await weft(['members', '-s', socket])).out).toBe(`NAME            STATE  FOR  ENDPOINTS  ADDRESS
n1 (this node)  alive  30s  1          10.0.0.1:7946
n2-longer       dead   0s   0          10.0.0.2:7946
`);
  expect(
    (await weft(['members', '-o', 'wide', '-s', socket])).out,
  ).toBe(`NAME            STATE  FOR  ENDPOINTS  ADDRESS        EPOCH.INCARNATION  ACCUSERS  RTT    HEARD     CLOCK
n1 (this node)  alive  30s  1          10.0.0.1:7946  7.0                0         -      -         -
n2-longer       dead   0s   0          10.0.0.2:7946  12.1               3         1.2ms  2.3s ago  -32ms
`);
  expect((await weft(['services', '-o', 'wide', '-s', socket])).err).toContain('Allowed choices are table, json, yaml');
  expect(
    (await weft(['services', '-s', socket])).out,
  ).toBe(`SERVICE    READY  PORTS    NAME IN WORKLOADS  VIRTUAL ADDRESSES
shop/cart  1/2    80/http  cart.shop.weft     240.0.0.1 fd00::1
`);
  expect((await weft(['endpoints', '-s', socket])).out).toMatch(
    /^SERVICE +STATE +ADDRESS .*\nshop\/cart:80 +ready +10\.1\.0\.2:8080 +http +n1 +cart-1 +- +a +spiffe:/,
  );
  expect((await weft(['capture', 'show', '-s', socket])).out).toContain('unit       netns:/run/netns/cart\n');
});

test('json and yaml carry the same as the API', async () => {
  await using _agent = await agent();
  const wanted = await sources().members();
  expect(JSON.parse((await weft(['members', '-o', 'json', '-s', socket])).out)).toEqual(wanted);
  expect(parse((await weft(['members', '-o', 'yaml', '-s', socket])).out)).toEqual(wanted);
});

test('an empty listing says on standard error why it may be empty', async () => {
  await using _agent = await agent({ services: () => [] });
  const { code, out, err } = await weft(['services', '-o', 'json', '-s', socket]);
  expect([code, out]).toEqual([0, '[]\n']);
  expect(err).toMatch(/^no services: /);
  expect((await weft(['workloads', '-s', socket])).err).toMatch(/^no workloads: /);
});

test('names from peers can not send control sequences to the terminal', async () => {
  const [member] = await sources().members();
  await using _agent = await agent({ members: () => [{ ...member!, name: 'evil\u001b[2J\nn2' }] });
  const { out } = await weft(['members', '-s', socket]);
  expect([out.includes('\u001b'), out.includes('\nn2')]).toEqual([false, false]);
});

test('the agent is found by option, by address and by WEFT_SOCKET', async () => {
  await using server = await agent();
  expect((await weft(['members'], { WEFT_SOCKET: socket })).code).toBe(0);
  expect((await weft(['members', '--address', server.listen])).code).toBe(0);
  expect((await weft(['members', '--address', server.listen.replace('127.0.0.1', 'localhost')])).code).toBe(0);
  expect(await weft(['members', '--address', 'nowhere'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('127.0.0.1:15000'),
  });
});

test('no agent is exit code 3 and says what to do', async () => {
  const { code, out, err } = await weft(['status'], { WEFT_SOCKET: socket });
  expect([code, out]).toEqual([3, '']);
  expect(err).toBe(
    `weft: ${socket} (no such socket): no agent answers there; start it (weft agent -c FILE) or name another with --socket, --address or WEFT_SOCKET\n`,
  );
});

test('an agent that fails to answer is exit code 1 with its reason', async () => {
  await using _agent = await agent({ members: () => Promise.reject(new Error('inside')) });
  const { code, err } = await weft(['members', '-s', socket]);
  expect([code, err.includes('answered 500'), err.includes('its log says why')]).toEqual([1, true, true]);
});

test('a wrong command line is exit code 2 with the nearest word', async () => {
  expect(await weft(['membres'])).toMatchObject({ code: 2, err: expect.stringContaining('Did you mean members?') });
  expect(await weft(['members', '-o', 'xml'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('table, json, yaml'),
  });
  expect(await weft(['init'])).toMatchObject({ code: 2, err: expect.stringContaining('--trust-domain') });
  expect((await weft([])).code).toBe(2);
});

test('help is no error and lists the exit codes', async () => {
  const { code, out } = await weft(['--help']);
  expect(code).toBe(0);
  expect(out).toMatch(/Exit codes:\n {2}0 .*\n {2}1 .*\n {2}2 .*\n {2}3 .*no agent answers/);
});

test('the version is that of the package, by command and by option', async () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8'));
  expect((await weft(['version'])).out).toBe(`${version}\n`);
  expect((await weft(['--version'])).out).toBe(`${version}\n`);
});

test('a trust domain and a node bundle are made on the command line', async () => {
  const trust = join(directory, 'trust');
  const out = join(directory, 'n1');
  expect(await weft(['init', '--trust-domain', 'test.weft', '--out', trust])).toMatchObject({
    code: 0,
    err: '',
    out: expect.stringContaining('weft node issue'),
  });
  expect(await weft(['init', '--trust-domain', 'test.weft', '--out', trust])).toMatchObject({
    code: 1,
    err: expect.stringContaining(trust),
  });
  const issue = [
    'node',
    'issue',
    '--trust',
    trust,
    '--name',
    'n1',
    '--out',
    out,
    '--ttl',
    '12h',
    '--grant',
    'ns/shop/*',
    '--grant',
    'ns/pay/sa/x',
  ];
  expect(await weft(issue)).toMatchObject({ code: 0, err: '' });
  const node = loadNodeBundle(out);
  expect([node.name, node.grant]).toEqual(['n1', ['ns/shop/*', 'ns/pay/sa/x']]);
  expect(node.expiresAtMs - Date.now()).toBeLessThanOrEqual(12 * 3_600_000);
  expect(await weft([...issue, '--ttl', 'soon'])).toMatchObject({ code: 2, err: expect.stringContaining('7d') });
});

test('an agent does not start on a configuration with mistakes, and all of them are named', async () => {
  const file = join(directory, 'agent.yaml');
  writeFileSync(file, 'workers: 0\nadmim: {}\n');
  const { code, err } = await weft(['agent', '-c', file]);
  expect(code).toBe(4);
  expect(err).toContain(`${file}:1:1: workers: 0 is too small`);
  expect(err).toContain(`${file}:2:1: admim: unknown field; did you mean admin?`);
  expect(err).not.toContain('WEFT_DEBUG');
  expect((await weft(['agent', '-c', join(directory, 'absent')])).code).toBe(4);
});

test('check passes on what the agent finds, and its exit code says whether all is well', async () => {
  await using _agent = await agent({
    check: () => ({
      isOk: false,
      results: [
        { name: 'peers', status: 'warn', detail: '1 alive', fix: 'look at n2' },
        { name: 'workload files', status: 'fail', detail: 'a.yaml:1:1: x\nb.yaml:1:1: y', fix: 'correct them' },
      ],
    }),
  });
  expect(await weft(['check', '-s', socket])).toEqual({
    code: 1,
    err: '',
    out: `ok    agent           answers on ${socket}
WARN  peers           1 alive
                      fix: look at n2
FAIL  workload files  a.yaml:1:1: x
                      b.yaml:1:1: y
                      fix: correct them
1 ok, 1 to look at, 1 failed
`,
  });
});

/** Everything inside the directory of the file, on free ports, without capture. */
function agentYaml(workloadsDirectory: string): string {
  const listen = '{listen: "127.0.0.1:0"}';
  return `capture: {mode: none}
dataDirectory: data
workloadsDirectory: ${workloadsDirectory}
admin: ${listen}
metrics: ${listen}
gossip: ${listen}
certs: {bundleDirectory: n1}
`;
}

test('check without an agent fails for that, and asks the rest of the machine and the files', async () => {
  const file = join(directory, 'agent.yaml');
  writeFileSync(file, agentYaml('.'));
  writeFileSync(join(directory, 'w.yml'), 'kind: Nonsense\n');
  const { code, out } = await weft(['check', '-c', file, '-o', 'json', '-s', socket]);
  const names = (JSON.parse(out).results as { name: string; status: string }[]).map(
    ({ name, status }) => `${name} ${status}`,
  );
  expect(code).toBe(1);
  expect(names).toEqual([
    'agent fail',
    'clock ok',
    'certificates fail',
    'ports ok',
    'data directory ok',
    'workloads directory ok',
    'workload files fail',
  ]);
});

test('check --pre expects no agent, and passes where one would start', async () => {
  const file = join(directory, 'agent.yaml');
  const trust = join(directory, 'trust');
  mkdirSync(join(directory, 'workloads.d'));
  await weft(['init', '--trust-domain', 'test.weft', '--out', trust]);
  await weft(['node', 'issue', '--trust', trust, '--name', 'n1', '--out', join(directory, 'n1'), '--grant', '*']);
  writeFileSync(file, agentYaml('workloads.d'));
  const { code, out } = await weft(['check', '--pre', '-c', file]);
  expect(out).not.toMatch(/^\S+ +agent /m);
  expect([code, out.includes('FAIL')]).toEqual([0, false]);
  expect(existsSync(join(directory, 'data'))).toBe(false);
});

test('WEFT_DEBUG shows where an error came from', async () => {
  const file = join(directory, 'n1');
  writeFileSync(file, '');
  const { code, err } = await weft(
    ['node', 'issue', '--trust', directory, '--name', 'n1', '--out', file, '--grant', '*'],
    { WEFT_DEBUG: '1' },
  );
  expect(code).toBe(1);
  expect(err).toMatch(/\n +at /);
});
