/** Documents about traffic from the command line to the data plane, and what weft says of them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { Realm } from '../../gossip/support/mesh.ts';
import { DocumentNode, until } from '../documents/mesh.ts';

let realm: Realm;
let node: DocumentNode;
beforeEach(async () => {
  realm = new Realm();
  node = await DocumentNode.start(realm, 'n1');
});
afterEach(async () => {
  await node[Symbol.asyncDispose]();
  realm[Symbol.dispose]();
});

const route = (name: string, backend = 'web'): string => `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name}, namespace: shop }
spec:
  parentRefs: [{ group: "", kind: Service, name: cart, port: 80 }]
  rules:
    - backendRefs: [{ name: ${backend}, port: 80 }]
---
`;

function file(text: string): string {
  const path = join(realm.directory, 'traffic.yaml');
  writeFileSync(path, text);
  return path;
}

const apply = (text: string, ...more: readonly string[]): ReturnType<DocumentNode['weft']> =>
  node.weft('apply', '-f', file(text), '--operator', join(realm.directory, 'trust'), ...more);
const inUse = () => node.traffic.at(-1)?.routes.flatMap(({ http }) => http.map(({ origin }) => origin.name)) ?? [];

test('a dry run names the callers; what was applied is in use, with its status, and can be applied again', async () => {
  expect(await apply(route('one'), '--dry-run')).toMatchObject({
    code: 0,
    out: expect.stringContaining(
      '  affects calls to shop/cart, seen here from ns/shop/sa/web; other nodes may know more callers\n',
    ),
  });
  expect((await apply(route('one'))).code).toBe(0);
  await until(() => inUse().join() === 'one');
  const { out } = await node.weft('get', 'httproute', 'one', '-n', 'shop', '-o', 'yaml');
  expect(parse(out)).toMatchObject({
    status: {
      parents: [
        {
          parentRef: { group: '', kind: 'Service', namespace: 'shop', name: 'cart', port: 80 },
          controllerName: 'weft.dev/agent',
          conditions: [
            { type: 'Accepted', status: 'True' },
            { type: 'ResolvedRefs', status: 'True' },
          ],
        },
      ],
    },
  });
  expect((await node.weft('diff', '-f', file(out))).out).toBe('');
  expect((await apply(out)).out).toMatch(/^HTTPRoute shop\/one unchanged/);
});

test('a mistake that nobody refuses is told to the writer and to whoever looks', async () => {
  const { code, err } = await apply(route('one', 'wbe'));
  expect([code, err]).toEqual([0, 'HTTPRoute shop/one: BackendNotFound: there is no service shop/wbe\n']);
  await until(() => inUse().join() === 'one');
  const { out } = await node.weft('get', 'httproute');
  expect(out).toMatch(/STATUS/);
  expect(out).toContain('BackendNotFound: there is no service shop/wbe');
});

test('a bad expression is refused with its place, and what was in use stays', async () => {
  await apply(route('one'));
  await until(() => inUse().join() === 'one');
  const text = route('one').replace(
    '- backendRefs',
    '- matches: [{ path: { type: RegularExpression, value: "/a(b" } }]\n      backendRefs',
  );
  const { code, err } = await apply(text);
  expect(code).not.toBe(0);
  expect(err).toContain('/a(b is no expression of RE2: missing closing ) at character 5');
  expect(inUse()).toEqual(['one']);
});

test('alone in the dark, a node begins with what it had in use', async () => {
  await apply(route('one'));
  await until(() => inUse().join() === 'one');
  const good = () => readFileSync(join(realm.directory, 'data', 'n1', 'documents-in-use.json'), 'utf8');
  await node[Symbol.asyncDispose]();
  expect(good()).toContain('HTTPRoute');
  node = await DocumentNode.start(realm, 'n1');
  expect(node.traffic[0]!.routes.map(({ service }) => service)).toEqual(['shop/cart']);
});

test('a dry run without an operator hears from the agent what looks like a mistake and whose calls it is about, and writes nothing', async () => {
  const { code, out, err } = await node.weft('apply', '-f', file(route('one', 'wbe')), '--dry-run');
  expect([code, out, err]).toEqual([
    0,
    'HTTPRoute shop/one would be created\n' +
      '  affects calls to shop/cart, seen here from ns/shop/sa/web; other nodes may know more callers\n',
    'HTTPRoute shop/one: BackendNotFound: there is no service shop/wbe\n',
  ]);
  expect((await node.weft('get', 'httproute')).err).toContain('no HTTPRoute');
});

test('a revision alone is enough to undo it, and what came after it goes too, and is named', async () => {
  const sign = ['--operator', join(realm.directory, 'trust')];
  const revisionOf = (out: string): string => /revision ([0-9a-f]{12})\n$/.exec(out)![1]!;
  const [first, second, third] = [
    revisionOf((await apply(route('one'))).out),
    revisionOf((await apply(route('one', 'cart'))).out),
    revisionOf((await apply(route('one', 'wbe'))).out),
  ];
  const undone = await node.weft('undo', second, ...sign);
  expect(undone.out).toMatch(new RegExp(`^HTTPRoute shop/one again as in revision ${first}, revision `));
  expect(undone.err).toContain(`HTTPRoute shop/one: undone with it, because they came later: ${third}\n`);
  expect((await node.weft('get', 'httproute', 'one', '-n', 'shop', '-o', 'yaml')).out).toContain('name: web');
  expect((await node.weft('undo', second, ...sign)).out).toMatch(/^HTTPRoute shop\/one unchanged, revision /);
  expect((await node.weft('undo', first, ...sign)).out).toMatch(/^HTTPRoute shop\/one deleted: there was none before/);
  expect(await node.weft('undo', 'abcdef01', ...sign)).toMatchObject({
    code: 1,
    err: expect.stringContaining('revision abcdef01: there is no such document or revision'),
  });
  expect((await node.weft('undo', 'HTTPRoute', ...sign)).err).toContain('write undo KIND NAME, or undo REVISION');
});
