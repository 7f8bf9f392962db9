/** /v1/slo: how services stand against their objective. @module */
import type { History } from '../history/history.ts';
import { sloList } from '../observe/slo-list.ts';
import { type AdminRoutes, refusal } from './routes.ts';

export function sloRoutes(history: Pick<History, 'figures'>): AdminRoutes {
  return {
    paths: ['/v1/slo'],
    answer: async ({ method }) =>
      method === 'GET'
        ? { status: 200, body: await sloList(history, Date.now()) }
        : refusal(405, '/v1/slo can only be read; use GET'),
  };
}
