/** Tabs that share a stream: one that was silent for long is given up, and has its topics again as soon as it speaks. */
import { beforeEach, expect, test } from 'vitest';
import type { Listener } from '../../../../agent/console/web/state/stream-link.ts';
import { GONE_AFTER_MS, Tabs } from '../../../../agent/console/web/state/tabs.ts';

const TOPICS = ['/members', '/topology?view=service'];
let present: Set<Listener>;
let asked: string[][];
let tabs: Tabs;

beforeEach(() => {
  present = new Set();
  asked = [];
  const ask = () => void asked.push([...present].flatMap(({ topics }) => [...topics]));
  tabs = new Tabs({
    add: (listener) => void present.add(listener),
    remove: (listener) => {
      present.delete(listener);
      ask();
    },
    topicsChanged: ask,
    tellWhole: () => {},
  });
});

test('a machine that slept has its tabs back when they say that they are alive', () => {
  const hear = tabs.join(() => {}, 0);
  hear({ kind: 'topics', topics: TOPICS }, 0);
  tabs.sweep(GONE_AFTER_MS);
  expect(present.size).toBe(1);
  tabs.sweep(GONE_AFTER_MS + 1);
  expect([present.size, asked.at(-1)]).toEqual([0, []]);
  hear({ kind: 'alive' }, GONE_AFTER_MS + 2);
  expect([present.size, asked.at(-1)]).toEqual([1, TOPICS]);
  tabs.sweep(2 * GONE_AFTER_MS);
  expect(present.size).toBe(1);
});

test('one that left is gone at once, and is back with what it asks for then', () => {
  const hear = tabs.join(() => {}, 0);
  hear({ kind: 'topics', topics: TOPICS }, 0);
  hear({ kind: 'leave' }, 1);
  expect([present.size, asked.at(-1)]).toEqual([0, []]);
  hear({ kind: 'topics', topics: ['/events'] }, 2);
  expect([present.size, asked.at(-1)]).toEqual([1, ['/events']]);
});

test('that a tab says it is alive changes nothing while it is there', () => {
  const hear = tabs.join(() => {}, 0);
  hear({ kind: 'topics', topics: TOPICS }, 0);
  hear({ kind: 'alive' }, 30_000);
  expect(asked).toEqual([TOPICS]);
});
