/** Decisions about calls: random policies against a naive interpreter, and the cases people will ask about. @module */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AccessRuleset } from '../../../proxy/access/compile.ts';
import { accessTo, type Decision, otherwise } from '../../../proxy/access/destination.ts';
import { explain } from '../../../proxy/access/explain.ts';
import { peerOf } from '../../../proxy/access/peer.ts';
import type { AccessOperation, AccessPolicy, AccessRules, AccessSource } from '../../../proxy/access/policy.ts';
import { DescribedRequest } from '../../../proxy/access/request.ts';
import { decideNaively, type NaiveCall } from './naive.ts';
import { allow, deny, operation, rules, source } from './policies.ts';

const SEED = Number(process.env.WEFT_SEED ?? 4);
const MONDAY_NOON_MS = Date.UTC(2026, 2, 30, 12);

function decide(access: AccessRules, call: NaiveCall): Decision {
  const inForce = new AccessRuleset(access).at(call.nowMs);
  const caller = accessTo(call.destination, inForce)?.caller(peerOf(call));
  if (caller === undefined) return otherwise(false, 'ALLOW');
  return call.request === undefined ? caller.opaque : caller.judge(new DescribedRequest(call.request));
}

const identity = fc
  .constantFrom('web', 'api', 'Web')
  .chain((name) =>
    fc.constantFrom('shop', 'bank').map((namespace) => `spiffe://prod.example/ns/${namespace}/sa/${name}`),
  );
const identityPattern = fc.constantFrom(
  '*',
  'spiffe://prod.example/ns/shop/sa/web',
  'prod.example/ns/shop/*',
  'ns/bank/sa/api',
  'ns/bank/*',
  '*/sa/web',
  'spiffe://other.example/*',
);
const namespace = fc.constantFrom('shop', 'bank', 'void');
const range = fc.constantFrom('10.0.0.0/8', '10.1.0.0/16', '10.1.2.3', '0.0.0.0/0', '192.168.0.0/30');
const address = fc.constantFrom('10.1.2.3', '10.2.2.3', '192.168.0.3', '192.168.0.4');
const labels = fc.constantFrom<Readonly<Record<string, string>>[]>(
  {},
  { app: 'a' },
  { app: 'b' },
  { app: 'a', tier: '1' },
);
const segment = fc.constantFrom(
  'a',
  'b',
  'A',
  '',
  '.',
  '..',
  '%61',
  '%2e',
  '%2E%2e',
  'a;x=1',
  '..;',
  '%2f',
  '%252e',
  'a%20b',
  '%',
  'a%3fb',
  '\\',
);
const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => `/${segments.join('/')}`);
const pathPattern = fc.constantFrom(
  '/a',
  '/a/*',
  '/A',
  '/a/b',
  '/b/',
  '*',
  '*/b',
  '/b/*',
  '/%61/b',
  '/a%20b',
  '//a',
  '/a/../b',
);
const method = fc.constantFrom('GET', 'POST', 'get');
const host = fc.constantFrom('cart', 'CART:80', 'cart.shop.weft.', 'cart.shop.weft:8080');
const hostPattern = fc.constantFrom('cart', 'cart:80', '*.weft', 'Cart.*', '*:8080');
const header = fc.record({
  name: fc.constantFrom('x-a', 'X-B'),
  values: fc.array(fc.constantFrom('1', 'One', 'o*', '*e'), { maxLength: 2 }),
  isNot: fc.boolean(),
});

function few<T>(of: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant<T[]>([]) },
    { weight: 1, arbitrary: fc.array(of, { maxLength: 2 }) },
  );
}

/** One or two fields at a time: rules that ask for more hardly ever hold, and then nothing is tested. */
function sparse<T extends object>(empty: T, fields: { readonly [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  const names = Object.keys(fields) as (keyof T)[];
  return fc
    .subarray(names, { minLength: 0, maxLength: 2 })
    .chain((chosen) =>
      fc.tuple(...chosen.map((name) => fields[name].map((value): Partial<T> => ({ [name]: value }) as Partial<T>))),
    )
    .map((parts) => Object.assign({}, empty, ...parts) as T);
}

function some<T>(of: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(of, { minLength: 1, maxLength: 2 });
}

const anySource = sparse<AccessSource>(source({}), {
  identities: some(identityPattern),
  notIdentities: some(identityPattern),
  namespaces: some(namespace),
  notNamespaces: some(namespace),
  cidrs: some(range),
  notCidrs: some(range),
  labels,
});
const anyOperation = fc.oneof(
  sparse<AccessOperation>(operation({}), {
    ports: some(fc.constantFrom(80, 8080)),
    notPorts: some(fc.constantFrom(80, 8080)),
    methods: some(method),
    notMethods: some(method),
    paths: some(pathPattern),
    notPaths: some(pathPattern),
    hosts: some(hostPattern),
    notHosts: some(hostPattern),
    headers: some(header),
  }),
  some(pathPattern).map((paths) => operation({ paths })),
  some(method).map((methods) => operation({ methods })),
  some(header).map((headers) => operation({ headers })),
);
const window = fc.record({
  days: few(fc.integer({ min: 0, max: 6 })),
  fromMinute: fc.constantFrom(0, 120, 720, 1_380),
  toMinute: fc.constantFrom(0, 180, 721, 1_440),
  timeZone: fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kathmandu', 'America/New_York'),
});
const instant = fc.integer({ min: -40, max: 40 }).map((steps) => MONDAY_NOON_MS + steps * 47 * 60_000);
const anyPolicy = fc.record(
  {
    action: fc.constantFrom('ALLOW', 'ALLOW', 'DENY', 'AUDIT'),
    isDryRun: fc.integer({ max: 4, min: 0 }).map((n) => n === 0),
    validFromMs: instant,
    validUntilMs: instant,
    target: fc.record(
      { namespace, services: few(fc.constantFrom('cart', 'pay')), labels: fc.oneof(fc.constant({}), labels) },
      { requiredKeys: ['services', 'labels'] },
    ),
    rules: fc
      .array(fc.record({ from: few(anySource), to: few(anyOperation), when: few(window) }), { maxLength: 3 })
      .map((list) => list.map((rule, i) => ({ name: `r${i}`, ...rule }))),
  },
  { requiredKeys: ['action', 'isDryRun', 'target', 'rules'] },
);
/** Up to a few policies, or enough of one kind that indexes are used. */
const anyRules = fc.record({
  policies: fc
    .oneof(fc.array(anyPolicy, { maxLength: 5 }), fc.array(anyPolicy, { minLength: 12, maxLength: 20 }))
    .map((list) =>
      list.map(
        (policy, i): AccessPolicy => ({ id: `shop/p${i}`, revision: '1', ...(policy as object) }) as AccessPolicy,
      ),
    ),
  defaultAction: fc.constantFrom('ALLOW', 'DENY'),
  permissive: fc.constant([]),
});
const anyCall: fc.Arbitrary<NaiveCall> = fc.record({
  identity: fc.option(identity, { nil: undefined, freq: 4 }),
  address,
  labels: fc.array(labels, { maxLength: 2 }),
  destination: fc.record({
    namespace: fc.constantFrom('shop', 'bank'),
    service: fc.constantFrom('cart', 'pay'),
    labels,
    port: fc.constantFrom(80, 8080),
  }),
  request: fc.option(
    fc.record({
      method,
      path,
      host,
      headers: fc.array(fc.tuple(fc.constantFrom('x-a', 'X-A', 'x-b'), fc.constantFrom('1', 'one', 'One')), {
        maxLength: 3,
      }),
    }),
    { nil: undefined, freq: 4 },
  ),
  nowMs: instant,
});

test(`decisions are those of a naive interpreter (WEFT_SEED=${SEED})`, () => {
  fc.assert(
    fc.property(anyRules, anyCall, (access, call) => {
      const naive = decideNaively(access as AccessRules, call);
      const { isAllowed, cause, labels: named, observed } = decide(access as AccessRules, call);
      expect({ isAllowed, cause }).toEqual({ isAllowed: naive.isAllowed, cause: naive.cause });
      const key = (of: { readonly policy: string; readonly rule: string }): string => `${of.policy}/${of.rule}`;
      if (named.policy !== '') expect(naive.holding).toContain(key(named));
      const observers = new Map((access as AccessRules).policies.map((policy) => [policy.id, policy]));
      const expected = naive.holding.filter((rule) => {
        const policy = observers.get(rule.slice(0, rule.lastIndexOf('/')))!;
        return policy.isDryRun || policy.action === 'AUDIT';
      });
      expect(
        observed
          .filter(({ policy }) => policy !== '')
          .map(key)
          .sort(),
      ).toEqual(expected.sort());
    }),
    { numRuns: 4_000, seed: SEED },
  );
});

test(`an explanation says what the decision says, and why (WEFT_SEED=${SEED})`, () => {
  fc.assert(
    fc.property(anyRules, anyCall, (access, call) => {
      const decision = decide(access as AccessRules, call);
      const inForce = new AccessRuleset(access as AccessRules).at(call.nowMs);
      const told = explain(inForce, {
        caller: call,
        destination: call.destination,
        request: call.request ?? 'opaque',
        nowMs: call.nowMs,
      });
      expect(told.outcome).toBe(decision.isAllowed ? 'allowed' : 'denied');
      expect(told.cause).toBe(decision.cause);
      const traced = told.policies.flatMap(({ policy, rules: list }) =>
        list.map(({ rule, outcome, obstacles }) => ({ rule: `${policy}/${rule}`, outcome, obstacles })),
      );
      const holding = traced
        .filter(({ outcome }) => outcome === 'holds' || outcome === 'decides')
        .map(({ rule }) => rule);
      expect(holding.sort()).toEqual([...decideNaively(access as AccessRules, call).holding].sort());
      expect(traced.filter(({ outcome }) => outcome === 'decides')).toHaveLength(told.decidedBy === undefined ? 0 : 1);
      for (const { outcome, obstacles } of traced) expect(obstacles.length > 0).toBe(outcome === 'no-match');
    }),
    { numRuns: 2_000, seed: SEED },
  );
});

const CALL: NaiveCall = {
  identity: 'spiffe://prod.example/ns/shop/sa/web',
  address: '10.1.2.3',
  labels: [{ app: 'web' }],
  destination: { namespace: 'shop', service: 'cart', labels: {}, port: 8080 },
  request: { method: 'GET', path: '/', host: 'cart', headers: [] },
  nowMs: MONDAY_NOON_MS,
};

function to(path: string, method = 'GET'): NaiveCall {
  return { ...CALL, request: { ...CALL.request!, path, method } };
}

test.each([
  ['dot segments', '/public/../admin/x'],
  ['encoded dot segments', '/public/%2e%2e/admin/x'],
  ['half-encoded dot segments', '/public/.%2E/admin/x'],
  ['empty segments', '//admin/x'],
  ['an encoded letter', '/%61dmin/x'],
  ['another case', '/ADMIN/x'],
  ['parameters', '/admin;a=b/x'],
  ['parameters behind dots', '/public/..;/admin/x'],
  ['an encoded slash', '/public%2f..%2fadmin'],
  ['an encoded backslash', '/public%5c..%5cadmin'],
  ['a backslash', '/public/..\\admin'],
  ['two encodings', '/%2561dmin'],
  ['a NUL', '/admin%00'],
  ['an overlong slash', '/public%c0%af..%c0%afadmin'],
  ['a percent sign that encodes nothing', '/%u0061dmin'],
  ['a slash left out', '/admin'],
])('a path with %s neither slips past a DENY nor into an ALLOW', (_name, path) => {
  const refused = rules([deny('d', { to: [operation({ paths: ['/admin/*'] })] })]);
  expect(decide(refused, to(path)).cause).toBe('deny');
  const letIn = rules([allow('a', { to: [operation({ paths: ['/public/*'] })] })]);
  expect(decide(letIn, to(path)).cause).toBe('no-allow');
});

test('honest paths are not taken for tricks', () => {
  const access = rules([
    deny('d', { to: [operation({ paths: ['/admin/*'] })] }),
    allow('a', { to: [operation({ paths: ['/public/*', '/a b'] })] }),
  ]);
  for (const path of [
    '/public/Read.Me',
    '/public/caf%C3%A9',
    '/public/100%25',
    '/public/...',
    '/public/?next=/admin/x',
    '/a%20b',
  ])
    expect(decide(access, to(path)).cause).toBe('allow');
});

test('a reference to another host is judged by its path', () => {
  const access = rules([deny('d', { to: [operation({ paths: ['/admin'] })] })]);
  expect(decide(access, to('//elsewhere/admin')).cause).toBe('deny');
});

test('bytes that are not HTTP are refused by a DENY about paths and not let in by an ALLOW about paths', () => {
  const opaque = { ...CALL, request: undefined };
  expect(decide(rules([deny('d', { to: [operation({ paths: ['/admin'] })] })]), opaque).cause).toBe('deny');
  expect(decide(rules([allow('a', { to: [operation({ methods: ['GET'] })] })]), opaque).cause).toBe('no-allow');
  expect(decide(rules([allow('a', { to: [operation({ ports: [8080] })] })]), opaque).cause).toBe('allow');
});

test('a caller in plaintext is nobody, not even anybody authenticated', () => {
  const plain = { ...CALL, identity: undefined };
  expect(decide(rules([allow('a', { from: [source({ identities: ['*'] })] })]), plain).cause).toBe('no-allow');
  expect(decide(rules([allow('a', { from: [source({ cidrs: ['10.0.0.0/8'] })] })]), plain).cause).toBe('allow');
  expect(decide(rules([deny('d', { from: [source({ notIdentities: ['ns/shop/*'] })] })]), plain).cause).toBe('deny');
});

test('labels that the register does not settle refuse, and do not let in', () => {
  const canary = source({ labels: { track: 'canary' } });
  for (const labels of [[], [{ track: 'canary' }, { track: 'stable' }]]) {
    expect(decide(rules([deny('d', { from: [canary] })]), { ...CALL, labels }).cause).toBe('deny');
    expect(decide(rules([allow('a', { from: [canary] })]), { ...CALL, labels }).cause).toBe('no-allow');
  }
  expect(decide(rules([allow('a', { from: [canary] })]), { ...CALL, labels: [{ track: 'canary' }] }).cause).toBe(
    'allow',
  );
});

test('an ALLOW in dry run tells whom it would shut out, and shuts nobody out', () => {
  const dry = rules([{ ...allow('a', { from: [source({ namespaces: ['bank'] })] }), isDryRun: true }]);
  const { isAllowed, observed } = decide(dry, CALL);
  expect(isAllowed).toBe(true);
  expect(observed).toEqual([{ policy: '', rule: 'no-allow', action: 'DENY', isDryRun: true }]);
  expect(decide(dry, { ...CALL, identity: 'spiffe://prod.example/ns/bank/sa/api' }).observed).toEqual([
    { policy: 'shop/a', rule: 'r0', action: 'ALLOW', isDryRun: true },
  ]);
});

test.each([
  [{ identities: ['a*b'] }, /policy shop\/a, rule r0: identities "a\*b": a star may stand at one end only/],
  [{ cidrs: ['10.0.0.0/33'] }, /policy shop\/a, rule r0: cidrs "10\.0\.0\.0\/33": neither an address nor a range/],
])('what cannot be compiled is named', (from, message) => {
  expect(() => new AccessRuleset(rules([allow('a', { from: [source(from)] })]))).toThrow(message);
});
