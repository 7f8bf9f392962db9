import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeFileAtomic } from '../../../agent/files.ts';
import { WorkloadDirectory } from '../../../agent/workloads/directory.ts';
import type { Workload } from '../../../agent/workloads/workload.ts';
import { workloadYaml } from './fixtures.ts';

const log = pino({ level: 'silent' });

let root: string;
let at: (name: string) => string;
/** Sets that were emitted and nobody has waited for yet. */
let emitted: (readonly Workload[])[];
let wake: () => void;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'weft-workloads-'));
  at = (name) => join(root, name);
  emitted = [];
  wake = () => {};
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function start(
  options: { directory?: string; pollMs?: number; isCapturing?: boolean } = {},
): Promise<WorkloadDirectory> {
  const changed = (workloads: readonly Workload[]) => {
    emitted.push(workloads);
    wake();
  };
  const { directory = root, pollMs = 3_600_000, isCapturing = true } = options;
  return WorkloadDirectory.start(
    { directory, isCapturing, log, changed, settleMs: 1, pollMs },
    new AbortController().signal,
  );
}

/** The names of the next set that the directory emits by itself. */
async function nextNames(): Promise<string[]> {
  if (emitted.length === 0) await new Promise<void>((resolve) => (wake = resolve));
  return names(emitted.shift() ?? []);
}

function names(workloads: readonly Workload[]): string[] {
  return workloads.map(({ name }) => name);
}

test('workloads are there as soon as it has started', async () => {
  writeFileSync(at('a.yaml'), workloadYaml({ name: 'a' }));
  writeFileSync(at('b.yml'), workloadYaml({ name: 'b' }));
  writeFileSync(at('.c.yaml'), workloadYaml({ name: 'c' }));
  writeFileSync(at('d.txt'), 'not ours');
  await using directory = await start();
  expect(names(directory.workloads())).toEqual(['a', 'b']);
  expect([directory.problems(), emitted]).toEqual([[], []]);
});

test('a file that comes, is replaced in one step, and goes is followed', async () => {
  await using directory = await start();
  await writeFileAtomic(at('a.yaml'), workloadYaml({ name: 'a' }));
  expect(await nextNames()).toEqual(['a']);
  await writeFileAtomic(at('a.yaml'), workloadYaml({ name: 'b' }));
  expect(await nextNames()).toEqual(['b']);
  renameSync(at('a.yaml'), at('a.yaml.off'));
  expect(await nextNames()).toEqual([]);
  expect(directory.problems()).toEqual([]);
});

test('a file rewritten in place is followed', async () => {
  writeFileSync(at('a.yaml'), workloadYaml({ name: 'a' }));
  await using _directory = await start();
  writeFileSync(at('a.yaml'), workloadYaml({ name: 'b' })); // same inode, same size
  expect(await nextNames()).toEqual(['b']);
});

test('files behind a symbolic link that is swapped, as Kubernetes mounts them, are followed', async () => {
  mkdirSync(at('..1'));
  mkdirSync(at('..2'));
  writeFileSync(at('..1/a.yaml'), workloadYaml({ name: 'a' }));
  writeFileSync(at('..2/a.yaml'), workloadYaml({ name: 'b' }));
  symlinkSync('..1', at('..data'));
  symlinkSync('..data/a.yaml', at('a.yaml'));
  await using directory = await start();
  expect(names(directory.workloads())).toEqual(['a']);
  symlinkSync('..2', at('..new'));
  renameSync(at('..new'), at('..data'));
  expect(await nextNames()).toEqual(['b']);
});

test('what a file said before keeps running while it does not parse', async () => {
  writeFileSync(at('a.yaml'), workloadYaml({ name: 'a' }));
  writeFileSync(at('b.yaml'), workloadYaml({ name: 'b' }));
  await using directory = await start();
  writeFileSync(at('a.yaml'), workloadYaml({ name: 'a' }).replace('service: web', 'servcie: web'));
  await directory.rescan();
  expect(names(directory.workloads())).toEqual(['a', 'b']);
  expect(directory.problems().map(({ file, line, field }) => `${file}:${line} ${field}`)).toEqual([
    `${at('a.yaml')}:4 spec.service`,
    `${at('a.yaml')}:5 spec.servcie`,
  ]);
  writeFileSync(at('a.yaml'), '');
  await directory.rescan();
  expect(names(directory.workloads())).toEqual(['a', 'b']);
  writeFileSync(at('a.yaml'), workloadYaml({ name: 'a2' }));
  await directory.rescan();
  expect([names(directory.workloads()), directory.problems()]).toEqual([['a2', 'b'], []]);
});

test('of two files that claim one name, the first by file name holds and the other is reported', async () => {
  writeFileSync(at('b.yaml'), workloadYaml({ name: 'same', runs: '{netns: /run/netns/b}' }));
  await using directory = await start();
  writeFileSync(at('a.yaml'), workloadYaml({ name: 'same', runs: '{netns: /run/netns/a}' }));
  await directory.rescan();
  expect(directory.workloads().map(({ runs }) => runs)).toEqual([{ kind: 'netns', path: '/run/netns/a' }]);
  expect(directory.problems()).toEqual([
    expect.objectContaining({
      file: at('b.yaml'),
      field: 'metadata.name',
      message: expect.stringContaining(`${at('a.yaml')}:1`),
    }),
  ]);
});

test.each([
  ['{netns: /run/netns/x}', '{netns: /var/run/netns/x}', 'spec.runs.netns'],
  ['{pid: 7}', '{pid: 7}', 'spec.runs.pid'],
  ['{host: {uid: 33}}', '{host: {uid: 33}}', 'spec.runs.host.uid'],
  ['{host: {}}', '{host: {}}', 'spec.ports[0].port'],
])('two workloads in one place are told apart by nothing: %s and %s', async (first, second, field) => {
  const spec = '  address: 127.0.0.1\n';
  writeFileSync(
    at('a.yaml'),
    `${workloadYaml({ name: 'a', runs: first, spec })}---\n${workloadYaml({ name: 'b', runs: second, spec })}`,
  );
  await using directory = await start();
  expect(names(directory.workloads())).toEqual(['a']);
  expect(directory.problems()).toEqual([expect.objectContaining({ field, line: 11 })]);
});

test('a directory that appears later is found, and one that disappears takes nothing with it', async () => {
  const later = at('later');
  await using directory = await start({ directory: later, pollMs: 5 });
  expect(directory.problems()).toEqual([
    expect.objectContaining({ file: later, message: expect.stringContaining('create it') }),
  ]);
  for (const name of ['a', 'b']) {
    mkdirSync(at(name));
    writeFileSync(at(`${name}/w.yaml`), workloadYaml({ name }));
  }
  renameSync(at('a'), later);
  expect(await nextNames()).toEqual(['a']);
  renameSync(later, at('gone'));
  await directory.rescan();
  expect(names(directory.workloads())).toEqual(['a']);
  renameSync(at('b'), later);
  expect(await nextNames()).toEqual(['b']);
});

test('an entry that is no file is reported and blocks nothing', async () => {
  mkdirSync(at('a.yaml'));
  writeFileSync(at('b.yaml'), workloadYaml({ name: 'b' }));
  await using directory = await start();
  expect(names(directory.workloads())).toEqual(['b']);
  expect(directory.problems()).toEqual([expect.objectContaining({ file: at('a.yaml') })]);
});

test('a file of more than a megabyte is refused unread', async () => {
  writeFileSync(at('a.yaml'), Buffer.alloc(1024 * 1024 + 1, '#'));
  await using directory = await start();
  expect(directory.problems()[0]?.message).toMatch(/larger than/);
});

test('a rewrite that changes nothing emits nothing', async () => {
  writeFileSync(at('a.yaml'), workloadYaml({ name: 'a' }));
  await using directory = await start();
  writeFileSync(at('a.yaml'), `# moved down\n\n${workloadYaml({ name: 'a' })}`);
  await directory.rescan();
  expect(emitted).toEqual([]);
});

test('nothing is read after close, and closing twice is fine', async () => {
  const directory = await start();
  await directory.close();
  await directory.close();
  writeFileSync(at('a.yaml'), workloadYaml({ name: 'a' }));
  await directory.rescan();
  expect([directory.workloads(), emitted]).toEqual([[], []]);
});

test('an error of whoever is told comes out, and is not taken for one of the directory', async () => {
  const changed = () => {
    throw new Error('a bug of the caller');
  };
  const options = { directory: root, log, changed, pollMs: 3_600_000, settleMs: 3_600_000 };
  await using directory = await WorkloadDirectory.start(options, new AbortController().signal);
  writeFileSync(at('a.yaml'), workloadYaml({ name: 'a' }));
  await expect(directory.rescan()).rejects.toThrow('a bug of the caller');
  expect(directory.problems()).toEqual([]);
});

test('without capture, two workloads on one address would share its port for mTLS: the second is refused', async () => {
  writeFileSync(at('a.yaml'), workloadYaml({ name: 'a', spec: '  address: 10.0.0.1\n' }));
  writeFileSync(at('b.yaml'), workloadYaml({ name: 'b', spec: '  address: 10.0.0.1\n' }));
  writeFileSync(at('c.yaml'), workloadYaml({ name: 'c', spec: '  address: 10.0.0.2\n' }));
  await using explicit = await start({ isCapturing: false });
  expect(names(explicit.workloads())).toEqual(['a', 'c']);
  expect(explicit.problems()).toMatchObject([
    {
      file: at('b.yaml'),
      field: 'spec.address',
      message: expect.stringMatching(/10\.0\.0\.1:15008.* is already that of shop\/a .*another spec\.address/),
    },
  ]);
  await using captured = await start();
  expect(names(captured.workloads())).toEqual(['a', 'b', 'c']);
});
