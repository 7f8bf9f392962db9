/** What an operator may set of the console: who may look, from where, and how others log in. docs/adr/0022 has the reasons. @module */
import { z } from 'zod';
import { socketAddress } from '../address-schemas.ts';

const namespaces = z
  .array(z.string().regex(/^(\*|[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)$/, 'use names of namespaces, or * for all'))
  .min(1)
  .max(256)
  .default(['*'])
  .describe('Where it holds; * is everywhere.');

const grant = z.strictObject({
  role: z
    .enum(['view', 'operate', 'secure'])
    .describe('view: look. operate: publish documents about traffic. secure: also those about access and identities.'),
  namespaces,
});

const secureUrl = z.url({ protocol: /^https?$/ }).refine(isSecure, {
  error: ({ input }) => `${String(input)} is not https; plain http is taken on 127.0.0.1 only`,
});

export const consoleConfig = z
  .strictObject({
    loopback: z
      .enum(['view', 'all', 'login', 'off'])
      .default('view')
      .describe(
        'What anybody on this machine may do without logging in, on admin.listen. view: look at all but single requests, whose traces and access logs name paths and users. all: at these too. login: nothing before logging in. off: no console there.',
      ),
    listen: z
      .union([z.literal(''), socketAddress])
      .default('')
      .describe('Address of the console for other machines, TLS with login only, such as 0.0.0.0:15443. Empty: none.'),
    hosts: z
      .array(z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'use lower-case host names'))
      .max(64)
      .default([])
      .describe('Names under which browsers may reach console.listen; its IP addresses always work.'),
    certificate: z
      .string()
      .default('')
      .describe(
        'PEM chain shown at console.listen. Empty: the certificate of the node, which browsers do not know and warn of.',
      ),
    key: z.string().default('').describe('PEM key of console.certificate.'),
    operators: z
      .boolean()
      .default(true)
      .describe(
        'Whether operators may log in with the key that they sign documents with. It never leaves their browser.',
      ),
    oidc: z
      .strictObject({
        issuer: secureUrl.describe('Issuer of ID tokens; its /.well-known/openid-configuration is read.'),
        clientId: z.string().min(1).max(256).describe('Name of the console there, and the audience of its tokens.'),
        clientSecretFile: z
          .string()
          .default('')
          .describe('File with the secret of a confidential client. Empty: a public client, PKCE alone.'),
        redirect: secureUrl.describe(
          'URL of this console that is registered there, ending in /api/v1/login/oidc/callback.',
        ),
        scopes: z
          .array(z.string().regex(/^[!#-[\]-~]+$/))
          .max(16)
          .default(['openid', 'profile']),
        nameClaim: z.string().min(1).default('email').describe('Claim that names the person in the console.'),
        rolesClaim: z.string().min(1).default('groups').describe('Claim, a text or a list, that roles hang on.'),
        roles: z
          .array(grant.extend({ value: z.string().min(1).describe('Value in rolesClaim that gives the role.') }))
          .min(1)
          .max(256)
          .describe('Who has none of these values is refused.'),
      })
      .optional()
      .describe('Login by OpenID Connect, authorization code with PKCE. Left out: none.'),
  })
  .refine(({ certificate, key }) => (certificate === '') === (key === ''), {
    path: ['key'],
    error: 'give console.certificate and console.key together, or neither',
  });

export type ConsoleConfig = z.output<typeof consoleConfig>;
export type OidcConfig = NonNullable<ConsoleConfig['oidc']>;

/** Files are given relative to the configuration. */
export function withPaths(config: ConsoleConfig, at: (file: string) => string): ConsoleConfig {
  const path = (file: string): string => (file === '' ? '' : at(file));
  const { certificate, key, oidc } = config;
  return {
    ...config,
    certificate: path(certificate),
    key: path(key),
    ...(oidc === undefined ? {} : { oidc: { ...oidc, clientSecretFile: path(oidc.clientSecretFile) } }),
  };
}

function isSecure(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || hostname === '127.0.0.1' || hostname === '[::1]';
}
