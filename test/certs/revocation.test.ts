/** What a revocation covers: by identity, by instant, at every level of a chain, and for operators. */
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { signCertificate } from '../../certs/issue.ts';
import { CertificateMemory } from '../../certs/memory.ts';
import { OID } from '../../certs/oids.ts';
import { verifyOperator } from '../../certs/operator.ts';
import { afterRevocationMs, Revocations, revocationSubject } from '../../certs/revocation.ts';
import { CLOCK_SKEW_MS, verifyChain } from '../../certs/verify.ts';
import { SEEDED } from './properties.ts';
import {
  addNode,
  chainOf,
  forgeChain,
  HOUR_MS,
  makeNode,
  mint,
  NOW_MS,
  TemporaryDirectory,
  TRUST_DOMAIN,
  WEB,
} from './trust.ts';

const NODE = `spiffe://${TRUST_DOMAIN}/node/a`;
const ISSUED_MS = NOW_MS - HOUR_MS + CLOCK_SKEW_MS;
const good = forgeChain();

function judged(subject: string, beforeMs: number, role: 'node' | 'workload' = 'workload') {
  const chain = role === 'node' ? good.chain.slice(1) : good.chain;
  const revocations = new Revocations([{ subject, beforeMs }]);
  const verdict = verifyChain(chain, { trust: good.trust, role, nowMs: NOW_MS, revocations });
  return verdict.ok ? 'accepted' : verdict.reason;
}

test('a revoked workload is refused, up to the instant of the revocation and not after it', () => {
  expect(judged(WEB, ISSUED_MS)).toBe('revoked');
  expect(judged(WEB, NOW_MS)).toBe('revoked');
  expect(judged(WEB, ISSUED_MS - 1)).toBe('accepted');
  expect(judged(`${WEB}2`, NOW_MS)).toBe('accepted');
});

test('a revoked node is refused, and with it every workload it vouches for', () => {
  expect(judged(NODE, NOW_MS, 'node')).toBe('revoked');
  expect(judged(NODE, NOW_MS)).toBe('revoked');
  expect(judged(WEB, NOW_MS, 'node')).toBe('accepted');
  expect(judged(`spiffe://${TRUST_DOMAIN}/node/b`, NOW_MS)).toBe('accepted');
});

test('a chain that is remembered as genuine is refused once it is revoked', () => {
  const memory = new CertificateMemory();
  const options = { trust: good.trust, role: 'workload', nowMs: NOW_MS, memory } as const;
  expect(verifyChain(good.chain, options).ok).toBe(true);
  const revocations = new Revocations([{ subject: NODE, beforeMs: NOW_MS }]);
  expect(verifyChain(good.chain, { ...options, revocations })).toMatchObject({
    reason: 'revoked',
    detail: `the certificate of "${NODE}" of ${new Date(ISSUED_MS).toISOString()} was revoked`,
  });
});

test('what a real node and a real issuer certify after a revocation is accepted', () => {
  using directory = new TemporaryDirectory();
  const nowMs = Math.floor(Date.now() / 1_000) * 1_000 + 700;
  const before = makeNode(directory, { nowMs: nowMs - 10_000 });
  const revocations = new Revocations([NODE, WEB].map((subject) => ({ subject, beforeMs: nowMs })));
  const laterMs = afterRevocationMs(nowMs);
  const after = addNode(directory, { name: 'a', grant: ['ns/shop/*'], nowMs: laterMs, ttlMs: HOUR_MS });
  const options = { trust: before.trust, role: 'workload', nowMs: laterMs, revocations } as const;
  const verdicts = [
    mint(before, WEB, nowMs),
    mint(before, WEB, laterMs),
    mint(after, WEB, nowMs),
    mint(after, WEB, laterMs),
  ].map((svid) => verifyChain(chainOf(svid), options).ok);
  expect(verdicts).toEqual([false, false, false, true]);
});

test('a revoked operator is nobody, whatever instant it is judged by, and one certified later is somebody', () => {
  const keys = generateKeyPairSync('ed25519');
  const subject = `spiffe://${TRUST_DOMAIN}/operator/alice`;
  const certified = (issuedAtMs: number) =>
    signCertificate(
      {
        subject: 'operator',
        publicKey: keys.publicKey,
        notBeforeMs: issuedAtMs - CLOCK_SKEW_MS,
        notAfterMs: NOW_MS + HOUR_MS / 2,
        uris: [subject],
        keyUsage: ['digitalSignature'],
        lists: [{ oid: OID.weftScope, strings: ['*/*'] }],
      },
      good.root,
    );
  const revocations = new Revocations([{ subject, beforeMs: NOW_MS }]);
  const old = certified(NOW_MS - 60_000);
  for (const nowMs of [NOW_MS - 59_000, NOW_MS, NOW_MS + 60_000]) {
    expect(verifyOperator(old, { trust: good.trust, nowMs }).ok).toBe(true);
    expect(verifyOperator(old, { trust: good.trust, nowMs, revocations })).toMatchObject({ reason: 'revoked' });
  }
  const renewed = certified(NOW_MS + 1_000);
  expect(verifyOperator(renewed, { trust: good.trust, nowMs: NOW_MS, revocations })).toMatchObject({ ok: true });
});

test('of several revocations of one identity the latest instant counts, in whatever order they come', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(WEB, NODE), fc.nat(20))), fc.nat(20), (all, issuedAtMs) => {
      const entries = all.map(([subject, beforeMs]) => ({ subject, beforeMs }));
      const isCovered = entries.some(({ subject, beforeMs }) => subject === WEB && issuedAtMs <= beforeMs);
      for (const order of [entries, entries.toReversed()]) {
        expect(new Revocations(order).covers({ spiffeId: WEB, issuedAtMs })).toBe(isCovered);
      }
    }),
    SEEDED,
  );
});

test('a subject is a node, a workload or an operator, in the one spelling for each', () => {
  expect(revocationSubject(TRUST_DOMAIN, 'node/a')).toBe(NODE);
  expect(revocationSubject(TRUST_DOMAIN, 'workload/ns/shop/sa/web')).toBe(WEB);
  expect(revocationSubject(TRUST_DOMAIN, 'operator/alice')).toBe(`spiffe://${TRUST_DOMAIN}/operator/alice`);
  for (const text of [
    '',
    'a',
    'node/',
    'node/a/b',
    'node/a b',
    'Node/a',
    'ns/shop/sa/web',
    'workload/node/a',
    'workload/operator/alice',
    'workload/web',
    'issuer/x',
    '../node/a',
  ]) {
    expect(revocationSubject(TRUST_DOMAIN, text)).toBeUndefined();
  }
});
