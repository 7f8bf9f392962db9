/** What an operator may set about the history of traffic. @module */
import { z } from 'zod';

export const historyConfig = z
  .strictObject({
    directory: z
      .string()
      .min(1)
      .optional()
      .describe('Where it is kept. Default: history in dataDirectory of the agent.'),
    maxMb: z
      .int()
      .min(1)
      .max(10_000)
      .default(200)
      .describe('Room on disk. Less forgets the oldest steps of 10 s sooner, then those of 5 min.'),
    detailHours: z
      .int()
      .min(1)
      .max(168)
      .default(24)
      .describe('How long steps of 10 s are kept; after that only those of 5 min. More needs more room.'),
    days: z.int().min(1).max(90).default(14).describe('How long steps of 5 min and events are kept.'),
  })
  .describe('Figures of traffic of the past, which each node keeps of itself.');
export type HistoryConfig = z.infer<typeof historyConfig>;
