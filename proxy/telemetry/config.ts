/** What workers tell of requests, and how they take part in traces. @module */

import { z } from 'zod';

const fields = z.strictObject({
  sampleRatio: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .describe(
      'Share of traces that begin here and are told of, from 0 to 1; callers that decided already are followed. Failed and slow requests are told of besides. Higher shows more, for about 20 us of CPU a request told of.',
    ),
  slowMs: z
    .int()
    .min(1)
    .default(1_000)
    .describe('A request that takes longer is told of, whether it was sampled or not. Lower tells of more.'),
  userHeader: z
    .string()
    .max(64)
    .regex(/^[a-z0-9-]+$/, 'the name of one header in lower case, such as x-user-id')
    .optional()
    .describe(
      'Request header that names the user, such as x-user-id, or holds the token that userClaim is read from; the name is then kept with the request in logs and traces, as the caller says it: nobody verifies it. Default: none, with userClaim authorization.',
    ),
  userClaim: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe(
      'Claim of the JWT in userHeader that names the user, such as sub. Tokens are not verified: who forges one is found under the name in it. Default: none.',
    ),
  sampleUsers: z
    .array(z.string().min(1).max(256))
    .max(32)
    .default([])
    .describe(
      'Users of whose requests all traces that begin here are told of, as userHeader or userClaim says them. Each request that begins a trace is then read for its user.',
    ),
  propagate: z
    .boolean()
    .default(true)
    .describe(
      'Whether requests are sent on with `traceparent` (and with B3 where they came with it). Without, hops of a request are not linked.',
    ),
  maxFailedPerSecond: z
    .int()
    .min(1)
    .max(10_000)
    .default(500)
    .describe('Failed and slow requests a worker tells of in a second; more are counted only.'),
  maxTappedPerSecond: z
    .int()
    .min(1)
    .max(10_000)
    .default(200)
    .describe('Requests a worker tells of in a second because `weft tap` watches them; more are counted only.'),
  maxBatch: z
    .int()
    .min(1)
    .max(10_000)
    .default(1_000)
    .describe(
      'Requests a worker may have to tell of at a time, five times a second; more are counted only. Each takes about 1 kB.',
    ),
});

/** Headers that hold credentials: whoever reads logs must not be given them. */
const CREDENTIALS = ['authorization', 'proxy-authorization', 'cookie'];

export const recordsConfig = fields
  .refine(({ userHeader = '', userClaim }) => userClaim !== undefined || !CREDENTIALS.includes(userHeader), {
    path: ['userHeader'],
    error: 'holds a credential, which would be kept; name a claim of its token in userClaim, or another header',
  })
  .refine(
    ({ sampleUsers, userHeader, userClaim }) => sampleUsers.length === 0 || (userHeader ?? userClaim) !== undefined,
    {
      path: ['sampleUsers'],
      error: 'nobody says who a user is; set userHeader or userClaim',
    },
  );

export type RecordsConfig = z.output<typeof recordsConfig>;
