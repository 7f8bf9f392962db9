/** What the admin API answers, gathered from the running parts. Reads memory only; asks no peer. @module */
import type { PeerHealth } from '../gossip/view.ts';
import type {
  AdminSources,
  CaptureView,
  EndpointView,
  MemberView,
  ServiceView,
  StatusView,
  WorkloadView,
} from './admin/views.ts';
import { checkRunning } from './check/check.ts';
import type { EnrolledView } from './enrolment/enrolment.ts';
import type { Running } from './running.ts';
import { serviceId } from './services.ts';
import type { MeshThread } from './threads/mesh.ts';
import { weftVersion } from './version.ts';

export interface Controls {
  readonly metrics: () => Promise<string>;
  readonly waitingFor: () => readonly string[];
  readonly shutdown: () => void;
}

export function adminSources(running: Running, { metrics, waitingFor, shutdown }: Controls): AdminSources {
  return {
    status: () => statusView(running, waitingFor()),
    members: () => memberViews(running),
    services: () => serviceViews(running),
    endpoints: () => endpointViews(running),
    workloads: () => ({
      workloads: running.enrolment.view().map((view) => workloadView(running, view)),
      problems: running.directory.problems(),
    }),
    capture: () => captureViews(running),
    check: async () =>
      checkRunning(running.config, {
        members: running.mesh.members(),
        seeds: running.config.gossip.seeds.length,
        peerSkewsMs: [...(await peerHealth(running.mesh)).values()].flatMap(({ skewMs = [] }) => skewMs),
        certificates: running.certificates.view(),
        trust: { roots: running.node.trust.roots, strangers: await strangers(running.mesh) },
        workloads: running.directory.workloads().length,
        problems: running.directory.problems(),
        trafficAdvice: running.trafficAdvice(),
      }),
    config: () => running.config,
    metrics,
    shutdown,
  };
}

function statusView(running: Running, waitingFor: readonly string[]): StatusView {
  const { config, node, startedAtMs, enrolment, mesh, directory, services } = running;
  const workloads = enrolment.view();
  return {
    node: node.name,
    zone: config.zone,
    version: weftVersion(),
    pid: process.pid,
    startedAt: new Date(startedAtMs).toISOString(),
    trustDomain: node.trustDomain,
    mesh: running.meshConfig(),
    certificateExpiresAt: new Date(node.expiresAtMs).toISOString(),
    certificates: running.certificates.view(),
    captureMode: config.capture.mode,
    workers: config.workers,
    isReady: waitingFor.length === 0,
    waitingFor,
    members: tally(mesh.members().map(({ state }) => state)),
    stateAgeMs: running.remembered.ageMs,
    rememberedEndpoints: running.remembered.unconfirmed,
    services: services.services().length,
    endpoints: readiness(services.endpoints()),
    workloads: readiness(workloads),
    problems: directory.problems(),
  };
}

async function memberViews({ mesh }: Running): Promise<readonly MemberView[]> {
  const health = await peerHealth(mesh);
  return mesh
    .members()
    .map(({ name, state, address, endpoints, sinceMs, isSelf, epoch, incarnation }) => {
      const { accusers = 0, rttMs, heardAgoMs, skewMs } = health.get(name) ?? {};
      return {
        name,
        state,
        address,
        endpoints,
        since: new Date(sinceMs).toISOString(),
        isSelf,
        epoch,
        incarnation,
        accusers,
        ...(rttMs === undefined ? {} : { rttMs }),
        ...(heardAgoMs === undefined ? {} : { heardAgoMs }),
        ...(skewMs === undefined ? {} : { clockSkewMs: skewMs }),
      };
    })
    .sort(byKey(({ name }) => name));
}

/** By name; empty when the mesh thread is gone: what was last heard can be shown without. */
async function peerHealth(mesh: MeshThread): Promise<ReadonlyMap<string, PeerHealth>> {
  const { peers } = await mesh.stats().catch(() => ({ peers: [] as readonly PeerHealth[] }));
  return new Map(peers.map((peer) => [peer.name, peer]));
}

/** Peers that this node refused for their root, or that refused this node; 0 when the mesh thread is gone. */
async function strangers(mesh: MeshThread): Promise<number> {
  const { refused = {} } = await mesh.stats().catch(() => ({ refused: {} as Readonly<Record<string, number>> }));
  return (refused['untrusted-root'] ?? 0) + (refused['refused-us'] ?? 0);
}

function serviceViews({ services }: Running): readonly ServiceView[] {
  const endpoints = Map.groupBy(services.endpoints(), serviceId);
  return services
    .services()
    .map(({ id, namespace, service, vips, ports }) => ({
      namespace,
      service,
      vips,
      ports,
      endpoints: readiness(endpoints.get(id) ?? []),
    }))
    .sort(byKey(serviceId));
}

const ENDPOINT_FIELDS = [
  'namespace',
  'service',
  'workload',
  'node',
  'address',
  'port',
  'servicePort',
  'protocol',
  'state',
  'version',
  'zone',
  'weight',
  'identity',
] as const satisfies readonly (keyof EndpointView)[];

function endpointViews({ services }: Running): readonly EndpointView[] {
  const sortKey = ({ namespace, service, node, workload, port }: EndpointView): string =>
    `${namespace}/${service}/${node}/${workload}/${port}`;
  return services
    .endpoints()
    .map((endpoint) => pick(endpoint, ENDPOINT_FIELDS))
    .sort(byKey(sortKey));
}

function workloadView(
  { svids }: Running,
  { workload, identity, unit, address, state, detail }: EnrolledView,
): WorkloadView {
  const svid = svids.svids().find(({ spiffeId }) => spiffeId === identity);
  return {
    namespace: workload.namespace,
    name: workload.name,
    service: workload.service,
    version: workload.version,
    identity,
    unit,
    address,
    ports: workload.ports.map(({ name, port, servicePort }) =>
      port === servicePort ? `${name}:${port}` : `${name}:${servicePort}->${port}`,
    ),
    state,
    detail,
    certificateExpiresAt: svid === undefined ? '' : new Date(svid.expiresAtMs).toISOString(),
  };
}

function captureViews({ enrolment }: Running): Promise<readonly CaptureView[]> {
  return Promise.all(
    enrolment.units().map(async ({ unit, workloads }) => ({
      unit: unit.id,
      workloads: workloads.map(({ id }) => id),
      listeners: unit.listeners(),
      rules: await unit.rules(),
    })),
  );
}

function readiness(all: readonly { readonly state: string }[]): { ready: number; total: number } {
  return { ready: all.filter(({ state }) => state === 'ready').length, total: all.length };
}

function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

function byKey<T>(key: (item: T) => string): (a: T, b: T) => number {
  return (a, b) => key(a).localeCompare(key(b), 'en');
}

function pick<T, K extends keyof T>(from: T, keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(keys.map((key) => [key, from[key]])) as Pick<T, K>;
}
