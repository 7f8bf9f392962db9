/** What is told to the mesh of endpoints that were ejected, and what is believed of what others tell. */
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { EjectionKeeper } from '../../../agent/health/ejection-keeper.ts';
import { decodeEvidence, encodeEvidence } from '../../../gossip/records/evidence.ts';
import { EndpointHealth } from '../../../proxy/resilience/endpoint-health.ts';
import { createSharedBuffer, SharedTable } from '../../../proxy/resilience/shared-table.ts';
import type { Outliers } from '../../../proxy/traffic/rules.ts';

const OUTLIERS: Outliers = {
  consecutive: 5,
  successRatio: 0.5,
  minRequests: 1_000,
  windowMs: 10_000,
  ejectMs: 30_000,
  maxEjectMs: 300_000,
  maxEjectedRatio: 1,
};

const open: EjectionKeeper[] = [];
afterEach(() => {
  for (const keeper of open.splice(0)) keeper[Symbol.dispose]();
});

/** A node with four endpoints to call, whose keeper looks when it is told to. */
function node(known = new Set(['e0', 'e1', 'e2', 'e3'])) {
  const buffer = createSharedBuffer(1, 1_024);
  const [worker, control] = [new SharedTable(buffer, 0), new SharedTable(buffer, 1)];
  const health = new Map([...known].map((id) => [id, new EndpointHealth(worker, id)]));
  const said: (readonly string[])[] = [];
  const keeper = new EjectionKeeper({
    node: 'n1',
    table: control,
    endpoints: { ids: () => known, has: (id) => known.has(id) },
    accuse: (evidence) =>
      said.push(evidence === undefined ? [] : decodeEvidence(evidence)!.map(({ endpoint }) => endpoint)),
    log: pino({ level: 'silent' }),
    intervalMs: 3_600_000,
  });
  open.push(keeper);
  const all = [...health.values()];
  return {
    keeper,
    said,
    known,
    control,
    usable: () => [...health].flatMap(([id, { isUsable }]) => (isUsable ? [id] : [])).join(' '),
    fail: (id: string) => {
      const nowMs = worker.nowMs();
      for (let i = 0; i < OUTLIERS.consecutive; i++) health.get(id)!.observe('failed', nowMs, nowMs, OUTLIERS, all);
    },
  };
}

let seq = 0;
const word = (...ids: readonly string[]): Uint8Array =>
  encodeEvidence(
    ++seq,
    ids.map((endpoint) => ({ endpoint, forMs: 30_000 })),
  );

describe('what a node says', () => {
  test('is what it ejected, once, and nothing of what it heard', () => {
    const { keeper, said, fail } = node();
    keeper.look();
    expect(said).toEqual([]);
    keeper.heard('n2', word('e1'));
    keeper.heard('n3', word('e1'));
    fail('e2');
    keeper.look();
    keeper.look();
    expect(said).toEqual([['e2']]);
    expect([keeper.ejected, keeper.believed, keeper.accusations]).toEqual([1, 1, 2]);
    fail('e3');
    keeper.look();
    expect(said).toEqual([['e2'], ['e2', 'e3']]);
  });

  test('is nothing where four others say it already, and what it has said it goes on saying', () => {
    const { keeper, said, fail } = node();
    for (const other of ['n2', 'n3', 'n4', 'n5']) keeper.heard(other, word('e1'));
    fail('e1');
    keeper.look();
    expect(said).toEqual([]);
    fail('e2');
    keeper.look();
    for (const other of ['n2', 'n3', 'n4', 'n5']) keeper.heard(other, word('e1', 'e2'));
    keeper.look();
    expect(said).toEqual([['e2']]);
    keeper.heard('n5', undefined); // three are left: then its own word is wanted
    keeper.look();
    expect(said).toEqual([['e2'], ['e1', 'e2']]);
  });

  test('names endpoints that its checks do not reach until they do', () => {
    const { keeper, said, usable } = node();
    keeper.checked(new Set(['e0']));
    expect(said).toEqual([['e0']]);
    expect(usable()).toBe('e0 e1 e2 e3');
    keeper.heard('n2', word('e0')); // one other and itself
    expect(usable()).toBe('e1 e2 e3');
    keeper.checked(new Set());
    expect(said).toEqual([['e0'], []]);
    expect(usable()).toBe('e0 e1 e2 e3');
  });
});

describe('what others say', () => {
  test('is believed of two, until one of them says it no more', () => {
    const { keeper, usable } = node();
    keeper.heard('n2', word('e0', 'e1'));
    expect(usable()).toBe('e0 e1 e2 e3');
    keeper.heard('n3', word('e1'));
    expect(usable()).toBe('e0 e2 e3');
    keeper.heard('n3', Buffer.from('not evidence'));
    expect(usable()).toBe('e0 e1 e2 e3');
  });

  test('of endpoints that are not known takes no room, and counts when they come', () => {
    const { keeper, known, control } = node(new Set(['e0']));
    const before = control.size;
    keeper.heard('n2', word(...Array.from({ length: 200 }, (_, i) => `x${i}`)));
    keeper.heard('n3', word('x7'));
    expect([control.size, keeper.accusations]).toEqual([before, 0]);
    known.add('x7');
    keeper.endpointsChanged();
    keeper.look();
    expect([control.size, keeper.accusations, keeper.believed]).toEqual([before + 1, 2, 1]);
  });

  test('is over after the time it was said for', async () => {
    const { keeper, usable } = node();
    const short = (): Uint8Array => encodeEvidence(++seq, [{ endpoint: 'e1', forMs: 40 }]);
    keeper.heard('n2', short());
    keeper.heard('n3', short());
    expect(usable()).toBe('e0 e2 e3');
    const lookAgain = (): string => {
      keeper.look();
      return usable();
    };
    await expect.poll(lookAgain).toBe('e0 e1 e2 e3');
  });
});
