import { createPrivateKey } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mintSvid, renewAtMs } from '../../certs/svid.ts';
import { verifyChain } from '../../certs/verify.ts';
import { SEEDED } from './properties.ts';
import { chainOf, HOUR_MS, makeNode, mint, TemporaryDirectory, TRUST_DOMAIN, WEB } from './trust.ts';

test('an SVID is accepted from a minute before it was minted, for peers whose clock is behind, until it expires', () => {
  using directory = new TemporaryDirectory();
  const nowMs = Date.now();
  const node = makeNode(directory, { nowMs: nowMs - HOUR_MS, ttlMs: 3 * HOUR_MS });
  const svid = mint(node, WEB, nowMs);
  const [leaf] = chainOf(svid);
  expect(leaf!.validFromDate.getTime()).toBeLessThanOrEqual(nowMs - 60_000); // OpenSSL itself allows no skew
  expect(leaf!.validToDate.getTime()).toBe(svid.expiresAtMs);
  expect(leaf!.checkPrivateKey(createPrivateKey(svid.privateKeyPem))).toBe(true);
  const verdictAt = (atMs: number) => verifyChain(chainOf(svid), { trust: node.trust, role: 'workload', nowMs: atMs });
  expect(verdictAt(nowMs)).toMatchObject({ ok: true, spiffeId: WEB, node: 'a', expiresAtMs: svid.expiresAtMs });
  expect(verdictAt(svid.expiresAtMs + 60_001)).toMatchObject({ reason: 'expired' });
});

test('an SVID never outlives the node certificate, whatever is asked for and whenever', () => {
  using directory = new TemporaryDirectory();
  const issuedAtMs = Date.now();
  const node = makeNode(directory, { nowMs: issuedAtMs, ttlMs: 2 * HOUR_MS });
  const nodeEndMs = node.chain[0]!.validToDate.getTime();
  fc.assert(
    fc.property(fc.nat(2 * HOUR_MS - 2_000), fc.integer({ min: 1_000, max: 100 * HOUR_MS }), (sinceMs, ttlMs) => {
      const nowMs = issuedAtMs + sinceMs;
      const svid = mintSvid(node, WEB, { ttlMs, nowMs });
      const certificateEndMs = chainOf(svid)[0]!.validToDate.getTime();
      expect(certificateEndMs).toBe(svid.expiresAtMs);
      expect(certificateEndMs).toBeLessThanOrEqual(Math.min(nodeEndMs, nowMs + ttlMs));
    }),
    { ...SEEDED, numRuns: 50 },
  );
  expect(() => mintSvid(node, WEB, { ttlMs: HOUR_MS, nowMs: nodeEndMs })).toThrow(
    'node certificate is past its expiry',
  );
});

test.each([
  [`spiffe://${TRUST_DOMAIN}/ns/bank/sa/pay`, 'may not speak for this identity'],
  ['spiffe://other.example/ns/shop/sa/web', 'may not speak for this identity'],
  [`spiffe://${TRUST_DOMAIN}/node/a`, 'not usable in a SPIFFE ID'],
  [`spiffe://${TRUST_DOMAIN}/ns/shop`, 'not usable in a SPIFFE ID'],
  ['web', 'not usable in a SPIFFE ID'],
])('a node does not mint %s', (spiffeId, problem) => {
  using directory = new TemporaryDirectory();
  const node = makeNode(directory);
  expect(() => mint(node, spiffeId)).toThrow(problem);
});

test('renewal falls between 40 and 60 % of a life, wherever chance puts it', () => {
  const life = { notBeforeMs: 1_000, expiresAtMs: 2_000 };
  expect(renewAtMs(life, () => 0)).toBe(1_400);
  expect(renewAtMs(life, () => 0.5)).toBe(1_500);
  expect(renewAtMs(life, () => 1)).toBe(1_600);
});
