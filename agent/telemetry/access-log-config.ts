/** `telemetry.accessLog`: which requests become lines, where the lines go, and what is taken out of them. @module */
import { RE2JS } from 're2js';
import { z } from 'zod';

const MAX_PATTERNS = 16;

export const redactConfig = z
  .strictObject({
    paths: z
      .boolean()
      .default(true)
      .describe(
        'Replace segments of paths that hold an e-mail address, a token or a long number (12 digits and more).',
      ),
    patterns: z
      .array(
        z.string().min(1).max(512).refine(isRegex, 'not a regular expression of RE2, or it matches the empty text'),
      )
      .max(MAX_PATTERNS)
      .default([])
      .describe('More regular expressions (RE2) of what no segment of a path may show, each at most 512 characters.'),
    user: z
      .enum(['hash', 'remove', 'keep'])
      .default('hash')
      .describe('What is kept of the user: a hash that weft logs --user still finds, nothing, or the name as it came.'),
    secret: z
      .string()
      .max(256)
      .default('')
      .describe(
        'Key of the hash of users, the same on all nodes. Empty: the trust domain, with which names can be guessed.',
      ),
  })
  .prefault({});
export type RedactConfig = z.output<typeof redactConfig>;

export const accessLogConfig = z.strictObject({
  sink: z
    .enum(['none', 'stdout', 'file'])
    .default('none')
    .describe('Where a JSON line of each kept request goes. none: only the last ones are kept, for weft logs.'),
  file: z.string().min(1).optional().describe('Path for the sink file. Default: access.log in the data directory.'),
  maxBytes: z
    .int()
    .min(65_536)
    .max(4_294_967_296)
    .default(67_108_864)
    .describe('A file that has grown to this is renamed to FILE.1, older ones to FILE.2 and so on.'),
  files: z.int().min(1).max(100).default(5).describe('Files that are kept in all; the oldest is deleted.'),
  directions: z
    .array(z.enum(['inbound', 'outbound']))
    .min(1)
    .default(['inbound', 'outbound'])
    .describe('inbound: requests that workloads of this node are sent; outbound: requests that they send.'),
  recent: z
    .int()
    .min(0)
    .max(100_000)
    .default(5_000)
    .describe('The last so many kept requests stay in memory for weft logs, about 1 kB each. 0: none.'),
  keepMb: z
    .int()
    .min(0)
    .max(10_000)
    .default(50)
    .describe(
      'Room on disk for kept requests of the past, for weft logs --since; some 100 bytes each. 0: none is kept.',
    ),
  keepHours: z.int().min(1).max(336).default(24).describe('How long they are kept there, room allowing.'),
  redact: redactConfig.describe('What is taken out of logs, traces and taps before anything is kept or sent.'),
});
export type AccessLogConfig = z.output<typeof accessLogConfig>;

function isRegex(text: string): boolean {
  try {
    return !RE2JS.compile(text).matcher('').find();
  } catch {
    return false;
  }
}
