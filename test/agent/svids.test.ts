import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SvidKeeper } from '../../agent/svids.ts';
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import type { Svid } from '../../certs/svid.ts';
import { makeNode, TemporaryDirectory, WEB } from '../certs/trust.ts';

const HOUR_MS = 3_600_000;

let directory: TemporaryDirectory;
let renewed: Svid[];
beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 1), toFake: ['Date', 'setTimeout', 'clearTimeout'] });
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
