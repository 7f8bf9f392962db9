import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BundleWatch } from '../../../agent/identity/bundle-watch.ts';
import { IdentityHolder } from '../../../agent/identity/holder.ts';
import { Renewer, type Way } from '../../../agent/identity/renewer.ts';
import { type Answer, refused } from '../../../agent/join/messages.ts';
import { issueNodeCertificate, loadIssuer } from '../../../certs/issuer.ts';
import { installNodeBundle, type NodeIdentity } from '../../../certs/node-bundle.ts';
import { addNode, HOUR_MS, makeNode, TemporaryDirectory } from '../../certs/trust.ts';

const START_MS = Date.UTC(2026, 10, 1);

let directory: TemporaryDirectory;
let node: NodeIdentity;
let holder: IdentityHolder;
let said: string[];
let inUse: NodeIdentity[];

function begin(nowMs = Date.now()): void {
  directory = new TemporaryDirectory();
  node = makeNode(directory, { nowMs, ttlMs: 12 * HOUR_MS });
  said = [];
  inUse = [];
  const log = logger();
  holder = new IdentityHolder({ directory: directory.sub('node-a'), identity: node, log });
  holder.onChange((identity) => inUse.push(identity));
}

function logger() {
  const stream = { write: (line: string) => void said.push((JSON.parse(line) as { msg: string }).msg) };
  return pino({ level: 'info' }, stream);
}

/** What an issuer of this mesh says. */
function issue(changes: Partial<Parameters<typeof issueNodeCertificate>[2]> = {}): Answer {
  const issuer = loadIssuer(directory.sub('trust'));
  const { name, grant, chain, trust } = holder.current;
  const usual = { name, grant, publicKey: chain[0]!.publicKey, ttlMs: 12 * HOUR_MS, nowMs: Date.now() };
  const issued = issueNodeCertificate(issuer, trust, { ...usual, ...changes });
  return { kind: 'issued', chain: issued.map(({ raw }) => raw), roots: [] };
}

describe('a node certificate', () => {
  let ways: Way[];
  let renewer: Renewer;
  let asked: string[];

  beforeEach(() => {
    vi.useFakeTimers({ now: START_MS, toFake: ['Date', 'setTimeout', 'clearTimeout'] });
    begin();
    ways = [];
    asked = [];
    renewer = new Renewer({ holder, ways: () => ways, log: logger(), random: () => 0.5 });
  });
  afterEach(() => {
    renewer[Symbol.dispose]();
    vi.useRealTimers();
    directory[Symbol.dispose]();
  });

  const way = (name: string, answer: () => Answer): Way => ({
    name,
    ask: async () => {
      asked.push(name);
      return answer();
    },
  });

  test('is renewed at half of its life, again and again, and what is on disk is what is in use', async () => {
    ways = [way('n1', issue)];
    await vi.advanceTimersByTimeAsync(6 * HOUR_MS - 1);
    expect(asked).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(holder.current.expiresAtMs).toBe(START_MS + 18 * HOUR_MS);
    await vi.advanceTimersByTimeAsync(6 * HOUR_MS);
    expect(inUse.map(({ expiresAtMs }) => expiresAtMs - START_MS)).toEqual([18 * HOUR_MS, 24 * HOUR_MS]);
    const onDisk = readFileSync(directory.sub('node-a/node.crt'), 'utf8');
    expect(onDisk).toBe(holder.current.chain.join(''));
    expect(renewer.view()).toMatchObject({ renewals: 2, failures: 0, problem: '' });
  });

  test('goes to the next issuer when one refuses, and takes nothing that is not its own and better', async () => {
    const other = addNode(directory, { name: 'b', grant: ['*'], nowMs: START_MS, ttlMs: HOUR_MS });
    ways = [
      way('refuses', () => refused('busy', 'not now')),
      way('another name', () => issue({ name: 'b' })),
      way('another key', () => issue({ publicKey: other.chain[0]!.publicKey })),
      way('ends sooner', () => issue({ ttlMs: HOUR_MS })),
      way('good', issue),
    ];
    await vi.advanceTimersByTimeAsync(6 * HOUR_MS);
    expect(asked).toEqual(ways.map(({ name }) => name));
    expect(inUse).toHaveLength(1);
    expect(holder.current.spiffeId).toBe(node.spiffeId);
  });

  test('on disk is not touched by what an issuer should not have sent', async () => {
    const other = addNode(directory, { name: 'b', grant: ['*'], nowMs: START_MS, ttlMs: HOUR_MS });
    const before = readFileSync(directory.sub('node-a/node.crt'), 'utf8');
    ways = [way('another key', () => issue({ publicKey: other.chain[0]!.publicKey }))];
    await vi.advanceTimersByTimeAsync(6 * HOUR_MS);
    expect(asked).toEqual(['another key']);
    expect(readFileSync(directory.sub('node-a/node.crt'), 'utf8')).toBe(before);
  });

  test('that nobody renews stays in use, is asked for more and more rarely, and warned of from a third on', async () => {
    await vi.advanceTimersByTimeAsync(6 * HOUR_MS + 60_000);
    const early = renewer.view().failures;
    expect(early).toBeGreaterThan(1);
    expect(said.filter((line) => line.includes('third'))).toEqual([]);
    await vi.advanceTimersByTimeAsync(3 * HOUR_MS);
    expect(renewer.view()).toMatchObject({ renewals: 0, problem: 'no issuer is in reach' });
    expect(renewer.view().failures).toBeLessThan(120); // every five minutes at the rarest
    const warnings = said.filter((line) => line.includes('less than a third'));
    expect(warnings.length).toBeGreaterThanOrEqual(1);
    expect(warnings.length).toBeLessThanOrEqual(2);
    await vi.advanceTimersByTimeAsync(4 * HOUR_MS);
    expect(said.some((line) => line.includes('has expired'))).toBe(true);
    expect(inUse).toEqual([]);
  });

  test('is renewed as soon as an issuer comes into reach, also after it has ended', async () => {
    await vi.advanceTimersByTimeAsync(13 * HOUR_MS);
    ways = [way('n1', issue)];
    renewer.issuersChanged();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(holder.current.expiresAtMs).toBeGreaterThanOrEqual(Date.now() + 12 * HOUR_MS - 1_000);
  });

  test('is not asked for before its time because an issuer came', async () => {
    ways = [way('n1', issue)];
    for (let i = 0; i < 10; i++) renewer.issuersChanged();
    await vi.advanceTimersByTimeAsync(HOUR_MS);
    expect(asked).toEqual([]);
  });
});

describe('a bundle that an operator replaces', () => {
  beforeEach(() => begin());
  afterEach(() => directory[Symbol.dispose]());

  test('is taken into use by a running agent, key and all', async () => {
    const { promise: changed, resolve } = Promise.withResolvers<NodeIdentity>();
    holder.onChange(resolve);
    const options = { directory: directory.sub('node-a'), changed: () => holder.reload(), log: logger() };
    using _watch = new BundleWatch(options);
    addNode(directory, { name: 'a', grant: ['ns/bank/*'], nowMs: Date.now(), ttlMs: HOUR_MS });
    const identity = await changed;
    expect(identity.grant).toEqual(['ns/bank/*']);
    expect(identity.privateKey.equals(node.privateKey)).toBe(false);
    expect(identity.chain[0]!.checkPrivateKey(identity.privateKey)).toBe(true);
  });

  test('is left alone when it is another node’s, or broken, and that is said once', () => {
    const other = addNode(directory, { name: 'b', grant: ['*'], nowMs: Date.now(), ttlMs: HOUR_MS });
    installNodeBundle(directory.sub('node-a'), { privateKey: other.privateKey, chain: other.chain });
    for (let i = 0; i < 3; i++) holder.reload();
    expect(holder.problem).toContain('this is a of test.example, the bundle of spiffe://test.example/node/b');
    writeFileSync(directory.sub('node-a/node.crt'), 'nonsense');
    holder.reload();
    expect([inUse, said.length]).toEqual([[], 2]);
    expect(holder.current).toBe(node);
  });

  test('is whole at every moment, also when the writer dies between its files', () => {
    const next = addNode(directory, { name: 'a', grant: ['ns/bank/*'], nowMs: Date.now(), ttlMs: HOUR_MS });
    const home = directory.sub('node-a');
    renameSync(`${home}/node.key`, `${home}/node.key.next`); // as it is before the last step
    writeFileSync(`${home}/node.key`, node.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    holder.reload();
    expect(holder.current.privateKey.equals(next.privateKey)).toBe(true);
  });
});
