/** Login by OpenID Connect against an issuer of our own, over real HTTP, that checks what an issuer checks and lies in every way it can. @module */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { consoleConfig } from '../../../agent/console/config.ts';
import { Oidc } from '../../../agent/console/login/oidc.ts';
import { type Answered, ConsoleGround } from './ground.ts';

const REDIRECT = 'https://weft.example/api/v1/login/oidc/callback';
let server: Server;
let issuer: string;
let token: (nonce: string) => Promise<string>;
let keys: Awaited<ReturnType<typeof generateKeyPair>>;
/** What was asked for each code; a code is good once. */
const codes = new Map<string, URLSearchParams>();
let refusals: string[] = [];

beforeAll(async () => {
  keys = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(keys.publicKey)), alg: 'ES256', kid: 'a' };
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://issuer');
    const json = (body: unknown, status = 200): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (url.pathname === '/.well-known/openid-configuration') {
      const at = { authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token` };
      json({ issuer, ...at, jwks_uri: `${issuer}/keys` });
    } else if (url.pathname === '/keys') json({ keys: [jwk] });
    else if (url.pathname === '/authorize') {
      const code = randomBytes(8).toString('hex');
      codes.set(code, url.searchParams);
      const back = `${url.searchParams.get('redirect_uri')}?${new URLSearchParams({ code, state: url.searchParams.get('state')! })}`;
      response.writeHead(302, { location: back }).end();
    } else if (url.pathname === '/token') {
      exchange(request).then(json, (err: Error) => {
        refusals.push(err.message);
        json({ error: 'invalid_grant', error_description: err.message }, 400);
      });
    } else json({}, 404);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close().closeAllConnections());

/** RFC 6749 §4.1.3, RFC 7636 §4.6. */
async function exchange(request: IncomingMessage): Promise<{ id_token: string }> {
  const form = new URLSearchParams(await text(request));
  const asked = codes.get(form.get('code') ?? '');
  codes.delete(form.get('code') ?? '');
  if (request.method !== 'POST' || form.get('grant_type') !== 'authorization_code') throw new Error('grant');
  if (asked === undefined) throw new Error('code');
  for (const name of ['client_id', 'redirect_uri']) if (form.get(name) !== asked.get(name)) throw new Error(name);
  const challenge = createHash('sha256')
    .update(form.get('code_verifier') ?? '')
    .digest('base64url');
  if (asked.get('code_challenge_method') !== 'S256' || challenge !== asked.get('code_challenge'))
    throw new Error('PKCE');
  return { id_token: await token(asked.get('nonce') ?? '') };
}

/** What the browser brings back from the issuer. */
async function consent(location: string): Promise<URL> {
  const answered = await fetch(location, { redirect: 'manual' });
  return new URL(answered.headers.get('location')!);
}

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

function oidcConfig() {
  const roles = [
    { value: 'ops', role: 'operate', namespaces: ['shop'] },
    { value: 'sec', role: 'secure', namespaces: ['*'] },
  ];
  return { issuer, clientId: 'weft', redirect: REDIRECT, roles };
}

async function login(change: (asked: URLSearchParams, pending: string) => string = (_, pending) => pending) {
  const ours = new Oidc(consoleConfig.parse({ oidc: oidcConfig() }).oidc!, Date.now);
  const { location, pending } = await ours.begin();
  const { searchParams: asked } = await consent(location);
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

/** A browser that goes to the issuer and comes back. */
async function browse(ground: ConsoleGround, change: (back: URL, pending: string) => string = (_, pending) => pending) {
  const begun = await ground.ask('/api/v1/login/oidc');
  expect([begun.status, begun.headers['set-cookie']]).toEqual([302, [expect.stringMatching(/HttpOnly; SameSite=Lax/)]]);
  const back = await consent(begun.headers.location!);
  const pending = change(back, String(begun.headers['set-cookie']).split(';')[0]!);
  return ground.ask(`${back.pathname}${back.search}`, { headers: { cookie: pending, ...FROM_ISSUER } });
}

const FROM_ISSUER = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

test('who comes back from the issuer is in, with the roles of their groups and no more', async () => {
  await using ground = await ConsoleGround.open({ oidc: oidcConfig() });
  token = (now) => sign({ nonce: now });
  const answered = await browse(ground);
  expect([answered.status, answered.headers['set-cookie']]).toEqual([
    200,
    [expect.stringMatching(/^__Host-weft-session=.*SameSite=Strict/)],
  ]);
  const headers = await ground.sessionOf(answered);
  const { json } = await ground.ask('/api/v1/session', { headers });
  expect([json.operator, json.roles]).toEqual(['a@b.example', [{ role: 'operate', namespaces: ['shop'] }]]);
  const publish = async (kind: string, namespace: string): Promise<number> =>
    (await ground.post('/api/v1/documents', { kind, namespace, name: 'a' }, headers)).status;
  expect(await publish('HTTPRoute', 'shop')).toBe(200);
  expect(await publish('HTTPRoute', 'pay')).toBe(403);
  expect(await publish('AccessPolicy', 'shop')).toBe(403);
  token = (now) => sign({ nonce: now, groups: ['sec', 'guests'] });
  const secure = await ground.sessionOf(await browse(ground));
  expect(
    (await ground.post('/api/v1/documents', { kind: 'AccessPolicy', namespace: 'pay', name: 'a' }, secure)).status,
  ).toBe(200);
});

test('nobody gets in with the state, nonce, audience, time, group or code of something else', async () => {
  const seconds = Math.floor(Date.now() / 1_000);
  const good = (now: string): Promise<string> => sign({ nonce: now });
  const cases: {
    readonly why: RegExp;
    readonly make?: typeof token;
    readonly visit?: (ground: ConsoleGround) => Promise<Answered>;
  }[] = [
    { why: /^nonce: /, make: () => sign({ nonce: 'another' }) },
    { why: /"aud" claim/, make: (now) => sign({ nonce: now, aud: 'other' }) },
    { why: /"iss" claim/, make: (now) => sign({ nonce: now, iss: 'https://evil.example' }) },
    { why: /"exp" claim/, make: (now) => sign({ nonce: now, exp: seconds - 60 }) },
    { why: /^groups: none/, make: (now) => sign({ nonce: now, groups: ['guests'] }) },
    {
      why: /^state: /,
      visit: (ground) =>
        browse(ground, (back, pending) => {
          back.searchParams.set('state', 'x');
          return pending;
        }),
    },
    { why: /not begun here/, visit: (ground) => browse(ground, () => 'weft-login=') },
    {
      why: /not accepted: .* answered 400/,
      visit: async (ground) => {
        const stolen = await consent((await ground.ask('/api/v1/login/oidc')).headers.location!); // somebody else's code
        return browse(ground, (back, pending) => {
          back.searchParams.set('code', stolen.searchParams.get('code')!);
          return pending;
        });
      },
    },
  ];
  refusals = [];
  for (const { why, make = good, visit = browse } of cases) {
    await using ground = await ConsoleGround.open({ oidc: oidcConfig() });
    token = make;
    const { status, json, headers } = await visit(ground);
    expect([status, json.error, headers['set-cookie']]).toEqual([401, expect.stringMatching(why), undefined]);
  }
  expect(refusals).toEqual(['PKCE']);
});

test('an issuer that calls itself by another name, or does not answer, lets nobody in and says so', async () => {
  await using closed = await ConsoleGround.open({ oidc: { ...oidcConfig(), issuer: `${issuer}/other` } });
  const { status, json } = await closed.ask('/api/v1/login/oidc');
  expect([status, json.error]).toEqual([502, expect.stringContaining('answered 404')]);
  await using renamed = await ConsoleGround.open({ oidc: { ...oidcConfig(), issuer: `${issuer}/` } });
  const other = await renamed.ask('/api/v1/login/oidc');
  expect([other.status, other.json.error]).toEqual([502, expect.stringContaining('it calls itself')]);
});
