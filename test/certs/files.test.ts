import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CertsError } from '../../certs/errors.ts';
import { readPrivateKey, readPublic, writeKey, writePublic } from '../../certs/files.ts';
import { TemporaryDirectory } from './trust.ts';

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

test('a key is written for its owner alone, whatever the umask, and nothing is left beside it', () => {
  using directory = new TemporaryDirectory();
  const file = directory.sub('a.key');
  const umask = process.umask(0o777);
  try {
    writeKey(file, privateKey);
    writePublic(directory.sub('a.crt'), 'public');
  } finally {
    process.umask(umask);
  }
  expect(readdirSync(directory.path).sort()).toEqual(['a.crt', 'a.key']);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(directory.sub('a.crt')).mode & 0o777).toBe(0o644);
  expect(readPrivateKey(file).equals(privateKey)).toBe(true);
});

test('replacing makes a new file, so that a reader of the old one still sees it whole', () => {
  using directory = new TemporaryDirectory();
  const file = directory.sub('a.crt');
  writePublic(file, 'old');
  const { ino } = statSync(file);
  writePublic(file, 'new');
  expect(readFileSync(file, 'utf8')).toBe('new');
  expect(statSync(file).ino).not.toBe(ino);
});

test('of two writers of a new key the second fails and changes nothing', () => {
  using directory = new TemporaryDirectory();
  const file = directory.sub('a.key');
  writeKey(file, privateKey, 'new');
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  expect(() => writeKey(file, other, 'new')).toThrow(`${file} (EEXIST)`);
  expect(readPrivateKey(file).equals(privateKey)).toBe(true);
  expect(readdirSync(directory.path)).toEqual(['a.key']);
});

test('a write that fails says where and leaves nothing behind', () => {
  using directory = new TemporaryDirectory();
  const missing = directory.sub('missing/a.key');
  expect(() => writeKey(missing, privateKey)).toThrow(CertsError);
  expect(() => writeKey(missing, privateKey)).toThrow(`${missing} (ENOENT)`);
  mkdirSync(directory.sub('taken'));
  expect(() => writePublic(directory.sub('taken'), 'x')).toThrow('taken (EISDIR)');
  expect(readdirSync(directory.path)).toEqual(['taken']);
});

test('what is not a plain file of a sane size is refused', () => {
  using directory = new TemporaryDirectory();
  mkdirSync(directory.sub('dir'), { mode: 0o700 });
  expect(() => readPublic(directory.sub('dir'))).toThrow('not a file of up to 1048576 bytes');
  writePublic(directory.sub('big'), 'x'.repeat(1_048_577));
  expect(() => readPublic(directory.sub('big'))).toThrow('not a file of up to');
});

test('a key behind a link, as Kubernetes mounts secrets, is checked by the file it leads to', () => {
  using directory = new TemporaryDirectory();
  writeKey(directory.sub('real.key'), privateKey);
  symlinkSync(directory.sub('real.key'), directory.sub('link.key'));
  expect(readPrivateKey(directory.sub('link.key')).equals(privateKey)).toBe(true);
});
