/** Login by OpenID Connect against an issuer of our own that lies in every way it can. @module */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { consoleConfig } from '../../../agent/console/config.ts';
import { Oidc } from '../../../agent/console/login/oidc.ts';

let server: Server;
let issuer: string;
let token: (nonce: string) => Promise<string>;
let keys: Awaited<ReturnType<typeof generateKeyPair>>;
let nonce = '';

beforeAll(async () => {
  keys = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(keys.publicKey)), alg: 'ES256', kid: 'a' };
  server = createServer((request, response) => {
    void (async () => {
      const answers: Record<string, unknown> = {
        '/.well-known/openid-configuration': {
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/keys`,
        },
        '/keys': { keys: [jwk] },
        '/token': { id_token: await token(nonce) },
      };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answers[request.url ?? ''] ?? {}));
    })();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close().closeAllConnections());

interface Claims {
  readonly aud?: string;
  readonly iss?: string;
  readonly exp?: number;
  readonly groups?: readonly string[];
  readonly nonce?: string;
}

function sign({ aud = 'weft', iss = issuer, exp, groups = ['ops'], ...claims }: Claims, key = keys.privateKey) {
  const now = Math.floor(Date.now() / 1_000);
  const jwt = new SignJWT({ groups, email: 'a@b.example', ...claims });
  return jwt
    .setProtectedHeader({ alg: 'ES256', kid: 'a' })
    .setSubject('1')
    .setIssuer(iss)
    .setAudience(aud)
    .setIssuedAt(now - 10)
    .setExpirationTime(exp ?? now + 60)
    .sign(key);
}

async function login(change: (asked: URLSearchParams, pending: string) => string = (_, pending) => pending) {
  const roles = [{ value: 'ops', role: 'operate', namespaces: ['shop'] }];
  const redirect = 'https://weft.example/api/v1/login/oidc/callback';
  const { oidc } = consoleConfig.parse({ oidc: { issuer, clientId: 'weft', redirect, roles } });
  const ours = new Oidc(oidc!, Date.now);
  const { location, pending } = await ours.begin();
  const sent = new URL(location).searchParams;
  nonce = sent.get('nonce')!;
  expect(sent.get('code_challenge_method')).toBe('S256');
  const asked = new URLSearchParams({ code: 'c', state: sent.get('state')! });
  return ours.finish(asked, change(asked, pending));
}

test('a good token gives the roles of its claim', async () => {
  token = (now) => sign({ nonce: now });
  const grants = [{ role: 'operate', namespaces: ['shop'] }];
  expect(await login()).toMatchObject({ ok: true, subject: { name: 'a@b.example', grants } });
});

test('a token of another audience, issuer, time, key or login, or of no key, gives none', async () => {
  const { privateKey: stranger } = await generateKeyPair('ES256');
  const bad: ((now: string) => Promise<string>)[] = [
    (now) => sign({ nonce: now, aud: 'other' }),
    (now) => sign({ nonce: now, iss: 'https://evil.example' }),
    (now) => sign({ nonce: now, exp: Math.floor(Date.now() / 1_000) - 60 }),
    (now) => sign({ nonce: now }, stranger),
    () => sign({ nonce: 'another' }),
    (now) => sign({ nonce: now, groups: ['guests'] }),
    async (now) => new UnsecuredJWT({ nonce: now, groups: ['ops'] }).setIssuer(issuer).setAudience('weft').encode(),
  ];
  for (const [i, make] of bad.entries()) {
    token = make;
    expect([i, (await login()).ok]).toEqual([i, false]);
  }
});

test('a login that was begun elsewhere, or whose cookie was changed, is refused', async () => {
  token = (now) => sign({ nonce: now });
  expect((await login(() => '')).ok).toBe(false);
  expect((await login((_, pending) => pending.replace(/^./, (one) => (one === 'A' ? 'B' : 'A')))).ok).toBe(false);
  const foreign = await login((asked, pending) => {
    asked.set('state', 'x');
    return pending;
  });
  expect(foreign.ok).toBe(false);
});
