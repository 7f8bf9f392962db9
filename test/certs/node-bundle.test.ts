import { chmodSync, chownSync, cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CertsError, type CertsErrorCode } from '../../certs/errors.ts';
import { issueNodeBundle, loadNodeBundle } from '../../certs/node-bundle.ts';
import { createTrustDomain } from '../../certs/trust-domain.ts';
import { addNode, HOUR_MS, makeNode, TemporaryDirectory, TRUST_DOMAIN } from './trust.ts';

function errorOf(act: () => unknown): CertsError {
  try {
    act();
  } catch (err) {
    if (err instanceof CertsError) return err;
    throw err;
  }
  throw new Error('nothing was thrown');
}

function expectRefusal(directory: string, code: CertsErrorCode, ...words: string[]): void {
  const err = errorOf(() => loadNodeBundle(directory));
  expect(err.code).toBe(code);
  for (const word of words) expect(err.message).toContain(word);
  expect(err.message).not.toContain('PRIVATE KEY');
}

test('a bundle that was issued is loaded with all that it says', () => {
  using directory = new TemporaryDirectory();
  const nowMs = Date.now();
  const node = makeNode(directory, { name: 'rack-1.a', grant: ['ns/shop/*', 'ns/*/sa/probe'], nowMs, ttlMs: HOUR_MS });
  expect(node).toMatchObject({
    trustDomain: TRUST_DOMAIN,
    name: 'rack-1.a',
    spiffeId: `spiffe://${TRUST_DOMAIN}/node/rack-1.a`,
    grant: ['ns/shop/*', 'ns/*/sa/probe'],
    expiresAtMs: Math.floor((nowMs + HOUR_MS) / 1_000) * 1_000,
  });
  expect(node.chain).toHaveLength(2);
  expect(node.privateKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
  expect(readdirSync(directory.sub('node-rack-1.a')).sort()).toEqual(['node.crt', 'node.key', 'roots.crt']);
  expect(statSync(directory.sub('node-rack-1.a/node.key')).mode & 0o777).toBe(0o600);
});

test('a node lives for seven days unless told otherwise, and never longer than its issuer', () => {
  using directory = new TemporaryDirectory();
  const trustDirectory = directory.sub('trust');
  const nowMs = Math.floor(Date.now() / 1_000) * 1_000;
  const dayMs = 24 * HOUR_MS;
  createTrustDomain({ trustDomain: TRUST_DOMAIN, directory: trustDirectory, nowMs, issuerTtlMs: 10 * dayMs });
  const issue = { trustDirectory, name: 'a', grant: ['*'], directory: directory.sub('a'), nowMs };
  issueNodeBundle(issue);
  expect(loadNodeBundle(issue.directory).expiresAtMs).toBe(nowMs + 7 * dayMs);
  issueNodeBundle({ ...issue, ttlMs: 30 * dayMs });
  expect(loadNodeBundle(issue.directory).expiresAtMs).toBe(nowMs + 10 * dayMs);
});

test('a node is issued without the key of the root', () => {
  using directory = new TemporaryDirectory();
  makeNode(directory);
  rmSync(directory.sub('trust/root.key'));
  expect(addNode(directory, { name: 'b', grant: ['*'], nowMs: Date.now(), ttlMs: HOUR_MS }).name).toBe('b');
});

test('an issuer that expired admits nobody', () => {
  using directory = new TemporaryDirectory();
  const nowMs = Date.now();
  createTrustDomain({ trustDomain: TRUST_DOMAIN, directory: directory.sub('trust'), nowMs, issuerTtlMs: HOUR_MS });
  const later = { name: 'a', grant: ['*'], nowMs: nowMs + 2 * HOUR_MS, ttlMs: HOUR_MS };
  expect(errorOf(() => addNode(directory, later)).code).toBe('WEFT_CERTS_ISSUER_INVALID');
  expect(readdirSync(directory.path)).toEqual(['trust']);
});

test('an issuer whose key is another, or whose certificate is none, admits nobody', () => {
  using directory = new TemporaryDirectory();
  makeNode(directory);
  const add = () =>
    errorOf(() => addNode(directory, { name: 'b', grant: ['*'], nowMs: Date.now(), ttlMs: HOUR_MS })).code;
  const key = readFileSync(directory.sub('trust/issuer.key'));
  cpSync(directory.sub('trust/root.key'), directory.sub('trust/issuer.key'));
  expect(add()).toBe('WEFT_CERTS_KEY_MISMATCH');
  writeFileSync(directory.sub('trust/issuer.key'), key);
  cpSync(directory.sub('trust/operator.crt'), directory.sub('trust/issuer.crt'));
  expect(add()).toBe('WEFT_CERTS_KEY_MISMATCH');
  cpSync(directory.sub('trust/operator.key'), directory.sub('trust/issuer.key'));
  expect(add()).toBe('WEFT_CERTS_ISSUER_INVALID');
  expect(readdirSync(directory.path).sort()).toEqual(['node-a', 'trust']);
});

test('a bad name or grant is refused before anything is written', () => {
  using directory = new TemporaryDirectory();
  makeNode(directory);
  const add = (name: string, grant: readonly string[]) =>
    errorOf(() => addNode(directory, { name, grant, nowMs: Date.now(), ttlMs: HOUR_MS }));
  expect(add('b/c', ['*']).message).toContain('node name "b/c"');
  expect(add('b', []).code).toBe('WEFT_CERTS_BAD_GRANT');
  expect(add('b', ['node/*']).message).toContain('pattern "node/*"');
  expect(readdirSync(directory.path).sort()).toEqual(['node-a', 'trust']);
});

test('a bundle of the same node is replaced whole, one of another node is left alone', () => {
  using directory = new TemporaryDirectory();
  makeNode(directory);
  const trustDirectory = directory.sub('trust');
  const bundle = directory.sub('node-a');
  const before = readFileSync(`${bundle}/node.key`, 'utf8');
  issueNodeBundle({ trustDirectory, name: 'a', grant: ['ns/new/*'], directory: bundle });
  expect(loadNodeBundle(bundle).grant).toEqual(['ns/new/*']);
  expect(readFileSync(`${bundle}/node.key`, 'utf8')).not.toBe(before);
  const err = errorOf(() => issueNodeBundle({ trustDirectory, name: 'b', grant: ['*'], directory: bundle }));
  expect(err.code).toBe('WEFT_CERTS_DIRECTORY_TAKEN');
  expect(loadNodeBundle(bundle).name).toBe('a');
});

test.each([0o644, 0o640, 0o604, 0o660, 0o700])('a key of mode %o is refused with the chmod to run', (mode) => {
  using directory = new TemporaryDirectory();
  makeNode(directory);
  const key = directory.sub('node-a/node.key');
  chmodSync(key, mode);
  const shown = mode.toString(8).padStart(4, '0');
  expectRefusal(directory.sub('node-a'), 'WEFT_CERTS_KEY_EXPOSED', `${key} has mode ${shown}`, `chmod 600 ${key}`);
  chmodSync(key, 0o400);
  expect(loadNodeBundle(directory.sub('node-a')).name).toBe('a');
});

test.each(['node.crt', 'roots.crt'])('a %s that others may write is refused with the chmod to run', (name) => {
  using directory = new TemporaryDirectory();
  makeNode(directory);
  const file = directory.sub(`node-a/${name}`);
  chmodSync(file, 0o664);
  expectRefusal(
    directory.sub('node-a'),
    'WEFT_CERTS_FILE_WRITABLE_BY_OTHERS',
    `${file} has mode 0664`,
    `chmod 644 ${file}`,
  );
});

test.runIf(process.geteuid?.() === 0)('a key of another user is refused with the chown to run', () => {
  using directory = new TemporaryDirectory();
  makeNode(directory);
  const key = directory.sub('node-a/node.key');
  chownSync(key, 65_534, 65_534);
  expectRefusal(directory.sub('node-a'), 'WEFT_CERTS_KEY_FOREIGN_OWNER', `${key} with mode 0600`, `chown 0 ${key}`);
});

test('each file that is missing, empty or garbage is named', () => {
  using directory = new TemporaryDirectory();
  makeNode(directory);
  const codes = {
    'node.key': 'WEFT_CERTS_KEY_MALFORMED',
    'node.crt': 'WEFT_CERTS_CERTIFICATE_MALFORMED',
    'roots.crt': 'WEFT_CERTS_NO_ROOTS',
  } as const;
  for (const [name, code] of Object.entries(codes)) {
    const copy = directory.sub(`copy-${name}`);
    cpSync(directory.sub('node-a'), copy, { recursive: true });
    writeFileSync(`${copy}/${name}`, 'garbage');
    expectRefusal(copy, code, `${copy}/${name}`);
    writeFileSync(`${copy}/${name}`, '');
    expectRefusal(copy, code, `${copy}/${name}`);
    rmSync(`${copy}/${name}`);
    expectRefusal(copy, 'WEFT_CERTS_FILE_UNREADABLE', `${copy}/${name} (ENOENT)`);
  }
  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  writeFileSync(directory.sub('node-a/roots.crt'), broken);
  expectRefusal(directory.sub('node-a'), 'WEFT_CERTS_CERTIFICATE_MALFORMED', 'roots.crt');
});

test('an expired bundle, one of a foreign root and a key of another node are told apart', () => {
  using directory = new TemporaryDirectory();
  using foreign = new TemporaryDirectory();
  const nowMs = Date.now();
  makeNode(directory, { nowMs: nowMs - 3 * HOUR_MS, ttlMs: HOUR_MS });
  expectRefusal(directory.sub('node-a'), 'WEFT_CERTS_NODE_EXPIRED', 'node.crt', 'expired at');

  addNode(directory, { name: 'b', grant: ['*'], nowMs, ttlMs: HOUR_MS });
  makeNode(foreign);
  cpSync(foreign.sub('trust/roots.crt'), directory.sub('node-b/roots.crt'));
  expectRefusal(directory.sub('node-b'), 'WEFT_CERTS_NODE_UNTRUSTED', 'node.crt');

  addNode(directory, { name: 'c', grant: ['*'], nowMs, ttlMs: HOUR_MS });
  cpSync(directory.sub('node-a/node.key'), directory.sub('node-c/node.key'));
  expectRefusal(directory.sub('node-c'), 'WEFT_CERTS_KEY_MISMATCH', 'node.key', 'node.crt');
});

test('an issuer that is handed to an agent as its node is refused', () => {
  using directory = new TemporaryDirectory();
  makeNode(directory);
  cpSync(directory.sub('trust/issuer.key'), directory.sub('node-a/node.key'));
  cpSync(directory.sub('trust/issuer.crt'), directory.sub('node-a/node.crt'));
  expectRefusal(directory.sub('node-a'), 'WEFT_CERTS_NODE_INVALID', 'node.crt');
});
