import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Head } from '../../../proxy/http1/grammar/head.ts';
import { pathTemplate } from '../../../proxy/telemetry/path-template.ts';
import { MAX_ROUTES, RouteTemplates } from '../../../proxy/telemetry/route-templates.ts';

function head(method: string, target: string): Head {
  const head = new Head(0);
  head.reset(Buffer.from(`x${method} ${target} HTTP/1.1\r\n`, 'latin1'), 1);
  head.methodEnd = 1 + method.length;
  head.targetStart = head.methodEnd + 1;
  head.targetEnd = head.targetStart + target.length;
  return head;
}

const segment = fc.oneof(
  fc.constantFrom('v1', 'carts', 'users', 'deadbeef', 'a@b', '42', 'shop.Cart', '', 'x;y', 'order-12345'),
  fc.stringMatching(/^[!-"$-.0-~]{0,50}$/),
);
const target = fc.array(segment, { maxLength: 11 }).map((segments) => `/${segments.join('/')}`);

test('the template found for a head is that of its path, whatever was looked up before', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(target, fc.boolean()), { minLength: 1, maxLength: 20 }), (requests) => {
      const templates = new RouteTemplates();
      for (const [path, isCall] of [...requests, ...requests]) {
        const expected = { route: pathTemplate(path, isCall), method: 'POST' };
        expect(templates.of(head('POST', path), isCall)).toEqual(expected);
      }
    }),
  );
});

test('the same route and method are the same object', () => {
  const templates = new RouteTemplates();
  const one = templates.of(head('GET', '/v1/carts/1?x=y'), false);
  expect(one).toEqual({ route: '/v1/carts/{id}', method: 'GET' });
  expect(templates.of(head('GET', '/v1/carts/2'), false)).toBe(one);
  expect(templates.ofRule('/v1/carts/{id}', head('GET', '/v1/carts/3'))).toBe(one);
  expect(templates.of(head('PUT', '/v1/carts/2'), false)).not.toBe(one);
});

test.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'])('%s is told', (method) => {
  expect(new RouteTemplates().of(head(method, '/'), false).method).toBe(method);
});

test.each(['get', 'PURGE', 'GOT', 'POSTS', 'X'])('a method like %s is one of the others', (method) => {
  expect(new RouteTemplates().of(head(method, '/'), false).method).toBe('OTHER');
});

test('a destination has so many routes and no more, until some are given up', () => {
  const templates = new RouteTemplates();
  for (let i = 0; i < MAX_ROUTES; i++) expect(templates.admits('shop/cart', `/r${i}`)).toBe(true);
  expect(templates.admits('shop/cart', '/more')).toBe(false);
  expect(templates.admits('shop/cart', '/r7')).toBe(true);
  expect(templates.admits('shop/other', '/more')).toBe(true);
  templates.keepOnly([]);
  expect(templates.admits('shop/cart', '/more')).toBe(true);
});
