/** What an operator may set about identities. @module */
import { z } from 'zod';
import { MAX_FOREIGN_ISSUERS } from './foreign-issuer.ts';
import { grantProblem } from './grant.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

export const certsConfig = z.strictObject({
  bundleDirectory: z
    .string()
    .min(1)
    .default('/etc/weft/node')
    .describe(
      'Directory with node.key, node.crt and roots.crt, as `weft join` and `weft node issue` write them, and where the ' +
        'agent renews its certificate. The key must have mode 0600. A bundle put there is taken into use without a restart.',
    ),
  issuerDirectory: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Directory with issuer.key and issuer.crt, as `weft init` writes them: makes this node an issuer, which admits ' +
        'and renews nodes. Have two or three in a mesh; each holds a key that can admit any node. Default: no issuer.',
    ),
  nodeTtlMs: z
    .int()
    .min(10_000)
    .max(90 * DAY_MS)
    .default(7 * DAY_MS)
    .describe(
      'On issuers: life of the node certificates they issue. Lower limits what a stolen node key is worth; higher gives ' +
        'more time when all issuers are away: nodes renew at half of it. Below an hour is for tests.',
    ),
  renewalGraceMs: z
    .int()
    .min(0)
    .max(30 * DAY_MS)
    .default(3 * DAY_MS)
    .describe(
      'On issuers: how long after its expiry a node certificate may still be renewed, at the join listener only. 0 ' +
        'asks for a new token then.',
    ),
  svidTtlMs: z
    .int()
    .min(MINUTE_MS)
    .max(7 * DAY_MS)
    .default(DAY_MS)
    .describe(
      'Life of a workload certificate, renewed at about half of it and never past the expiry of the node certificate. ' +
        'Lower limits what a stolen workload key is worth; higher needs less signing.',
    ),
  foreignIssuers: z
    .array(
      z.strictObject({
        certificate: z
          .string()
          .min(1)
          .describe(
            'PEM file with the one CA certificate that signs SVIDs there, itself signed by a root of this mesh.',
          ),
        grant: z
          .array(z.string().min(1))
          .min(1)
          .refine((grant) => grantProblem(grant) === undefined, 'use patterns such as ns/istio/* or ns/istio/sa/web')
          .describe('Identities that it may speak for, and no others; patterns as in a node certificate.'),
      }),
    )
    .max(MAX_FOREIGN_ISSUERS)
    .default([])
    .describe(
      'Issuers of other meshes under the same root, such as that of an ambient mesh, whose workloads may call those of this ' +
        'node and be called by them. Read at start; a missing or wrong file stops the agent. Default: none.',
    ),
});

export type CertsConfig = z.infer<typeof certsConfig>;
