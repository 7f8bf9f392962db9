/** What a document may do while it is compiled: anything, to itself. */
import { expect, test } from 'vitest';
import { Compiler } from '../../../agent/documents/compiler.ts';
import { encodeResource } from '../../../agent/documents/resource.ts';

const entry = new URL('./poison-worker.ts', import.meta.url);

function body(kind: string): Uint8Array {
  return encodeResource({ apiVersion: 'x/v1', kind, metadata: { name: 'x' } });
}

const key = (kind: string) => ({ kind, namespace: '', name: 'x' });

test.each([
  ['that loops', 'Endless', 'it was not compiled within 300 ms of CPU time'],
  ['that swells', 'Swelling', 'it made the compiler fail: Worker terminated due to reaching memory limit: JS heap'],
  ['that ends its process', 'Ending', 'it ended the compiler'],
  ['that throws', 'Throwing', 'it made the compiler fail: no idea what to do'],
  ['that is wrong', 'Wrong', 'spec.x: not good'],
  ['of a kind without a compiler', 'Unknown', 'it is not a resource'],
])('a document %s is a problem of its own, and the next one compiles', async (_what, kind, problem) => {
  await using compiler = new Compiler({ entry, watchdogMs: kind === 'Swelling' ? 20_000 : 300 });
  await compiler.compile(key('Fine'), body('Fine')); // the worker is up: what follows is the document's own time
  const [bad, good] = await Promise.all([
    compiler.compile(key(kind), body(kind)),
    compiler.compile(key('Fine'), body('Fine')),
  ]);
  expect(bad).toEqual({ ok: false, problem: expect.stringContaining(problem) });
  expect(good).toEqual({ ok: true, value: 'compiled' });
});

test('a document that gets no CPU time is waited for', async () => {
  await using compiler = new Compiler({ entry, watchdogMs: 100 });
  expect(await compiler.compile(key('Sleeping'), body('Sleeping'))).toEqual({ ok: true, value: 'compiled' });
});

test('bytes that are no resource are refused by the compiler too', async () => {
  await using compiler = new Compiler({ entry });
  for (const bytes of ['', '{', '[]', '{"kind":"Fine"}', '\xff']) {
    expect(await compiler.compile(key('Fine'), Buffer.from(bytes, 'latin1'))).toEqual({
      ok: false,
      problem: 'it is not a resource',
    });
  }
});

test.each([
  ['namespace', { kind: 'Fine', namespace: 'shop', name: 'x' }, 'Fine shop/x'],
  ['name', { kind: 'Fine', namespace: '', name: 'y' }, 'Fine y'],
])('a body that gives itself another %s than it is signed under compiles to nothing', async (_field, signed, text) => {
  await using compiler = new Compiler({ entry });
  const problem = `it is signed as ${text} and says that it is Fine x`;
  expect(await compiler.compile(signed, body('Fine'))).toEqual({ ok: false, problem });
});

test('a compiler that is closed answers everything at once', async () => {
  const compiler = new Compiler({ entry });
  const waiting = compiler.compile(key('Endless'), body('Endless'));
  await compiler.close();
  expect(await waiting).toEqual({ ok: false, problem: 'the agent is stopping' });
  expect(await compiler.compile(key('Fine'), body('Fine'))).toMatchObject({ ok: false });
});
