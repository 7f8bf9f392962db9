/** One agent's documents: what is in use, what is reported, and what survives a start; the mesh around it is a plain object. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Compiler } from '../../../agent/documents/compiler.ts';
import type { DocumentMesh } from '../../../agent/documents/keeper.ts';
import { DocumentKeeper } from '../../../agent/documents/keeper.ts';
import { LastGood } from '../../../agent/documents/last-good.ts';
import { encodeResource } from '../../../agent/documents/resource.ts';
import { decide } from '../../../agent/documents/rollout.ts';
import { nextHlc } from '../../../gossip/documents/hlc.ts';
import { findRevisions } from '../../../gossip/documents/query.ts';
import type { Report, ReportLine } from '../../../gossip/documents/report.ts';
import { decodeReport, encodeReport, headsSum } from '../../../gossip/documents/report.ts';
import type { Held } from '../../../gossip/documents/revision.ts';
import { NOW_MS, Replica, sign } from '../../gossip/documents/replicas.ts';
import { until } from './mesh.ts';

const entry = new URL('./poison-worker.ts', import.meta.url);
const KEY = 'Fine/shop/web';

let directory: string;
let compiler: Compiler;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-keeper-'));
  compiler = new Compiler({ entry, watchdogMs: 300 });
});
afterEach(async () => {
  await compiler.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A revision of a document of one of the kinds in poison-worker.ts. */
function revision(kind: string, options: { base?: Held; text?: string; isDeleted?: boolean } = {}): Held {
  const { base, text = '', isDeleted = false } = options;
  const resource = { apiVersion: 'x/v1', kind, metadata: { name: 'web', namespace: 'shop' }, text };
  return sign({
    kind,
    namespace: 'shop',
    name: 'web',
    number: (base?.revision.number ?? 0) + 1,
    base: base?.id ?? '',
    hlc: nextHlc(base?.revision.hlc, NOW_MS),
    author: 'alice',
    body: isDeleted ? null : encodeResource(resource),
    certificate: Buffer.from('alice *'),
  });
}

/** A keeper with a consumer for every kind, and a mesh that holds what it is given. */
class Node implements AsyncDisposable {
  readonly keeper: DocumentKeeper;
  readonly replica = new Replica('self');
  readonly consumed: string[] = [];
  /** What went to the audit trail. */
  readonly judged: string[] = [];
  readonly members: { name: string; state: string }[] = [{ name: 'self', state: 'alive' }];
  report: Report | undefined;
  refuses = false;

  constructor(patienceMs = 60_000) {
    const consume = (kind: string) => ({
      kind,
      activate: (_key: unknown, value: unknown) => {
        if (this.refuses) throw new Error('no room');
        this.consumed.push(`${kind} ${String(value)}`);
      },
      deactivate: () => void this.consumed.push(`${kind} gone`),
    });
    this.keeper = new DocumentKeeper({
      node: 'self',
      version: '0.1.0',
      consumers: ['Fine', 'Wrong', 'Endless', 'Revocation'].map(consume),
      compiler,
      audit: { judged: (event, held) => void this.judged.push(`${event} ${held.id}`) },
      lastGood: new LastGood(join(directory, 'in-use.json')),
      log: pino({ level: 'silent' }),
      patienceMs,
    });
  }

  start(): Promise<void> {
    const mesh: DocumentMesh = {
      documents: async (_query, ask) =>
        findRevisions(this.replica.documents.library.chains(), (ask as { idPrefix: string }).idPrefix) as never,
      report: (bytes) => {
        this.report = decodeReport(bytes);
      },
      members: () => this.members,
    };
    return this.keeper.start(mesh);
  }

  give(...all: readonly Held[]): this {
    for (const held of all) this.replica.documents.library.offer(held.revision);
    this.keeper.heads([...this.replica.documents.library.chains()].map(([, chain]) => chain.head));
    return this;
  }

  /** What another node says of one revision. */
  hear(node: string, line: ReportLine): void {
    this.keeper.reported(node, encodeReport({ heads: headsSum([line.id]), omitted: 0, lines: [line] }));
  }

  get outcome() {
    return this.keeper.outcome(KEY);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.keeper.close();
  }
}

test('a document is compiled, taken into use and reported', async () => {
  await using node = new Node();
  await node.start();
  const held = revision('Fine');
  node.give(held);
  await until(() => node.report?.lines[0]?.state === 'applied');
  expect(node.consumed).toEqual(['Fine compiled']);
  expect(node.report).toEqual({
    heads: headsSum([held.id]),
    omitted: 0,
    lines: [{ id: held.id, state: 'applied', isFirst: true, why: '' }],
  });
});

test.each([
  ['that is wrong', 'Wrong', 'spec.x: not good'],
  ['that trips the watchdog', 'Endless', 'it was not compiled within 300 ms of CPU time'],
])('a document %s is rejected and reported so', async (_what, kind, why) => {
  await using node = new Node();
  await node.start();
  node.give(revision(kind));
  await until(() => node.report?.lines[0]?.state === 'rejected');
  expect(node.report!.lines).toMatchObject([{ isFirst: true, why }]);
  expect(node.consumed).toEqual([]);
});

test('a consumer that cannot take it is a rejection too', async () => {
  await using node = new Node();
  node.refuses = true;
  await node.start();
  node.give(revision('Fine'));
  await until(() => node.outcome?.state === 'rejected');
  expect(node.outcome?.why).toBe('it could not be taken into use: no room');
});

test('a deletion is taken into use at once, and so is what comes after it', async () => {
  await using node = new Node();
  await node.start();
  const first = revision('Fine');
  const gone = revision('Fine', { base: first, isDeleted: true });
  node.give(first);
  await until(() => node.outcome?.state === 'applied');
  node.give(gone);
  await until(() => node.outcome?.head === gone.id && node.outcome.state === 'applied');
  node.give(revision('Fine', { base: gone }));
  await until(() => node.consumed.length === 3);
  expect(node.consumed).toEqual(['Fine compiled', 'Fine gone', 'Fine compiled']);
});

/** Members, and a revision that this node is not the first to take. */
function waiting(node: Node): { held: Held; first: string } {
  for (const name of ['n1', 'n2', 'n3']) node.members.push({ name, state: 'alive' });
  for (let i = 0; ; i++) {
    const held = revision('Fine', { text: `${i}` });
    const members = node.members.map(({ name }) => name);
    const situation = { self: 'self', members, said: new Map(), ageMs: 0, patienceMs: 1 };
    const decision = decide({ ...situation, revision: held.id });
    if (decision.kind === 'wait') return { held, first: decision.for[0]! };
  }
}

test('what others take first waits until they report, and then follows', async () => {
  await using node = new Node();
  const { held, first } = waiting(node);
  await node.start();
  node.give(held);
  await until(() => node.outcome?.why === `waiting for ${first} to take it first`);
  node.hear(first, { id: held.id, state: 'applied', isFirst: true, why: '' });
  await until(() => node.outcome?.state === 'applied');
  expect(node.outcome?.isFirst).toBe(false);
});

test('a revocation waits for nobody, and nobody can hold it back', async () => {
  await using node = new Node();
  const { first } = waiting(node);
  await node.start();
  for (let i = 0; i < 5; i++) {
    const held = revision('Revocation', { text: `${i}` });
    node.hear(first, { id: held.id, state: 'rejected', isFirst: true, why: 'a thief says so' });
    node.keeper.heads([held]);
    await until(() => node.keeper.outcome('Revocation/shop/web')?.head === held.id);
    await until(() => node.keeper.outcome('Revocation/shop/web')?.state === 'applied');
  }
  expect(node.consumed).toHaveLength(5);
});

test('a document whose author was revoked is taken out of use, and forgotten', async () => {
  await using node = new Node();
  await node.start();
  node.give(revision('Fine'));
  await until(() => node.outcome?.state === 'applied');
  node.keeper.gone([{ kind: 'Fine', namespace: 'shop', name: 'web' }]);
  await until(() => node.consumed.includes('Fine gone'));
  expect(node.outcome).toBeUndefined();
  await until(() => node.report?.lines.length === 0);
});

test('what others take first follows after a while when they stay mute', async () => {
  await using node = new Node(200);
  const { held } = waiting(node);
  await node.start();
  node.give(held);
  await until(() => node.outcome?.state === 'applied');
});

test('what a first taker rejects is not taken into use, and taken out again where it was', async () => {
  await using node = new Node(100);
  const { held, first } = waiting(node);
  await node.start();
  node.give(held);
  await until(() => node.outcome?.state === 'applied'); // out of patience
  node.hear(first, { id: held.id, state: 'rejected', isFirst: true, why: 'too much' });
  await until(() => node.outcome?.heldBy === first);
  expect(node.outcome).toMatchObject({
    state: 'pending',
    why: `held back, rejected by ${first}: too much`,
    active: '',
  });
  expect(node.consumed).toEqual(['Fine compiled', 'Fine gone']);
});

test('an agent that starts has in use what it had, before it weighs what is new', async () => {
  const good = revision('Fine', { text: 'good' });
  {
    await using node = new Node();
    await node.start();
    node.give(good);
    await until(() => node.outcome?.state === 'applied');
  }
  await using again = new Node();
  const bad = revision('Fine', { base: good, text: 'new' });
  again.members.push({ name: 'n1', state: 'alive' }, { name: 'n2', state: 'alive' }, { name: 'n3', state: 'alive' });
  again.give(good, bad); // heard before there is a mesh to ask
  await again.start();
  expect(again.consumed[0]).toBe('Fine compiled');
  expect(again.outcome?.active === good.id || again.outcome?.active === bad.id).toBe(true);
});

test('a revision during whose trial the process ended twice is not tried again; once may be chance', async () => {
  const good = revision('Fine', { text: 'good' });
  const bad = revision('Fine', { base: good, text: 'bad' });
  const state = (tries: number) =>
    writeFileSync(
      join(directory, 'in-use.json'),
      JSON.stringify({ version: 1, good: { [KEY]: [good.id] }, tries: { [bad.id]: tries } }),
    );
  state(2);
  {
    await using node = new Node();
    node.give(good, bad);
    await node.start();
    expect(node.outcome).toMatchObject({
      state: 'rejected',
      why: 'the agent ended each time it took this into use',
      active: good.id,
    });
  }
  state(1);
  await using node = new Node();
  node.give(good, bad);
  await node.start();
  expect(node.outcome).toMatchObject({ state: 'applied', active: bad.id });
});

test('a damaged file of what was in use is set aside', async () => {
  writeFileSync(join(directory, 'in-use.json'), '{"version":1,"good":');
  await using node = new Node();
  node.give(revision('Fine'));
  await node.start();
  expect(node.outcome?.state).toBe('applied');
});

test('a report has room for what matters most, and says how much it leaves out', () => {
  const id = (i: number): string => i.toString(16).padStart(32, '0');
  const line = (i: number): ReportLine => ({ id: id(i), state: 'rejected', isFirst: false, why: 'w'.repeat(1_000) });
  const lines = Array.from({ length: 500 }, (_, i) => line(i));
  const bytes = encodeReport({ heads: headsSum([]), omitted: 0, lines });
  expect(bytes.length).toBeLessThan(6 * 1024 + 1);
  const report = decodeReport(bytes)!;
  expect(report.lines.length + report.omitted).toBe(500);
  expect(report.lines[0]).toEqual({ ...line(0), why: 'w'.repeat(200) });
  expect(decodeReport(bytes.subarray(0, 50))).toBeUndefined();
  expect(decodeReport(Buffer.from([0x93, 1, 2, 3]))).toBeUndefined();
  expect(headsSum([id(1), id(2)])).toBe(headsSum([id(2), id(1)]));
});
