/** Where others ask an agent: /metrics, the admin API with all its routes, and the console behind both. @module */
import type { Logger } from 'pino';
import { explainWorld } from '../access/explain-world.ts';
import { accessRoutes } from '../admin/access-routes.ts';
import { AdminServer } from '../admin/admin-server.ts';
import { agentRegistry } from '../admin/agent-registry.ts';
import { auditRoutes } from '../admin/audit-routes.ts';
import { catalogRoutes } from '../admin/catalog-routes.ts';
import { documentRoutes } from '../admin/document-routes.ts';
import { eventsRoutes } from '../admin/events-routes.ts';
import { MetricsServer } from '../admin/metrics-server.ts';
import { addObservationMetrics } from '../admin/observation-metrics.ts';
import { observationRoutes } from '../admin/observation-routes.ts';
import type { AdminRoutes } from '../admin/routes.ts';
import { sloRoutes } from '../admin/slo-routes.ts';
import { trafficRoutes } from '../admin/traffic-routes.ts';
import type { AuditTrail } from '../audit/trail.ts';
import type { Console } from '../console/console.ts';
import { impactOf } from '../console/start.ts';
import type { AgentDocuments } from '../documents/agent-documents.ts';
import type { DocumentService } from '../documents/service.ts';
import type { RootFollower } from '../rotation/root-follower.ts';
import { trustRoutes } from '../rotation/routes.ts';
import type { Running } from '../running.ts';
import { adminSources } from '../sources.ts';
import { meshFigures } from '../telemetry/mesh-figures.ts';
import { trafficPage, wholeText } from '../telemetry/traffic-page.ts';
import { trafficWorld } from '../traffic/explain/gather.ts';
import type { Lifetimes } from './lifetimes.ts';
import type { Watchers } from './watchers.ts';

export interface DoorsOptions {
  readonly console: Console;
  readonly routes: readonly AdminRoutes[];
  /** Whether the socket of a live agent may be replaced, because it hands over. */
  readonly mayReplace: boolean;
  readonly shutdown: () => void;
  readonly log: Logger;
}

/** A joiner with seeds waits this long for one of them before it calls itself ready all the same. */
const SEED_PATIENCE_MS = 10_000;

/** To be called last of all: who can ask sees an agent that is whole. */
export async function openDoors({ doors, state }: Lifetimes, running: Running, options: DoorsOptions): Promise<void> {
  const { config } = running;
  const { console, routes, mayReplace, shutdown, log } = options;
  const waits = (): readonly string[] => waitingFor(running);
  const sources = adminSources(running, {
    metrics: async () => (await registry.metrics()) + (await wholeText(traffic())),
    waitingFor: waits,
    shutdown,
  });
  const traffic = trafficPage(running);
  const registry = agentRegistry({
    agent: {
      status: sources.status,
      workloads: sources.workloads,
      proxy: running.plane.stats,
      gossip: () => running.mesh.stats(),
      workerRestarts: () => running.plane.restarted,
    },
    mesh: meshFigures(running),
    ejections: running.ejections,
    certs: { certificates: () => running.certificates.view(), svids: () => running.svids },
    console,
  });
  addObservationMetrics(registry, running.observation);
  const { listen } = config.metrics;
  state.use(await MetricsServer.start({ listen, registry, traffic, waitingFor: waits, log }));
  const admin = doors.use(await AdminServer.start({ ...config.admin, mayReplace, sources, routes, console, log }));
  doors.defer(() => console.bye());
  state.defer(() => admin.closeAddress());
  state.defer(() => console.bye());
}

export interface Asked {
  readonly documents: AgentDocuments;
  readonly service: DocumentService;
  readonly audit: AuditTrail;
  readonly roots: RootFollower;
  readonly watchers: Watchers;
}

/** What the admin API answers beside the state of the agent itself. */
export function routesOf(
  running: Running,
  { documents, service, audit, roots, watchers: { catalog, sight } }: Asked,
): readonly AdminRoutes[] {
  const { certificates, events, mesh, plane, queries } = running;
  const world = () => trafficWorld(running, documents.access, documents.traffic);
  return [
    documentRoutes(service, impactOf(running, { documents, service, catalog })),
    auditRoutes(audit),
    eventsRoutes(events),
    sloRoutes(sight),
    trustRoutes({
      node: () => certificates.holder.current,
      sequence: () => roots.sequence,
      members: () => mesh.members(),
    }),
    accessRoutes({
      world: () => explainWorld(running, documents.access),
      traffic: world,
      stats: () => plane.stats.access(),
    }),
    trafficRoutes(world),
    catalogRoutes(catalog),
    observationRoutes(queries),
  ];
}

/** What the agent still waits for before it should be relied on; empty when it is ready. */
function waitingFor({ config, mesh, startedAtMs }: Running): readonly string[] {
  const hasPeer = mesh.members().some(({ isSelf, state }) => !isSelf && state === 'alive');
  const isPatient = Date.now() - startedAtMs < SEED_PATIENCE_MS;
  return config.gossip.seeds.length > 0 && !hasPeer && isPatient ? ['an answer of a seed in gossip.seeds'] : [];
}
