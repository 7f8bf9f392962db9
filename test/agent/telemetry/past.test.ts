/** Requests of the past on a real disk: found after a restart, within time and room, and a disk that fails. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { AccessLog } from '../../../agent/telemetry/access-log/access-log.ts';
import { PastRecords } from '../../../agent/telemetry/access-log/past.ts';
import { accessLogConfig } from '../../../agent/telemetry/access-log-config.ts';
import { record, T0 } from './records.ts';

const EVER = { terms: [], sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER, limit: 2_000 };
const HOUR_MS = 3_600_000;
let directory: string;
let said: string[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-past-'));
  said = [];
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const log = pino(
  { level: 'info' },
  { write: (line: string) => void said.push((JSON.parse(line) as { msg: string }).msg) },
);
const folder = (): string => join(directory, 'requests');
const start = (config: Partial<z.input<typeof accessLogConfig>> = {}): Promise<AccessLog> =>
  AccessLog.start({ config: accessLogConfig.parse(config), node: 'node-1', dataDirectory: directory, log });
const past = (options: { maxMb?: number; hours?: number } = {}): PastRecords =>
  new PastRecords({ directory: folder(), maxMb: 50, hours: 24, log, ...options });

async function statuses(access: AccessLog, query: Partial<typeof EVER> = {}): Promise<number[]> {
  return (await access.search({ ...EVER, ...query })).records.map(({ status }) => status);
}

describe('requests of the past', () => {
  test('are found after a restart, and none twice', async () => {
    const before = await start();
    for (let i = 0; i < 600; i++) before.add(record({ atMs: T0 + i, status: 200 + (i % 300) }));
    await before[Symbol.asyncDispose]();
    await using access = await start({ recent: 10 });
    expect(await statuses(access)).toHaveLength(600);
    for (let i = 600; i < 630; i++) access.add(record({ atMs: T0 + i, status: 200 + (i % 300) }));
    const { records, isCut } = await access.search(EVER);
    expect(records.map(({ atMs }) => atMs - T0)).toEqual(Array.from({ length: 630 }, (_, i) => i));
    expect(isCut).toBe(false);
    expect(await statuses(access, { sinceMs: T0 + 10, untilMs: T0 + 12 })).toEqual([210, 211, 212]);
    const latest = await access.search({ ...EVER, limit: 25 });
    expect([latest.records.map(({ atMs }) => atMs - T0)[0], latest.isCut]).toEqual([605, true]);
    const failed = [{ field: 'status' as const, values: ['499'], isNegated: false }];
    expect(await statuses(access, { terms: failed as never })).toEqual([499, 499]);
  });

  test('are for nobody else to read', async () => {
    const access = await start();
    access.add(record());
    await access[Symbol.asyncDispose]();
    const [name] = readdirSync(folder());
    expect([statSync(folder()).mode & 0o777, statSync(join(folder(), name!)).mode & 0o777]).toEqual([0o700, 0o600]);
  });

  test('stay within their time and their room, and the oldest go first', async () => {
    await using kept = past({ maxMb: 1, hours: 2 });
    let state = 7;
    const noise = (): string => {
      let text = '';
      for (let i = 0; i < 60; i++) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        text += state.toString(36);
      }
      return text;
    };
    const bytes = (): number =>
      readdirSync(folder()).reduce((all, name) => all + statSync(join(folder(), name)).size, 0);
    for (let i = 0; i < 40; i++) {
      for (let n = 0; n < 128; n++) kept.add(record({ atMs: T0 + i * 60_000 + n, path: `/${noise()}` }));
      await kept.settled();
      expect(bytes()).toBeLessThanOrEqual(1_000_000);
    }
    const { records } = await kept.search(EVER, Number.POSITIVE_INFINITY);
    expect(records.at(-1)!.atMs).toBe(T0 + 39 * 60_000 + 127);
    expect(records.length).toBe(2_000);
    kept.add(record({ atMs: T0 + 9 * HOUR_MS, status: 201 }));
    await kept.settled();
    kept.add(record({ atMs: T0 + 12 * HOUR_MS, status: 202 }));
    await kept.settled();
    kept.add(record({ atMs: T0 + 15 * HOUR_MS, status: 203 }));
    const later = await kept.search(EVER, Number.POSITIVE_INFINITY);
    expect(later.records.map(({ status }) => status)).toEqual([202, 203]);
  });

  test('that the disk does not take are left out, which is said once, and later ones are kept again', async () => {
    writeFileSync(folder(), 'no directory');
    await using access = await start();
    access.add(record({ status: 201 }));
    await access.settled();
    access.add(record({ status: 202 }));
    await access.settled();
    expect(said).toEqual(['requests of the past cannot be kept on disk']);
    expect(await statuses(access)).toEqual([201, 202]);
    rmSync(folder());
    access.add(record({ status: 203 }));
    await access.settled();
    expect(said).toEqual(['requests of the past cannot be kept on disk', 'requests are kept on disk again']);
    await using again = await start();
    expect(await statuses(again)).toEqual([203]);
  });

  test('behind damage are found, and half a frame is nothing', async () => {
    const kept = past();
    for (let i = 0; i < 3; i++) {
      kept.add(record({ atMs: T0 + i, status: 200 + i }));
      await kept.settled();
    }
    const [name] = readdirSync(folder());
    const bytes = readFileSync(join(folder(), name!));
    writeFileSync(join(folder(), name!), bytes.subarray(0, bytes.length - 3));
    await using again = past();
    again.add(record({ atMs: T0 + 9, status: 209 }));
    const { records } = await again.search(EVER, Number.POSITIVE_INFINITY);
    expect(records.map(({ status }) => status)).toEqual([200, 201, 209]);
  });
});
