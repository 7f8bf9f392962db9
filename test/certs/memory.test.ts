/** What the memory of genuine certificates may and may not change: speed, never a verdict. */
import { X509Certificate } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { CertificateMemory } from '../../certs/memory.ts';
import { type VerifyOptions, verifyChain } from '../../certs/verify.ts';
import { altered, type ForgedChain, forge, forgeChain, HOUR_MS, NOW_MS, TRUST_DOMAIN, WEB } from './trust.ts';

function verify(forged: Pick<ForgedChain, 'chain' | 'trust'>, options: Partial<VerifyOptions> = {}) {
  return verifyChain(forged.chain, { trust: forged.trust, role: 'workload', nowMs: NOW_MS, ...options });
}

test('a chain met before gets the same verdict without another look at its signatures', () => {
  const memory = new CertificateMemory();
  const good = forgeChain();
  const first = verify(good, { memory });
  expect(first).toMatchObject({ ok: true, spiffeId: WEB });
  const check = vi.spyOn(X509Certificate.prototype, 'verify');
  expect(verify(good, { memory })).toEqual(first);
  expect(check).not.toHaveBeenCalled();
  check.mockRestore();
  expect(memory.size).toBe(4); // the root, the issuer, the node, the SVID
});

test('a remembered chain is still refused when its time, root, role or name is wrong', () => {
  const memory = new CertificateMemory();
  const good = forgeChain();
  verify(good, { memory });
  const reasonOf = (options: Partial<VerifyOptions>) => {
    const verdict = verify(good, { memory, ...options });
    return verdict.ok ? 'accepted' : verdict.reason;
  };
  expect(reasonOf({ nowMs: NOW_MS + 2 * HOUR_MS })).toBe('expired');
  expect(reasonOf({ trust: forgeChain().trust })).toBe('untrusted-root');
  expect(reasonOf({ trust: { trustDomain: TRUST_DOMAIN, roots: [] } })).toBe('untrusted-root');
  expect(reasonOf({ role: 'node' })).toBe('wrong-role');
  expect(reasonOf({ expected: `${WEB}x` })).toBe('wrong-identity');
});

test('remembered certificates do not vouch for altered ones, nor in other places of a chain', () => {
  const memory = new CertificateMemory();
  const good = forgeChain();
  const other = forgeChain();
  verify(good, { memory });
  verify(other, { memory });
  const [svid, node, issuer] = good.chain;
  const evil = altered(svid!, '/sa/web', '/sa/pay');
  expect(verify({ ...good, chain: [evil, node!, issuer!] }, { memory })).toMatchObject({ reason: 'bad-signature' });
  const crossed = [svid!, ...other.chain.slice(1)];
  expect(verify({ ...other, chain: crossed }, { memory })).toMatchObject({ reason: 'bad-signature' });
});

test('what is refused for its signature is not remembered', () => {
  const memory = new CertificateMemory();
  const good = forgeChain();
  verify(good, { memory, trust: forgeChain().trust });
  expect(memory.size).toBe(1); // the other root itself
});

test('the memory keeps to its bound, forgets what was used least recently, and answers right after that', () => {
  const memory = new CertificateMemory(5);
  const good = forgeChain();
  for (let i = 0; i < 20; i++) {
    const chain = [forge({}, good.node).certificate, ...good.chain.slice(1)];
    expect(verify({ ...good, chain }, { memory }).ok).toBe(true);
    expect(memory.size).toBeLessThanOrEqual(5);
  }
  expect(memory.isSignedBy(good.chain[2]!, good.root.certificate)).toBe(true);
  expect(verify(good, { memory }).ok).toBe(true);
});
