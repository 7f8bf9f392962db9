import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_SEGMENTS, pathTemplate } from '../../../proxy/telemetry/path-template.ts';

test.each([
  ['/', '/'],
  ['*', '*'],
  ['/v1/accounts/4711', '/v1/accounts/{id}'],
  ['/v1/accounts/-3/', '/v1/accounts/{id}'],
  ['//v1//carts', '/v1/carts'],
  ['/users/6f9619ff-8b86-d011-b42d-00cf4fc964ff/cart', '/users/{id}/cart'],
  ['/commits/deadbeef', '/commits/{id}'],
  ['/commits/facade', '/commits/facade'],
  ['/users/jane.doe@example.com', '/users/{id}'],
  ['/users/jane%40example.com', '/users/{id}'],
  ['/@handle', '/@handle'],
  ['/search?q=1/2', '/search'],
  ['/reports/2026-01-02', '/reports/{id}'],
  ['/s/eyJhbGciOiJIUzI1NiJ9abcdef', '/s/{id}'],
  ['/a/really-long-name-of-a-resource', '/a/really-long-name-of-a-resource'],
  ['/cart;jsessionid=0A1B', '/cart'],
  ['/a/b/c/d/e/f/g/h/i/j', '/a/b/c/d/e/f/g/h/{rest}'],
  ['/api/v1.2/oauth2', '/api/v1.2/oauth2'],
])('%s is of the route %s', (path, template) => {
  expect(pathTemplate(path)).toBe(template);
});

const word = fc.stringMatching(/^[a-z]{1,12}$/).filter((letters) => !/^[a-f]{8,}$/.test(letters));
const name = fc.oneof(
  fc.nat().map(String),
  fc.uuid(),
  fc.stringMatching(/^[0-9a-f]{8,40}$/),
  fc.stringMatching(/^[a-zA-Z0-9_]{41,80}$/),
  fc.emailAddress().map((address) => address.replaceAll(/[/;?]/g, 'x')),
);
/** What a request line may hold. */
const anyPath = fc.stringMatching(/^\/[!-"$-~]{0,300}$/);

test('the template of a template is itself, short, and of few segments', () => {
  fc.assert(
    fc.property(anyPath, (path) => {
      const template = pathTemplate(path);
      expect(pathTemplate(template)).toBe(template);
      expect(template.split('/').length - 1).toBeLessThanOrEqual(MAX_SEGMENTS + 1);
      expect(template.length).toBeLessThanOrEqual((MAX_SEGMENTS + 1) * 41);
    }),
  );
});

test('names of things do not tell routes apart, words do', () => {
  const path = fc.array(fc.tuple(word, name, name), { minLength: 1, maxLength: MAX_SEGMENTS / 2 });
  fc.assert(
    fc.property(path, (parts) => {
      const one = parts.map(([first, second]) => `/${first}/${second}`).join('');
      const other = parts.map(([first, , second]) => `/${first}/${second}`).join('');
      expect(pathTemplate(one)).toBe(parts.map(([first]) => `/${first}/{id}`).join(''));
      expect(pathTemplate(other)).toBe(pathTemplate(one));
    }),
  );
});

test('a call of gRPC is its own route, whatever else comes by is not', () => {
  const call = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
  expect(pathTemplate(call, true)).toBe(call);
  expect(pathTemplate('/a/b/c', true)).toBe('/{id}');
  expect(pathTemplate(`/${'a'.repeat(300)}/b`, true)).toBe('/{id}');
});
