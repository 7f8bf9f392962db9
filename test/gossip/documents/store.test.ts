/** Documents on disk: a crash at any byte leaves a state the node really was in, and damage is never taken for truth. */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Held, Revision } from '../../../gossip/documents/revision.ts';
import { DocumentStore } from '../../../gossip/edge/document-store.ts';
import { NOW_MS, revision } from './replicas.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-documents-'));
  file = join(directory, 'documents.log');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (trustDomain = 'test.example', kept: () => Iterable<Revision> = () => []) =>
  DocumentStore.open(directory, trustDomain, kept);

/** Three revisions of one document. */
function chain(): Held[] {
  const all: Held[] = [];
  for (let i = 0; i < 3; i++) {
    all.push(revision({ base: all.at(-1), text: `{"v":${i}}`, hlc: { ms: NOW_MS + i, count: 0 } }));
  }
  return all;
}

/** Writes them one at a time. @returns where each ends in the file, the header first */
async function write(all: readonly Held[]): Promise<number[]> {
  const { store } = await open();
  const ends = [readFileSync(file).length];
  for (const held of all) {
    await store.keep([held.revision]);
    ends.push(readFileSync(file).length);
  }
  await store.close();
  return ends;
}

async function read(): Promise<{ revisions: readonly Revision[]; damage: string | undefined }> {
  const { store, revisions, damage } = await open();
  await store.close();
  return { revisions, damage };
}

test('what was kept is there after a restart, in order', async () => {
  const all = chain();
  await write(all);
  expect(await read()).toEqual({ revisions: all.map((held) => plain(held.revision)), damage: undefined });
});

test('cut off at any byte, the file yields exactly the records that were whole, and can be written again', async () => {
  const all = chain();
  const ends = await write(all);
  const whole = join(directory, 'whole');
  copyFileSync(file, whole);
  for (let length = 0; length < ends.at(-1)!; length++) {
    copyFileSync(whole, file);
    truncateSync(file, length);
    const expected = ends.slice(1).filter((end) => end <= length).length;
    const { store, revisions, damage } = await open();
    expect(revisions, `cut at ${length}`).toHaveLength(expected);
    const isClean = length === 0 || ends.includes(length);
    expect(damage === undefined, `cut at ${length}: ${damage}`).toBe(isClean);
    await store.keep([all.at(-1)!.revision]);
    await store.close();
    expect((await read()).revisions, `written after a cut at ${length}`).toHaveLength(expected + 1);
  }
});

test('with any one byte changed, the file yields a beginning of what was written and says what it lost', async () => {
  const all = chain();
  const ends = await write(all);
  const whole = readFileSync(file);
  const plainly = all.map((held) => plain(held.revision));
  for (let at = 0; at < whole.length; at++) {
    for (const flip of [0x01, 0x80]) {
      const bytes = Buffer.from(whole);
      bytes[at] = bytes[at]! ^ flip;
      writeFileSync(file, bytes);
      rmSync(`${file}.damaged`, { force: true });
      const { revisions, damage } = await read();
      const before = ends.filter((end) => end <= at).length - 1;
      expect(revisions, `byte ${at}`).toEqual(plainly.slice(0, Math.max(0, before)));
      expect(damage, `byte ${at}`).toBeDefined();
      expect(existsSync(`${file}.damaged`), `byte ${at}`).toBe(true);
    }
  }
});

test('the store of another trust domain is refused, by name', async () => {
  await write(chain());
  await expect(open('other.example')).rejects.toThrow(
    `${file} (of trust domain test.example): this state belongs to another trust domain; move the file away`,
  );
  expect((await read()).revisions).toHaveLength(3);
});

test('a long log is written anew with what is kept, and holds it all after that', async () => {
  const kept = chain();
  const revisions = kept.map((held) => held.revision);
  const { store } = await open('test.example', () => revisions);
  const large = revision({ name: 'large', text: 'x'.repeat(250_000) }).revision;
  for (let i = 0; i < 20; i++) await store.keep([large]);
  expect(readFileSync(file).length).toBeLessThan(1_000_000);
  await store.keep([large]);
  await store.close();
  const names = (await read()).revisions.map(({ name }) => name);
  expect(names.slice(0, 3)).toEqual(['web', 'web', 'web']);
  expect(names.at(-1)).toBe('large');
});

test('what failed to be written is written with the next', async () => {
  const [first, second, third] = chain() as [Held, Held, Held];
  const { store } = await open();
  await store.keep([first.revision]);
  await Promise.all([store.keep([second.revision]), store.keep([third.revision])]);
  await store.close();
  expect((await read()).revisions.map(({ number }) => number)).toEqual([1, 2, 3]);
  await expect(store.keep([first.revision])).rejects.toThrow('cannot read or write the data directory');
});

/** Bytes as they come from disk. */
function plain(value: Revision): Revision {
  const bytes = (from: Uint8Array): Uint8Array => Buffer.from(from);
  return {
    ...value,
    body: value.body === null ? null : bytes(value.body),
    certificate: bytes(value.certificate),
    signature: bytes(value.signature),
  };
}
