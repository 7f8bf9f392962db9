/** What looks on while an agent runs: reach checks, catalog, events, health of services. @module */
import type { Logger } from 'pino';
import { Catalog } from '../catalog/catalog.ts';
import { registerOf } from '../console/world.ts';
import type { AgentDocuments } from '../documents/agent-documents.ts';
import { watchedParts } from '../events/watched.ts';
import { reachChecks } from '../health/reach-checks.ts';
import type { ReachKeeper } from '../health/reach-keeper.ts';
import { HealthWatch } from '../observe/health-watch.ts';
import { type SloSight, sightOf } from '../observe/slo-list.ts';
import type { Running } from '../running.ts';

export interface Watchers {
  readonly reach: ReachKeeper;
  readonly catalog: Catalog;
  readonly sight: () => SloSight;
}

export function startWatchers(
  owner: AsyncDisposableStack,
  running: Running,
  { documents, log }: { readonly documents: AgentDocuments; readonly log: Logger },
): Watchers {
  const { node, events, history, plane, mesh } = running;
  const reach = owner.use(
    reachChecks(running, {
      policies: () => documents.traffic.policies(),
      revocations: () => documents.revocations,
      log,
    }),
  );
  reach.changed();
  const catalog = owner.use(
    new Catalog(running, {
      ...{ documents, log, records: plane.records },
      hasObjective: (service) => documents.objectives.has(service),
    }),
  );
  events.watch(watchedParts(running));
  const sight = (): SloSight => sightOf(running, documents.objectives);
  owner.use(
    new HealthWatch({
      ...{ node: node.name, events, log, sight },
      members: () => mesh.members(),
      register: () => registerOf(running),
      figures: (question) => history.figures(question),
    }),
  );
  return { reach, catalog, sight };
}
