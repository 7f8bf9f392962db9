/** What a request of the admin API asks in its body or query, read and checked. @module */
import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { problemOf } from '../problem.ts';
import { type Answer, refusal } from './routes.ts';

/** @returns undefined for more than `maxBytes` */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Answers what fits the schema; else 400, with the first field that does not. */
export async function answerChecked<S extends z.ZodType>(
  schema: S,
  asked: unknown,
  answer: (asked: z.output<S>) => Answer | Promise<Answer>,
): Promise<Answer> {
  const checked = schema.safeParse(asked);
  return checked.success ? answer(checked.data) : refusal(400, problemOf(checked.error));
}
