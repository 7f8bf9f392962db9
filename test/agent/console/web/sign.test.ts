import { createHash, verify } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import {
  type OperatorKey,
  readOperatorKey,
  readStatement,
  signStatement,
} from '../../../../agent/console/web/editor/sign.ts';
import { issueOperatorBundle, loadOperatorBundle } from '../../../../certs/operator-bundle.ts';
import { createTrustDomain } from '../../../../certs/trust-domain.ts';
import { revisionStatement } from '../../../../gossip/documents/revision.ts';

const folder = mkdtempSync(join(tmpdir(), 'weft-sign-'));
const place = join(folder, 'ops');
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
const body = '{"kind":"RateLimit"}';
const expected = { kind: 'RateLimit', namespace: 'shop', name: 'cart', base: '' };
let operator: OperatorKey;
let toSign: string;

beforeAll(async () => {
  createTrustDomain({ directory: join(folder, 'trust'), trustDomain: 'shop.example' });
  issueOperatorBundle({ trustDirectory: join(folder, 'trust'), name: 'anna', scope: ['*/*'], directory: place });
  operator = await readOperatorKey(['operator.key', 'operator.crt'].map(file));
  toSign = Buffer.from(statementOf(body)).toString('base64url');
});

test('a key of a file signs what its certificate verifies, and cannot be taken out', async () => {
  const { signature } = await signStatement(operator, toSign, body, expected);
  const { certificate } = loadOperatorBundle(place);
  expect(verify(null, statementOf(body), certificate.publicKey, signature)).toBe(true);
  await expect(crypto.subtle.exportKey('pkcs8', operator.key)).rejects.toThrow(/not extractable/);
});

test.each(['kind', 'namespace', 'name', 'base'] as const)('a statement of another %s is not signed', async (field) => {
  await expect(signStatement(operator, toSign, body, { ...expected, [field]: 'other' })).rejects.toThrow(field);
});

test('content other than what is shown is not signed', async () => {
  await expect(signStatement(operator, toSign, '{"kind":"Other"}', expected)).rejects.toThrow(/body/);
  await expect(signStatement(operator, toSign, null, expected)).rejects.toThrow(/body/);
});

test('a statement reads as it was written', () => {
  expect(readStatement(statementOf(null))).toMatchObject({
    ...expected,
    number: 1,
    hlc: { ms: 5, count: 2 },
    body: null,
  });
  expect(() => readStatement(new TextEncoder().encode('weft node 1\n'))).toThrow(/no document/);
});

test('files without key or certificate are named', async () => {
  await expect(readOperatorKey([file('operator.crt')])).rejects.toThrow('operator.key');
  await expect(readOperatorKey([file('operator.key')])).rejects.toThrow('operator.crt');
});

function file(name: string) {
  return { name, text: async () => readFileSync(join(place, name), 'utf8') };
}

function statementOf(text: string | null): Uint8Array {
  const { certificate, spiffeId } = loadOperatorBundle(place);
  const content = {
    kind: 'RateLimit',
    namespace: 'shop',
    name: 'cart',
    number: 1,
    base: '',
    hlc: { ms: 5, count: 2 },
    author: spiffeId,
    body: text === null ? null : new TextEncoder().encode(text),
    certificate: new Uint8Array(certificate.raw),
  };
  return revisionStatement('shop.example', content, digest);
}
