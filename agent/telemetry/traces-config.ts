/** `telemetry.traces`: how much of the traces a node keeps itself. @module */
import { z } from 'zod';

export const tracesConfig = z.strictObject({
  keepMs: z
    .int()
    .min(60_000)
    .max(86_400_000)
    .default(3_600_000)
    .describe('How long a trace can be looked up. Longer needs more memory, up to maxBytes.'),
  maxRecords: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(20_000)
    .describe('Requests that are kept in all; beyond it the oldest traces go. 0: no traces are kept.'),
  maxBytes: z
    .int()
    .min(1_048_576)
    .max(1_073_741_824)
    .default(33_554_432)
    .describe('Memory that they may take, roughly counted; beyond it the oldest traces go.'),
});
export type TracesConfig = z.output<typeof tracesConfig>;
