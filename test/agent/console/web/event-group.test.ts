import { expect, test } from 'vitest';
import type { MeshEvent } from '../../../../agent/console/shapes/common.ts';
import { groupEvents, hrefOf } from '../../../../agent/console/web/pages/events/group.ts';

const MINUTE_MS = 60_000;

test('what repeats is one line with its count and its first time', () => {
  const groups = groupEvents([event(1, 'ejected'), event(3, 'ejected'), event(2, 'ejected')]);
  expect(groups).toHaveLength(1);
  expect(groups[0]).toMatchObject({ count: 3, firstMs: MINUTE_MS, event: { atMs: 3 * MINUTE_MS } });
});

test('something else about the same between two keeps them apart', () => {
  const titles = groupEvents([event(1, 'bad'), event(2, 'ok'), event(3, 'bad')]).map((group) => group.event.title);
  expect(titles).toEqual(['bad', 'ok', 'bad']);
});

test('repeats far apart are told as two, and revisions never as one', () => {
  expect(groupEvents([event(1, 'ejected'), event(20, 'ejected')])).toHaveLength(2);
  const document = { kind: 'RateLimit', namespace: 'shop', name: 'a', rev: '1', line: null, signer: 'anna' };
  expect(
    groupEvents([
      { ...event(1, 'written'), document },
      { ...event(2, 'written'), document },
    ]),
  ).toHaveLength(2);
});

test('an event opens what it is about', () => {
  expect(hrefOf(event(1, 'bad'))).toBe('/services/shop/cart');
  expect(hrefOf({ ...event(1, 'left'), touches: ['node:node-4'] })).toBe('/members/node-4');
  expect(hrefOf({ ...event(1, 'left'), touches: [] })).toBeUndefined();
});

function event(minute: number, title: string): MeshEvent {
  return {
    id: `e${minute}`,
    atMs: minute * MINUTE_MS,
    kind: 'health',
    title,
    detail: '',
    touches: ['shop/cart'],
    document: null,
    node: null,
    count: 1,
  };
}
