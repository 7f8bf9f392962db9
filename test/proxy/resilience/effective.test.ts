/** Which settings hold for a call, and who said so. @module */
import { expect, test } from 'vitest';
import { peerOf } from '../../../proxy/access/peer.ts';
import { merged, PolicyBook } from '../../../proxy/resilience/effective.ts';
import type { TargetedCall } from '../../../proxy/resilience/targets.ts';
import {
  type CallTarget,
  DEFAULT_CONCURRENCY,
  DEFAULT_SETTINGS,
  type PolicySettings,
  type TrafficPolicy,
} from '../../../proxy/traffic/rules.ts';

const ANY: CallTarget = { services: [], ports: [], routes: [], from: [] };
const SOURCE = {
  identities: [],
  notIdentities: [],
  namespaces: [],
  notNamespaces: [],
  cidrs: [],
  notCidrs: [],
  labels: {},
};
const CALL: TargetedCall = {
  namespace: 'shop',
  service: 'cart',
  port: 80,
  route: 'HTTPRoute/shop/cart',
  caller: peerOf({ identity: 'spiffe://t/ns/web/sa/front', address: '10.0.0.1', labels: [{ app: 'front' }] }),
};

function policy(name: string, target: Partial<CallTarget>, settings: PolicySettings): TrafficPolicy {
  const origin = { kind: 'TrafficPolicy', namespace: 'shop', name, revision: '1', rule: '' };
  return { origin, target: { ...ANY, ...target }, settings };
}

function from(origins: ReadonlyMap<string, { readonly name: string }>): Record<string, string> {
  return Object.fromEntries([...origins].map(([field, { name }]) => [field, name]));
}

test('where nobody says anything the defaults hold, and nobody is named', () => {
  const { settings, origins } = new PolicyBook([]).effective(CALL);
  expect(settings).toEqual({ ...DEFAULT_SETTINGS, subsets: {}, affinity: undefined, warmUp: undefined });
  expect(origins.size).toBe(0);
});

test('a route goes before a caller, a port, a service, a namespace and the mesh, whatever the order', () => {
  const levels = [
    policy('mesh', {}, { panicRatio: 0 }),
    policy('namespace', { namespace: 'shop' }, { panicRatio: 0.1 }),
    policy('service', { namespace: 'shop', services: ['cart'] }, { panicRatio: 0.2 }),
    policy('port', { ports: [80] }, { panicRatio: 0.3 }),
    policy('caller', { from: [{ ...SOURCE, identities: ['ns/web/*'] }] }, { panicRatio: 0.4 }),
    policy('route', { routes: ['HTTPRoute/shop/cart'] }, { panicRatio: 0.5 }),
  ];
  for (let most = levels.length - 1; most >= 0; most--) {
    const some = levels.slice(0, most + 1);
    for (const policies of [some, some.toReversed()]) {
      const { settings, origins } = new PolicyBook(policies).effective(CALL);
      expect(settings.panicRatio).toBeCloseTo(most / 10);
      expect(from(origins)).toEqual({ panicRatio: levels[most]!.origin.name });
    }
  }
});

test('of two that are equally specific the first by name holds', () => {
  const book = new PolicyBook([policy('b', {}, { panicRatio: 0.1 }), policy('a', {}, { panicRatio: 0.2 })]);
  expect(book.effective(CALL).settings.panicRatio).toBe(0.2);
});

test('fields of a group may come from different documents', () => {
  const { settings, origins } = new PolicyBook([
    policy('service', { services: ['cart'] }, { circuit: { maxPending: 1, maxRetries: 2 }, retries: { attempts: 0 } }),
    policy('mesh', {}, { circuit: { maxPending: 9, maxRequests: 3 }, subsets: { v1: { version: 'v1' } } }),
    policy('port', { ports: [80] }, { subsets: { v2: { version: 'v2' } } }),
  ]).effective(CALL);
  expect(settings.circuit).toEqual({ ...DEFAULT_SETTINGS.circuit, maxPending: 1, maxRetries: 2, maxRequests: 3 });
  expect(settings.retries).toEqual({ ...DEFAULT_SETTINGS.retries, attempts: 0 });
  expect(Object.keys(settings.subsets)).toEqual(['v2', 'v1']);
  expect(from(origins)).toEqual({
    'circuit.maxPending': 'service',
    'circuit.maxRetries': 'service',
    'circuit.maxRequests': 'mesh',
    'retries.attempts': 'service',
    'subsets.v1': 'mesh',
    'subsets.v2': 'port',
  });
});

test('what is off is off for all below, and on again for who is more specific', () => {
  const off = policy('service', { services: ['cart'] }, { outliers: 'off', concurrency: 'off' });
  const mesh = policy('mesh', {}, { outliers: { consecutive: 9 }, concurrency: { maxRequests: 7 } });
  const port = policy('port', { ports: [80] }, { outliers: { ejectMs: 1 }, concurrency: { minRequests: 2 } });
  const shut = new PolicyBook([off, mesh]).effective(CALL);
  expect([shut.settings.outliers, shut.settings.concurrency]).toEqual(['off', 'off']);
  expect(from(shut.origins)).toEqual({ outliers: 'service', concurrency: 'service' });
  const open = new PolicyBook([off, mesh, port]).effective(CALL);
  expect(open.settings.outliers).toEqual({ ...DEFAULT_SETTINGS.outliers, ejectMs: 1 });
  expect(open.settings.concurrency).toEqual({ ...DEFAULT_CONCURRENCY, minRequests: 2 });
});

test('a policy is about the calls that all of its target holds for', () => {
  const names = (call: Partial<TargetedCall>, ...policies: TrafficPolicy[]): string[] =>
    new PolicyBook(policies).about({ ...CALL, ...call }).map(({ origin }) => origin.name);
  const labelled = policy('labelled', { from: [{ ...SOURCE, labels: { app: 'front' } }] }, {});
  const both = policy('both', { namespace: 'shop', services: ['cart', 'web'], ports: [80] }, {});
  const route = policy('route', { routes: ['HTTPRoute/shop/cart'] }, {});
  expect(names({}, labelled, both, route)).toEqual(['route', 'labelled', 'both']);
  expect(names({ port: 81, route: undefined }, labelled, both, route)).toEqual(['labelled']);
  expect(names({ namespace: 'other' }, both)).toEqual([]);
  const unknown = peerOf({ identity: 'spiffe://t/ns/web/sa/front', address: '10.0.0.1', labels: [] });
  expect(names({ caller: unknown }, labelled)).toEqual([]);
});

test('a caller that cannot be read is refused with the name of its document', () => {
  const wrong = policy('wrong', { from: [{ ...SOURCE, identities: ['a*b'] }] }, {});
  expect(() => new PolicyBook([wrong])).toThrow('TrafficPolicy shop/wrong: identities "a*b"');
});

test('names of subsets are any, also those of what objects have by themselves', () => {
  const subsets = { constructor: { version: '1' } };
  expect(merged([policy('p', {}, { subsets })]).settings.subsets.constructor).toEqual({ version: '1' });
});
