/** `telemetry.otlp`: spans for a collector. Nothing of it is loaded without an endpoint. @module */
import { z } from 'zod';

export const otlpConfig = z.strictObject({
  endpoint: z
    .union([z.literal(''), z.url({ protocol: /^https?$/ })])
    .default('')
    .describe('OTLP over HTTP with JSON, such as http://collector:4318/v1/traces. Empty: nothing is sent.'),
  headers: z
    .record(z.string().regex(/^[A-Za-z0-9-]+$/, 'not the name of a header'), z.string())
    .default({})
    .describe('Sent with each request, such as authorization.'),
  maxQueue: z
    .int()
    .min(64)
    .max(1_000_000)
    .default(8_192)
    .describe('Spans that wait to be sent; beyond it new ones are dropped and counted.'),
  batch: z.int().min(1).max(10_000).default(512).describe('Spans in one request at most.'),
  intervalMs: z.int().min(10).max(60_000).default(1_000).describe('Spans wait at most so long for others to go with.'),
  timeoutMs: z.int().min(100).max(60_000).default(10_000).describe('How long a request may take, repeats included.'),
});
export type OtlpConfig = z.output<typeof otlpConfig>;
