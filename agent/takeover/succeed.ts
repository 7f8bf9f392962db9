/** How an agent takes the place of the one that runs, up to the moment from which there is no way back. @module */
import type { Logger } from 'pino';
import type { AgentConfig } from '../config.ts';
import type { ServiceNews } from '../parts/service-news.ts';
import type { Serving } from '../parts/serving.ts';
import type { WorkloadDirectory } from '../workloads/directory.ts';
import type { Predecessor } from './predecessor.ts';

export interface Successor {
  readonly config: Pick<AgentConfig, 'gossip'>;
  readonly serving: Serving;
  readonly news: ServiceNews;
  readonly directory: WorkloadDirectory;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/**
 * Listens beside the predecessor, and knows all it knows: from here on either may be given a new connection. Then the
 * predecessor lets go of all but what it has open.
 */
export async function succeed(predecessor: Predecessor, successor: Successor): Promise<void> {
  const { config, serving, news, directory, signal, log } = successor;
  const { plane, enrolment } = serving;
  const { endpoints, access, revocations, pid } = predecessor.inheritance;
  plane.apply({ access, revocations });
  news.route({ upsert: endpoints, remove: [] });
  await enrolment.apply(directory.workloads());
  await predecessor.untilServing(() => enrolment.view(), log, signal);
  await plane.settled();
  await predecessor.yield(config.gossip.listen); // whatever fails from here on, it is our turn
  log.info({ pid }, 'the running agent has handed over');
}
