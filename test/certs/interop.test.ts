/** Certificates that the openssl program made, for what our own writer never writes. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseCertificates } from '../../certs/trust-bundle.ts';
import { type Verdict, verifyChain } from '../../certs/verify.ts';
import { makeNode, TemporaryDirectory, WEB } from './trust.ts';

const PROPER = ['basicConstraints=critical,CA:false', 'keyUsage=critical,digitalSignature'];
const SAN = `subjectAltName=critical,URI:${WEB}`;

/** Files of the one who signs: the node, as in Weft, or those above it, as others do. */
const SIGNERS = {
  node: ['node-a/node.crt', 'node-a/node.key'],
  issuer: ['trust/issuer.crt', 'trust/issuer.key'],
  root: ['trust/roots.crt', 'trust/root.key'],
} as const;

interface Making {
  readonly signer?: keyof typeof SIGNERS;
  readonly curve?: string;
  /** More for `openssl x509 -req`. */
  readonly options?: readonly string[];
}

/** The verdict on an SVID with these extensions, signed by a real key, shown with all that is above it. */
function verdictOn(extensions: readonly string[], making: Making = {}): Verdict {
  using directory = new TemporaryDirectory();
  const node = makeNode(directory);
  const svid = signWithOpenssl(directory, extensions, making);
  const above = { node: node.chain, issuer: node.chain.slice(1), root: [] }[making.signer ?? 'node'];
  const chain = [...parseCertificates(svid, 'svid'), ...above];
  return verifyChain(chain, { trust: node.trust, role: 'workload', nowMs: Date.now() });
}

function signWithOpenssl(
  directory: TemporaryDirectory,
  extensions: readonly string[],
  { signer = 'node', curve = 'prime256v1', options = [] }: Making,
): string {
  const [key, request, config, svid] = ['k', 'r', 'c', 's'].map((name) => directory.sub(name));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  openssl('ecparam', '-name', curve, '-genkey', '-noout', '-out', key!);
  openssl('req', '-new', '-key', key!, '-subj', '/', '-out', request!);
  writeFileSync(config!, extensions.join('\n'));
  const [certificate, signingKey] = SIGNERS[signer];
  const signing = ['-CA', directory.sub(certificate), '-CAkey', directory.sub(signingKey)];
  openssl('x509', '-req', '-in', request!, ...signing, '-extfile', config!, '-days', '1', '-out', svid!, ...options);
  return readFileSync(svid!, 'utf8');
}

test('an SVID that keeps the rules is accepted, whoever wrote it', () => {
  expect(verdictOn([...PROPER, SAN])).toMatchObject({ ok: true, spiffeId: WEB });
  const all = [
    ...PROPER,
    `${SAN},DNS:web,IP:10.0.0.1,email:a@b.c`,
    'extendedKeyUsage=serverAuth,clientAuth',
    '1.2.3.4=DER:0500',
  ];
  expect(verdictOn(all)).toMatchObject({ ok: true, spiffeId: WEB });
});

test.each([
  ['an unknown critical extension', [...PROPER, SAN, '1.2.3.4=critical,DER:0500'], 'malformed'],
  [
    'names that only look like a SPIFFE ID',
    [...PROPER, `subjectAltName=DNS:${WEB.slice(9)},email:a@b.c`],
    'bad-spiffe-id',
  ],
  ['two SPIFFE IDs', [...PROPER, `${SAN},URI:${WEB}x`], 'bad-spiffe-id'],
  ['another URI beside its SPIFFE ID', [...PROPER, `${SAN},URI:https://web.example`], 'bad-spiffe-id'],
  ['a zero byte in its name', [...PROPER, `subjectAltName=critical,${derUri(`${WEB}\0.evil`)}`], 'bad-spiffe-id'],
  ['its trust domain in capitals', [...PROPER, SAN.replace('test.example', 'TEST.example')], 'bad-spiffe-id'],
  ['a dot after its trust domain', [...PROPER, SAN.replace('test.example', 'test.example.')], 'bad-spiffe-id'],
  ['the name of another trust domain', [...PROPER, SAN.replace('test.', 'other.')], 'wrong-trust-domain'],
  ['no use by signatures', [PROPER[0]!, 'keyUsage=critical,keyAgreement', SAN], 'key-usage'],
  ['the right to sign revocation lists', [PROPER[0]!, 'keyUsage=critical,digitalSignature,cRLSign', SAN], 'key-usage'],
  ['two URI names among others', [...PROPER, `${SAN},DNS:web,URI:${WEB}`], 'bad-spiffe-id'],
  ['no alternative name at all', PROPER, 'bad-spiffe-id'],
  ['use by servers only', [...PROPER, SAN, 'extendedKeyUsage=serverAuth'], 'key-usage'],
  ['use by clients only', [...PROPER, SAN, 'extendedKeyUsage=clientAuth'], 'key-usage'],
  ['no key usage', [PROPER[0]!, SAN], 'key-usage'],
  ['a key usage that is not critical', [PROPER[0]!, SAN, 'keyUsage=digitalSignature'], 'key-usage'],
  ['the key usage of a CA', [PROPER[0]!, SAN, 'keyUsage=critical,digitalSignature,keyCertSign'], 'key-usage'],
  ['the bit of a CA', ['basicConstraints=critical,CA:true', PROPER[1]!, SAN], 'path-length'],
  [
    'name constraints, which we do not apply',
    [...PROPER, SAN, 'nameConstraints=critical,permitted;URI:b'],
    'malformed',
  ],
])('an SVID with %s is refused', (_what, extensions, reason) => {
  expect(verdictOn(extensions)).toMatchObject({ ok: false, reason });
});

test('a real signature of a weaker or another algorithm, and a key on another curve, are refused', () => {
  const good = [...PROPER, SAN];
  expect(verdictOn(good, { options: ['-sha1'] })).toMatchObject({ ok: false, reason: 'bad-signature' });
  expect(verdictOn(good, { options: ['-sha512'] })).toMatchObject({ ok: false, reason: 'bad-signature' });
  expect(verdictOn(good, { curve: 'secp384r1' })).toMatchObject({ ok: false, reason: 'malformed' });
});

test('an SVID that an issuer or a root signed itself, as SPIRE does, carries no grant and is refused', () => {
  for (const signer of ['issuer', 'root'] as const) {
    const verdict = verdictOn([...PROPER, SAN], { signer });
    expect(verdict).toMatchObject({ ok: false, reason: 'no-grant' });
  }
});

/** A URI name byte by byte, because openssl's own text for it ends at a zero. */
function derUri(uri: string): string {
  const name = Buffer.concat([Buffer.of(0x86, uri.length), Buffer.from(uri)]);
  return `DER:${Buffer.concat([Buffer.of(0x30, name.length), name]).toString('hex')}`;
}
