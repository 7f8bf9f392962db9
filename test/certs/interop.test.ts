/** Certificates that the openssl program made, for what our own writer never writes. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import { parseCertificates } from '../../certs/trust-bundle.ts';
import { type Verdict, verifyChain } from '../../certs/verify.ts';
import { makeNode, TemporaryDirectory, WEB } from './trust.ts';

const PROPER = ['basicConstraints=critical,CA:false', 'keyUsage=critical,digitalSignature'];
const SAN = `subjectAltName=critical,URI:${WEB}`;

/** The verdict on an SVID with these extensions, signed by the key of a real node. */
function verdictOn(extensions: readonly string[], options: readonly string[] = []): Verdict {
  using directory = new TemporaryDirectory();
  const node = makeNode(directory);
  const svid = signWithOpenssl(directory, extensions, options);
  return verify(node, svid);
}

function signWithOpenssl(
  directory: TemporaryDirectory,
  extensions: readonly string[],
  options: readonly string[],
): string {
  const [key, request, config, svid] = ['k', 'r', 'c', 's'].map((name) => directory.sub(name));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key!);
  openssl('req', '-new', '-key', key!, '-subj', '/', '-out', request!);
  writeFileSync(config!, extensions.join('\n'));
  const signer = ['-CA', directory.sub('node-a/node.crt'), '-CAkey', directory.sub('node-a/node.key')];
  openssl('x509', '-req', '-in', request!, ...signer, '-extfile', config!, '-days', '1', '-out', svid!, ...options);
  return readFileSync(svid!, 'utf8');
}

function verify(node: NodeIdentity, svid: string): Verdict {
  const chain = [...parseCertificates(svid, 'svid'), ...node.chain];
  return verifyChain(chain, { trust: node.trust, role: 'workload', nowMs: Date.now() });
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

test('a real signature of a weaker or another algorithm is refused', () => {
  expect(verdictOn([...PROPER, SAN], ['-sha1'])).toMatchObject({ ok: false, reason: 'bad-signature' });
  expect(verdictOn([...PROPER, SAN], ['-sha512'])).toMatchObject({ ok: false, reason: 'bad-signature' });
});
