/** The audit trail on a real disk: what it keeps, what it survives, and that tampering is seen. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EMPTY_HEAD, nextLine, readLine } from '../../../agent/audit/entry.ts';
import { RefusalFilter } from '../../../agent/audit/refusals.ts';
import { searchTrail, verifyTrail } from '../../../agent/audit/search.ts';
import { type AuditOptions, AuditTrail, segmentFiles } from '../../../agent/audit/trail.ts';

const T0 = Date.parse('2026-03-01T12:00:00Z');

let directory: string;
let nowMs: number;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-audit-'));
  nowMs = T0;
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function open(options: Partial<AuditOptions> = {}): Promise<AuditTrail> {
  return AuditTrail.open({ directory, log: pino({ level: 'silent' }), nowMs: () => nowMs++, ...options });
}

async function filled(count: number, options: Partial<AuditOptions> = {}): Promise<AuditTrail> {
  const trail = await open(options);
  for (let i = 1; i <= count; i++) {
    trail.record({ event: 'accepted', kind: 'AccessPolicy', name: `p${i}`, operator: 'spiffe://x/operator/ada' });
    await trail.written();
  }
  return trail;
}

const file = (): string => join(directory, 'audit-000000000001.log');
const lines = (): string[] => readFileSync(file(), 'utf8').trimEnd().split('\n');

describe('a trail', () => {
  test('goes on where it ended, and is whole', async () => {
    await (await filled(2)).close();
    await using trail = await filled(1);
    const { entries, isCut } = await searchTrail(trail, { limit: 10 });
    expect(entries.map(({ seq, name }) => [seq, name])).toEqual([
      [1, 'p1'],
      [2, 'p2'],
      [3, 'p1'],
    ]);
    expect(isCut).toBe(false);
    expect(await verifyTrail(trail)).toMatchObject({ isWhole: true, entries: 3, firstSeq: 1, head: trail.head });
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  test('answers by time, operator, kind and event, the latest first when there are too many', async () => {
    await using trail = await filled(3);
    trail.record({ event: 'refused', kind: 'MeshConfig', operator: 'spiffe://x/operator/bob', reason: 'scope' });
    const names = async (query: Parameters<typeof searchTrail>[1]): Promise<unknown> =>
      (await searchTrail(trail, query)).entries.map(({ seq }) => seq);
    expect(await names({ limit: 9, operator: 'bob' })).toEqual([4]);
    expect(await names({ limit: 9, operator: 'spiffe://x/operator/ada' })).toEqual([1, 2, 3]);
    expect(await names({ limit: 9, kind: 'accesspolicy' })).toEqual([1, 2, 3]);
    expect(await names({ limit: 9, event: 'refused' })).toEqual([4]);
    expect(await names({ limit: 9, sinceMs: T0 + 2 })).toEqual([3, 4]);
    expect(await searchTrail(trail, { limit: 2 })).toMatchObject({ isCut: true, entries: [{ seq: 3 }, { seq: 4 }] });
  });

  test('is bounded: the oldest file goes, and what is left is whole', async () => {
    await using trail = await filled(40, { segmentBytes: 1_000, segments: 3 });
    const files = await segmentFiles(directory);
    expect(files).toHaveLength(3);
    const verdict = await verifyTrail(trail);
    expect(verdict).toMatchObject({ isWhole: true, head: { seq: 40 } });
    expect(verdict.firstSeq).toBeGreaterThan(20);
    await trail.close();
    await using again = await open({ segmentBytes: 1_000, segments: 3 });
    expect(again.head).toEqual(trail.head);
  });

  test('torn by a crash loses no more than the torn line, and says so', async () => {
    await (await filled(2)).close();
    appendFileSync(file(), '{"seq":3,"at":"2026-03-01T12');
    await using trail = await open();
    const { entries } = await searchTrail(trail, { limit: 10 });
    expect(entries.map(({ event }) => event)).toEqual(['accepted', 'accepted', 'damaged']);
    expect(await verifyTrail(trail)).toMatchObject({ isWhole: true, entries: 3 });
    expect(readFileSync(`${file()}.damaged`, 'utf8')).toContain('{"seq":3,"at":"2026-03-01T12');
  });
});

describe('tampering is seen when somebody', () => {
  /** Another second line, right in itself. */
  const rewritten = (): string => {
    const first = readLine(lines()[0]!);
    return nextLine(first.ok ? first.head : EMPTY_HEAD, { event: 'accepted', name: 'other' }, T0).line.trimEnd();
  };
  const forged = (line: string): string => line.replace('ada', 'eve');
  test.each<[string, () => void, string]>([
    ['changes a line', () => write(lines().with(1, forged(lines()[1]!))), 'it was changed'],
    ['changes a line and its hash', () => write(lines().with(1, rewritten())), 'does not name the hash of the entry'],
    ['takes a line out', () => write(lines().toSpliced(1, 1)), 'entry 3 follows entry 1'],
    ['swaps two lines', () => write(lines().with(1, lines()[2]!).with(2, lines()[1]!)), 'entry 3 follows entry 1'],
    ['puts a line in twice', () => write(lines().toSpliced(1, 0, lines()[0]!)), 'entry 1 follows entry 1'],
    ['cuts the end off', () => truncateSync(file(), lines()[0]!.length + 1), 'the trail ends with entry 1'],
    ['writes something else', () => write([...lines(), 'hello']), 'it is no line of an audit trail'],
  ])('%s', async (_what, tamper, problem) => {
    await using trail = await filled(4);
    expect((await verifyTrail(trail)).isWhole).toBe(true);
    tamper();
    const { isWhole, problems } = await verifyTrail(trail);
    expect(isWhole).toBe(false);
    expect(problems[0]?.problem).toContain(problem);
  });

  function write(all: readonly string[]): void {
    writeFileSync(file(), `${all.join('\n')}\n`);
  }
});

describe('refusals', () => {
  const refusal = (revision: string) => ({ event: 'refused', revision, reason: 'scope' }) as const;

  test('of the same revision for the same reason are one entry', () => {
    const filter = new RefusalFilter();
    expect(filter.pass(refusal('a'), 0)).toEqual([refusal('a')]);
    expect(filter.pass(refusal('a'), 10)).toEqual([]);
    expect(filter.pass({ ...refusal('a'), reason: 'future' }, 20)).toHaveLength(1);
  });

  test('that come in a flood are counted, and the count is an entry', () => {
    const filter = new RefusalFilter();
    const passed = Array.from({ length: 1_000 }, (_, i) => filter.pass(refusal(`r${i}`), i)).flat();
    expect(passed).toHaveLength(60);
    expect(filter.pass(refusal('late'), 10_000)).toEqual([
      { event: 'omitted', reason: 'rate', detail: '940 refusals were left out: too many at a time' },
      refusal('late'),
    ]);
  });
});
