import { expect, test } from 'vitest';
import { FIELD } from '../../../proxy/http1/grammar/head.ts';
import { encodeRequest } from '../../../proxy/http2/from-http1.ts';
import { BlockBuffer } from '../../../proxy/http2/hpack/block-buffer.ts';
import { HpackDecoder } from '../../../proxy/http2/hpack/decoder.ts';
import { HeaderList } from '../../../proxy/http2/hpack/header-list.ts';
import { applyRequest, preflight, responseLines, rewriteTarget } from '../../../proxy/routing/rule.ts';
import type { Cors, HeaderEdits } from '../../../proxy/traffic/rules.ts';
import { backend, compiled, pathMatch, requestHead, responseHead, sent } from './support.ts';

function edits(part: Partial<HeaderEdits>): HeaderEdits {
  return { set: [], add: [], remove: [], ...part };
}

test('set replaces every line of a name once, add leaves them, remove takes them', () => {
  const rule = compiled({
    actions: { requestHeaders: edits({ set: [['X-Set', 'new']], add: [['x-add', 'b']], remove: ['X-Gone'] }) },
  });
  const head = requestHead('GET /', 'x-set: 1', 'X-SET: 2', 'X-Add: a', 'x-gone: 1', 'X-Stays: 1');
  expect(sent('request', head, applyRequest(head, rule, undefined))).toEqual([
    'GET / HTTP/1.1',
    'Host: cart',
    'X-Add: a',
    'X-Stays: 1',
    'X-Set: new',
    'x-add: b',
  ]);
});

test('a request meets the rule, then the backend; a response the other way round', () => {
  const sets = (value: string) => edits({ set: [['x', value]], add: [['y', value]] });
  const rule = compiled({
    actions: { requestHeaders: sets('rule'), responseHeaders: sets('rule') },
    backends: [backend('shop/a', { requestHeaders: sets('backend'), responseHeaders: sets('backend') })],
  });
  const [only] = rule.backends;
  expect(applyRequest(requestHead('GET /'), rule, only)).toBe('x: backend\r\ny: rule\r\ny: backend\r\n');
  expect(responseLines(responseHead(), rule, only, requestHead('GET /'))).toBe('x: rule\r\ny: backend\r\ny: rule\r\n');
});

test('an attempt to another backend starts from the request as it came', () => {
  const rule = compiled({
    actions: { requestHeaders: edits({ remove: ['x-rule'] }) },
    backends: [
      backend('shop/a', { requestHeaders: edits({ remove: ['x-a'], set: [['x-b', 'a']] }) }),
      backend('shop/b', { requestHeaders: edits({ set: [['x-a', 'b']] }) }),
    ],
  });
  const head = requestHead('GET /', 'x-rule: 1', 'x-a: 1', 'x-b: 1', 'Connection: close');
  const fresh = (at: number) => {
    const other = requestHead('GET /', 'x-rule: 1', 'x-a: 1', 'x-b: 1', 'Connection: close');
    return sent('request', other, applyRequest(other, rule, rule.backends[at]));
  };
  for (const at of [0, 1, 0, 0, 1]) {
    expect(sent('request', head, applyRequest(head, rule, rule.backends[at]))).toEqual(fresh(at));
  }
  head.drop(1); // by the engine, for good, though an edit took it before
  applyRequest(head, rule, rule.backends[0]);
  head.restore();
  expect(sent('request', head)).toEqual(['GET / HTTP/1.1', 'Host: cart', 'x-a: 1', 'x-b: 1']);
});

test.each(['Content-Length', 'Transfer-Encoding', 'connection', 'Host', 'TE', 'Upgrade', 'weft-reason', 'Weft-New'])(
  'no edit touches %s',
  (name) => {
    const rule = compiled({
      actions: { requestHeaders: edits({ set: [[name, '0']], add: [[name, '0']], remove: [name] }) },
    });
    const head = requestHead('POST /', 'Content-Length: 5');
    expect(sent('request', head, applyRequest(head, rule, undefined))).toEqual([
      'POST / HTTP/1.1',
      'Host: cart',
      'Content-Length: 5',
    ]);
    expect(rule.ignored).toHaveLength(3);
  },
);

test.each([['a\r\nEvil: 1'], ['a\nb'], ['a\0'], ['a\x7f']])('a value cannot hold %j', (value) => {
  const rule = compiled({ actions: { requestHeaders: edits({ set: [['x', value]] }) } });
  expect(applyRequest(requestHead('GET /'), rule, undefined)).toBe('');
  expect(rule.ignored).toEqual(['set x: its value holds a control character']);
  expect(compiled({ actions: { requestHeaders: edits({ set: [['a: b', '1']] }) } }).ignored).toHaveLength(1);
});

// Gateway API, HTTPPathModifier.replacePrefixMatch, and what it leaves open.
test.each([
  ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
  ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
  ['/foo/bar', '/foo/', '/xyz', '/xyz/bar'],
  ['/foo/bar', '/foo/', '/xyz/', '/xyz/bar'],
  ['/foo', '/foo', '/xyz', '/xyz'],
  ['/foo/', '/foo', '/xyz', '/xyz/'],
  ['/foo/bar', '/foo', '', '/bar'],
  ['/foo/', '/foo', '', '/'],
  ['/foo', '/foo', '', '/'],
  ['/foo/', '/foo', '/', '/'],
  ['/foo', '/foo', '/', '/'],
  ['/foo?a=/foo', '/foo', '', '/?a=/foo'],
  ['/foo/b?a=1?', '/foo', '/é x?#', '/%C3%A9%20x%3F%23/b?a=1?'],
  ['/bar', '/', '/xyz', '/xyz/bar'],
  ['http://cart', '/', '/xyz', '/xyz/'],
  ['http://cart?a', '/', '/xyz', '/xyz/?a'],
  ['http://cart/foo/bar', '/foo', '/xyz', '/xyz/bar'],
])('%s with prefix %s replaced by %j becomes %s', (target, prefix, value, expected) => {
  const rule = compiled({
    matches: [pathMatch('prefix', prefix)],
    actions: { rewrite: { path: { type: 'prefix', value } } },
  });
  const head = requestHead(`GET ${target}`);
  rewriteTarget(head, rule);
  if (head.target.authority !== undefined) head.dropAll(FIELD.host);
  expect(sent('request', head)).toEqual([`GET ${expected} HTTP/1.1`, 'Host: cart']);
});

test('a rewrite takes the place of path and Host, and leaves the query', () => {
  const rule = compiled({ actions: { rewrite: { hostname: 'other.example', path: { type: 'full', value: '/new' } } } });
  for (const target of ['/a/b?q=1', 'http://cart/a/b?q=1']) {
    const head = requestHead(`GET ${target}`, 'X: 1');
    rewriteTarget(head, rule);
    expect(sent('request', head)).toEqual(['GET /new?q=1 HTTP/1.1', 'Host: other.example', 'X: 1']);
  }
  const options = requestHead('OPTIONS *');
  rewriteTarget(options, rule);
  expect(sent('request', options)[0]).toBe('OPTIONS * HTTP/1.1');
  const broken = compiled({ actions: { rewrite: { hostname: 'a b' } } });
  const head = requestHead('GET /a HTTP/1.0');
  rewriteTarget(head, broken);
  expect(sent('request', head)).toEqual(['GET /a HTTP/1.1', 'Host: cart']);
  expect(broken.ignored).toHaveLength(1);
});

test('over HTTP/2 a rewrite is :path and :authority, and no Host is beside them', () => {
  const rule = compiled({ actions: { rewrite: { hostname: 'other', path: { type: 'full', value: '/new' } } } });
  const head = requestHead('GET /old?q=1', 'x: 1');
  rewriteTarget(head, rule);
  const out = new BlockBuffer();
  encodeRequest(out, head, applyRequest(head, rule, undefined));
  const list = new HeaderList({ maxHeadBytes: 4_096, maxFields: 32 });
  expect(new HpackDecoder(4_096).decode(out.bytes, 0, out.used, list)).toBe(true);
  const fields = Array.from({ length: list.count }, (_, i) => `${list.name(i)}: ${list.value(i)}`);
  expect(fields).toEqual([
    ':method: GET',
    ':scheme: http',
    ':path: /new?q=1',
    ':authority: other',
    'x: 1',
    'te: trailers',
  ]);
});

const CORS: Cors = {
  allowOrigins: ['https://shop.example', 'https://*.shop.example', 'http://plain.example:80'],
  allowMethods: ['GET', 'PUT'],
  allowHeaders: ['X-One', 'X-Two'],
  exposeHeaders: ['X-Seen'],
  allowCredentials: false,
  maxAgeSeconds: 5,
};
const PREFLIGHT = ['Access-Control-Request-Method: PUT', 'Access-Control-Request-Headers: x-any'];
const VARY = 'Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n';

function asked(origin: string, cors: Partial<Cors> = {}): string | undefined {
  const rule = compiled({ actions: { cors: { ...CORS, ...cors } } });
  return preflight(requestHead('OPTIONS /', `Origin: ${origin}`, ...PREFLIGHT), rule);
}

test('a preflight of an allowed origin is answered with what is allowed', () => {
  expect(asked('https://shop.example')).toBe(
    `Access-Control-Allow-Origin: https://shop.example\r\nAccess-Control-Allow-Methods: GET, PUT\r\nAccess-Control-Allow-Headers: X-One, X-Two\r\nAccess-Control-Max-Age: 5\r\n${VARY}`,
  );
});

test.each([
  ['https://shop.example', true],
  ['https://shop.example:443', true],
  ['https://shop.example:444', false],
  ['http://shop.example', false],
  ['https://a.shop.example', true],
  ['https://a.b.shop.example', true],
  ['https://.shop.example', false],
  ['https://evilshop.example', false],
  ['https://shop.example.evil', false],
  ['http://plain.example', true],
  ['null', false],
])('origin %s is let in: %s', (origin, isAllowed) => {
  expect(asked(origin)!.includes('Access-Control-Allow-Origin')).toBe(isAllowed);
  if (!isAllowed) expect(asked(origin)).toBe(VARY);
});

test('a star is a star without credentials, and an echo with them', () => {
  const star = { allowOrigins: ['*'], allowMethods: ['*'], allowHeaders: ['*'], exposeHeaders: ['*'] };
  const plain = asked('https://any.example', star)!;
  for (const name of ['Origin', 'Methods', 'Headers']) expect(plain).toContain(`Access-Control-Allow-${name}: *\r\n`);
  const credentials = asked('https://any.example', { ...star, allowCredentials: true })!;
  expect(credentials).not.toContain('*');
  expect(credentials).toContain('Access-Control-Allow-Origin: https://any.example\r\n');
  expect(credentials).toContain('Access-Control-Allow-Credentials: true\r\n');
  expect(credentials).toContain('Access-Control-Allow-Methods: PUT\r\n');
  expect(credentials).toContain('Access-Control-Allow-Headers: x-any\r\n');
});

test('an OPTIONS that is no preflight, and any other request, goes its way', () => {
  const rule = compiled({ actions: { cors: CORS } });
  expect(preflight(requestHead('OPTIONS /', 'Origin: https://shop.example'), rule)).toBeUndefined();
  expect(preflight(requestHead('GET /', 'Origin: https://shop.example', ...PREFLIGHT), rule)).toBeUndefined();
  expect(preflight(requestHead('OPTIONS /', ...PREFLIGHT), rule)).toBeUndefined();
});

test('what a response says about CORS is the mesh’s word alone', () => {
  const rule = compiled({ actions: { cors: CORS } });
  const answer = (...fields: string[]) => {
    const head = responseHead('Access-Control-Allow-Origin: *', 'X: 1');
    return sent('response', head, responseLines(head, rule, undefined, requestHead('GET /', ...fields))).slice(1);
  };
  expect(answer('Origin: https://shop.example')).toEqual([
    'X: 1',
    'Access-Control-Allow-Origin: https://shop.example',
    'Access-Control-Expose-Headers: X-Seen',
    'Vary: Origin',
  ]);
  expect(answer('Origin: https://evil.example')).toEqual(['X: 1', 'Vary: Origin']);
  expect(answer()).toEqual(['Access-Control-Allow-Origin: *', 'X: 1', 'Vary: Origin']);
});
