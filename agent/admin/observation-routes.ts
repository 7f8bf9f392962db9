/**
 * /v1/logs, /v1/traces, /v1/trace, /v1/tap: requests of all nodes, on the unix socket only, because paths and users are not for
 * every program of this machine; /v1/top: figures, for all who may read. @module
 */
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { Coverage, MeshQuery } from '../mesh-query/shapes.ts';
import { MAX_LOGS, searchLogs } from '../telemetry/access-log/logs-topic.ts';
import { filterTerms } from '../telemetry/record-filter.ts';
import { type TapAnswer, type TapQuestion, tapAnswer } from '../telemetry/tap/tap-desk.ts';
import { topOf } from '../telemetry/top/top.ts';
import { findTrace, MAX_TRACES, searchTraces } from '../telemetry/traces/traces.ts';
import { answerChecked, readBody } from './asked.ts';
import { type AdminRoutes, type Answer, ok, refusal } from './routes.ts';

const MAX_BODY_BYTES = 256 * 1024;

const search = z.strictObject({ terms: filterTerms, sinceMs: z.number(), untilMs: z.number() });
const logSearch = search.safeExtend({ limit: z.int().min(1).max(MAX_LOGS) });
const traceSearch = search.safeExtend({ limit: z.int().min(1).max(MAX_TRACES) });
const tapPoll = z.strictObject({
  session: z.string(),
  terms: filterTerms,
  cursors: z.record(z.string(), z.int()),
  isOver: z.boolean(),
});

/** What a poll of a tap answers: requests of all nodes by time, and what each node says. */
export interface TapView {
  readonly requests: TapAnswer['requests'];
  readonly nodes: Readonly<Record<string, Omit<TapAnswer, 'requests'>>>;
  readonly coverage: Coverage;
}

export function observationRoutes(query: MeshQuery): AdminRoutes {
  return {
    paths: ['/v1/logs', '/v1/traces', '/v1/trace', '/v1/tap', '/v1/top'],
    answer: async (request, isPrivate) => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://agent');
      if (pathname === '/v1/top') return ok(await topOf(query, searchParams.get('service') ?? ''));
      if (!isPrivate) return refusal(403, `${pathname} is offered on the unix socket only`);
      if (pathname === '/v1/trace') return trace(query, searchParams.get('id') ?? '');
      if (request.method !== 'POST') return refusal(405, `${pathname} takes its question in a body; use POST`);
      const body = await readJson(request);
      if (pathname === '/v1/logs')
        return answerChecked(logSearch, body, async (asked) => ok(await searchLogs(query, asked)));
      if (pathname === '/v1/traces')
        return answerChecked(traceSearch, body, async (asked) => ok(await searchTraces(query, asked)));
      return answerChecked(tapPoll, body, async (asked) => ok(await tap(query, asked)));
    },
  };
}

async function trace(query: MeshQuery, id: string): Promise<Answer> {
  if (!/^[0-9a-f]{32}$/.test(id)) return refusal(400, 'id: not the id of a trace, 32 digits and letters a to f');
  return ok(await findTrace(query, id));
}

async function tap(query: MeshQuery, asked: TapQuestion): Promise<TapView> {
  const { answers, coverage } = await query.ask({ name: 'tap', answerSchema: tapAnswer }, asked);
  const requests = [...answers.values()].flatMap((one) => one.requests).sort((a, b) => a.atMs - b.atMs);
  const nodes = Object.fromEntries([...answers].map(([node, { requests: _, ...rest }]) => [node, rest]));
  return { requests, nodes, coverage };
}

/** @returns undefined for what is no JSON, or too much */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const text = await readBody(request, MAX_BODY_BYTES);
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
