/** Tries to get into the console, as a stranger on the network, as a page of another origin, and as somebody with too small a role. @module */
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { connect as netConnect } from 'node:net';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { consoleConfig } from '../../../agent/console/config.ts';
import { CSP, MAX_BODY_BYTES } from '../../../agent/console/http.ts';
import { ObservedRoutes } from '../../../agent/console/routes/observed.ts';
import type { ConsoleWorld } from '../../../agent/console/world.ts';
import { signAsOperator } from '../../../certs/operator-bundle.ts';
import { ConsoleGround } from './ground.ts';

let ground: ConsoleGround;
beforeEach(async () => {
  ground = await ConsoleGround.open();
});
afterEach(() => ground[Symbol.asyncDispose]());

const document = { kind: 'HTTPRoute', namespace: 'pay', name: 'web' };

describe('from another machine', () => {
  test('nothing of the API is told to who did not log in', async () => {
    for (const path of ['/api/v1/topology', '/api/v1/session', '/api/v1/stream', '/api/v1/unknown']) {
      const { status, json } = await ground.ask(path);
      expect([path, status, json.login]).toEqual([
        path,
        401,
        { operators: true, oidc: false, trustDomain: 'test.example' },
      ]);
    }
    expect((await ground.post('/api/v1/documents', document)).status).toBe(401);
  });

  test('a forged cookie is no cookie, and one that was good ends after eight hours', async () => {
    const headers = await ground.login(ground.operator('ops'));
    expect((await ground.ask('/api/v1/topology', { headers })).status).toBe(200);
    const forged = headers.cookie!.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    for (const cookie of [forged, '__Host-weft-session=', 'weft-session=x', `weft-session=${headers.cookie}`]) {
      expect([cookie, (await ground.ask('/api/v1/topology', { headers: { cookie } })).status]).toEqual([cookie, 401]);
    }
    ground.aheadMs = 8 * 3_600_000;
    expect((await ground.ask('/api/v1/topology', { headers })).status).toBe(401);
  });

  test('the cookie is for this host and browser alone, and logging out ends it here too', async () => {
    const answered = await ground.loginWith(ground.operator('ops'), await ground.nonce());
    expect(answered.headers['set-cookie']).toEqual([
      expect.stringMatching(
        /^__Host-weft-session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=28800; Secure$/,
      ),
    ]);
    const headers = await ground.sessionOf(answered);
    expect((await ground.post('/api/v1/logout', {}, headers)).status).toBe(200);
    expect((await ground.ask('/api/v1/topology', { headers })).status).toBe(401);
  });

  test('a session ends when the operator is revoked', async () => {
    const operator = ground.operator('ops');
    const headers = await ground.login(operator);
    ground.revoked.push({ subject: operator.spiffeId, beforeMs: Date.now() + 1_000 });
    expect((await ground.ask('/api/v1/topology', { headers })).status).toBe(401);
    const again = await ground.loginWith(operator, await ground.nonce());
    expect([again.status, again.json.error]).toEqual([401, expect.stringContaining('revoked')]);
  });
});

describe('logging in as an operator', () => {
  test('a challenge opens once, for a minute, and only if it is ours', async () => {
    const operator = ground.operator('ops');
    const nonce = await ground.nonce();
    expect((await ground.loginWith(operator, nonce)).status).toBe(200);
    expect((await ground.loginWith(operator, nonce)).json.error).toContain('used');
    const old = await ground.nonce();
    const [random, expires, seal] = old.split('.');
    expect((await ground.loginWith(operator, `${random}.${Number(expires) + 60_000}.${seal}`)).status).toBe(401);
    expect((await ground.loginWith(operator, 'a.99999999999999.b')).status).toBe(401);
    ground.aheadMs = 61_000;
    expect((await ground.loginWith(operator, old)).status).toBe(401);
  });

  test('a signature for another console, by another key, or over something else opens nothing', async () => {
    const [operator, other] = [ground.operator('ops'), ground.operator('other')];
    expect((await ground.loginWith(operator, await ground.nonce(), 'console.evil.example')).status).toBe(401);
    const swapped = { ...operator, privateKey: other.privateKey };
    expect((await ground.loginWith(swapped, await ground.nonce())).status).toBe(401);
    const nonce = await ground.nonce();
    const certificate = operator.certificate.raw.toString('base64');
    for (const signature of [signAsOperator(operator, Buffer.from(nonce)), new Uint8Array(64), new Uint8Array(0)]) {
      const sent = { nonce, certificate, signature: Buffer.from(signature).toString('base64') };
      expect((await ground.post('/api/v1/login', sent)).status).toBe(401);
    }
  });

  test('a certificate that makes no operator opens nothing', async () => {
    const operator = ground.operator('ops');
    const node = { ...operator, certificate: ground.node.chain[0]! };
    expect((await ground.loginWith(node, await ground.nonce())).status).toBe(401);
    await using elsewhere = await ConsoleGround.open();
    const stranger = elsewhere.operator('ops'); // of a trust domain with the same name and another root
    expect((await ground.loginWith(stranger, await ground.nonce())).json.error).toContain('untrusted-root');
    const { privateKey } = generateKeyPairSync('ed25519');
    expect((await ground.loginWith({ ...operator, privateKey }, await ground.nonce())).status).toBe(401);
  });

  test('ten tries a minute come through from one address', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++) statuses.push((await ground.post('/api/v1/login', {})).status);
    expect(statuses).toEqual([...Array(10).fill(400), 429, 429]);
    ground.aheadMs = 60_000;
    expect((await ground.post('/api/v1/login', {})).status).toBe(400);
  });
});

describe('a page of another origin', () => {
  const cross: Record<string, string>[] = [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
    { host: 'evil.example' },
    { host: 'weft.internal' },
  ];

  test.each([true, false])('asks in vain, with the cookie of somebody who is logged in too (far: %s)', async (far) => {
    const headers = far ? await ground.login(ground.operator('ops')) : {};
    for (const lie of cross) {
      const answered = await ground.ask('/api/v1/topology', { headers: { ...headers, ...lie }, far });
      expect([lie, answered.status]).toEqual([lie, 403]);
      expect(answered.headers['access-control-allow-origin']).toBeUndefined();
    }
    const preflight = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-weft-csrf' };
    const origin = `${far ? 'https' : 'http'}://${ground.host(far)}`;
    const { status, headers: said } = await ground.ask('/api/v1/documents', {
      method: 'OPTIONS',
      headers: { ...headers, origin, ...preflight },
      far,
    });
    expect([status >= 400, said['access-control-allow-origin']]).toEqual([true, undefined]);
  });

  test('may lead a browser to a page, and is never framed', async () => {
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    const { status, headers } = await ground.ask('/services/pay/ledger', { headers: link });
    expect([status, headers['content-security-policy'], headers['x-frame-options']]).toEqual([200, CSP, 'DENY']);
    expect((await ground.ask('/', { headers: { ...link, 'sec-fetch-dest': 'iframe' } })).status).toBe(403);
  });

  test.each([true, false])('changes nothing without the token that only our pages read (far: %s)', async (far) => {
    const headers = far ? await ground.login(ground.operator('ops')) : {};
    const csrf = (await ground.ask('/api/v1/session', { headers, far })).json.csrf;
    const { 'x-weft-csrf': _, ...bare } = headers as Record<string, string>;
    expect((await ground.post('/api/v1/documents', document, bare, far)).status).toBe(403);
    expect((await ground.post('/api/v1/documents', document, { ...bare, 'x-weft-csrf': 'x' }, far)).status).toBe(403);
    expect((await ground.post('/api/v1/documents', document, { ...bare, 'x-weft-csrf': csrf }, far)).status).toBe(200);
  });

  test('cannot send what a form can send', async () => {
    const headers = await ground.login(ground.operator('ops'));
    const form = { ...headers, 'content-type': 'text/plain' };
    const { status } = await ground.ask('/api/v1/documents', { method: 'POST', headers: form, body: '{}' });
    expect(status).toBe(415);
  });
});

describe('somebody with too small a role', () => {
  test.each([
    { scope: ['HTTPRoute/shop', 'TrafficPolicy/shop'], kind: 'HTTPRoute', namespace: 'shop', status: 200 },
    { scope: ['HTTPRoute/shop', 'TrafficPolicy/shop'], kind: 'HTTPRoute', namespace: 'pay', status: 403 },
    { scope: ['HTTPRoute/shop', 'TrafficPolicy/shop'], kind: 'AccessPolicy', namespace: 'shop', status: 403 },
    { scope: ['*/shop'], kind: 'AccessPolicy', namespace: 'shop', status: 200 },
    { scope: ['*/shop'], kind: 'MeshConfig', namespace: '', status: 403 },
    { scope: ['AccessPolicy/*'], kind: 'MeshConfig', namespace: '', status: 200 },
  ])('$scope publishing $kind of "$namespace": $status', async ({ scope, kind, namespace, status }) => {
    const headers = await ground.login(ground.operator('some', scope));
    expect((await ground.post('/api/v1/documents', { kind, namespace, name: 'a' }, headers)).status).toBe(status);
  });
});

describe('on this machine', () => {
  test('anybody looks, at single requests where that is switched on, unless all is switched off', async () => {
    expect((await ground.ask('/api/v1/topology', { far: false })).status).toBe(200);
    expect((await ground.ask('/api/v1/session', { far: false })).json.seesRequests).toBe(false);
    await using open = await ConsoleGround.open({ loopback: 'all' });
    expect((await open.ask('/api/v1/session', { far: false })).json.seesRequests).toBe(true);
    const headers = await ground.login(ground.operator('ops'));
    expect((await ground.ask('/api/v1/session', { headers })).json.seesRequests).toBe(true);
    await using closed = await ConsoleGround.open({ loopback: 'login' });
    expect((await closed.ask('/api/v1/topology', { far: false })).status).toBe(401);
    expect((await closed.ask('/', { far: false })).status).toBe(200);
  });
});

test('who did not log in sees no single request, and who sees some namespaces none either', async () => {
  const observed = new ObservedRoutes({} as ConsoleWorld); // refused before anything is asked
  const view = (namespaces: string[]) => [{ role: 'view' as const, namespaces }];
  const anonymous = { name: null, grants: view(['*']), csrf: '', seesRequests: false };
  const narrow = { name: 'a', grants: view(['shop']), csrf: '', seesRequests: true };
  for (const [viewer, status] of [
    [anonymous, 401],
    [narrow, 403],
  ] as const) {
    const asked = new URLSearchParams();
    const asks: readonly (() => Promise<unknown>)[] = [
      () => observed.traces(asked, viewer),
      () => observed.logs(asked, viewer),
      () => observed.trace('0'.repeat(32), viewer),
    ];
    for (const ask of asks) {
      const refused = await Promise.resolve()
        .then(ask)
        .catch((err: unknown) => err);
      expect(refused).toMatchObject({ name: 'BadQuestion', status });
    }
  }
});

describe('files', () => {
  test('come with a year of caching where their name says what is in them, and compressed as built', async () => {
    const { text, headers } = await ground.ask('/assets/index-AbCd1234.js');
    expect([text, headers['cache-control']]).toEqual(['export const weft = 1;', 'public, max-age=31536000, immutable']);
    const packed = await ground.ask('/assets/index-AbCd1234.js', { headers: { 'accept-encoding': 'gzip, br' } });
    expect([packed.text, packed.headers['content-encoding']]).toEqual(['not really brotli', 'br']);
    const page = await ground.ask('/policies/HTTPRoute/shop/web.v2');
    expect([page.status, page.text, page.headers['cache-control']]).toEqual([
      200,
      '<!doctype html><title>Weft</title>',
      'no-cache',
    ]);
  });

  test('none but those of the build can be had', async () => {
    const paths = [
      '/assets/../../secret.html',
      '/../secret.html',
      '/assets/..%2f..%2fsecret.html',
      '/assets/%2e%2e/%2e%2e/secret.html',
      '/..\\secret.html',
      '/assets/\0',
      '//etc/passwd',
      '/assets//etc/passwd',
      '/assets/unknown.js',
    ];
    for (const path of paths) {
      const raw = await rawGet(path);
      expect([path, raw.includes('secret') || raw.includes('root:')]).toEqual([path, false]);
    }
  });

  /** As it stands: clients tidy paths up. */
  async function rawGet(path: string): Promise<string> {
    const socket = netConnect(ground.near, '127.0.0.1');
    socket.end(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${ground.near}\r\nConnection: close\r\n\r\n`);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk);
    return Buffer.concat(chunks).toString().split('\r\n\r\n').slice(1).join('');
  }
});

describe('bodies and time', () => {
  test('a body that is too long is not read to its end', async () => {
    const headers = await ground.login(ground.operator('ops'));
    const sent = { ...headers, 'content-type': 'application/json' };
    const body = Buffer.alloc(MAX_BODY_BYTES + 1, 0x20);
    expect((await ground.ask('/api/v1/documents', { method: 'POST', headers: sent, body })).status).toBe(413);
    const chunked = { ...sent, 'transfer-encoding': 'chunked' };
    expect((await ground.ask('/api/v1/documents', { method: 'POST', headers: chunked, body })).status).toBe(413);
    const bad = await ground.ask('/api/v1/documents', { method: 'POST', headers: sent, body: '{' });
    expect([bad.status, bad.json.error]).toEqual([400, 'not JSON']);
    expect((await ground.ask(`/api/v1/topology?${'a'.repeat(9_000)}`, { headers })).status).toBe(414);
  });

  test('who sends slowly is cut off', async () => {
    const headers = await ground.login(ground.operator('ops'));
    const lines = Object.entries({ ...headers, 'content-type': 'application/json', 'content-length': '100' });
    const head = `POST /api/v1/documents HTTP/1.1\r\nHost: ${ground.host()}\r\n${lines.map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n`;
    const begunMs = performance.now();
    const took = await Promise.all(
      [`${head}{`, 'GET / HTTP/1.1\r\nHost: a'].map(async (part) => {
        const socket = connect({ port: ground.far, host: '127.0.0.1', rejectUnauthorized: false });
        socket.on('error', () => {}); // cut off, as it should be
        socket.write(part);
        socket.resume();
        await once(socket, 'close');
        return performance.now() - begunMs;
      }),
    );
    for (const tookMs of took) expect(tookMs).toBeLessThan(14_000);
  });
});

test('half a pair of certificate and key, and an issuer in plaintext, are refused', () => {
  expect(() => consoleConfig.parse({ certificate: 'a.pem' })).toThrow('console.key');
  const oidc = { clientId: 'a', redirect: 'https://weft.example/x', roles: [{ value: 'a', role: 'view' }] };
  expect(() => consoleConfig.parse({ oidc: { ...oidc, issuer: 'http://idp.example' } })).toThrow('is not https');
});
