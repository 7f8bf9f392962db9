import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readCertificates, readPrivateKey } from '../../certs/files.ts';
import { createTrustDomain } from '../../certs/trust-domain.ts';
import { TemporaryDirectory, TRUST_DOMAIN } from './trust.ts';

test('a trust domain is a root, an issuer and an operator, keys readable by their owner alone', () => {
  using directory = new TemporaryDirectory();
  const files = createTrustDomain({ trustDomain: TRUST_DOMAIN, directory: directory.sub('trust'), operator: 'ada' });

  const names = readdirSync(directory.sub('trust')).sort();
  const wanted = ['issuer.crt', 'issuer.key', 'operator.crt', 'operator.key', 'root.crt', 'root.key', 'roots.crt'];
  expect(names).toEqual(wanted);
  for (const name of names) {
    const mode = statSync(directory.sub(`trust/${name}`)).mode & 0o777;
    expect([name, mode]).toEqual([name, name.endsWith('.key') ? 0o600 : 0o644]);
  }
  expect(statSync(directory.sub('trust')).mode & 0o777).toBe(0o700);
  expect(readPrivateKey(files.operatorKey).asymmetricKeyType).toBe('ed25519');
  for (const [key, certificate] of [
    [files.rootKey, files.rootCertificate],
    [files.issuerKey, files.issuerCertificate],
    [files.operatorKey, files.operatorCertificate],
  ] as const) {
    expect(readCertificates(certificate)[0]!.checkPrivateKey(readPrivateKey(key))).toBe(true);
  }
});

test('the openssl program reads the chain as it was meant', () => {
  using directory = new TemporaryDirectory();
  const files = createTrustDomain({ trustDomain: TRUST_DOMAIN, directory: directory.sub('trust'), operator: 'ada' });
  const text = (file: string) => execFileSync('openssl', ['x509', '-in', file, '-noout', '-text']).toString();
  expect(text(files.rootCertificate)).toMatch(/critical\s+CA:TRUE, pathlen:2/);
  expect(text(files.issuerCertificate)).toMatch(/critical\s+CA:TRUE, pathlen:1/);
  expect(text(files.issuerCertificate)).toContain('URI:spiffe://test.example\n');
  const operator = text(files.operatorCertificate);
  for (const fact of ['ED25519', 'CA:FALSE', 'URI:spiffe://test.example/operator/ada\n'])
    expect(operator).toContain(fact);
  for (const certificate of [files.issuerCertificate, files.operatorCertificate]) {
    const output = execFileSync('openssl', ['verify', '-x509_strict', '-CAfile', files.roots, certificate]);
    expect(output.toString()).toContain('OK');
  }
});

test('nothing outlives the root', () => {
  using directory = new TemporaryDirectory();
  const nowMs = Date.UTC(2026, 0, 1);
  const files = createTrustDomain({
    trustDomain: TRUST_DOMAIN,
    directory: directory.sub('trust'),
    rootTtlMs: 1_000_000,
    nowMs,
  });
  for (const file of [files.rootCertificate, files.issuerCertificate, files.operatorCertificate]) {
    expect(readCertificates(file)[0]!.validToDate.getTime()).toBe(nowMs + 1_000_000);
  }
});

test('a directory that holds a trust domain is left as it is', () => {
  using directory = new TemporaryDirectory();
  const options = { trustDomain: TRUST_DOMAIN, directory: directory.sub('trust') };
  const { rootKey } = createTrustDomain(options);
  const before = readFileSync(rootKey, 'utf8');
  expect(() => createTrustDomain(options)).toThrow('already holds a trust domain');
  expect(readFileSync(rootKey, 'utf8')).toBe(before);
});

test.each(['root.key', 'root.crt', 'issuer.key'])(
  'a directory with no more than a %s counts as a trust domain',
  (name) => {
    using directory = new TemporaryDirectory();
    mkdirSync(directory.sub('trust'));
    writeFileSync(directory.sub(`trust/${name}`), '');
    const options = { trustDomain: TRUST_DOMAIN, directory: directory.sub('trust') };
    expect(() => createTrustDomain(options)).toThrow('already holds a trust domain');
  },
);

test('a directory that holds anything else is left as it is', () => {
  using directory = new TemporaryDirectory();
  mkdirSync(directory.sub('trust'));
  writeFileSync(directory.sub('trust/notes.txt'), 'mine');
  const options = { trustDomain: TRUST_DOMAIN, directory: directory.sub('trust') };
  expect(() => createTrustDomain(options)).toThrow('(has notes.txt): directory is not empty');
  expect(readdirSync(directory.sub('trust'))).toEqual(['notes.txt']);
});

test('a name that cannot be a trust domain leaves no trace', () => {
  using directory = new TemporaryDirectory();
  const options = { trustDomain: 'Prod.example', directory: directory.sub('trust') };
  expect(() => createTrustDomain(options)).toThrow('trust domain "Prod.example"');
  expect(() => createTrustDomain({ ...options, trustDomain: 'prod', operator: 'a/b' })).toThrow('operator name "a/b"');
  expect(readdirSync(directory.path)).toEqual([]);
});
