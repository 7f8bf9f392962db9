/**
 * What the stream says: GET /api/v1/stream, one server-sent event a frame, its `event` the frame's kind and its `id` the number
 * that `Last-Event-ID` gives back. A topic is the path of a GET of the API, such as `/topology?view=service&rangeMs=900000`.
 * @module
 */
import { z } from 'zod';
import { coverage } from '../../mesh-query/shapes.ts';
import type { Patch } from './patch.ts';

const patch = z.array(z.array(z.unknown())) as unknown as z.ZodType<Patch>;
/** Counts frames of one topic on one stream, from 1; `base` of a patch is the `seq` of the frame it changes. */
const seq = z.int();

export const frame = z.discriminatedUnion('kind', [
  /** The first of a stream; `streamId` is for PUT /api/v1/stream/{id}/topics. `isResumed`: the topics of before go on. */
  z.object({ kind: z.literal('hello'), streamId: z.string(), tickMs: z.int(), isResumed: z.boolean() }),
  /** The whole answer. A topic that cannot be answered says so in `problem`, with `data` null. */
  z.object({
    kind: z.literal('snapshot'),
    topic: z.string(),
    seq,
    atMs: z.number(),
    data: z.unknown(),
    problem: z.object({ status: z.int(), error: z.string() }).nullable(),
  }),
  z.object({ kind: z.literal('patch'), topic: z.string(), seq, base: z.int(), atMs: z.number(), patch }),
  /** Sent each tick in which nothing else is: the answers of the topic are as they were. */
  z.object({ kind: z.literal('coverage'), topic: z.string(), seq, atMs: z.number(), coverage }),
  /** The last one: `closing`, `session`, `replaced`. */
  z.object({ kind: z.literal('bye'), reason: z.string() }),
]);
export type Frame = z.infer<typeof frame>;

/** PUT /api/v1/stream/{id}/topics: all that this stream is to have, from now on. */
export const topicsBody = z.strictObject({ topics: z.array(z.string().min(1).max(1_024)).max(16) });
