/**
 * Private keys and join tokens stay where they belong: a real agent at its most talkative, through start, traffic, a join,
 * errors and every question it answers, and then all it said and wrote is searched.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Agent as HttpAgent, request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { stopProcess } from '../../agent/lab/processes.ts';
import { issueNodeBundle } from '../../certs/node-bundle.ts';
import { createTrustDomain } from '../../certs/trust-domain.ts';
import { WorkloadClient } from './workload-api/client.ts';

/** A dozen commands and two agents, each a process of its own: long on a busy machine. */
const PATIENCE_MS = 180_000;
const MAIN = join(import.meta.dirname, '../../agent/main.ts');
/** Of this test alone on this machine, for the ports that are the same everywhere. */
const ADDRESS = `127.77.${(process.pid >> 8) & 0xff}.${process.pid & 0xff}`;

let home: string;
let running: ChildProcess[];
/** All that any process of the test said, and was told by the agent. */
let said: string[];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'weft-secrets-'));
  running = [];
  said = [];
  createTrustDomain({ trustDomain: 'secret.example', directory: join(home, 'trust') });
  issueNodeBundle({
    trustDirectory: join(home, 'trust'),
    name: 'n1',
    grant: ['ns/shop/*'],
    directory: join(home, 'bundle'),
  });
});
afterEach(async () => {
  await Promise.all(running.map((child) => stopProcess(child, 10_000)));
  rmSync(home, { recursive: true });
});

test(
  'no key and no token is in anything an agent says, answers or writes',
  async () => {
    await using application = createServer((_, response) => response.end('hello')).listen(0, ADDRESS);
    await once(application, 'listening');
    const agent = await startAgent(application);
    const keys = await svidKeys();
    await traffic();
    const tokens = await joins();
    await errors();
    await askEverything();
    said.push(...['comm', 'cmdline', 'environ'].map((name) => readFileSync(`/proc/${agent.pid}/${name}`, 'latin1')));
    await stopProcess(agent, 10_000);

    const keyFiles = filesUnder(home).filter((file) => file.endsWith('.key'));
    expect(keyFiles.map((file) => basename(file))).toEqual(
      expect.arrayContaining(['node.key', 'root.key', 'issuer.key', 'operator.key']),
    );
    for (const file of keyFiles) expect([file, statSync(file).mode & 0o777]).toEqual([file, 0o600]);
    keys.push(...keyFiles.map((file) => createPrivateKey(readFileSync(file))));

    const places = new Map(
      filesUnder(home)
        .filter((file) => !keyFiles.includes(file))
        .map((file) => [file, readFileSync(file, 'latin1')]),
    );
    places.set('what was said', said.join('\n'));
    expect(places.get('what was said')!.length).toBeGreaterThan(20_000); // a search of nothing finds nothing
    const needles = [...keys.flatMap(tracesOf), ...tokens.flatMap(tracesOfToken), 'PRIVATE KEY'];
    const found = [...places].flatMap(([place, text]) =>
      needles.filter((needle) => isIn(text, needle)).map((needle) => `${place}: ${needle}`),
    );
    expect(found).toEqual([]);
  },
  PATIENCE_MS,
);

test('the search finds what it is for', () => {
  const key = createPrivateKey(readFileSync(join(home, 'bundle/node.key')));
  const { d = '' } = key.export({ format: 'jwk' });
  const leaks = [
    key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    JSON.stringify(key.export({ format: 'jwk' })),
    Buffer.from(d, 'base64url').toString('hex'),
    key.export({ type: 'sec1', format: 'der' }).toString('latin1'),
    key.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
  ];
  for (const leak of leaks)
    expect(
      tracesOf(key).some((trace) => isIn(leak, trace)),
      leak,
    ).toBe(true);
});

/** Base64 is broken into lines, in JSON too. */
function isIn(text: string, trace: string): boolean {
  return text.includes(trace) || text.replaceAll(/\s|\\n/g, '').includes(trace);
}

/** Every way a key is written down: its number d in each alphabet, and the lines of its PEM that hold it. */
function tracesOf(key: KeyObject): string[] {
  const { d = '' } = key.export({ format: 'jwk' });
  const number = Buffer.from(d, 'base64url');
  const hex = number.toString('hex');
  const der = key.export({ type: 'pkcs8', format: 'der' });
  // Base64 of a longer whole depends on where in it the number begins, modulo three.
  const inBase64 = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), number])
      .toString('base64')
      .slice(4, 40),
  );
  return [
    d,
    hex,
    hex.toUpperCase(),
    number.toString('latin1'),
    number.toString('base64'),
    ...inBase64,
    der.toString('base64').slice(40, 100),
  ];
}

/** The signature makes the token: its last bytes, but for the very last, which the test alters. */
function tracesOfToken(token: string): string[] {
  const tail = token.slice(-52, -12);
  return [token, tail, Buffer.from(tail, 'base64url').toString('hex')];
}

/** An issuer with two workloads, one of which calls the other. */
async function startAgent(application: Server): Promise<ChildProcess> {
  const { port } = application.address() as AddressInfo;
  writeWorkload('server', { ports: [{ name: 'http', port, appProtocol: 'http' }] });
  writeWorkload('client', { upstreams: [{ service: 'shop/server', port, listen: `${ADDRESS}:9000` }] });
  const { child, untilSaid } = start({
    log: { level: 'trace' },
    certs: { bundleDirectory: 'bundle', issuerDirectory: 'trust', join: { listen: `${ADDRESS}:15012` } },
    workloadApi: { socket: 'api.sock' },
  });
  await untilSaid('agent is running');
  return child;
}

/** Of the client: this process is it, by its user. */
async function svidKeys(): Promise<KeyObject[]> {
  using client = new WorkloadClient(join(home, 'api.sock'));
  const { svids } = await client.svids().message();
  return svids.map((svid) => createPrivateKey({ key: svid.x509_svid_key, format: 'der', type: 'pkcs8' }));
}

/** Requests that arrive, and some that are none. */
async function traffic(): Promise<void> {
  const ask = async (): Promise<number> => {
    const { statusCode, body } = await request(`http://${ADDRESS}:9000/`);
    said.push(await body.text());
    return statusCode;
  };
  await expect.poll(ask).toBe(200);
  for (const port of [15_008, 15_012]) {
    const socket = connect(port, ADDRESS).on('error', () => {});
    socket.end('GET / HTTP/1.1\r\n\r\n');
    await once(socket.resume(), 'close');
  }
}

/** @returns the tokens: one that was used, and used again, and one that was altered */
async function joins(): Promise<string[]> {
  const create = async () =>
    (await weft('token', 'create', '--grant', 'ns/shop/*', '--operator', operator())).stdout.trim();
  const [used, other] = [await create(), await create()];
  const altered = other.slice(0, -2) + (other.endsWith('A') ? 'BB' : 'AA');
  for (const [token, name] of [
    [used, 'n2'],
    [used, 'n3'],
    [altered, 'n4'],
  ] as const) {
    const { output } = await weft('join', token, `${ADDRESS}:15012`, '--name', name, '--out', join(home, name));
    said.push(output);
  }
  expect(filesUnder(join(home, 'n2')).map((file) => basename(file))).toContain('node.key');
  expect(readdirSync(home)).not.toContain('n3');
  return [used, other];
}

function operator(): string {
  return dirname(filesUnder(join(home, 'trust')).find((file) => file.endsWith('operator.key'))!);
}

/** Agents that cannot start, for what is wrong with their keys. */
async function errors(): Promise<void> {
  const breakages: Record<string, (bundle: string, key: string) => void> = {
    'cut off': (bundle, key) => writeFileSync(join(bundle, 'node.key'), key.slice(0, -60), { mode: 0o600 }),
    'with a wrong letter': (bundle, key) => writeFileSync(join(bundle, 'node.key'), key.replace('MIGH', 'MIGI')),
    'open to others': (bundle) => chmodSync(join(bundle, 'node.key'), 0o644),
    'beside a broken certificate': (bundle) => writeFileSync(join(bundle, 'node.crt'), 'nonsense'),
    'in the place of a certificate': (bundle, key) => writeFileSync(join(bundle, 'node.crt'), key),
  };
  for (const [what, damage] of Object.entries(breakages)) {
    const bundle = join(home, 'broken');
    cpSync(join(home, 'bundle'), bundle, { recursive: true });
    damage(bundle, readFileSync(join(bundle, 'node.key'), 'utf8'));
    const { ended } = start({ certs: { bundleDirectory: 'broken' }, dataDirectory: 'other' });
    expect([what, await ended]).toEqual([what, 1]);
    rmSync(bundle, { recursive: true });
  }
}

const CONSOLE = [
  '/session',
  '/topology',
  '/services',
  '/documents',
  '/members',
  '/identities',
  '/events',
  '/traces',
  '/logs',
];

/** Every path that the agent names, those of its console, on its socket and on loopback, its metrics, and what commands print. */
async function askEverything(): Promise<void> {
  const socket = join(home, 'agent.sock');
  const dispatcher = new HttpAgent({ connect: { socketPath: socket } });
  const get = async (path: string): Promise<string> => {
    const { body } = await request(`http://agent${path}`, { dispatcher });
    return body.text();
  };
  const known = /known: ([^"]*)/.exec(await get('/v1/nothing'))![1]!.split(', ');
  expect(known.length).toBeGreaterThan(10);
  for (const path of [...known, ...CONSOLE.map((path) => `/api/v1${path}`)]) said.push(await get(path));
  await dispatcher.close();
  for (const command of ['status', 'workloads', 'check'])
    said.push((await weft(command, '-s', socket, '-o', 'json')).output);
  said.push((await weft('snapshot', join(home, 'snapshot'), '-s', socket)).output);
  expect(readdirSync(home)).toContain('snapshot');
}

function writeWorkload(name: string, spec: object): void {
  const runs = { host: { uid: process.getuid!() + (name === 'client' ? 0 : 1) } };
  const workload = {
    apiVersion: 'weft.dev/v1alpha1',
    kind: 'Workload',
    metadata: { name, namespace: 'shop' },
    spec: { service: name, serviceAccount: name, runs, address: ADDRESS, ...spec },
  };
  mkdirSync(join(home, 'workloads.d'), { recursive: true });
  writeFileSync(join(home, 'workloads.d', `${name}.yaml`), stringify(workload));
}

function start(change: Readonly<Record<string, unknown>>) {
  const config = {
    nodeName: 'n1',
    dataDirectory: 'data',
    workloadsDirectory: 'workloads.d',
    workers: 1,
    capture: { mode: 'none' },
    gossip: { listen: '127.0.0.1:0' },
    admin: { socket: 'agent.sock', listen: '127.0.0.1:0' },
    metrics: { listen: '127.0.0.1:0' },
    ...change,
  };
  const file = join(home, 'agent.yaml');
  writeFileSync(file, stringify(config));
  return listenTo(spawn(process.execPath, [MAIN, 'agent', '-c', file], { stdio: ['ignore', 'pipe', 'pipe'] }));
}

/** Keeps all that a process says. */
function listenTo(child: ChildProcess) {
  running.push(child);
  let output = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString('latin1');
      said.push(chunk.toString('latin1'));
    });
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const untilSaid = async (sentence: string): Promise<void> => {
    while (!output.includes(sentence)) {
      const more = Promise.race([once(child.stdout!, 'data'), once(child.stderr!, 'data'), ended.then(() => 'ended')]);
      if ((await more) === 'ended') throw new Error(`ended without saying "${sentence}":\n${output}`);
    }
  };
  return { child, ended, untilSaid };
}

/** A command to its end; what it printed is not among `said`, because a new token is. */
async function weft(...args: string[]): Promise<{ stdout: string; output: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr] = ['', ''].map(() => [] as Buffer[]) as [Buffer[], Buffer[]];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  await once(child, 'close');
  const text = Buffer.concat(stdout).toString('latin1');
  return { stdout: text, output: text + Buffer.concat(stderr).toString('latin1') };
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
