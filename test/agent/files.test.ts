import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeFileAtomic } from '../../agent/files.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-files-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('a file is replaced by another one, readable by its owner only, and nothing is left beside it', async () => {
  const path = join(directory, 'state');
  writeFileSync(path, 'old', { mode: 0o644 });
  const { ino } = lstatSync(path);
  await writeFileAtomic(path, 'new');
  expect([readFileSync(path, 'utf8'), lstatSync(path).mode & 0o777]).toEqual(['new', 0o600]);
  expect(lstatSync(path).ino).not.toBe(ino);
  expect(readdirSync(directory)).toEqual(['state']);
});

test('a mode may be given', async () => {
  await writeFileAtomic(join(directory, 'shown'), new Uint8Array([104, 105]), { mode: 0o644 });
  expect(lstatSync(join(directory, 'shown')).mode & 0o777).toBe(0o644);
});

test('a write that fails names the file, keeps what was there and leaves nothing behind', async () => {
  const path = join(directory, 'taken');
  mkdirSync(path);
  await expect(writeFileAtomic(path, 'x')).rejects.toMatchObject({
    code: 'WEFT_AGENT_FILE_WRITE',
    message: expect.stringContaining(path),
  });
  expect(readdirSync(directory)).toEqual(['taken']);
  await expect(writeFileAtomic(join(directory, 'absent/file'), 'x')).rejects.toMatchObject({
    code: 'WEFT_AGENT_FILE_WRITE',
  });
});
