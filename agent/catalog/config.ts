/** `catalog:` of agent.yaml. @module */
import { z } from 'zod';

const DAY_MS = 86_400_000;

export const catalogConfig = z.strictObject({
  forgetAfterMs: z
    .int()
    .min(60_000)
    .max(365 * DAY_MS)
    .default(30 * DAY_MS)
    .describe(
      'How long a service, relation or route that is seen no more stays in the catalog. Longer remembers what is called once a quarter; shorter clears away experiments. What documents say of it is kept in any case.',
    ),
  readProcesses: z
    .boolean()
    .default(true)
    .describe(
      'Whether languages and frameworks are told from files of the processes of workloads in /proc. Nothing is run, and no environment is read.',
    ),
});

export type CatalogConfig = z.output<typeof catalogConfig>;
