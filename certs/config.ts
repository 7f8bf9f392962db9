/** What an operator may set about identities. @module */
import { z } from 'zod';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

export const certsConfig = z.strictObject({
  bundleDirectory: z
    .string()
    .min(1)
    .default('/etc/weft/node')
    .describe(
      'Directory with node.key, node.crt and roots.crt, as `weft node issue` writes them. The key must have mode 0600.',
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
});

export type CertsConfig = z.infer<typeof certsConfig>;
