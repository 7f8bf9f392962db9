/** /v1/events: what happened in the mesh, as all nodes that answer noted it. @module */
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { EVENT_KINDS } from '../console/shapes/common.ts';
import type { AgentEvents } from '../events/events.ts';
import { problemOf } from '../problem.ts';
import { type AdminRoutes, refusal } from './routes.ts';

const HOUR_MS = 3_600_000;
const instant = z.coerce.number().min(0).optional();
const query = z.strictObject({
  fromMs: instant,
  toMs: instant,
  kind: z.enum(EVENT_KINDS).optional(),
  touches: z.string().max(600).optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(200),
});

export function eventsRoutes(events: Pick<AgentEvents, 'list'>): AdminRoutes {
  return {
    paths: ['/v1/events'],
    answer: async ({ method, url = '' }: IncomingMessage) => {
      if (method !== 'GET') return refusal(405, '/v1/events can only be read; use GET');
      const asked = query.safeParse(Object.fromEntries(new URL(url, 'http://agent').searchParams));
      if (!asked.success) return refusal(400, problemOf(asked.error));
      const { toMs = Date.now() + 1, fromMs = toMs - HOUR_MS, kind, touches = null, limit } = asked.data;
      const kinds = kind === undefined ? [] : [kind];
      return { status: 200, body: await events.list({ fromMs, toMs, kinds, touches, limit }) };
    },
  };
}
