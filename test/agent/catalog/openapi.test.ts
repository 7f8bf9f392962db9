/** OpenAPI documents held against the routes that were called. @module */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { Route } from '../../../agent/catalog/mesh-catalog.ts';
import { driftOf } from '../../../agent/catalog/openapi/drift.ts';
import { operationsOf } from '../../../agent/catalog/openapi/operations.ts';
import { pathTemplate } from '../../../proxy/telemetry/path-template.ts';

const route = (method: string, template: string, statuses: Record<string, number> = { '200': 1 }): Route => ({
  service: 'pay/ledger',
  method,
  template,
  consumers: [],
  statuses,
  count: 1,
  firstSeenMs: 1,
  lastSeenMs: 2,
});
const document = (paths: object, more: object = {}): string =>
  stringify({ openapi: '3.1.0', info: { title: 'x', version: '1' }, paths, ...more });
const names = (all: readonly { method: string; template: string }[]): string[] =>
  all.map(({ method, template }) => `${method} ${template}`);
const drift = (definition: string, ...routes: Route[]) => {
  const { undeclared, unused } = driftOf(operationsOf(definition).operations, routes);
  return { undeclared: names(undeclared), unused: names(unused) };
};

describe('a document', () => {
  test('is read as YAML or JSON, of version 2.0 or 3, below the path of its server', () => {
    const paths = { '/items/': { get: {}, parameters: [], 'x-more': {} }, '/items/{sku}': { delete: {} } };
    const v3 = operationsOf(document(paths, { servers: [{ url: 'https://pay.example/v1/' }] }));
    expect(names(v3.operations)).toEqual(['GET /v1/items', 'DELETE /v1/items/{sku}']);
    const v2 = operationsOf(JSON.stringify({ swagger: '2.0', basePath: '/v2', paths }));
    expect([names(v2.operations), v2.problem]).toEqual([['GET /v2/items', 'DELETE /v2/items/{sku}'], '']);
  });

  test.each([
    [{ $text: './api.yaml' }, 'elsewhere ($text)'],
    ['a: [', 'neither YAML nor JSON'],
    ['hello', 'it has no fields'],
    ['openapi: 4.0.0', 'openapi is "4.0.0"'],
    ['swagger: "1.2"', 'openapi is "1.2"'],
    ['openapi: 3.0.0', 'no paths'],
  ])('that cannot be read says why: %j', (definition, why) => {
    expect(operationsOf(definition)).toMatchObject({ operations: [], problem: expect.stringContaining(why) });
  });

  test('of too many routes is read in part, and says so; one that blows itself up is refused', () => {
    const many = Object.fromEntries(Array.from({ length: 2_001 }, (_, i) => [`/a${i}`, { get: {} }]));
    const { operations, problem } = operationsOf(document(many));
    expect([operations.length, problem]).toEqual([2_000, 'only the first 2000 of its 2001 routes are read']);
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghi'].map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[i]}`).join()}]`).join('\n')}\n`;
    expect(operationsOf(bomb).problem).toContain('neither YAML nor JSON');
  });
});

describe('routes', () => {
  const api = document({
    '/users/me': { get: {} },
    '/users/{id}': { get: {}, put: {} },
    '/files/{name}.json': { get: {} },
    '/a/b/c/d/e/f/g/h/i': { get: {} },
  });

  test('that are called and in no document are undeclared; those that nobody called are unused', () => {
    expect(drift(api, route('GET', '/users/{id}'), route('POST', '/users'), route('GET', '/users/me'))).toEqual({
      undeclared: ['POST /users'],
      unused: ['PUT /users/{id}', 'GET /files/{name}.json', 'GET /a/b/c/d/e/f/g/h/i'],
    });
  });

  test('a name that looks like a word is a parameter all the same, and what is longer than templates is too', () => {
    const called = [route('GET', '/users/jane'), route('GET', '/files/{id}'), route('GET', '/a/b/c/d/e/f/g/h/{rest}')];
    expect(drift(api, ...called)).toEqual({ undeclared: [], unused: ['GET /users/me', 'PUT /users/{id}'] });
  });

  test('HEAD goes with GET, OPTIONS with all, and what was answered 404 is none', () => {
    const tried = [
      route('HEAD', '/users/me'),
      route('OPTIONS', '/users/me'),
      route('GET', '/wp-login.php', { '404': 50 }),
      route('PATCH', '/users/{id}', { '405': 1 }),
      route('POST', '/pay.Ledger/Post'),
      route('GET', '/v1/*'),
    ];
    expect(drift(api, ...tried).undeclared).toEqual([]);
    expect(drift(api, route('OPTIONS', '/other')).undeclared).toEqual(['OPTIONS /other']);
  });

  test('of a document are never undeclared, whatever is in the place of their parameters', () => {
    const segment = fc.oneof(fc.constantFrom('users', 'items', 'v1'), fc.constantFrom('{id}', '{name}'));
    const template = fc.array(segment, { minLength: 1, maxLength: 7 }).map((parts) => `/${parts.join('/')}`);
    const value = fc.constantFrom('42', 'jane', 'b7e1f0c2-6d59-4f7b-9d0a-1b2c3d4e5f60', 'a%20b');
    fc.assert(
      fc.property(fc.uniqueArray(template, { minLength: 1, maxLength: 4 }), value, (templates, filled) => {
        const definition = document(Object.fromEntries(templates.map((one) => [one, { get: {} }])));
        const called = templates.map((one) => route('GET', pathTemplate(one.replace(/\{[^}]*\}/g, filled))));
        expect(drift(definition, ...called).undeclared).toEqual([]);
      }),
    );
  });
});
