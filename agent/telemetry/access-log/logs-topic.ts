/** Topic `logs`: the last lines of all nodes, by what they say, put together by time. @module */
import { z } from 'zod';
import { type Logs, logRow } from '../../console/shapes/mesh.ts';
import type { MeshQuery, Topic } from '../../mesh-query/shapes.ts';
import { type FilterTerm, filterTerms, withUsers } from '../record-filter.ts';
import type { AccessLog } from './access-log.ts';

export const MAX_LOGS = 2_000;

const question = z.strictObject({
  terms: filterTerms,
  sinceMs: z.number(),
  untilMs: z.number(),
  limit: z.int().min(1).max(MAX_LOGS),
});
export type LogsQuestion = z.infer<typeof question>;

const answer = z.object({ logs: z.array(logRow).max(MAX_LOGS), isCut: z.boolean() });
type LogsAnswer = z.infer<typeof answer>;

export interface LogsTopicOptions {
  readonly access: AccessLog;
  readonly node: string;
  readonly userOf: (user: string) => string;
}

export function logsTopic({ access, node, userOf }: LogsTopicOptions): Topic<LogsQuestion, LogsAnswer> {
  return {
    name: 'logs',
    question,
    answerSchema: answer,
    answer: async ({ terms, ...range }) => {
      const { records, isCut } = await access.search({ ...range, terms: withUsers(terms, userOf) });
      return { logs: records.map((one) => ({ atMs: one.atMs, node, record: { ...access.entry(one) } })), isCut };
    },
  };
}

export interface LogSearch {
  readonly terms: FilterTerm[];
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly limit: number;
}

/** Oldest first, the latest so many of all nodes. */
export async function searchLogs(query: MeshQuery, search: LogSearch): Promise<Logs & { readonly isCut: boolean }> {
  const limit = Math.min(search.limit, MAX_LOGS);
  const { answers, coverage } = await query.ask({ name: 'logs', answerSchema: answer }, { ...search, limit });
  const all = [...answers.values()].flatMap(({ logs }) => logs).sort((a, b) => a.atMs - b.atMs);
  const isCut = all.length > limit || [...answers.values()].some((one) => one.isCut);
  return { logs: all.slice(-limit), coverage, isCut };
}
