import { expect, test } from 'vitest';
import type { Context, Effect } from '../../../gossip/effects.ts';
import { Puller } from '../../../gossip/records/puller.ts';
import { emptyCoreStats } from '../../../gossip/stats.ts';
import type { DigestItem } from '../../../gossip/wire/messages.ts';
import { SETTINGS, ToySigner } from '../support/world.ts';

const page = (name: string, ver: number): DigestItem => ({ name, epoch: 1, ver, inc: 0, rank: 0 });

/** A puller that holds pages at these versions, and the names it asks of whom. */
function pulling(held: Map<string, number>): { puller: Puller; asked: () => Record<string, string[]> } {
  const context: Context = {
    self: 'self',
    trustDomain: 'test.example',
    settings: SETTINGS,
    signer: new ToySigner('self'),
    random: () => 0.5,
    stats: emptyCoreStats(),
    nowMs: 0,
    out: [],
  };
  const puller = new Puller(context, {
    known: (name) => ({ name, epoch: 1, ver: held.get(name) ?? 0 }),
    isNews: ({ name, ver }) => ver > (held.get(name) ?? 0),
  });
  const asked = (): Record<string, string[]> => Object.fromEntries(context.out.splice(0).flatMap(pullOf));
  return { puller, asked };
}

function pullOf(effect: Effect): [string, string[]][] {
  if (effect.kind !== 'send' || effect.message.kind !== 'pull') return [];
  return [[effect.to, effect.message.items.map(({ name }) => name)]];
}

test('a page is asked of one peer, and of another that offered it when the first is gone', () => {
  const { puller, asked } = pulling(new Map());
  puller.pull('p', [page('a', 1)], 'repair');
  puller.pull('q', [page('a', 1)], 'repair');
  expect(asked()).toEqual({ p: ['a'] });
  puller.drop('p');
  expect(asked()).toEqual({ q: ['a'] });
});

test('an offer that is newer than the page that came is followed up, an equal one is not', () => {
  const held = new Map<string, number>();
  const { puller, asked } = pulling(held);
  puller.pull('p', [page('a', 1), page('b', 1)], 'repair');
  puller.pull('q', [page('a', 2), page('b', 1)], 'repair');
  asked();
  puller.answered('p', ['a', 'b']);
  held.set('a', 1).set('b', 1);
  puller.resume('p');
  expect(asked()).toEqual({ q: ['a'] });
});

test('what a peer is asked while its last answer is looked at is not forgotten', () => {
  const held = new Map<string, number>();
  const { puller, asked } = pulling(held);
  puller.pull('p', [page('a', 1), page('b', 1)], 'repair');
  puller.pull('q', [page('a', 2)], 'repair');
  puller.pull('p', [page('a', 2), page('b', 2)], 'repair');
  asked();
  puller.answered('p', ['a', 'b']);
  held.set('a', 1).set('b', 1);
  puller.resume('p');
  expect(asked()).toEqual({ q: ['a'], p: ['b'] });
  expect([...puller.answered('p', ['b']).keys()]).toEqual(['b']);
});
