import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DocumentEvents, servicesOf } from '../../../agent/events/document-events.ts';
import { eventOf, type Happening, mergedEvents } from '../../../agent/events/event.ts';
import { EventLog } from '../../../agent/events/event-log.ts';
import { AgentEvents } from '../../../agent/events/events.ts';
import { DeploySight, MemberSight } from '../../../agent/events/sightings.ts';
import type { Member } from '../../../gossip/view.ts';
import { endpoint, Realm } from '../../gossip/support/mesh.ts';
import { MeshNode } from '../mesh-query/mesh-node.ts';

const log = pino({ level: 'silent' });
const ALL = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER, kinds: [], touches: null, limit: 1_000 };
const NOON_MS = 1_790_000_000_000;

function down(name: string): Happening {
  return {
    kind: 'member',
    subject: `${name} dead 1 0`,
    title: `${name} is down`,
    touches: [`node:${name}`],
    node: name,
  };
}

describe('events on disk', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'weft-events-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  test('come back with their counts after a restart, and half a frame is nothing', async () => {
    const events = await EventLog.open({ directory, days: 14, log });
    events.note(down('b'), NOON_MS);
    events.note(down('b'), NOON_MS + 30_000);
    events.note(down('b'), NOON_MS + 700_000);
    events.note({ ...down('c'), isOnce: true }, NOON_MS);
    events.note({ ...down('c'), isOnce: true }, NOON_MS + 900_000);
    await events[Symbol.asyncDispose]();
    appendFileSync(join(directory, readdirSync(directory)[0]!), 'half');
    await using again = await EventLog.open({ directory, days: 14, log });
    const counts = again.list(ALL).map(({ title, atMs, count }) => [title, (atMs - NOON_MS) / 1_000, count]);
    expect(counts).toEqual([
      ['b is down', 700, 1],
      ['b is down', 0, 2],
      ['c is down', 0, 1],
    ]);
    again.note(down('b'), NOON_MS + 710_000);
    expect(again.list({ ...ALL, touches: 'node:b', limit: 1 }).map(({ count }) => count)).toEqual([2]);
    expect(again.list({ ...ALL, kinds: ['deploy'] })).toEqual([]);
  });
});

describe('events of several nodes', () => {
  test('are one where they tell of one thing, and two where it happened twice', () => {
    const once = { ...down('x'), isOnce: true };
    const merged = mergedEvents([
      [eventOf(down('b'), 300_000), eventOf(down('b'), 10_000), eventOf(once, 5_000)],
      [{ ...eventOf(down('b'), 12_000), count: 3 }, eventOf(once, 900_000)],
      [{ ...eventOf(down('b'), 299_000), touches: ['node:b', 'shop/cart'] }],
    ]);
    expect(merged.map(({ atMs, count }) => [atMs, count])).toEqual([
      [299_000, 1],
      [10_000, 3],
      [5_000, 1],
    ]);
    expect(merged[0]!.touches).toEqual(['node:b', 'shop/cart']);
  });

  test('are asked of all that answer, each once, in pages', { timeout: 120_000 }, async () => {
    using realm = new Realm();
    await using stack = new AsyncDisposableStack();
    const nodes = (await MeshNode.three(realm)).map((node) => stack.use(node));
    const parts: AgentEvents[] = [];
    for (const { name, queries } of nodes) {
      const dataDirectory = join(realm.directory, 'data', name);
      const events = stack.use(
        await AgentEvents.start({ node: name, config: { days: 14 }, dataDirectory, queries, log }),
      );
      parts.push(events);
    }
    const record = { event: 'applied', kind: 'Service', namespace: 'shop', name: 'cart', number: 2 } as const;
    const trail: unknown[] = [];
    for (const { documents } of parts) {
      const recorder = documents.recording({ record: (what) => void trail.push(what) });
      recorder.record({ ...record, revision: 'abc', operator: 'spiffe://test.example/operator/ops' });
      recorder.record({ ...record, event: 'accepted', revision: 'abc' });
    }
    parts[1]!.note(down('z'));
    const { events, coverage, next } = await parts[0]!.list(ALL);
    expect(events.map(({ title, count }) => [title, count]).sort()).toEqual([
      ['Service shop/cart applied, revision 2', 1],
      ['z is down', 1],
    ]);
    expect(events.find(({ kind }) => kind === 'document')).toMatchObject({
      touches: ['shop/cart'],
      document: { signer: 'ops' },
    });
    expect([coverage.answered, next, trail.length]).toEqual([3, null, 6]);
    const page = await parts[0]!.list({ ...ALL, limit: 1 });
    expect([page.events.length, page.next]).toEqual([1, String(page.events[0]!.atMs)]);
  });
});

describe('what is noted', () => {
  function member(name: string, state: Member['state'], epoch = 1): Member {
    return { name, state, epoch, incarnation: 0, address: '', endpoints: 0, sinceMs: 0, isSelf: name === 'a' };
  }

  test('of members is who comes, goes and dies, not who is only suspected', () => {
    const sight = new MemberSight();
    const titles = (...members: Member[]): string[] => sight.look(members).map(({ title }) => title);
    expect(titles(member('a', 'alive'), member('b', 'alive'))).toEqual([]);
    expect(titles(member('a', 'alive'), member('b', 'suspect'))).toEqual([]);
    expect(titles(member('a', 'alive'), member('b', 'alive'), member('c', 'alive'))).toEqual(['c is up']);
    expect(titles(member('b', 'dead'), member('c', 'left'))).toEqual(['b is down', 'c left']);
    expect(titles(member('b', 'alive', 2))).toEqual(['b is up']);
  });

  test('of deploys is a new version of a service that was known', () => {
    const sight = new DeploySight();
    const at = (id: string, version: string) => ({ ...endpoint('n', id), version });
    const titles = (upsert: ReturnType<typeof at>[], isSettled = true, remove: string[] = []): string[] =>
      sight.look({ upsert, remove }, isSettled).map(({ title }) => title);
    const first = at('one', 'v1');
    const service = `${first.namespace}/${first.service}`;
    expect(titles([first])).toEqual([]);
    expect(titles([first, { ...at('two', 'v1'), service: first.service }])).toEqual([]);
    const next = { ...at('three', 'v2'), service: first.service };
    expect(titles([next])).toEqual([`${service} v2`]);
    expect(titles([next])).toEqual([]);
    expect(titles([], true, [next.id])).toEqual([]);
    expect(titles([next], false)).toEqual([]);
  });

  test('of documents is which services they name, also in one that was deleted', () => {
    const body = {
      kind: 'HTTPRoute',
      spec: {
        parentRefs: [{ kind: 'Service', name: 'cart' }],
        rules: [
          {
            backendRefs: [
              { name: 'cart-v2', namespace: 'other' },
              { kind: 'Secret', name: 'no' },
            ],
          },
        ],
        to: { service: 'web' },
      },
    };
    const text = JSON.stringify(body);
    expect(servicesOf(text, 'shop')).toEqual(['shop/cart', 'other/cart-v2', 'shop/web']);
    const limit = { spec: { target: { namespace: 'pay', services: ['ledger', 7] }, services: ['none'] } };
    expect(servicesOf(JSON.stringify(limit), 'shop')).toEqual(['pay/ledger']);
    expect(servicesOf('no json', 'shop')).toEqual([]);
    const noted: Happening[] = [];
    const events = new DocumentEvents((what) => noted.push(what));
    const key = { kind: 'HTTPRoute', namespace: 'shop', name: 'cart' };
    const revision = (content: Uint8Array | null) => ({ id: 'x', revision: { ...key, body: content } }) as never;
    events.heads([revision(Buffer.from(text))]);
    events.heads([revision(null)]);
    events.recording({ record: () => {} }).record({ ...key, event: 'removed', revision: 'x' });
    expect(noted).toMatchObject([
      { title: 'HTTPRoute shop/cart deleted', touches: ['shop/cart', 'other/cart-v2', 'shop/web'] },
    ]);
  });
});
