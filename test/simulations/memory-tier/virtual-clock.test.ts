/** Virtual time: in order, on the spot, and never ahead of work that was begun. */
import { pbkdf2 } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { VirtualClock } from '../../../simulations/memory-tier/virtual-clock.ts';

test('timers run in the order of their instants, at these instants', async () => {
  using clock = new VirtualClock();
  const seen: string[] = [];
  const fromMs = Date.now();
  const note = (what: string) => seen.push(`${what} ${Date.now() - fromMs}`);
  setTimeout(() => note('late'), 60_000);
  const every = setInterval(() => note('every'), 20_000);
  clearTimeout(setTimeout(() => note('never'), 10));
  AbortSignal.timeout(30_000).addEventListener('abort', () => note('aborted'));
  await clock.runFor(60_000);
  clearInterval(every);
  await clock.runFor(60_000);
  expect(seen).toEqual(['every 20000', 'aborted 30000', 'every 40000', 'late 60000', 'every 60000']);
});

test('what was begun at an instant is done before the next, however long it really takes', async () => {
  using clock = new VirtualClock();
  const seen: string[] = [];
  const file = join(tmpdir(), `weft-virtual-clock-${process.pid}`);
  const work = async (): Promise<void> => {
    await promisify(pbkdf2)('secret', 'salt', 300_000, 32, 'sha256');
    await crypto.subtle.digest('SHA-256', new Uint8Array(1_000_000));
    await writeFile(file, 'x', { flush: true });
    await promisify(setImmediate)();
    seen.push('done');
  };
  setTimeout(() => void work(), 10);
  setTimeout(() => seen.push('next'), 11);
  await clock.runFor(20);
  expect(seen).toEqual(['done', 'next']);
});

test('Node has its own time back afterwards', () => {
  const before = [setTimeout, setInterval, setImmediate, clearTimeout, Date.now, performance.now, AbortSignal.timeout];
  new VirtualClock()[Symbol.dispose]();
  expect([setTimeout, setInterval, setImmediate, clearTimeout, Date.now, performance.now, AbortSignal.timeout]).toEqual(
    before,
  );
});
