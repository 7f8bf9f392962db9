/** /v1/audit: the trail of this node, to read. @module */
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { AUDIT_EVENTS } from '../audit/entry.ts';
import { searchTrail, verifyTrail } from '../audit/search.ts';
import type { AuditTrail } from '../audit/trail.ts';
import { problemOf } from '../problem.ts';
import { type AdminRoutes, type Answer, refusal } from './routes.ts';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 10_000;

const query = z.strictObject({
  since: z.iso.datetime({ offset: true }).optional(),
  operator: z.string().optional(),
  kind: z.string().optional(),
  event: z.enum(AUDIT_EVENTS).optional(),
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(DEFAULT_LIMIT),
});

export function auditRoutes(trail: AuditTrail): AdminRoutes {
  return {
    paths: ['/v1/audit', '/v1/audit/verify'],
    answer: (request) => answer(trail, request),
  };
}

async function answer(trail: AuditTrail, { method, url = '' }: IncomingMessage): Promise<Answer> {
  const { pathname, searchParams } = new URL(url, 'http://agent');
  if (method !== 'GET') return refusal(405, `${pathname} can only be read; use GET`);
  if (pathname === '/v1/audit/verify') return { status: 200, body: await verifyTrail(trail) };
  const asked = query.safeParse(Object.fromEntries(searchParams));
  if (!asked.success) return refusal(400, problemOf(asked.error));
  const { since, operator, kind, event, limit } = asked.data;
  const wanted = {
    limit,
    ...(since === undefined ? {} : { sinceMs: Date.parse(since) }),
    ...(operator === undefined ? {} : { operator }),
    ...(kind === undefined ? {} : { kind }),
    ...(event === undefined ? {} : { event }),
  };
  return { status: 200, body: await searchTrail(trail, wanted) };
}
