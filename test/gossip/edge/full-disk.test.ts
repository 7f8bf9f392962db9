/** A disk that runs full, in a mount namespace of its own. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';

let disk: string;
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'weft-disk-'));
});
afterEach(() => rmSync(disk, { recursive: true }));

test('a full disk stops neither the mesh nor policy: writers are told, and what is missing is written with the next', async () => {
  const script = join(import.meta.dirname, '..', 'support', 'full-disk-process.ts');
  const mounted = 'mount -t tmpfs -o size=1m,mode=700 weft-test "$1" && exec "$2" "$3" "$1"';
  const argv = ['--mount', '--propagation', 'private', 'sh', '-c', mounted, 'sh', disk, process.execPath, script];
  const { stdout } = await promisify(execFile)('unshare', argv, { timeout: 30_000 });
  const { before, full, after, alive } = JSON.parse(stdout) as Record<string, unknown>;
  expect(before).toMatchObject({ kind: 'written', isInForce: true });
  expect(before).not.toHaveProperty('notOnDisk');
  expect(full).toMatchObject({
    kind: 'written',
    isInForce: true,
    notOnDisk: `${disk}/a/documents.log: cannot read or write the data directory; check its owner, mode and free space`,
  });
  expect(after).toMatchObject({ kind: 'written', isInForce: true });
  expect(after).not.toHaveProperty('notOnDisk');
  expect(alive).toBe('alive');
}, 40_000);
