import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkBundle, checkCertificates, checkLifetime } from '../../../agent/check/certificates.ts';
import { checkBeforeStart, checkRunning, type RunningFacts } from '../../../agent/check/check.ts';
import { checkCapabilities, checkClock, checkKernel, checkNft, readClock } from '../../../agent/check/machine.ts';
import { checkPeers } from '../../../agent/check/mesh.ts';
import {
  checkDataDirectory,
  checkPorts,
  checkWorkloadFiles,
  checkWorkloadsDirectory,
} from '../../../agent/check/node.ts';
import { type AgentConfig, loadConfig } from '../../../agent/config.ts';
import { thisMachine } from '../../../agent/machine.ts';
import { issueNodeBundle } from '../../../certs/node-bundle.ts';
import { createTrustDomain, makeRoot } from '../../../certs/trust-domain.ts';
import { workloadYaml } from '../workloads/fixtures.ts';

const HOUR_MS = 3_600_000;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'weft-check-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function writeProgram(name: string, script: string): string {
  const path = join(root, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

test.each([
  ['linux', '6.1.0-28-amd64', 'ok'],
  ['linux', '5.2.0', 'ok'],
  ['linux', '5.1.21', 'fail'],
  ['linux', '4.18.0-553.el8', 'fail'],
  ['darwin', '25.0.0', 'fail'],
])('a kernel of %s %s is %s', (platform, release, status) => {
  expect(checkKernel(platform, release).status).toBe(status);
});

test('an nft that is absent, forbidden or without its modules fails with what to do', async () => {
  expect(await checkNft(join(root, 'absent'))).toMatchObject({
    status: 'fail',
    fix: expect.stringContaining('apt install nftables'),
  });
  const forbidden = writeProgram(
    'forbidden',
    'case $1 in -c) echo "Error: Operation not permitted" >&2; exit 1;; esac; echo v1',
  );
  expect(await checkNft(forbidden)).toMatchObject({ status: 'fail', fix: expect.stringContaining('CAP_NET_ADMIN') });
  const broken = writeProgram('broken', 'case $1 in -c) echo "Could not process rule" >&2; exit 1;; esac; echo v1');
  expect(await checkNft(broken)).toMatchObject({
    status: 'fail',
    detail: 'Could not process rule',
    fix: expect.stringContaining('modprobe'),
  });
  const good = writeProgram('good', 'case $1 in -c) cat >/dev/null;; *) echo "nftables v1.0";; esac');
  expect(await checkNft(good)).toMatchObject({ status: 'ok', detail: 'nftables v1.0' });
});

test('a process without the two capabilities is told which', async () => {
  const file = join(root, 'status');
  const withEffective = async (mask: string) => {
    writeFileSync(file, `Name:\tnode\nCapPrm:\t0\nCapEff:\t${mask}\n`);
    return checkCapabilities(file);
  };
  expect((await withEffective('000001ffffffffff')).status).toBe('ok');
  expect((await withEffective('0000000000201000')).status).toBe('ok');
  expect(await withEffective('0000000000001000')).toMatchObject({ status: 'fail', detail: 'missing CAP_SYS_ADMIN' });
  expect(await withEffective('0000000000000000')).toMatchObject({ detail: 'missing CAP_NET_ADMIN, CAP_SYS_ADMIN' });
});

test.each([
  ['most peers disagree with it', [120_000, 90_000, 0], 'fail'],
  ['one peer of many is off: that one has the problem', [120_000, 0, 0], 'warn'],
  ['a peer is half way to the limit', [-40_000], 'warn'],
  ['peers agree', [500, -200], 'ok'],
])('the clock is judged by peers: %s', (_, peerSkewsMs, status) => {
  const nowMs = Date.UTC(2027, 0, 1);
  expect(checkClock({ nowMs, steadyNowMs: nowMs, peerSkewsMs }).status).toBe(status);
});

test('without peers the clock must be after the release and must not have jumped', () => {
  const nowMs = Date.UTC(2027, 0, 1);
  expect(checkClock({ nowMs: 0, steadyNowMs: 0, peerSkewsMs: [] })).toMatchObject({
    status: 'fail',
    detail: expect.stringContaining('1970'),
  });
  expect(checkClock({ nowMs, steadyNowMs: nowMs - 5_000, peerSkewsMs: [] })).toMatchObject({
    status: 'warn',
    detail: expect.stringContaining('set by 5.0 s'),
  });
  expect(checkClock(readClock()).status).toBe('ok');
});

test('a certificate fails from one third of its life on', () => {
  const lifetime = { subject: 'spiffe://t/node/n1', notBeforeMs: 0, expiresAtMs: 3 * HOUR_MS };
  expect(checkLifetime(lifetime, 2 * HOUR_MS - 1).status).toBe('ok');
  expect(checkLifetime(lifetime, 2 * HOUR_MS + 1)).toMatchObject({
    status: 'fail',
    fix: expect.stringContaining('weft join TOKEN'),
  });
  expect(checkLifetime(lifetime, 3 * HOUR_MS)).toMatchObject({
    status: 'fail',
    detail: expect.stringContaining('expired'),
  });
});

test('a failed renewal, a bundle that is not in use, and a token used twice are told with what to do', () => {
  const use = { token: '0'.repeat(32), key: '', atMs: 0, madeAtMs: 0, expiresAtMs: 0 };
  const conflict = { kept: { ...use, node: 'n1' }, refused: { ...use, node: 'n2' } };
  const results = checkCertificates(
    {
      life: { subject: 'spiffe://t/node/n1', notBeforeMs: 0, expiresAtMs: 3 * HOUR_MS },
      renewal: { renewals: 0, failures: 9, dueAtMs: 0, problem: 'no issuer is in reach' },
      bundleProblem: 'node.crt: not a certificate',
      desk: { stats: { joined: 0, renewed: 0, refused: {} }, conflicts: [conflict], address: '' },
    },
    2.5 * HOUR_MS,
  );
  expect(results.map(({ name, status }) => `${name} ${status}`)).toEqual([
    'certificates fail',
    'node bundle fail',
    'join tokens fail',
  ]);
  expect(results[0]!.detail).toContain('30 min, less than a third of its life; renewal failed: no issuer is in reach');
  expect(results[2]!.fix).toContain('weft revoke node/n2');
});

test('a bundle on disk is loaded as the agent would load it', () => {
  const trustDirectory = join(root, 'trust');
  const bundle = join(root, 'node');
  createTrustDomain({ trustDomain: 'test.weft', directory: trustDirectory });
  issueNodeBundle({ trustDirectory, name: 'n1', grant: ['ns/shop/*'], directory: bundle, ttlMs: 90 * HOUR_MS });
  const now = Date.now();
  expect(checkBundle(bundle, { nowMs: now })).toMatchObject({
    status: 'ok',
    detail: expect.stringContaining('spiffe://test.weft/node/n1'),
  });
  expect(checkBundle(bundle, { nowMs: now + 61 * HOUR_MS })).toMatchObject({
    status: 'fail',
    detail: expect.stringContaining('less than a third'),
  });
  expect(checkBundle(bundle, { nowMs: now + 91 * HOUR_MS }).status).toBe('fail');
  chmodSync(join(bundle, 'node.key'), 0o644);
  expect(checkBundle(bundle, { nowMs: now })).toMatchObject({
    status: 'fail',
    detail: expect.stringContaining('node.key'),
  });
  expect(checkBundle(join(root, 'absent'), { nowMs: now, mayBeAbsent: true }).status).toBe('warn');
  expect(checkBundle(join(root, 'absent'), { nowMs: now })).toMatchObject({
    status: 'fail',
    detail: expect.stringContaining('absent'),
  });
});

test('a port in use names its setting, and asking leaves the free ones free', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const listen = `127.0.0.1:${(other.address() as { port: number }).port}`;
  const asked = [
    { setting: 'metrics.listen', listen: '127.0.0.1:0' },
    { setting: 'admin.listen', listen },
  ];
  expect(await checkPorts(asked)).toMatchObject({ status: 'fail', detail: `admin.listen ${listen} is in use` });
  other.close();
  await once(other, 'close');
  expect((await checkPorts(asked)).status).toBe('ok');
  expect((await checkPorts(asked)).status).toBe('ok');
  expect(await checkPorts([{ setting: 'admin.listen', listen: '192.0.2.1:1' }])).toMatchObject({
    detail: expect.stringContaining('EADDRNOTAVAIL'),
  });
});

test('a data directory must take data, and may be made later', async () => {
  expect(await checkDataDirectory(root)).toMatchObject({ status: 'ok', detail: root });
  expect(readdirSync(root)).toEqual([]);
  expect((await checkDataDirectory(join(root, 'a/b'))).detail).toContain('made at the first start');
  writeFileSync(join(root, 'file'), '');
  expect((await checkDataDirectory(join(root, 'file'))).status).toBe('fail');
  expect((await checkDataDirectory(join(root, 'file/below'))).status).toBe('fail');
});

test('workload files are read as the agent would read them', async () => {
  const directory = join(root, 'workloads.d');
  expect(await checkWorkloadFiles(directory, true)).toMatchObject({ status: 'ok', detail: 'none' });
  mkdirSync(directory);
  writeFileSync(join(directory, 'a.yaml'), workloadYaml());
  expect(await checkWorkloadFiles(directory, true)).toMatchObject({ status: 'ok', detail: '1 workloads' });
  writeFileSync(join(directory, 'b.yaml'), workloadYaml({ name: 'B' }));
  expect(await checkWorkloadFiles(directory, true)).toMatchObject({
    status: 'fail',
    detail: expect.stringContaining('b.yaml:3:12: metadata.name'),
  });
});

test('a workloads directory that anybody may write fails: its files decide who a process is', async () => {
  const directory = join(root, 'workloads.d');
  expect(await checkWorkloadsDirectory(directory)).toMatchObject({
    status: 'warn',
    fix: expect.stringContaining('install -d'),
  });
  mkdirSync(directory, { mode: 0o755 });
  expect((await checkWorkloadsDirectory(directory)).status).toBe('ok');
  chmodSync(directory, 0o1777);
  expect(await checkWorkloadsDirectory(directory)).toMatchObject({ status: 'fail', fix: `chmod o-w ${directory}` });
});

test.each([
  ['nobody, and no seeds', [], 0, 'ok'],
  ['nobody, though seeds are configured', [], 2, 'fail'],
  ['all dead', ['dead', 'suspect'], 0, 'fail'],
  ['one of two dead', ['alive', 'dead'], 1, 'warn'],
  ['one alive, one gone with a goodbye', ['alive', 'left'], 1, 'ok'],
])('peers: %s', (_, states, seeds, status) => {
  const members = states.map((state, i) => ({ name: `n${i}`, state, isSelf: false }));
  expect(checkPeers([...members, { name: 'me', state: 'alive', isSelf: true }], seeds).status).toBe(status);
});

function config(): AgentConfig {
  const file = join(root, 'agent.yaml');
  writeFileSync(
    file,
    `nodeName: n1
dataDirectory: data
workloadsDirectory: workloads.d
capture: {mode: none}
admin: {listen: "127.0.0.1:0"}
metrics: {listen: "127.0.0.1:0"}
gossip: {listen: "127.0.0.1:0"}
certs: {bundleDirectory: node}
`,
  );
  return loadConfig(file, thisMachine());
}

test('before a start everything is asked that can be, and one failure fails the report', async () => {
  const report = await checkBeforeStart(config());
  expect(report.results.map(({ name, status }) => `${name} ${status}`)).toEqual([
    'clock ok',
    'certificates fail',
    'ports ok',
    'data directory ok',
    'workloads directory warn',
    'workload files ok',
  ]);
  expect(report.isOk).toBe(false);
  expect(report.results.every(({ status, fix }) => (status === 'ok') === (fix === ''))).toBe(true);
});

test('a running agent answers from what it knows', async () => {
  const facts: RunningFacts = {
    members: [{ name: 'n1', state: 'alive', isSelf: true }],
    seeds: 0,
    peerSkewsMs: [],
    certificates: {
      life: {
        subject: 'spiffe://t/node/n1',
        notBeforeMs: Date.now() - HOUR_MS,
        expiresAtMs: Date.now() + 100 * HOUR_MS,
      },
      renewal: { renewals: 0, failures: 0, dueAtMs: 0, problem: '' },
      bundleProblem: '',
      desk: undefined,
    },
    trust: {
      roots: [makeRoot('test.example', { name: 'root', ttlMs: HOUR_MS, nowMs: Date.now() }).certificate],
      strangers: 0,
    },
    workloads: 3,
    problems: [],
    trafficAdvice: [],
  };
  const report = await checkRunning(config(), facts);
  expect(report.results.map(({ name, status }) => `${name} ${status}`)).toEqual([
    'clock ok',
    'certificates ok',
    'roots ok',
    'data directory ok',
    'workloads directory warn',
    'workload files ok',
    'peers ok',
    'traffic documents ok',
  ]);
  expect(report.isOk).toBe(true);
});
