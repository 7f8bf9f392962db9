import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SvidKeeper } from '../../agent/svids.ts';
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import { Revocations } from '../../certs/revocation.ts';
import type { Svid } from '../../certs/svid.ts';
import { verifyChain } from '../../certs/verify.ts';
import { addNode, chainOf, makeNode, TemporaryDirectory, WEB } from '../certs/trust.ts';

const HOUR_MS = 3_600_000;

let directory: TemporaryDirectory;
let renewed: Svid[];
beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 1), toFake: ['Date', 'setTimeout', 'clearTimeout', 'setImmediate'] });
  directory = new TemporaryDirectory();
  renewed = [];
});
afterEach(() => {
  vi.useRealTimers();
  directory[Symbol.dispose]();
});

function keeper(node: NodeIdentity): SvidKeeper {
  const log = pino({ level: 'silent' });
  return new SvidKeeper({ node, ttlMs: HOUR_MS, log, random: () => 0.5, renewed: (svid) => renewed.push(svid) });
}

/** A node certificate that lives for `ttlMs` from now. */
function node(ttlMs: number): NodeIdentity {
  return makeNode(directory, { nowMs: Date.now(), ttlMs });
}

test('an SVID is renewed at half of its life, again and again', () => {
  using svids = keeper(node(24 * HOUR_MS));
  const first = svids.hold(WEB);
  vi.advanceTimersByTime(HOUR_MS / 2 - 1);
  expect(renewed).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(renewed).toHaveLength(1);
  expect(renewed[0]!.expiresAtMs).toBe(first.expiresAtMs + HOUR_MS / 2);
  expect(renewed[0]!.privateKeyPem).not.toBe(first.privateKeyPem);
  expect(svids.hold(WEB)).toBe(renewed[0]);
  vi.advanceTimersByTime(HOUR_MS / 2);
  expect([renewed.length, svids.renewals]).toEqual([2, 2]);
});

test('one identity has one SVID, kept until the last holder lets go', () => {
  using svids = keeper(node(24 * HOUR_MS));
  expect(svids.hold(WEB)).toBe(svids.hold(WEB));
  svids.release(WEB);
  vi.advanceTimersByTime(HOUR_MS / 2);
  expect(renewed).toHaveLength(1);
  svids.release(WEB);
  expect(svids.svids()).toEqual([]);
  vi.advanceTimersByTime(24 * HOUR_MS);
  expect(renewed).toHaveLength(1);
});

test('when the node certificate ends, the last SVID stays in use and minting is tried again', () => {
  using svids = keeper(node(2 * HOUR_MS));
  svids.hold(WEB);
  vi.advanceTimersByTime(3 * HOUR_MS);
  const kept = svids.svids()[0]!;
  expect(kept.expiresAtMs).toBe(Date.UTC(2026, 10, 1) + 2 * HOUR_MS);
  const failures = svids.failures;
  expect(failures).toBeGreaterThan(0);
  vi.advanceTimersByTime(60_000);
  expect(svids.failures).toBe(failures + 1);
});

test('an identity outside the grant is refused', () => {
  using svids = keeper(node(HOUR_MS));
  expect(() => svids.hold('spiffe://test.example/ns/bank/sa/vault')).toThrow('grant');
});

test('SVIDs that are due at the same moment are renewed one a turn', () => {
  using svids = keeper(node(24 * HOUR_MS));
  for (let i = 0; i < 50; i++) svids.hold(`spiffe://test.example/ns/shop/sa/w${i}`);
  vi.advanceTimersByTime(HOUR_MS / 2);
  expect(renewed).toHaveLength(1);
  vi.advanceTimersByTime(60);
  expect(renewed).toHaveLength(50);
});

test('a renewed node certificate gives every SVID a new life, and ends the waiting of those that could not be minted', () => {
  const first = node(2 * HOUR_MS);
  using svids = keeper(first);
  const ids = ['web', 'cart', 'kv'].map((name) => `spiffe://test.example/ns/shop/sa/${name}`);
  for (const id of ids) svids.hold(id);
  vi.advanceTimersByTime(2 * HOUR_MS); // the node certificate has ended: nothing can be minted
  renewed = [];
  const next = addNode(directory, { name: 'a', grant: ['ns/shop/*'], nowMs: Date.now(), ttlMs: 24 * HOUR_MS });
  svids.identityChanged(next);
  vi.advanceTimersByTime(10); // a turn takes a millisecond of this clock
  expect(renewed.map(({ spiffeId }) => spiffeId).sort()).toEqual([...ids].sort());
  for (const svid of svids.svids()) {
    expect(svid.expiresAtMs).toBe(Math.floor(Date.now() / 1_000) * 1_000 + HOUR_MS);
    expect(svid.certificateChainPem).toContain(next.chain[0]!.toString());
  }
});

test('an SVID outside a narrower grant is not renewed, and the others are', () => {
  using svids = keeper(node(24 * HOUR_MS));
  svids.hold(WEB);
  svids.hold('spiffe://test.example/ns/shop/sa/cart');
  svids.identityChanged(
    addNode(directory, { name: 'a', grant: ['ns/shop/sa/cart'], nowMs: Date.now(), ttlMs: 24 * HOUR_MS }),
  );
  vi.advanceTimersByTime(10);
  expect(renewed.map(({ spiffeId }) => spiffeId)).toEqual(['spiffe://test.example/ns/shop/sa/cart']);
  expect(svids.failures).toBe(1);
});

test('a revoked SVID is minted anew at once, as of after the revocation, and others are left alone', () => {
  const own = node(24 * HOUR_MS);
  using svids = keeper(own);
  const cart = svids.hold('spiffe://test.example/ns/shop/sa/cart');
  svids.hold(WEB);
  vi.advanceTimersByTime(700);
  const revocations = new Revocations([{ subject: WEB, beforeMs: Date.now() }]);
  svids.revoked(revocations);
  vi.advanceTimersByTime(10);
  expect(renewed.map(({ spiffeId }) => spiffeId)).toEqual([WEB]);
  expect(svids.hold(cart.spiffeId)).toBe(cart);
  const options = { trust: own.trust, role: 'workload', nowMs: Date.now(), revocations } as const;
  expect(verifyChain(chainOf(renewed[0]!), options)).toMatchObject({ ok: true, spiffeId: WEB });
  svids.revoked(revocations); // the same once more: what covers the former one does not cover this
  vi.advanceTimersByTime(10);
  expect(renewed).toHaveLength(1);
});

test('a thousand SVIDs are renewed without holding up the thread for 20 ms', async () => {
  vi.useRealTimers();
  const turns: number[] = [];
  const { promise: allRenewed, resolve } = Promise.withResolvers<void>();
  using svids = new SvidKeeper({
    node: makeNode(directory),
    ttlMs: HOUR_MS,
    log: pino({ level: 'silent' }),
    random: Math.random,
    renewed: () => {
      if (svids.renewals === 1_000) resolve();
    },
  });
  for (let i = 0; i < 1_000; i++) svids.hold(`spiffe://test.example/ns/shop/sa/w${i}`);
  let isOver = false;
  // Not the wall clock: what other processes do is no stall of ours. The system counts in ticks of some milliseconds.
  const cpuMs = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1_000;
  };
  const next = addNode(directory, { name: 'a', grant: ['ns/shop/*'], nowMs: Date.now(), ttlMs: 24 * HOUR_MS });
  const beganMs = cpuMs();
  let before = beganMs;
  const look = (): void => {
    const now = cpuMs();
    turns.push(now - before);
    before = now;
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  svids.identityChanged(next);
  await allRenewed;
  isOver = true;
  const [each, longest] = [(cpuMs() - beganMs) / 1_000, Math.max(...turns)];
  process.stdout.write(
    `1,000 SVIDs: ${each.toFixed(2)} ms of CPU each, ${longest.toFixed(1)} ms in one turn at most\n`,
  );
  expect(turns.length).toBeGreaterThan(990);
  expect(each).toBeLessThan(2);
  expect(longest).toBeLessThan(20);
});
