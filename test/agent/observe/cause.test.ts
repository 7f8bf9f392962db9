import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MeshEvent } from '../../../agent/console/shapes/common.ts';
import { type Calls, eventBefore, onsetOf, problemsOf, type Trouble, whereOf } from '../../../agent/observe/cause.ts';

function breakdown(...entries: [value: string, failed: number, requests: number][]) {
  return new Map(entries.map(([value, failed, requests]) => [value, { failed, requests }]));
}

function trouble(service: string, changes: Partial<Trouble> = {}): Trouble {
  const facts = { health: 'bad', cause: '', failedRatio: 0.1, p99Ms: 10, sinceMs: 1_000_000, failed: 10 } as const;
  return { service, ...facts, where: {}, nodes: [], ...changes };
}

function event(id: string, atMs: number, touches: string[]): MeshEvent {
  return { id, atMs, kind: 'deploy', title: id, detail: '', touches, document: null, node: null, count: 1 };
}

describe('where failures are', () => {
  test('is told from 80 % on, and not of what all requests have in common', () => {
    const where = whereOf({
      version: breakdown(['v1', 20, 900], ['v2', 80, 100]),
      route: breakdown(['GET /a', 79, 500], ['GET /b', 21, 500]),
      node: breakdown(['node-1', 100, 1_000]),
      endpoint: breakdown(['other', 100, 500], ['10.0.0.1:80', 0, 500]),
      reason: breakdown(['connect-failed', 100, 0]),
    });
    expect(where).toEqual({ version: 'v2', reason: 'connect-failed' });
    expect(whereOf({ reason: breakdown(['connect-failed', 0, 0]) })).toEqual({});
  });
});

describe('the onset', () => {
  const [o, x, _] = [false, true, null];
  test.each([
    [[o, o, o, x, x], 3],
    [[o, o, o, x, o, _, o, x], 3],
    [[x, o, o, o, x, o, o], 4],
    [[o, o, o, _, x, _], 4],
    [[o, x, x, x], 1],
    [[x, x, x], null],
    [[_, x, x], null],
    [[o, o, o], null],
    [[], null],
  ])('of %j is step %s', (steps, wanted) => {
    expect(onsetOf(steps, 1_000, 10)).toBe(wanted === null ? null : 1_000 + wanted * 10);
  });
});

describe('the event before', () => {
  const near = { onsetMs: 500_000, stepMs: 10_000, touches: ['shop/cart', 'node:a'] };
  test('is the last one within 120 s that touches the same', () => {
    const events = [
      event('old', 379_999, ['shop/cart']),
      event('first', 380_000, ['shop/cart']),
      event('last', 480_000, ['node:a']),
      event('elsewhere', 490_000, ['shop/web']),
      event('after', 510_000, ['shop/cart']),
    ];
    expect(eventBefore(events, near)).toEqual({ eventId: 'last', title: 'last', leadMs: 20_000 });
    expect(eventBefore(events.slice(0, 2), near)?.eventId).toBe('first');
    expect(eventBefore(events.slice(0, 1), near)).toBeNull();
    expect(eventBefore([event('within', 505_000, ['shop/cart'])], near)?.leadMs).toBe(0);
    expect(eventBefore([{ ...event('own', 490_000, ['shop/cart']), kind: 'health' }], near)).toBeNull();
    expect(eventBefore(events, { ...near, onsetMs: null })).toBeNull();
  });
});

describe('problems', () => {
  test('are told once, where they are, and those who only feel them under them', () => {
    const calls: Calls[] = [
      { from: 'shop/web', to: 'shop/cart', failedRatio: 0.2 },
      { from: 'shop/cart', to: 'pay/ledger', failedRatio: 0.3 },
      { from: 'shop/other', to: 'pay/ledger', failedRatio: 0.001 },
    ];
    const troubles = [
      trouble('shop/web'),
      trouble('shop/cart'),
      trouble('pay/ledger'),
      trouble('a/b', { health: 'warn' }),
    ];
    const events = [event('deploy', 990_000, ['pay/ledger'])];
    const problems = problemsOf({ troubles, calls, events, stepMs: 10_000 });
    expect(problems.map(({ service }) => service)).toEqual(['pay/ledger', 'a/b']);
    expect(problems[0]!.feltBy.map(({ service }) => service)).toEqual(['shop/cart', 'shop/web']);
    expect(problems[0]!.after).toEqual({ eventId: 'deploy', title: 'deploy', leadMs: 10_000 });
    expect(problems[1]!.after).toBeNull();
  });

  test('of a caller that began long before are its own', () => {
    const calls = [{ from: 'shop/web', to: 'shop/cart', failedRatio: 0.2 }];
    const troubles = [trouble('shop/web', { sinceMs: 1_000_000 }), trouble('shop/cart', { sinceMs: 1_061_000 })];
    expect(problemsOf({ troubles, calls, events: [], stepMs: 10_000 })).toHaveLength(2);
  });

  test('lose nobody in trouble, and end for calls in circles', () => {
    const services = ['a/a', 'a/b', 'a/c', 'a/d', 'a/e'];
    const one = fc.constantFrom(...services);
    const calls = fc.array(fc.record({ from: one, to: one, failedRatio: fc.constantFrom(null, 0.001, 0.5) }));
    const troubled = fc.uniqueArray(fc.record({ service: one, sinceMs: fc.option(fc.nat(200_000)) }), {
      selector: (t) => t.service,
    });
    fc.assert(
      fc.property(calls, troubled, (edges, list) => {
        const troubles = list.map(({ service, sinceMs }) => trouble(service, { sinceMs }));
        const problems = problemsOf({ troubles, calls: edges, events: [], stepMs: 10_000 });
        const told = new Set(
          problems.flatMap(({ service, feltBy }) => [service, ...feltBy.map((felt) => felt.service)]),
        );
        for (const { service } of troubles) expect(told).toContain(service);
        expect(problems.length > 0).toBe(troubles.length > 0);
      }),
    );
  });
});
