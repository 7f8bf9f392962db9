import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCsr, readCsr } from '../../certs/csr.ts';
import { issueOperatorBundle, loadOperatorBundle, type OperatorIdentity } from '../../certs/operator-bundle.ts';
import { createToken, parseToken, type TokenOptions, type TokenRefusal, verifyToken } from '../../certs/token.ts';
import type { TrustBundle } from '../../certs/trust-bundle.ts';
import { CLOCK_SKEW_MS } from '../../certs/verify.ts';
import { HOUR_MS, makeNode, TemporaryDirectory, TRUST_DOMAIN } from './trust.ts';

const MINUTE_MS = 60_000;

let directory: TemporaryDirectory;
let trust: TrustBundle;
let admin: OperatorIdentity;
const nowMs = Math.floor(Date.now() / 1_000) * 1_000;

beforeEach(() => {
  directory = new TemporaryDirectory();
  trust = makeNode(directory, { nowMs }).trust;
  admin = loadOperatorBundle(directory.sub('trust'));
});
afterEach(() => directory[Symbol.dispose]());

function create(changes: Partial<TokenOptions> = {}, operator = admin): string {
  const usual = { grant: ['ns/shop/*'], ttlMs: 10 * MINUTE_MS, nowMs, roots: trust.roots };
  return createToken(operator, { ...usual, ...changes });
}

function judge(token: string, atMs = nowMs, by = trust): TokenRefusal | 'accepted' {
  const verdict = verifyToken(parseToken(token)!, { trust: by, nowMs: atMs });
  return verdict.ok ? 'accepted' : verdict.reason;
}

test('a token says what it was made for, and any issuer of the trust domain accepts it', () => {
  const token = create({ name: 'n7' });
  expect(parseToken(token)).toMatchObject({
    trustDomain: TRUST_DOMAIN,
    name: 'n7',
    grant: ['ns/shop/*'],
    notBeforeMs: nowMs,
    expiresAtMs: nowMs + 10 * MINUTE_MS,
  });
  expect(verifyToken(parseToken(token)!, { trust, nowMs })).toEqual({ ok: true, author: 'admin' });
  expect(token.length).toBeLessThan(1_000);
});

test('two tokens are never the same', () => {
  expect(parseToken(create())!.id).not.toBe(parseToken(create())!.id);
});

describe('a token is refused', () => {
  test('before its time and after it, but for the skew of clocks', () => {
    const token = create();
    const endMs = nowMs + 10 * MINUTE_MS;
    expect(judge(token, endMs + CLOCK_SKEW_MS)).toBe('accepted');
    expect(judge(token, endMs + CLOCK_SKEW_MS + 1)).toBe('expired');
    expect(judge(token, nowMs - CLOCK_SKEW_MS - 1)).toBe('not-yet-valid');
  });

  test('when any of its bytes was altered', () => {
    const token = create();
    const bytes = Buffer.from(token.slice(token.indexOf('.') + 1), 'base64url');
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const altered = Buffer.from(bytes);
        altered[at] = altered[at]! ^ mask;
        const parsed = parseToken(`weft-join-1.${altered.toString('base64url')}`);
        expect(parsed === undefined || !verifyToken(parsed, { trust, nowMs }).ok).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('by a mesh with another root, whatever its name', () => {
    using elsewhere = new TemporaryDirectory();
    const foreign = makeNode(elsewhere).trust;
    expect(judge(create(), nowMs, foreign)).toBe('wrong-root');
    expect(judge(create({ roots: foreign.roots }), nowMs, foreign)).toBe('operator');
    expect(judge(create(), nowMs, { ...trust, trustDomain: 'other.example' })).toBe('wrong-trust-domain');
  });

  test('when its operator may not grant that much', () => {
    const options = { trustDirectory: directory.sub('trust'), name: 'shopkeeper', directory: directory.sub('op') };
    issueOperatorBundle({ ...options, scope: ['JoinToken/shop', 'AccessPolicy/*'] });
    const shopkeeper = loadOperatorBundle(directory.sub('op'));
    expect(judge(create({}, shopkeeper))).toBe('accepted');
    for (const grant of [['*'], ['ns/*'], ['ns/bank/sa/x'], ['ns/shop/*', 'ns/*/sa/web']]) {
      expect(() => create({ grant }, shopkeeper)).toThrow('may not grant this');
      const forced = create({ grant }, { ...shopkeeper, scope: ['*/*'] }); // signs what it would refuse to sign
      expect(judge(forced)).toBe('out-of-scope');
    }
  });
});

test('a token lives for a second to a day', () => {
  for (const ttlMs of [0, -1, 25 * HOUR_MS, Number.NaN]) expect(() => create({ ttlMs })).toThrow('from 1s to 24h');
});

test('text that is no token is not read', () => {
  const token = create();
  for (const text of ['', 'weft-join-1.', token.slice(0, -5), `${token}AA`, token.replace('-1.', '-2.'), ` ${token}`]) {
    expect(parseToken(text)).toBeUndefined();
  }
});

describe('a certification request', () => {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  test('gives the key that signed it', () => {
    const key = readCsr(createCsr(keys.privateKey, 'n7'));
    expect(typeof key === 'object' && key.equals(keys.publicKey)).toBe(true);
  });

  test('is refused for a key of another kind, or one that did not sign it', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    expect(readCsr(createCsr(other.privateKey, 'n7'))).toBe('has a key that is not ECDSA P-256');
    const [mine, theirs] = [keys, generateKeyPairSync('ec', { namedCurve: 'P-256' })].map(({ publicKey }) =>
      publicKey.export({ type: 'spki', format: 'der' }),
    );
    const swapped = createCsr(keys.privateKey, 'n7');
    theirs!.copy(swapped, swapped.indexOf(mine!));
    expect(readCsr(swapped)).toBe('is not signed by the key it names');
  });

  test('is never thrown over', () => {
    const csr = createCsr(keys.privateKey, 'n7');
    expect(readCsr(Buffer.alloc(5_000))).toContain('at most');
    fc.assert(
      fc.property(fc.nat(csr.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const altered = Buffer.from(csr);
        altered[at] = altered[at]! ^ mask;
        const key = readCsr(altered);
        expect(typeof key === 'string').toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});
