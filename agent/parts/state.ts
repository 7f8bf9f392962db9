/** What an agent knows and keeps on disk: documents, endpoints, ejections, and what was seen, told and done. @module */
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { EndpointDelta } from '../../gossip/effects.ts';
import type { Endpoint } from '../../gossip/records/endpoint.ts';
import type { SeriesStats } from '../../proxy/telemetry/stats-reader.ts';
import { AuditTrail } from '../audit/trail.ts';
import type { AgentConfig } from '../config.ts';
import { AgentDocuments } from '../documents/agent-documents.ts';
import { RememberedEndpoints } from '../endpoints/remembered.ts';
import { AgentEvents } from '../events/events.ts';
import { EjectionKeeper } from '../health/ejection-keeper.ts';
import type { MeshQueries } from '../mesh-query/mesh-queries.ts';
import { Observation } from '../telemetry/observation.ts';
import type { MeshThread } from '../threads/mesh.ts';
import { type Identity, tellIfRevoked } from './identity.ts';
import type { ServiceNews } from './service-news.ts';
import type { Serving } from './serving.ts';

export interface StateOptions {
  readonly config: AgentConfig;
  /** This node. */
  readonly place: { readonly node: string; readonly trustDomain: string };
  readonly serving: Serving;
  readonly identity: Identity;
  readonly news: ServiceNews;
  readonly queries: MeshQueries;
  readonly mesh: () => MeshThread | undefined;
  /** What a predecessor told of. */
  readonly inherited: readonly Endpoint[];
  /** What this node has itself. */
  readonly own: () => readonly Endpoint[];
  /** Other endpoints are to be checked from here, or in another way. */
  readonly checksChanged: () => void;
  readonly log: Logger;
}

export interface State {
  readonly observation: Observation;
  readonly audit: AuditTrail;
  readonly events: AgentEvents;
  readonly documents: AgentDocuments;
  readonly remembered: RememberedEndpoints;
  readonly ejections: EjectionKeeper;
}

/** Resolves when the data plane has what was remembered. Documents and endpoints of the mesh come with the mesh thread. */
export async function openState(owner: AsyncDisposableStack, options: StateOptions): Promise<State> {
  const { config, place, serving, news, queries, inherited, own, checksChanged, log } = options;
  const { plane } = serving;
  const { dataDirectory } = config;
  const observed = { config: config.telemetry, hub: plane.records, stats: plane.stats, query: queries, log };
  const observation = owner.use(await Observation.start({ ...observed, ...place, dataDirectory }));
  const audit = owner.use(await AuditTrail.open({ directory: join(dataDirectory, 'audit'), log }));
  const events = owner.use(
    await AgentEvents.start({ ...config, node: place.node, config: config.history, queries, log }),
  );
  const documents = owner.use(documentsOf(options, { audit, events }));
  news.beforeWorkers((ids) => documents.traffic.servicesChanged(ids));
  const remembered = owner.use(
    new RememberedEndpoints({
      ...place,
      file: join(dataDirectory, 'endpoints.json'),
      log,
      forgotten: (delta) => news.endpointsChanged(delta),
    }),
  );
  news.endpointsChanged(withoutGone(remembered.recall(), inherited, own()));
  const ejections = owner.use(
    new EjectionKeeper({
      node: place.node,
      table: plane.shared,
      endpoints: news.services.endpointIds,
      accuse: (evidence) => options.mesh()?.accuse(evidence),
      log,
    }),
  );
  news.afterWorkers(() => ejections.endpointsChanged());
  news.afterWorkers(checksChanged);
  return { observation, audit, events, documents, remembered, ejections };
}

function documentsOf(
  { config, place, serving, identity, news, checksChanged, log }: StateOptions,
  { audit, events }: Pick<State, 'audit' | 'events'>,
): AgentDocuments {
  const { plane, svids } = serving;
  const { certificates, roots } = identity;
  const { services } = news;
  return new AgentDocuments({
    ...place,
    dataDirectory: config.dataDirectory,
    audit: events.documents.recording(audit),
    log,
    accessChanged: (access) => plane.apply({ access }),
    trafficChanged: (traffic) => {
      plane.apply({ traffic });
      checksChanged();
    },
    servicesWritten: (written) => news.declare(written),
    revoked: (revocations) => {
      plane.apply({ revocations: revocations.entries() });
      svids.revoked(revocations);
      tellIfRevoked(certificates.holder.current, revocations, log);
    },
    followRoots: (rotation) => roots.follow(rotation),
    services: () => services.services(),
    service: (id) => services.service(id),
    endpoints: () => services.endpoints(),
    callers: (service) => callersOf(service, plane.stats.series()),
  });
}

/** What is remembered, and away with what a predecessor told of that is neither there nor one of our own. */
function withoutGone(
  { upsert }: EndpointDelta,
  inherited: readonly Endpoint[],
  own: readonly Endpoint[],
): EndpointDelta {
  const known = new Set([...upsert, ...own].map(({ id }) => id));
  return { upsert, remove: inherited.flatMap(({ id }) => (known.has(id) ? [] : [id])) };
}

/** Who called a service, as the workers counted it: callers of this node, and whoever called what runs here. */
function callersOf(service: string, series: readonly SeriesStats[]): readonly string[] {
  const calls = series.filter(({ labels }) => labels.destination === service);
  return [...new Set(calls.map(({ labels }) => labels.source))]
    .filter((source) => source !== '' && source !== 'other')
    .sort();
}
