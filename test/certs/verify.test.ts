/** Each reason for refusal, brought about by a chain that was really signed that way. */
import { generateKeyPairSync, type X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OID } from '../../certs/oids.ts';
import { CLOCK_SKEW_MS, parseChain, type Refusal, type VerifyOptions, verifyChain } from '../../certs/verify.ts';
import { SEEDED } from './properties.ts';
import { altered, type ForgedChain, forge, forgeChain, HOUR_MS, NOW_MS, TRUST_DOMAIN, WEB } from './trust.ts';

const good = forgeChain();
/** The chain begins an hour ago, and certificates begin a minute before they are issued. */
const ISSUED_MS = NOW_MS - HOUR_MS + CLOCK_SKEW_MS;
const ISSUED = [WEB, `spiffe://${TRUST_DOMAIN}/node/a`].map((spiffeId) => ({ spiffeId, issuedAtMs: ISSUED_MS }));

function verify(forged: Pick<ForgedChain, 'chain' | 'trust'>, options: Partial<VerifyOptions> = {}) {
  return verifyChain(forged.chain, { trust: forged.trust, role: 'workload', nowMs: NOW_MS, ...options });
}

function refusal(reason: Refusal, detail = '') {
  return { ok: false, reason, detail: expect.stringContaining(detail) };
}

/** The same chain as a node presents it. */
function asNode(forged: ForgedChain): ForgedChain {
  return { ...forged, chain: forged.chain.slice(1) };
}

function uris(...names: string[]) {
  return { uris: names };
}

test('a workload is known by its SPIFFE ID, the node that vouches and the first expiry on the way', () => {
  const forged = forgeChain({ issuer: { notAfterMs: NOW_MS + 1_000 } });
  expect(verify(forged)).toEqual({ ok: true, spiffeId: WEB, node: 'a', expiresAtMs: NOW_MS + 1_000, issued: ISSUED });
});

test('a node is known by its own certificate', () => {
  const verdict = verify(asNode(good), { role: 'node' });
  expect(verdict).toEqual({
    ok: true,
    spiffeId: `spiffe://${TRUST_DOMAIN}/node/a`,
    node: 'a',
    expiresAtMs: NOW_MS + HOUR_MS,
    issued: ISSUED.slice(1),
  });
});

test('any of several trusted roots will do, also two of one name', () => {
  const other = forgeChain();
  const trust = { trustDomain: TRUST_DOMAIN, roots: [...other.trust.roots, ...good.trust.roots] };
  expect(verify(good, { trust }).ok).toBe(true);
  expect(verify(other, { trust }).ok).toBe(true);
});

test('a root renewed with its old key is used where the old certificate has expired', () => {
  const renewed = good.root;
  const expired = forge(
    {
      subject: 'root',
      uris: [`spiffe://${TRUST_DOMAIN}`],
      authority: { pathLength: 2 },
      keyUsage: ['keyCertSign'],
      publicKey: renewed.certificate.publicKey,
      notBeforeMs: NOW_MS - 2 * HOUR_MS,
      notAfterMs: NOW_MS - HOUR_MS,
    },
    { certificate: renewed.certificate, privateKey: renewed.privateKey },
  );
  for (const roots of [
    [expired.certificate, renewed.certificate],
    [renewed.certificate, expired.certificate],
  ]) {
    expect(verify(good, { trust: { trustDomain: TRUST_DOMAIN, roots } }).ok).toBe(true);
  }
  const onlyOld = { trustDomain: TRUST_DOMAIN, roots: [expired.certificate] };
  expect(verify(good, { trust: onlyOld })).toEqual(refusal('expired', 'the root'));
});

test('no certificate is no identity', () => {
  expect(verify({ ...good, chain: [] })).toEqual(refusal('no-certificate'));
});

test('a chain from a foreign root is refused, even one of the same name', () => {
  expect(verify(good, { trust: forgeChain().trust })).toEqual(refusal('untrusted-root'));
  expect(verify(good, { trust: forgeChain({ root: { subject: 'other' } }).trust })).toEqual(refusal('untrusted-root'));
  expect(verify(good, { trust: { trustDomain: TRUST_DOMAIN, roots: [] } })).toEqual(refusal('untrusted-root'));
});

test('a chain that ends before the issuer is refused', () => {
  for (const length of [1, 2]) {
    expect(verify({ ...good, chain: good.chain.slice(0, length) })).toEqual(refusal('untrusted-root'));
  }
});

test.each([
  ['svid', 1],
  ['node', 2],
  ['issuer', 3],
  ['root', 0],
] as const)('an expired %s is refused, a minute after its end and not before', (level, position) => {
  const forged = forgeChain({ [level]: { notAfterMs: NOW_MS - CLOCK_SKEW_MS } });
  expect(verify(forged).ok).toBe(true);
  expect(verify(forged, { nowMs: NOW_MS + 1 })).toEqual(
    refusal('expired', position === 0 ? 'the root' : `certificate ${position} of 3`),
  );
});

test.each(['svid', 'node', 'issuer', 'root'] as const)(
  'a %s from the future is refused, but for a minute of skew',
  (level) => {
    const forged = forgeChain({ [level]: { notBeforeMs: NOW_MS + CLOCK_SKEW_MS } });
    expect(verify(forged).ok).toBe(true);
    expect(verify(forged, { nowMs: NOW_MS - 1 })).toEqual(refusal('not-yet-valid', 'is valid from'));
  },
);

test('a certificate whose words were changed after it was signed is refused', () => {
  const evil = altered(good.svid.certificate, '/sa/web', '/sa/pay');
  expect(verify({ ...good, chain: [evil, ...good.chain.slice(1)] })).toEqual(refusal('bad-signature'));
  const wider = altered(good.node.certificate, 'ns/shop/*', 'ns/bank/*');
  expect(verify({ ...good, chain: [good.chain[0]!, wider, good.chain[2]!] })).toEqual(refusal('bad-signature'));
});

test('an SVID signed by another node of the same name is refused', () => {
  const other = forgeChain();
  expect(verify({ ...good, chain: [other.chain[0]!, ...good.chain.slice(1)] })).toEqual(refusal('bad-signature'));
});

test('certificates out of order are refused', () => {
  expect(verify({ ...good, chain: [good.chain[0]!, good.chain[2]!, good.chain[1]!] })).toEqual(
    refusal('untrusted-root'),
  );
  expect(verify({ ...good, chain: [good.chain[1]!, good.chain[0]!, good.chain[2]!] })).toEqual(
    refusal('bad-signature'),
  );
});

test('a signature of any other algorithm than ECDSA with SHA-256 is refused', () => {
  const [svid] = good.chain;
  const ecdsaWithSha1 = altered(svid!, '\x2a\x86\x48\xce\x3d\x04\x03\x02', '\x2a\x86\x48\xce\x3d\x04\x03\x01');
  const twice = altered(ecdsaWithSha1, '\x2a\x86\x48\xce\x3d\x04\x03\x02', '\x2a\x86\x48\xce\x3d\x04\x03\x01');
  expect(verify({ ...good, chain: [twice, ...good.chain.slice(1)] })).toEqual(refusal('bad-signature'));
});

test.each(['issuer', 'node'] as const)('a %s that is not a CA cannot vouch for anyone', (level) => {
  const shapes = {
    issuer: { uris: [`spiffe://${TRUST_DOMAIN}`], subject: 'issuer', keyUsage: ['keyCertSign'] },
    node: {
      uris: [`spiffe://${TRUST_DOMAIN}/node/a`],
      subject: 'node',
      keyUsage: ['digitalSignature', 'keyCertSign'],
      lists: [{ oid: OID.weftGrant, strings: ['*'] }],
    },
  } as const;
  const above = level === 'issuer' ? good.root : good.issuer;
  const leafCa = forge({ ...shapes[level], notBeforeMs: NOW_MS - HOUR_MS, notAfterMs: NOW_MS + HOUR_MS }, above);
  const node = level === 'node' ? leafCa : forge({ ...shapes.node, authority: { pathLength: 0 } }, leafCa);
  const svid = forge({}, node);
  const chain = [svid, node, level === 'issuer' ? leafCa : good.issuer].map((forged) => forged.certificate);
  expect(verify({ chain, trust: good.trust })).toEqual(refusal('not-a-ca'));
  expect(verify({ chain: chain.slice(1), trust: good.trust }, { role: 'node' })).toEqual(refusal('not-a-ca'));
});

test('an SVID cannot sign another one', () => {
  const web = forge({ subject: 'web' }, good.node);
  const pay = forge({ uris: [`spiffe://${TRUST_DOMAIN}/ns/shop/sa/pay`] }, web);
  const chain = [pay.certificate, web.certificate, good.node.certificate, good.issuer.certificate];
  expect(verify({ ...good, chain })).toEqual(refusal('chain-too-long'));
  expect(verify({ ...good, chain: chain.slice(0, 3) })).toEqual(refusal('untrusted-root'));
});

test('path lengths are kept at every level', () => {
  expect(verify(forgeChain({ root: { authority: { pathLength: 1 } } }))).toEqual(refusal('path-length', 'the root'));
  expect(verify(forgeChain({ issuer: { authority: { pathLength: 0 } } }))).toEqual(refusal('path-length'));
  expect(verify(forgeChain({ node: { authority: { pathLength: 1 } } }))).toEqual(refusal('path-length', 'must be 0'));
  const short = asNode(forgeChain({ issuer: { authority: { pathLength: 0 } } }));
  expect(verify(short, { role: 'node' })).toEqual(refusal('path-length'));
});

test('a node cannot make another node, even where an issuer is trusted as a root', () => {
  const fake = forge(
    {
      subject: 'node',
      uris: [`spiffe://${TRUST_DOMAIN}/node/b`],
      authority: { pathLength: 0 },
      keyUsage: ['digitalSignature', 'keyCertSign'],
      lists: [{ oid: OID.weftGrant, strings: ['*'] }],
    },
    good.node,
  );
  const chain = [forge({}, fake).certificate, fake.certificate, good.node.certificate];
  const trust = { trustDomain: TRUST_DOMAIN, roots: [good.issuer.certificate] };
  expect(verify({ chain, trust })).toEqual(refusal('path-length'));
  expect(verify({ chain: chain.slice(1), trust }, { role: 'node' })).toEqual(refusal('path-length'));
});

test.each([
  ['in capitals', 'spiffe://TEST.example/ns/shop/sa/web'],
  ['with a trailing dot', 'spiffe://test.example./ns/shop/sa/web'],
  ['with a NUL', `${WEB}\0.evil`],
  ['with a NUL in front', `\0${WEB}`],
  ['with a line break', `${WEB}\n${WEB}`],
  ['that is empty', ''],
  ['of another scheme', 'https://test.example/ns/shop/sa/web'],
  ['with a parent segment', 'spiffe://test.example/ns/shop/sa/../sa/web'],
  ['that imitates a list', `${WEB}, URI:spiffe://test.example/ns/shop/sa/pay`],
  ['of 10 kB', `spiffe://test.example/ns/${'a'.repeat(10_000)}/sa/web`],
])('an SVID with a name %s is refused', (_what, name) => {
  expect(verify(forgeChain({ svid: uris(name) }))).toEqual(refusal('bad-spiffe-id'));
});

test('exactly one URI name is an identity', () => {
  expect(verify(forgeChain({ svid: uris(WEB, WEB) }))).toEqual(refusal('bad-spiffe-id', '2 URI names'));
  expect(verify(forgeChain({ svid: uris() }))).toEqual(refusal('bad-spiffe-id', '0 URI names'));
  expect(verify(forgeChain({ node: uris() }))).toEqual(refusal('bad-spiffe-id', 'certificate 2'));
  expect(verify(forgeChain({ issuer: uris() }))).toEqual(refusal('bad-spiffe-id', 'certificate 3'));
});

test('another trust domain is refused at every level', () => {
  const foreign = 'spiffe://other.example';
  expect(verify(forgeChain({ svid: uris(`${foreign}/ns/shop/sa/web`) }))).toEqual(refusal('wrong-trust-domain'));
  expect(verify(forgeChain({ node: uris(`${foreign}/node/a`) }))).toEqual(refusal('wrong-trust-domain'));
  expect(verify(forgeChain({ issuer: uris(foreign) }))).toEqual(refusal('wrong-trust-domain'));
  const trust = { ...good.trust, trustDomain: 'other.example' };
  expect(verify(good, { trust })).toEqual(refusal('wrong-trust-domain'));
});

test('a node without a grant, or with one that makes no sense, vouches for nobody', () => {
  const grants = [[], ['node/*'], ['ns/shop/*', 'ns/sho*'], Array.from({ length: 100 }, () => '*')];
  expect(verify(forgeChain({ node: { lists: [] } }))).toEqual(refusal('no-grant', 'carries no grant'));
  for (const strings of grants) {
    const forged = forgeChain({ node: { lists: [{ oid: OID.weftGrant, strings }] } });
    expect(verify(forged)).toEqual(refusal('no-grant'));
    expect(verify(asNode(forged), { role: 'node' })).toEqual(refusal('no-grant'));
  }
});

test('an SVID that no node signed is refused, whoever did', () => {
  const byIssuer = forge({}, good.issuer);
  const byRoot = forge({}, good.root);
  const chains = [[byIssuer.certificate, good.issuer.certificate], [byRoot.certificate]];
  for (const chain of chains) expect(verify({ ...good, chain })).toEqual(refusal('no-grant', 'not signed by a node'));
  const fake = forgeChain({ node: uris(`spiffe://${TRUST_DOMAIN}/operator/admin`) });
  expect(verify(fake)).toEqual(refusal('no-grant', 'not signed by a node'));
});

test('a grant that an SVID brings itself is worth nothing', () => {
  const forged = forgeChain({
    svid: { ...uris(`spiffe://${TRUST_DOMAIN}/ns/bank/sa/pay`), lists: [{ oid: OID.weftGrant, strings: ['*'] }] },
  });
  expect(verify(forged)).toEqual(refusal('outside-grant', 'node "a" may not speak for "ns/bank/sa/pay"'));
});

test('a node certificate is no SVID', () => {
  expect(verify(asNode(good))).toEqual(refusal('wrong-role', 'is node, wanted workload'));
});

test('an SVID is no node certificate', () => {
  expect(verify(good, { role: 'node' })).toEqual(refusal('wrong-role', 'is workload, wanted node'));
});

test.each(['node/a', 'operator/admin', 'ns/shop', 'ns/shop/sa/web/x'])(
  'an SVID signed by a node for %s is refused in both roles',
  (path) => {
    const forged = forgeChain({ svid: uris(`spiffe://${TRUST_DOMAIN}/${path}`) });
    expect(verify(forged)).toEqual(refusal('wrong-role'));
    expect(verify(forged, { role: 'node' }).ok).toBe(false);
  },
);

test('an SVID with the CA bit is refused', () => {
  expect(verify(forgeChain({ svid: { authority: { pathLength: 0 } } })).ok).toBe(false);
  const roomy = { root: { authority: { pathLength: 9 } }, issuer: { authority: { pathLength: 9 } } };
  const forged = forgeChain({
    ...roomy,
    node: { authority: { pathLength: 9 } },
    svid: { authority: { pathLength: 0 } },
  });
  expect(verify(forged)).toEqual(refusal('wrong-role', 'is a CA'));
});

test('a node that an issuer did not sign is refused', () => {
  const byRoot = forge({ ...nodeShape(), authority: { pathLength: 0 } }, good.root);
  expect(verify({ ...good, chain: [byRoot.certificate] }, { role: 'node' })).toEqual(refusal('wrong-role'));
  const chain = [forge({}, byRoot).certificate, byRoot.certificate];
  expect(verify({ ...good, chain })).toEqual(refusal('wrong-role', 'not signed by an issuer'));
});

test('an issuer that another issuer admitted is refused, even where path lengths leave room', () => {
  const roomy = forgeChain({ root: { authority: { pathLength: 9 } }, issuer: { authority: { pathLength: 9 } } });
  const second = forge(
    { subject: 'second', ...uris(`spiffe://${TRUST_DOMAIN}`), authority: { pathLength: 1 }, keyUsage: ['keyCertSign'] },
    roomy.issuer,
  );
  const node = forge({ ...nodeShape(), authority: { pathLength: 0 } }, second);
  const chain = [node, second, roomy.issuer].map((forged) => forged.certificate);
  expect(verify({ ...roomy, chain }, { role: 'node' })).toEqual(refusal('wrong-role', 'not signed by an issuer'));
});

test('a certificate must name its issuer, not only be signed with the key of it', () => {
  const renamed = forge(
    {
      subject: 'another name for the same key',
      ...uris(`spiffe://${TRUST_DOMAIN}`),
      authority: { pathLength: 1 },
      keyUsage: ['keyCertSign'],
      publicKey: good.issuer.certificate.publicKey,
    },
    good.root,
  );
  const chain = [...good.chain.slice(0, 2), renamed.certificate];
  expect(verify({ ...good, chain })).toEqual(refusal('bad-signature'));
});

test('a root that cannot be read vouches for nobody, and does not keep others from doing so', () => {
  const huge = forge({ subject: 'root', lists: [{ oid: OID.weftScope, strings: ['x'.repeat(20_000)] }] });
  const roots = [huge.certificate, ...good.trust.roots];
  expect(verify(good, { trust: { trustDomain: TRUST_DOMAIN, roots } }).ok).toBe(true);
});

test.each([
  ['an SVID without digitalSignature', { svid: { keyUsage: [] } }],
  ['an SVID that may sign certificates', { svid: { keyUsage: ['digitalSignature', 'keyCertSign'] } }],
  ['an SVID that may sign revocations', { svid: { keyUsage: ['digitalSignature', 'cRLSign'] } }],
  ['a node that may not sign certificates', { node: { keyUsage: ['digitalSignature'] } }],
  ['a node that may not sign handshakes', { node: { keyUsage: ['keyCertSign'] } }],
  ['an issuer that may not sign certificates', { issuer: { keyUsage: ['digitalSignature'] } }],
  ['a root that may not sign certificates', { root: { keyUsage: ['digitalSignature'] } }],
] as const)('%s is refused', (_what, twist) => {
  expect(verify(forgeChain(twist))).toEqual(refusal('key-usage'));
});

test('where a name was dialled, that name must answer', () => {
  expect(verify(good, { expected: WEB }).ok).toBe(true);
  const expected = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/pay`;
  expect(verify(good, { expected })).toEqual(refusal('wrong-identity', 'wanted'));
});

test('a chain of 20 real certificates is refused by its length', () => {
  let above = good.issuer;
  const chain = [above.certificate];
  for (let i = 0; i < 19; i++) {
    above = forge({ subject: `ca ${i}`, authority: { pathLength: 100 }, keyUsage: ['keyCertSign'] }, above);
    chain.unshift(above.certificate);
  }
  expect(verify({ ...good, chain })).toEqual(refusal('chain-too-long'));
});

test('a certificate of 100 kB is refused as malformed', () => {
  const lists = [{ oid: '1.3.6.1.4.1.99999.1', strings: ['x'.repeat(100_000)] }];
  expect(verify(forgeChain({ svid: { lists } }))).toEqual(refusal('malformed', 'certificate 1 of 3 has 100'));
});

test('keys other than P-256 are refused before anything is computed with them', () => {
  const { publicKey: p384 } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const { publicKey: rsa } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  for (const publicKey of [p384, rsa]) {
    expect(verify(forgeChain({ svid: { publicKey } }))).toEqual(refusal('malformed', 'not ECDSA P-256'));
  }
});

test('a point that is not on the curve is refused', () => {
  const point = good.svid.certificate.publicKey.export({ type: 'spki', format: 'der' }).subarray(27).toString('latin1');
  const offCurve = altered(good.svid.certificate, point, point.slice(0, 32) + '\x01'.repeat(32));
  expect(verify({ ...good, chain: [offCurve, ...good.chain.slice(1)] })).toEqual(refusal('malformed', 'public key'));
});

test('no change to any byte of a chain is accepted, and none is ever thrown over', () => {
  const ders = good.chain.map((certificate) => certificate.raw);
  const byte = fc.integer({ min: 1, max: 255 });
  fc.assert(
    fc.property(
      fc.nat(2),
      fc.array(fc.tuple(fc.nat(2_000), byte), { minLength: 1, maxLength: 3 }),
      (which, changes) => {
        const changed = ders.map((der) => Buffer.from(der));
        const target = changed[which]!;
        for (const [at, by] of changes) target[at % target.length]! ^= by;
        fc.pre(!target.equals(ders[which]!)); // two changes of one byte may cancel out
        const parsed = parseChain(changed);
        const verdict = Array.isArray(parsed) ? verify({ ...good, chain: parsed }) : parsed;
        expect(verdict.ok).toBe(false);
      },
    ),
    { ...SEEDED, numRuns: 3_000 },
  );
});

test('things that are no certificates at all are refused', () => {
  const hostile = [null, undefined, {}, { raw: Buffer.from('x') }, { raw: null }];
  for (const thing of hostile) {
    expect(verify({ ...good, chain: [thing as unknown as X509Certificate] })).toEqual(refusal('malformed'));
  }
});

function nodeShape() {
  return {
    subject: 'node',
    uris: [`spiffe://${TRUST_DOMAIN}/node/a`],
    keyUsage: ['digitalSignature', 'keyCertSign'] as const,
    lists: [{ oid: OID.weftGrant, strings: ['*'] }],
  };
}
