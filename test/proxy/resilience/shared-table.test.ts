/** What workers share, with real threads that write at the same time and die in the middle. @module */
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { createSharedBuffer, SharedTable } from '../../../proxy/resilience/shared-table.ts';
import { hammer, hammers } from './threads.ts';

test('three threads that count in the same slot lose nothing', async () => {
  const buffer = createSharedBuffer(3);
  await hammers(buffer, 3, { kind: 'count', times: 300_000, left: 7 });
  const slot = new SharedTable(buffer, 3).claim('same');
  expect(Atomics.load(slot.cells, slot.first)).toBe(900_000);
  expect(slot.held('requests')).toBe(21);
});

test('what a killed thread held is given back, and only that', async () => {
  const buffer = createSharedBuffer(2);
  const control = new SharedTable(buffer, 2);
  const slot = control.claim('same');
  for (let round = 0; round < 5; round++) {
    const victim = hammer(buffer, 0, { kind: 'until-killed', left: 5 });
    const other = hammer(buffer, 1, { kind: 'count', times: 50_000, left: 3 });
    const counted = once(other, 'message');
    await once(victim, 'message');
    await victim.terminate(); // anywhere, be it under the lock
    control.workerGone(0);
    await counted;
    expect(slot.held('connections')).toBe(0);
    expect(slot.held('requests')).toBe(3);
    control.workerGone(1);
    expect(slot.held('requests')).toBe(0);
    expect(control.claim(`unlocked ${round}`)).toBeDefined();
  }
  expect(control.overflows).toBe(0);
});

test('threads that claim the same keys at the same time get the same slots', async () => {
  const buffer = createSharedBuffer(3, 256);
  await hammers(buffer, 3, { kind: 'claim', keys: 100, times: 20 });
  const control = new SharedTable(buffer, 3);
  expect(control.size).toBe(100);
  for (let key = 0; key < 100; key++) {
    const slot = control.claim(`key ${key}`);
    expect(Atomics.load(slot.cells, slot.first)).toBe(60);
  }
});

test('a full table gives each worker slots of its own, and counts them', () => {
  const buffer = createSharedBuffer(2, 4);
  const told: string[] = [];
  const one = new SharedTable(buffer, 0, () => told.push('one'));
  const other = new SharedTable(buffer, 1, () => told.push('other'));
  for (let i = 0; i < 4; i++) one.claim(`key ${i}`).hold('requests', 1);
  expect(one.claim('more').tryHold('requests', 1)).toBe(true);
  expect(one.claim('more').tryHold('requests', 1)).toBe(false); // the same for the same worker
  expect(other.claim('more').tryHold('requests', 1)).toBe(true); // another one for another worker
  expect(other.claim('key 0').held('requests')).toBe(1);
  expect(told).toEqual(['one', 'other']);
  expect(one.overflows).toBe(2);
});

test('slots that nobody uses are freed at the second look, and their keys begin anew', () => {
  const buffer = createSharedBuffer(1, 64);
  const [worker, control] = [new SharedTable(buffer, 0), new SharedTable(buffer, 1)];
  const slot = worker.claim('gone');
  worker.claim('gone');
  Atomics.store(slot.cells, slot.first, 42);
  for (let i = 0; i < 30; i++) worker.claim(`stays ${i}`);
  worker.release('gone');
  control.sweep();
  expect([control.sweep(), control.size]).toEqual([0, 31]); // claimed twice, released once
  worker.release('gone');
  expect(control.sweep()).toBe(0);
  const again = worker.claim('gone');
  expect(Atomics.load(again.cells, again.first)).toBe(42); // back in time
  worker.release('gone');
  control.sweep();
  expect([control.sweep(), control.size]).toEqual([1, 30]);
  const anew = worker.claim('gone');
  expect(Atomics.load(anew.cells, anew.first)).toBe(0);
});

test('a table that is swept holds as many keys as ever, however many there were before', () => {
  const buffer = createSharedBuffer(1, 128);
  const [worker, control] = [new SharedTable(buffer, 0), new SharedTable(buffer, 1)];
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 64; i++) worker.claim(`key ${round} ${i}`);
    for (let i = 0; i < 64; i++) worker.release(`key ${round} ${i}`);
    control.sweep();
    expect(control.sweep()).toBe(64);
  }
  expect(worker.overflows).toBe(0);
});

test('all threads read the same clock', async () => {
  const buffer = createSharedBuffer(1);
  const here = new SharedTable(buffer, 0);
  const before = here.nowMs();
  const there = new SharedTable(buffer, 1).nowMs();
  const after = here.nowMs();
  expect(there).toBeGreaterThanOrEqual(before - 0.1);
  expect(there).toBeLessThanOrEqual(after + 0.1);
  const [earlier, now, later] = [here.nowMs(), here.sharedMs(performance.now()), here.nowMs()];
  expect(now).toBeGreaterThanOrEqual(earlier);
  expect(now).toBeLessThanOrEqual(later);
});
