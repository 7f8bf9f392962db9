import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RememberedEndpoints } from '../../../agent/endpoints/remembered.ts';
import type { EndpointDelta } from '../../../gossip/effects.ts';
import type { Member, MemberState } from '../../../gossip/view.ts';
import { endpoint } from '../../gossip/support/mesh.ts';

let directory: string;
let nowMs: number;
let removed: string[];
let told: () => void;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-remembered-'));
  nowMs = 1_700_000_000_000;
  removed = [];
  told = () => {};
});
afterEach(() => rmSync(directory, { recursive: true }));

function open(changes: { node?: string; trustDomain?: string; settleMs?: number } = {}): RememberedEndpoints {
  const { node = 'n1', trustDomain = 'test.example', settleMs = 3_600_000 } = changes;
  return new RememberedEndpoints({
    file: join(directory, 'endpoints.json'),
    node,
    trustDomain,
    settleMs,
    log: pino({ level: 'silent' }),
    nowMs: () => nowMs,
    forgotten: ({ remove }: EndpointDelta) => {
      removed.push(...remove);
      told();
    },
  });
}

function members(states: Readonly<Record<string, MemberState>>): Member[] {
  return Object.entries({ n1: 'alive' as const, ...states }).map(([name, state]) => ({
    name,
    state,
    address: '10.0.0.1:7946',
    epoch: 1,
    incarnation: 0,
    endpoints: 0,
    sinceMs: 0,
    isSelf: name === 'n1',
  }));
}

/** What an agent leaves on disk that knew these nodes, with one endpoint each. */
async function leave(...nodes: string[]): Promise<void> {
  await using before = open();
  before.members(members(Object.fromEntries(nodes.map((node) => [node, 'alive']))));
  before.heard({ upsert: ['n1', ...nodes].map((node) => endpoint(node)), remove: [] });
}

test('the endpoints of others come back whole after a restart, and say how old they are', async () => {
  await leave('n2');
  nowMs += 90_000;
  await using after = open();
  expect(after.recall()).toEqual({ upsert: [endpoint('n2')], remove: [] });
  expect([after.unconfirmed, after.ageMs]).toEqual([1, 90_000]);
  after.members(members({ n2: 'alive' }));
  expect(after.ageMs).toBe(0);
  after.members(members({ n2: 'dead' }));
  nowMs += 5_000;
  expect(after.ageMs).toBe(5_000);
});

test('a restart without a peer in reach does not make what is remembered look fresh', async () => {
  await leave('n2');
  nowMs += 60_000;
  await using alone = open();
  alone.recall();
  alone.members(members({}));
  alone.heard({ upsert: [endpoint('n1')], remove: [] });
  await alone[Symbol.asyncDispose]();
  nowMs += 60_000;
  await using again = open();
  expect([again.recall().upsert.length, again.ageMs]).toEqual([1, 120_000]);
});

test('what gossip says counts from then on; who is gone is forgotten at once, the rest a while after a peer was met', async () => {
  await leave('n2', 'n3', 'n4');
  await using after = open({ settleMs: 1 });
  after.recall();
  after.members(members({ n2: 'alive', n3: 'left' }));
  expect(removed).toEqual(['n3/web/http']);
  after.heard({ upsert: [endpoint('n2', 'web', { port: 81 })], remove: [] });
  await new Promise<void>((resolve) => (told = resolve));
  expect([removed, after.unconfirmed]).toEqual([['n3/web/http', 'n4/web/http'], 0]);
  await after[Symbol.asyncDispose]();
  await using last = open();
  expect(last.recall().upsert).toEqual([endpoint('n2', 'web', { port: 81 })]);
});

test('who lost everybody at once remembers them; who lost one of several, or was bidden farewell, does not', async () => {
  await leave('n2', 'n3');
  await using alone = open();
  alone.members(members({ n2: 'alive', n3: 'alive' }));
  alone.heard({ upsert: [endpoint('n2'), endpoint('n3')], remove: [] });
  alone.members(members({ n2: 'alive', n3: 'dead' }));
  alone.heard({ upsert: [], remove: ['n3/web/http'] });
  alone.members(members({ n2: 'dead', n3: 'dead' }));
  alone.heard({ upsert: [], remove: ['n2/web/http'] });
  await alone[Symbol.asyncDispose]();
  await using after = open();
  expect(after.recall().upsert).toEqual([endpoint('n2')]);
  after.members(members({ n2: 'left' }));
  expect(removed).toEqual(['n2/web/http']);
});

test('the memory of another node, of another trust domain, or a damaged one, is none', async () => {
  await leave('n2');
  for (const other of [{ node: 'n9' }, { trustDomain: 'other.example' }]) {
    await using after = open(other);
    expect(after.recall().upsert).toEqual([]);
  }
  const file = join(directory, 'endpoints.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace('n2', 'n3'));
  await using damaged = open();
  expect(damaged.recall().upsert).toEqual([]);
});
