import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { historyConfig } from '../../../agent/history/config.ts';
import { SCALAR, type Step } from '../../../agent/history/rows.ts';
import { Book, encodeStep } from '../../../agent/history/step-codec.ts';
import { COARSE_MS, DETAIL_MS, HistoryStore } from '../../../agent/history/store.ts';
import { busyRows, row } from './support.ts';

const START_MS = 1_790_000_100_000;
const HOUR_MS = 3_600_000;
let directory: string;
let said: string[];
const config = historyConfig.parse({});

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-history-'));
  said = [];
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function open(changes: Partial<typeof config> = {}): Promise<HistoryStore> {
  const log = pino(
    { level: 'info' },
    { write: (line: string) => void said.push((JSON.parse(line) as { msg: string }).msg) },
  );
  return HistoryStore.open({ directory, config: { ...config, ...changes }, log });
}

function step(n: number, requests = 1): Step {
  return { atMs: START_MS + n * DETAIL_MS, rows: [row({}, new Array<number>(requests).fill(5))] };
}

/** Instants and requests of what is kept. */
async function kept(
  store: HistoryStore,
  isCoarse = false,
  toMs = Number.MAX_SAFE_INTEGER,
): Promise<[number, number][]> {
  const found: [number, number][] = [];
  await store.visit({ fromMs: 0, toMs, isCoarse }, ({ atMs, lengthMs, read }) => {
    const target = {
      scalars: new Float64Array(9),
      latency: new Float64Array(40),
      reasons: new Map(),
      statuses: new Map(),
    };
    read(() => ({ target, scalarsAt: 0, latencyAt: 0, hasBytes: true }));
    found.push([lengthMs === COARSE_MS ? atMs : (atMs - START_MS) / DETAIL_MS, target.scalars[SCALAR.requests]!]);
  });
  return found;
}

function detailFiles(): string[] {
  return readdirSync(directory)
    .filter((name) => name.startsWith('detail'))
    .sort()
    .map((name) => join(directory, name));
}

describe('the history on disk', () => {
  test('comes back after a restart, without half a step that a crash left, which is said', async () => {
    const store = await open();
    for (let n = 0; n < 5; n++) await store.add(step(n, n + 1));
    const whole = await kept(store);
    expect(whole).toEqual([0, 1, 2, 3, 4].map((n) => [n, n + 1]));
    expect(await kept(await open())).toEqual(whole);
    const [file] = detailFiles();
    truncateSync(file!, statSync(file!).size - 3);
    const again = await open();
    expect(said).toContain('the last step of the history was cut short: it is left out');
    expect(await kept(again)).toEqual(whole.slice(0, 4));
    await again.add(step(5, 9));
    expect(await kept(await open())).toEqual([...whole.slice(0, 4), [5, 9]]);
  });

  test('keeps what lies before damage, and all other segments', async () => {
    const store = await open();
    for (let n = 0; n < 4; n++) await store.add(step(n));
    appendFileSync(detailFiles()[0]!, Buffer.from('7 bytes'));
    const again = await open();
    await again.add(step(4));
    expect((await kept(await open())).map(([n]) => n)).toEqual([0, 1, 2, 3, 4]);
  });

  test('makes a block of 5 min of its steps, also of those before a restart, and of none twice', async () => {
    const before = await open();
    for (let n = 0; n < 15; n++) await before.add(step(n));
    const store = await open();
    for (let n = 15; n < 40; n++) await store.add(step(n));
    const coarse = await kept(store, true);
    expect(coarse[0]).toEqual([START_MS, 30]);
    expect(coarse.slice(1)).toEqual(Array.from({ length: 10 }, (_, i) => [30 + i, 1]));
  });

  test('stays within its room and its time, and forgets the oldest first', async () => {
    const store = await open({ maxMb: 1, detailHours: 2 });
    const rows = busyRows(100, 0);
    for (let n = 0; n < 5 * 360; n += 3) await store.add({ atMs: START_MS + n * DETAIL_MS, rows });
    expect(store.problem).toBe('');
    expect(store.bytes).toBeLessThanOrEqual(1_000_000);
    const steps = (await kept(store)).map(([n]) => n);
    expect(steps.at(-1)).toBe(5 * 360 - 3);
    expect(steps[0]!).toBeGreaterThanOrEqual(2 * 360);
    expect(detailFiles().length).toBeLessThanOrEqual(Math.ceil((2 * HOUR_MS) / HOUR_MS) + 1);
  });

  test('goes on in memory where it cannot be written, says so once, and writes again when it can', async () => {
    const store = await open();
    rmSync(directory, { recursive: true });
    for (let n = 0; n < 3; n++) await store.add(step(n));
    expect(store.problem).toContain('ENOENT');
    expect(said).toEqual(['the history cannot be written: only the last hour is kept, in memory']);
    expect((await kept(store)).map(([n]) => n)).toEqual([0, 1, 2]);
    mkdirSync(directory);
    await store.add(step(3));
    expect(store.problem).toBe('');
    expect((await kept(await open())).map(([n]) => n)).toEqual([3]);
  });

  test('keeps the bytes of a step, and nothing of a pool that they would keep whole', () => {
    const bytes = encodeStep(step(0), new Book());
    expect(bytes.buffer.byteLength).toBe(bytes.length);
  });
});
