/**
 * Login by OpenID Connect: authorization code with PKCE (RFC 7636), the ID token checked against the keys of its issuer.
 *
 * What has to be known again when the browser comes back travels in a sealed cookie, so that beginning a login fills no memory.
 * @module
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRemoteJWKSet, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import { messageOf } from '../../errors.ts';
import type { Grant } from '../access/roles.ts';
import { isSame, SESSION_MS } from '../access/sessions.ts';
import type { OidcConfig } from '../config.ts';
import type { LoginOutcome } from './operator-login.ts';

/** Symmetric keys and `none` are not among them: nobody but the issuer may be able to sign. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const PENDING_MS = 10 * 60_000;
const ANSWER_MS = 5_000;
const MAX_ANSWER_BYTES = 256 * 1024;
const SKEW_S = 30;
const PARTS = 5;

const discovery = z.object({
  issuer: z.string(),
  authorization_endpoint: z.url(),
  token_endpoint: z.url(),
  jwks_uri: z.url(),
});
const tokens = z.object({ id_token: z.string().max(64 * 1024) });

interface Provider extends z.infer<typeof discovery> {
  readonly keys: JWTVerifyGetKey;
}

export interface Begun {
  readonly location: string;
  /** To be given back when the browser returns; good for ten minutes. */
  readonly pending: string;
}

export class Oidc {
  readonly #config: OidcConfig;
  readonly #nowMs: () => number;
  readonly #key = randomBytes(32);
  #provider: Promise<Provider> | undefined;

  constructor(config: OidcConfig, nowMs: () => number) {
    this.#config = config;
    this.#nowMs = nowMs;
  }

  /** @throws Error when the issuer does not answer as it should */
  async begin(): Promise<Begun> {
    const { clientId, redirect, scopes } = this.#config;
    const { authorization_endpoint: endpoint } = await this.#discovered();
    const [state, nonce, verifier] = [secret(), secret(), secret()];
    const location = new URL(endpoint);
    const asked = {
      response_type: 'code',
      client_id: clientId,
      redirect_uri: redirect,
      scope: scopes.join(' '),
      state,
      nonce,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    };
    for (const [name, value] of Object.entries(asked)) location.searchParams.set(name, value);
    const content = [state, nonce, verifier, String(this.#nowMs() + PENDING_MS)].join('.');
    return { location: location.href, pending: `${content}.${this.#seal(content)}` };
  }

  /** @param pending the cookie that `begin` gave to this browser */
  async finish(asked: URLSearchParams, pending: string | undefined): Promise<LoginOutcome> {
    const parts = pending?.split('.') ?? [];
    const [state = '', nonce = '', verifier = '', untilMs = '', seal = ''] = parts;
    const isOurs = parts.length === PARTS && isSame(seal, this.#seal(parts.slice(0, -1).join('.')));
    if (!isOurs || Number(untilMs) <= this.#nowMs())
      return refused('this login was not begun here of late; begin again');
    if (!isSame(asked.get('state') ?? '', state)) return refused('state: not the one of this login; begin again');
    const code = asked.get('code');
    if (code === null) return refused(`the issuer let nobody in: ${(asked.get('error') ?? 'no code').slice(0, 200)}`);
    try {
      const provider = await this.#discovered();
      const claims = await this.#verified(await this.#exchange(provider, code, verifier), provider);
      if (claims.nonce !== nonce) return refused('nonce: the token is of another login');
      return this.#subjectOf(claims);
    } catch (err) {
      return refused(`the token was not accepted: ${messageOf(err)}`);
    }
  }

  async #exchange(provider: Provider, code: string, verifier: string): Promise<string> {
    const { clientId, clientSecretFile, redirect } = this.#config;
    const form = new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirect,
      client_id: clientId,
      code_verifier: verifier,
    });
    if (clientSecretFile !== '') form.set('client_secret', readFileSync(clientSecretFile, 'utf8').trim());
    return tokens.parse(await readJson(provider.token_endpoint, { method: 'POST', body: form })).id_token;
  }

  async #verified(token: string, { keys }: Provider): Promise<JWTPayload> {
    const { issuer, clientId } = this.#config;
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience: clientId,
      algorithms: ALGORITHMS,
      clockTolerance: SKEW_S,
      requiredClaims: ['exp', 'iat', 'sub'],
      currentDate: new Date(this.#nowMs()),
    });
    if (payload.azp !== undefined && payload.azp !== clientId) throw new Error('azp: the token is for another client');
    return payload;
  }

  #subjectOf(claims: JWTPayload): LoginOutcome {
    const { rolesClaim, roles, nameClaim } = this.#config;
    const held = [claims[rolesClaim]].flat().filter((value) => typeof value === 'string');
    const grants = roles
      .filter(({ value }) => held.includes(value))
      .map(({ role, namespaces }): Grant => ({ role, namespaces }));
    if (grants.length === 0) return refused(`${rolesClaim}: none of its values has a role here (console.oidc.roles)`);
    const named = claims[nameClaim];
    const name = typeof named === 'string' ? named.slice(0, 256) : (claims.sub ?? '');
    return { ok: true, subject: { name, grants, untilMs: this.#nowMs() + SESSION_MS, issued: null } };
  }

  /** Asked once; an issuer that did not answer is asked anew by the next login. */
  #discovered(): Promise<Provider> {
    this.#provider ??= this.#discover().catch((err: unknown) => {
      this.#provider = undefined;
      throw err;
    });
    return this.#provider;
  }

  async #discover(): Promise<Provider> {
    const { issuer } = this.#config;
    const found = discovery.parse(await readJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`));
    if (found.issuer !== issuer) throw new Error(`issuer: it calls itself ${found.issuer}`);
    return { ...found, keys: createRemoteJWKSet(new URL(found.jwks_uri), { timeoutDuration: ANSWER_MS }) };
  }

  #seal(content: string): string {
    return createHmac('sha256', this.#key).update(content).digest('base64url');
  }
}

async function readJson(url: string, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(ANSWER_MS) });
  if (!response.ok || response.body === null) throw new Error(`${new URL(url).host} answered ${response.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error(`${new URL(url).host} answered more than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

function secret(): string {
  return randomBytes(32).toString('base64url');
}

function refused(why: string): LoginOutcome {
  return { ok: false, why };
}
