import { expect, test } from 'vitest';
import { MAX_TOKEN_LENGTH, readSession, signSession, tokenLine, tokenOf } from '../../../proxy/routing/cookie.ts';
import { Split } from '../../../proxy/routing/split.ts';
import { seeded } from '../balancer/support.ts';
import { backend, compiled, viewOf } from './support.ts';

test('a canary of 1 % gets 1 %', () => {
  const split = new Split([{ weight: 1 }, { weight: 99 }]);
  const [canary] = [split.pick(() => 0)];
  for (const seed of [1, 2, 3, 4, 5]) {
    const random = seeded(seed);
    let count = 0;
    for (let i = 0; i < 10_000; i++) if (split.pick(random) === canary) count++;
    expect(count).toBeGreaterThan(70);
    expect(count).toBeLessThan(130);
  }
});

test('shares are as fine as weights are', () => {
  const [few, many] = [{ weight: 1 }, { weight: 999_999 }];
  const split = new Split([few, many]);
  expect(split.shareOf(few)).toBe(1e-6);
  expect(split.pick(() => 0.999e-6)).toBe(few);
  expect(split.pick(() => 1.001e-6)).toBe(many);
  expect(split.pick(() => 1 - 2 ** -53)).toBe(many);
});

test('a weight of 0 gets nothing, and nothing but zeros gives nothing', () => {
  const [none, some, last] = [{ weight: 0 }, { weight: 1 }, { weight: 0 }];
  const split = new Split([none, some, last]);
  for (const at of [0, 0.5, 1 - 2 ** -53]) expect(split.pick(() => at)).toBe(some);
  expect(new Split([none, last]).pick(() => 0)).toBeUndefined();
});

test('a backend with a problem takes its share, so that it shows', () => {
  const rule = compiled({ backends: [backend('shop/a', { problem: 'no such service' }), backend('shop/b')] });
  expect(rule.pickBackend(() => 0)?.backend.problem).toBe('no such service');
  expect(rule.pickBackend(() => 0.6)?.backend.service).toBe('shop/b');
});

test('a session keeps its backend until that one is drained, gone or broken', () => {
  const backends = [
    backend('shop/a'),
    backend('shop/b', { subset: 'v2' }),
    backend('shop/c', { weight: 0 }),
    backend('shop/d', { problem: 'gone' }),
  ];
  const rule = compiled({ backends });
  expect(rule.pickBackend(() => 0, 'shop/b:80/v2')?.id).toBe('shop/b:80/v2');
  for (const id of ['shop/c:80', 'shop/d:80', 'shop/e:80', 'shop/b:80', ''])
    expect(rule.pickBackend(() => 0, id)?.id).toBe('shop/a:80');
});

const SESSION = { backend: 'shop/b:80/v2', endpoint: 'node-1/shop/b-7/http', expiresAtMs: 5_000 };

test('a token is read back until it is over', () => {
  const token = signSession('key', 'route', SESSION)!;
  expect(readSession('key', 'route', token, 4_999)).toEqual(SESSION);
  expect(readSession('key', 'route', token, 5_000)).toBeUndefined();
  const endless = signSession('key', 'route', { ...SESSION, expiresAtMs: 0 })!;
  expect(readSession('key', 'route', endless, 1e15)?.endpoint).toBe(SESSION.endpoint);
});

test('a token of another key or route, changed anywhere or cut, is none', () => {
  const token = signSession('key', 'route', SESSION)!;
  expect(readSession('other', 'route', token, 0)).toBeUndefined();
  expect(readSession('key', 'other', token, 0)).toBeUndefined();
  for (let i = 0; i < token.length; i++) {
    // The last letter holds bits that stand for nothing: change one that does.
    const changed = token.slice(0, i) + (token[i] === 'A' ? 'w' : 'A') + token.slice(i + 1);
    expect(readSession('key', 'route', changed, 0)).toBeUndefined();
    expect(readSession('key', 'route', token.slice(0, i), 0)).toBeUndefined();
  }
});

test('nothing is signed or trusted without a key, and no token grows without end', () => {
  expect(signSession('', 'route', SESSION)).toBeUndefined();
  expect(readSession('', 'route', signSession('key', 'route', SESSION)!, 0)).toBeUndefined();
  expect(signSession('key', 'route', { ...SESSION, endpoint: 'e'.repeat(MAX_TOKEN_LENGTH) })).toBeUndefined();
  expect(readSession('key', 'route', 'a'.repeat(100_000), 0)).toBeUndefined();
  expect(signSession('key', 'route', { ...SESSION, endpoint: 'a|b' })).toBeUndefined();
});

test('a token goes out and comes back as cookie or header', () => {
  const cookie = { type: 'cookie', name: 'sid', ttlMs: 90_500, path: '/a' } as const;
  expect(tokenLine(cookie, 'T')).toBe('Set-Cookie: sid=T; Path=/a; Max-Age=90; HttpOnly; SameSite=Lax\r\n');
  expect(tokenLine({ type: 'cookie', name: 'sid' }, 'T')).toBe('Set-Cookie: sid=T; Path=/; HttpOnly; SameSite=Lax\r\n');
  expect(tokenLine({ type: 'header', name: 'X-Sid' }, 'T')).toBe('X-Sid: T\r\n');
  expect(tokenOf(viewOf('GET /', 'Cookie: a=b; sid=T'), cookie)).toBe('T');
  expect(tokenOf(viewOf('GET /', 'x-sid: T'), { type: 'header', name: 'X-Sid' })).toBe('T');
});
