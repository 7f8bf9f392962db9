/** /v1/slo: how services stand against their objective. @module */
import { type SloSight, sloList } from '../observe/slo-list.ts';
import { type AdminRoutes, refusal } from './routes.ts';

/** @param sight what is known at a moment */
export function sloRoutes(sight: () => SloSight): AdminRoutes {
  return {
    paths: ['/v1/slo'],
    answer: async ({ method }) =>
      method === 'GET'
        ? { status: 200, body: await sloList(sight(), Date.now()) }
        : refusal(405, '/v1/slo can only be read; use GET'),
  };
}
