import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type CaptureEntry, CaptureState } from '../../../agent/capture/state.ts';

function newFile(): string {
  return join(mkdtempSync(join(tmpdir(), 'weft-state-')), 'captures.json');
}

function entry(unit: string, inode: number): CaptureEntry {
  return { unit, identity: { device: 4, inode }, locator: { kind: 'pid', pid: 12, startTicks: 34 } };
}

test('what was put is there after a restart, and what was deleted is not', async () => {
  const file = newFile();
  const state = CaptureState.load(file);
  await state.put(entry('a', 1));
  await state.put(entry('b', 2));
  await state.delete('a');
  expect(CaptureState.load(file).entries()).toEqual([entry('b', 2)]);
  expect(readdirSync(join(file, '..'))).toEqual(['captures.json']);
});

test('a namespace has one entry, whatever its unit is called', async () => {
  const state = CaptureState.load(newFile());
  await state.put(entry('old', 1));
  await state.put(entry('new', 1));
  expect(state.entries()).toEqual([entry('new', 1)]);
});

test('changes made together are all on disk when the first of them is', async () => {
  const file = newFile();
  const state = CaptureState.load(file);
  const first = state.put(entry('a', 1));
  const others = Array.from({ length: 50 }, (_, index) => state.put(entry(`b${index}`, index + 2)));
  await first;
  expect(CaptureState.load(file).entries()).toHaveLength(51);
  await Promise.all(others);
});

test.for(['', 'not json', '{"version":2}', '{"version":1,"captures":[{"unit":"a"}]}'])(
  'a damaged file says so: %j',
  (content) => {
    const file = newFile();
    writeFileSync(file, content);
    expect(() => CaptureState.load(file)).toThrow(expect.objectContaining({ code: 'WEFT_CAPTURE_STATE_UNREADABLE' }));
    expect(readFileSync(file, 'utf8')).toBe(content);
  },
);

test('fields of a newer agent do not stop an older one', () => {
  const file = newFile();
  writeFileSync(file, JSON.stringify({ version: 1, captures: [{ ...entry('a', 1), color: 'blue' }], more: true }));
  expect(CaptureState.load(file).entries()).toEqual([entry('a', 1)]);
});
