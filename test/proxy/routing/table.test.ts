import fc from 'fast-check';
import { expect, test } from 'vitest';
import { peerOf } from '../../../proxy/access/peer.ts';
import { DescribedRouteRequest } from '../../../proxy/routing/request.ts';
import type { HttpMatch, HttpRule, ValueMatch } from '../../../proxy/traffic/rules.ts';
import { seeded } from '../balancer/support.ts';
import { matchNaively } from './naive.ts';
import { exactly, match, pathMatch, rule, table, viewOf, WEB } from './support.ts';

const never = () => {
  throw new Error('nothing was to be drawn');
};

/** Name of the rule's route that takes a request. */
function taken(rules: readonly HttpRule[], line: string, ...fields: readonly string[]): string | undefined {
  return table(...rules).match(viewOf(line, ...fields), WEB, never)?.rule.origin.name;
}

/** Rules by the name of their route, with one match each. */
function rules(matches: Readonly<Record<string, HttpMatch>>): readonly HttpRule[] {
  return Object.entries(matches).map(([name, one]) => rule({ name, matches: [one] }));
}

test('the path decides first: exact, then expressions, then the longest prefix', () => {
  const all = rules({
    everything: pathMatch('prefix', '/'),
    short: pathMatch('prefix', '/a'),
    long: pathMatch('prefix', '/a/b/'),
    expression: pathMatch('regex', '/a/b/[0-9]+'),
    exact: pathMatch('exact', '/a/b/7'),
  });
  expect(taken(all, 'GET /a/b/7')).toBe('exact');
  expect(taken(all, 'GET /a/b/8?x=/a/b/7')).toBe('expression');
  expect(taken(all, 'GET /a/b/c')).toBe('long');
  expect(taken(all, 'GET /a/b')).toBe('long');
  expect(taken(all, 'GET /a/bc')).toBe('short');
  expect(taken(all, 'GET /abc')).toBe('everything');
  expect(taken(all, 'OPTIONS *')).toBe('everything');
});

test('then a method, then headers, then query parameters, each by their number', () => {
  const all = rules({
    plain: match(),
    query: match({ query: [exactly('a', '1'), exactly('b', '2')] }),
    header: match({ headers: [exactly('x', '1')] }),
    headers: match({ headers: [exactly('x', '1'), exactly('y', '2')] }),
    method: match({ method: 'PUT' }),
  });
  expect(taken(all, 'GET /?a=1&b=2', 'X: 1', 'Y: 2')).toBe('headers');
  expect(taken(all, 'GET /?a=1&b=2', 'X: 1')).toBe('header');
  expect(taken(all, 'GET /?a=1&b=2')).toBe('query');
  expect(taken(all, 'GET /?a=1')).toBe('plain');
  expect(taken(all, 'PUT /?a=1&b=2', 'X: 1', 'Y: 2')).toBe('method');
});

test('a condition that fails hands the request to a shorter prefix', () => {
  const all = rules({
    short: pathMatch('prefix', '/a'),
    long: match({ path: { type: 'prefix', value: '/a/b' }, headers: [exactly('x', '1')] }),
  });
  expect(taken(all, 'GET /a/b', 'X: 1')).toBe('long');
  expect(taken(all, 'GET /a/b', 'X: 2')).toBe('short');
  expect(taken(all, 'GET /b')).toBeUndefined();
});

test('among equals the oldest route goes first, then its name, then the order of rules', () => {
  const younger = rule({ name: 'a', createdAtMs: 2 });
  const older = rule({ name: 'b', createdAtMs: 1 });
  const sameAge = rule({ name: 'c', createdAtMs: 1 });
  const second = rule({ name: 'b', createdAtMs: 1, position: 1 });
  const winner = (...all: HttpRule[]) => table(...all).match(viewOf('GET /'), WEB, never)?.rule;
  expect(winner(younger, sameAge, second, older)).toBe(older);
  expect(winner(younger, second, sameAge)).toBe(second);
  expect(winner(younger, sameAge)).toBe(sameAge);
});

test('a GRPCRoute goes by the characters of service, then of method', () => {
  const grpc = (serviceCharacters: number, methodCharacters: number) => ({ serviceCharacters, methodCharacters });
  const all = rules({
    anything: match({ grpc: grpc(0, 0), headers: [exactly('x', '1')] }),
    method: match({ path: { type: 'regex', value: '/[^/]+/Add' }, grpc: grpc(0, 3) }),
    service: match({ path: { type: 'prefix', value: '/shop.Cart' }, grpc: grpc(9, 0) }),
    both: match({ path: { type: 'exact', value: '/shop.Cart/Add' }, grpc: grpc(9, 3) }),
  });
  expect(taken(all, 'POST /shop.Cart/Add', 'X: 1')).toBe('both');
  expect(taken(all, 'POST /shop.Cart/Remove', 'X: 1')).toBe('service');
  expect(taken(all, 'POST /shop.Till/Add', 'X: 1')).toBe('method');
  expect(taken(all, 'POST /shop.Till/Close', 'X: 1')).toBe('anything');
  expect(taken(all.slice(0, 3), 'POST /shop.Cart/Add', 'X: 1')).toBe('service');
});

test('a path is what is on the wire: nothing is taken out of it, decoded or folded', () => {
  const all = rules({
    a: pathMatch('prefix', '/a'),
    encoded: pathMatch('exact', '/%61'),
    dots: pathMatch('exact', '/b/'),
  });
  expect(taken(all, 'GET /a//x')).toBe('a');
  expect(taken(all, 'GET /a/../b/')).toBe('a');
  expect(taken(all, 'GET /%61')).toBe('encoded');
  expect(taken(all, 'GET /%61/x')).toBeUndefined();
  expect(taken(all, 'GET //a')).toBeUndefined();
  expect(taken(all, 'GET /./a')).toBeUndefined();
  expect(taken(all, 'GET /A')).toBeUndefined();
  expect(taken(all, 'GET /b/./')).toBeUndefined();
  expect(taken(all, 'GET http://cart/a')).toBe('a');
});

test('lines of one header are one value, names are found in any case, and Host is that which goes on', () => {
  const both = rules({ both: match({ headers: [exactly('X-Colour', 'red,blue')] }) });
  expect(taken(both, 'GET /', 'x-colour: red', 'X-COLOUR:blue')).toBe('both');
  expect(taken(both, 'GET /', 'x-colour: red')).toBeUndefined();
  const host = rules({ host: match({ headers: [exactly('host', 'other')] }) });
  expect(taken(host, 'GET http://other/', 'Host: cart')).toBe('host');
  const accent = rules({ accent: match({ headers: [exactly('x', 'é')] }) });
  expect(taken(accent, 'GET /', 'X: \xc3\xa9')).toBe('accent');
});

test('a parameter is percent-decoded and its first value counts', () => {
  const all = rules({ found: match({ query: [exactly('näme', 'a b')] }) });
  expect(taken(all, 'GET /?n%C3%A4me=a%20b&n%c3%a4me=c')).toBe('found');
  expect(taken(all, 'GET /?n%C3%A4me=c&n%C3%A4me=a%20b')).toBeUndefined();
  expect(taken(all, 'GET /?n%C3%A4me=a+b')).toBeUndefined();
  const empty = rules({ empty: match({ query: [exactly('a', '')] }) });
  expect(taken(empty, 'GET /?b&a')).toBe('empty');
  expect(taken(empty, 'GET /?ab=')).toBeUndefined();
  expect(taken(rules({ raw: match({ query: [exactly('a', '%zz')] }) }), 'GET /?a=%zz')).toBe('raw');
});

test('a cookie is found in any line', () => {
  const all = rules({ beta: match({ cookies: [exactly('group', 'beta')] }) });
  expect(taken(all, 'GET /', 'Cookie: id=1; group=beta; x=y')).toBe('beta');
  expect(taken(all, 'GET /', 'Cookie: id=1', 'Cookie: group=beta')).toBe('beta');
  expect(taken(all, 'GET /', 'Cookie: mygroup=beta')).toBeUndefined();
  expect(taken(all, 'GET /')).toBeUndefined();
});

test('all ways to ask for a value, and the opposite of each', () => {
  const value = (type: ValueMatch['type'], text: string, isNot = false) =>
    rules({ yes: match({ headers: [{ name: 'x', type, value: text, isNot }] }) });
  expect(taken(value('prefix', 'ab'), 'GET /', 'X: abc')).toBe('yes');
  expect(taken(value('present', ''), 'GET /', 'X: ')).toBe('yes');
  expect(taken(value('present', '', true), 'GET /')).toBe('yes');
  expect(taken(value('regex', 'a.c'), 'GET /', 'X: abc')).toBe('yes');
  expect(taken(value('regex', 'a.c'), 'GET /', 'X: xabc')).toBeUndefined();
  expect(taken(value('exact', 'a', true), 'GET /')).toBe('yes');
  expect(taken(value('exact', 'a', true), 'GET /', 'X: a')).toBeUndefined();
  expect(taken(value('regex', '(', true), 'GET /', 'X: a')).toBeUndefined();
});

test('a caller is matched by what vouches for it', () => {
  const nobody = { identities: [], notIdentities: [], namespaces: [], notNamespaces: [], cidrs: [], notCidrs: [] };
  const routes = table(
    rule({ name: 'everybody' }),
    rule({ name: 'web', matches: [match({ sources: [{ ...nobody, identities: ['ns/shop/*'], labels: {} }] })] }),
    rule({ name: 'canary', matches: [match({ sources: [{ ...nobody, labels: { track: 'canary' } }] })] }),
  );
  const of = (identity: string | undefined, labels: Record<string, string>[] = []) =>
    routes.match(viewOf('GET /'), peerOf({ identity, address: '10.0.0.1', labels }), never)?.rule.origin.name;
  expect(of('spiffe://test.example/ns/shop/sa/web')).toBe('web');
  expect(of('spiffe://test.example/ns/other/sa/x', [{ track: 'canary' }])).toBe('canary');
  expect(of('spiffe://test.example/ns/other/sa/x')).toBe('everybody');
  expect(of(undefined, [{ track: 'canary' }])).toBe('everybody');
});

test('shares are independent of each other and leave the rest to whom comes next', () => {
  const routes = table(
    rule({ name: 'rest' }),
    rule({ name: 'half', matches: [match({ percent: 50 })] }),
    rule({ name: 'tenth', matches: [match({ percent: 10, headers: [exactly('x', '1')] })] }),
    rule({ name: 'never', matches: [match({ percent: 0 })] }),
  );
  const random = seeded(7);
  const counts: Record<string, number> = {};
  for (let i = 0; i < 20_000; i++) {
    const { name } = routes.match(viewOf('GET /', 'X: 1'), WEB, random)!.rule.origin;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  expect(counts.never).toBeUndefined();
  expect(counts.tenth).toBeGreaterThan(1_850);
  expect(counts.tenth).toBeLessThan(2_150);
  expect(counts.half).toBeGreaterThan(8_750);
  expect(counts.half).toBeLessThan(9_250);
});

test('a table with one answer reads nothing of a request', () => {
  const unread = new Proxy({} as never, { get: () => expect.fail('was read') });
  expect(table(rule()).match(unread, WEB, never)?.rule.origin.name).toBe('route');
  expect(table(rule({ matches: [pathMatch('prefix', '/')] })).match(unread, WEB, never)).toBeDefined();
  expect(table().match(unread, WEB, never)).toBeUndefined();
});

test('a prefix is followed no further than rules go, however long the path is', () => {
  const deep = `/${'a/'.repeat(30_000)}`;
  const request = new DescribedRouteRequest({ method: 'GET', path: deep, headers: [] });
  expect(table(rule({ matches: [pathMatch('prefix', '/a/a')] })).match(request, WEB, never)).toBeDefined();
});

test('the table finds what trying every rule in order finds', () => {
  const segment = fc.constantFrom('a', 'b', 'ab', '');
  const path = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`);
  const clean = path.map((text) => text.replace(/\/{2,}/g, '/'));
  const text = fc.constantFrom('1', '2', '12', '');
  const value: fc.Arbitrary<ValueMatch> = fc.record({
    name: fc.constantFrom('x', 'y'),
    type: fc.constantFrom('exact', 'prefix', 'regex', 'present'),
    value: fc.constantFrom('1', '2', '12', '1.*', '[12]+'),
    isNot: fc.boolean(),
  });
  const values = fc.uniqueArray(value, { maxLength: 2, selector: ({ name }) => name });
  const aMatch: fc.Arbitrary<HttpMatch> = fc
    .record({
      path: fc.option(
        fc.oneof(
          fc.record({ type: fc.constantFrom('exact', 'prefix'), value: clean }),
          fc.record({ type: fc.constant('regex'), value: fc.constantFrom('/a/.*', '/[ab]+', '/a(b|/b)?', '.*') }),
        ),
        { nil: undefined },
      ),
      method: fc.option(fc.constantFrom('GET', 'PUT'), { nil: undefined }),
      headers: values,
      query: values,
      cookies: values,
    })
    .map(({ path: asked, method, ...rest }) =>
      match({
        ...(asked === undefined ? {} : { path: asked as NonNullable<HttpMatch['path']> }),
        ...(method === undefined ? {} : { method }),
        ...rest,
      }),
    );
  const aRule = fc
    .record({
      name: fc.constantFrom('p', 'q', 'r'),
      createdAtMs: fc.constantFrom(0, 1, 2),
      matches: fc.array(aMatch, { maxLength: 3 }),
    })
    .map((part) => part);
  const aRequest = fc.record({
    method: fc.constantFrom('GET', 'PUT', 'POST'),
    path: path,
    query: fc.option(fc.array(fc.tuple(fc.constantFrom('x', 'y', '%78'), text), { maxLength: 3 }), { nil: undefined }),
    headers: fc.array(fc.tuple(fc.constantFrom('x', 'X', 'y'), text), { maxLength: 3 }),
    cookies: fc.array(fc.tuple(fc.constantFrom('x', 'y'), text), { maxLength: 2 }),
  });
  let found = 0;
  fc.assert(
    fc.property(
      fc.array(aRule, { maxLength: 8 }),
      fc.array(aRequest, { minLength: 1, maxLength: 6 }),
      (parts, requests) => {
        // Rules of one route are as old as each other.
        const age: Record<string, number> = {};
        const all = parts.map((part, position) => {
          age[part.name] ??= part.createdAtMs;
          return rule({ ...part, createdAtMs: age[part.name]!, position });
        });
        const routes = table(...all);
        for (const { method, path: raw, query, headers, cookies } of requests) {
          const target = query === undefined ? raw : `${raw}?${query.map((pair) => pair.join('=')).join('&')}`;
          const lines = [...headers, ...cookies.map(([name, v]): [string, string] => ['Cookie', `${name}=${v}`])];
          const expected = matchNaively(all, { method, path: target, headers: lines });
          const view = viewOf(`${method} ${target}`, ...lines.map(([name, v]) => `${name}: ${v}`));
          expect(routes.match(view, WEB, never)?.rule).toBe(expected);
          const described = new DescribedRouteRequest({ method, path: target, headers: lines });
          expect(routes.match(described, WEB, never)?.rule).toBe(expected);
          if (expected !== undefined) found++;
        }
      },
    ),
    { numRuns: 1_500, seed: Number(process.env.WEFT_SEED ?? 6) },
  );
  expect(found).toBeGreaterThan(1_000);
});
