/** /v1/traffic/effective: which settings hold for calls from one place to another, each with its document. @module */

import type { TrafficWorld } from '../traffic/explain/dialled.ts';
import { effectiveSettings } from '../traffic/explain/effective.ts';
import { type AdminRoutes, refusal } from './routes.ts';

/** @param world what this node knows at the moment it is asked */
export function trafficRoutes(world: () => TrafficWorld): AdminRoutes {
  return {
    paths: ['/v1/traffic/effective'],
    answer: async ({ method, url = '' }) => {
      const { pathname, searchParams: asked } = new URL(url, 'http://agent');
      if (method !== 'GET') return refusal(405, `${pathname} can only be read; use GET`);
      const [from, to] = [asked.get('from') ?? '', asked.get('to') ?? ''];
      if (from === '' || to === '') return refusal(400, 'from and to: name both ends of the call');
      const view = effectiveSettings({ from, to, route: asked.get('route') ?? undefined }, world());
      return view.ok ? { status: 200, body: view.value } : refusal(404, view.problem);
    },
  };
}
