/**
 * /v1/takeover: how a successor takes over from this agent, in three questions, over the unix socket only.
 *
 * The first changes nothing. The second makes this agent let go of gossip, its ports and all it writes; there is no way back
 * from there. The third makes it drain and end.
 * @module
 */
import { type AdminRoutes, refusal } from '../admin/routes.ts';
import type { Inheritance } from './inheritance.ts';

export const TAKEOVER = {
  inheritance: '/v1/takeover',
  yield: '/v1/takeover/yield',
  drain: '/v1/takeover/drain',
} as const;

export interface HandOver {
  inheritance(): Inheritance;
  /** Resolves when nothing is held any more but the data plane. False: somebody else was first. */
  yield(): Promise<boolean>;
  /** Takes effect once the answer is on its way. False: nothing was yielded. */
  drain(): boolean;
}

export function takeoverRoutes(handOver: HandOver): AdminRoutes {
  return {
    paths: Object.values(TAKEOVER),
    answer: async ({ method, url }, isPrivate) => {
      if (!isPrivate) return refusal(403, `${url} is offered on the unix socket only`);
      switch (`${method} ${url}`) {
        case `GET ${TAKEOVER.inheritance}`:
          return { status: 200, body: handOver.inheritance() };
        case `POST ${TAKEOVER.yield}`:
          return (await handOver.yield())
            ? { status: 200, body: { yielded: true } }
            : refusal(409, 'another agent is taking over already; wait for it to end or to have taken over');
        case `POST ${TAKEOVER.drain}`:
          return handOver.drain()
            ? { status: 200, body: { draining: true } }
            : refusal(409, `nothing was yielded; POST ${TAKEOVER.yield} first`);
        default:
          return refusal(405, `${method} is not offered on ${url}`);
      }
    },
  };
}
