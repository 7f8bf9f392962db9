/** What is taken out of paths, and what is left readable. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Redactor } from '../../../agent/telemetry/access-log/redact.ts';
import { redactConfig } from '../../../agent/telemetry/access-log-config.ts';
import { record } from './records.ts';

const redactor = (config: Parameters<typeof redactConfig.parse>[0] = {}): Redactor =>
  new Redactor(redactConfig.parse(config), 'lab.example');
const usual = redactor();

const BASE62 = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'];
const text = (alphabet: readonly string[], minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...alphabet), { minLength, maxLength }).map((letters) => letters.join(''));
const lower = [...'abcdefghijklmnopqrstuvwxyz'];
const digit = [...'0123456789'];

const email = fc
  .tuple(text([...lower, ...digit], 1, 10), text(lower, 2, 10), fc.constantFrom('com', 'example', 'co.uk'))
  .map(([name, host, end]) => `${name}@${host}.${end}`);
const jwt = fc
  .tuple(text(BASE62, 8, 40), text(BASE62, 8, 40), text(BASE62, 20, 43))
  .map(([head, body, signature]) => `eyJ${head}.eyJ${body}.${signature}`);
const key = fc
  .tuple(fc.constantFrom('sk_live_', 'ghp_', 'xoxb-', 'glpat-'), text(BASE62, 10, 40))
  .map(([prefix, rest]) => `${prefix}${rest}`);
const hex = text([...digit, ...'abcdef'], 40, 64).map((letters) => `1a${letters}9f7`);
const card = fc
  .tuple(text(digit, 13, 19), fc.constantFrom('', ' ', '-'))
  .map(([digits, gap]) => digits.match(/.{1,4}/g)!.join(gap));

const escape = (value: string): string =>
  [...value].map((letter) => `%${letter.charCodeAt(0).toString(16).padStart(2, '0')}`).join('');
const spelling = fc.constantFrom<(value: string) => string>(
  (value) => value,
  encodeURIComponent,
  (value) => encodeURIComponent(encodeURIComponent(value)),
  escape,
  (value) => escape(escape(value)).replaceAll('%25', '%2525'),
);
const around = text(lower, 0, 6);

/** As whoever reads a log could undo it. */
function decoded(path: string): string {
  let last = path;
  for (let i = 0; i < 8; i++)
    last = last.replaceAll(/%([0-9a-f]{2})/gi, (_, code) => String.fromCharCode(parseInt(code, 16)));
  return last;
}

describe('paths', () => {
  test.each([
    ['an e-mail address', email],
    ['a JWT', jwt],
    ['a key', key],
    ['a long hex token', hex],
    ['a random token', text(BASE62, 32, 64)],
    ['a card number', card],
  ])('never show %s, however it is spelled and whatever is around it', (_, secrets) => {
    fc.assert(
      fc.property(secrets, spelling, around, around, fc.nat(2), (secret, spell, before, after, place) => {
        const segments = ['v1', 'accounts', 'x'];
        segments[place] = `${before === '' ? '' : `${before}:`}${spell(secret)}${after === '' ? '' : `:${after}`}`;
        const kept = decoded(usual.path(`/${segments.join('/')}`));
        expect(kept).not.toContain(secret);
        expect(kept.replaceAll(/[ -]/g, '')).not.toContain(secret.replaceAll(/[ -]/g, ''));
      }),
      { seed: 7, numRuns: 500 },
    );
  });

  test.each([
    '/v1/accounts/{id}/entries',
    '/v1/carts/7',
    '/orders/4711-2026/lines/3',
    '/files/0b9e6c52-7a43-4a5e-9f60-31f1a5a3c1de/meta',
    '/blog/how-to-install-a-service-mesh-in-2026',
    '/shop.v1.CartService/GetV2AccountBalanceSummary',
    '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
    '/caf%C3%A9/menu',
    '/',
    '',
  ])('stay as they are where nothing is to be hidden: %s', (path) => {
    expect(usual.path(path)).toBe(path);
  });

  test('lose what follows a semicolon, and what is encoded too often to be judged', () => {
    expect(usual.path('/cart;jsessionid=1234/x')).toBe('/cart;{parameters}/x');
    expect(usual.path('/a%25252541/x')).toBe('/{encoded}/x');
  });

  test('are judged by patterns of the operator as well', () => {
    const own = redactor({ paths: false, patterns: ['^DE\\d{4,}$'] });
    expect(own.path('/iban/DE893704/a@b.example')).toBe('/iban/{redacted}/a@b.example');
    expect(own.path('/iban/%44E893704')).toBe('/iban/{redacted}');
  });

  test('of patterns without end take no time', () => {
    const from = performance.now();
    for (const piece of ['a1', 'a@', '1-', '%25', 'Aa1_', 'eyJ', '@.']) usual.path(`/${piece.repeat(500)}`);
    expect(performance.now() - from).toBeLessThan(500);
  });
});

describe('users', () => {
  test('are hashed by default, the same each time, and differently with another key', () => {
    const hash = usual.user('ada@shop.example');
    expect(hash).toMatch(/^[0-9a-f]{16}$/);
    expect(usual.user('ada@shop.example')).toBe(hash);
    expect(redactor({ secret: 'other' }).user('ada@shop.example')).not.toBe(hash);
    expect(usual.user('')).toBe('');
  });

  test('are removed or kept where the operator says so', () => {
    expect(redactor({ user: 'remove' }).user('ada')).toBe('');
    expect(redactor({ user: 'keep' }).user('ada')).toBe('ada');
  });

  test('do not come through another field of a record', () => {
    const fields = { path: '/u/ada@shop.example', route: '/u/ada@shop.example', userAgent: 'bot (+ada@shop.example)' };
    const kept = usual.record(record({ ...fields, user: 'ada@shop.example' }));
    expect(JSON.stringify(kept)).not.toContain('ada@shop');
    expect(kept.userAgent).toBe('bot ({email})');
  });
});

test.each([
  [{ patterns: ['('] }, 'patterns'],
  [{ patterns: ['x*'] }, 'patterns'],
  [{ user: 'maybe' }, 'user'],
])('a configuration such as %j is refused', (config, field) => {
  const { error } = redactConfig.safeParse(config);
  expect(error?.issues[0]?.path[0]).toBe(field);
});
