/**
 * The snapshot, compiled: what the data plane looks up when a connection arrives.
 *
 * An update is compiled on the side, which is where it may fail, and then put in place in one go. What did not change
 * keeps its object, and with it its load, its pools and what was learned about it.
 * @module
 */

import type tls from 'node:tls';
import type { Logger } from 'pino';
import { parseForeignIssuers } from '../certs/foreign-issuer.ts';
import { Revocations } from '../certs/revocation.ts';
import { parseTrustBundle, type TrustBundle } from '../certs/trust-bundle.ts';
import { AccessBoard } from './access/board.ts';
import type { AccessRules } from './access/policy.ts';
import { DEFAULT_BALANCER } from './balancer/balancer.ts';
import { ProxyError } from './errors.ts';
import type { UnitPorts } from './inbound/hbone-target.ts';
import { Memberships } from './memberships.ts';
import type { SharedTable } from './resilience/shared-table.ts';
import {
  type Delta,
  type Endpoint,
  endpointServerName,
  type LocalWorkload,
  type Service,
  type SnapshotUpdate,
  type TrustData,
} from './snapshot.ts';
import type { StatsWriter } from './telemetry/stats-writer.ts';
import { secureContext } from './tls.ts';
import { TrafficBoard } from './traffic/board.ts';
import { Calls, type CallsContext } from './traffic/calls.ts';
import type { TrafficRules } from './traffic/rules.ts';
import { Cluster, UpstreamEndpoint } from './upstream/cluster.ts';
import { LocalTarget } from './upstream/local-target.ts';
import { type NamedTarget, Workload } from './workload.ts';

/** Where a captured connection leads. */
export type Destination =
  | { readonly kind: 'cluster'; readonly cluster: Cluster }
  | {
      readonly kind: 'endpoint';
      readonly endpoint: UpstreamEndpoint;
      /** The port of its own service that it is behind. */
      readonly cluster: Cluster;
    };

export interface WorldOptions {
  readonly log: Logger;
  readonly stats: StatsWriter;
  /** What all workers of the node know together. */
  readonly shared: SharedTable;
  /** Name and zone of this node. */
  readonly place: CallsContext['place'];
}

export class World implements UnitPorts {
  trust: TrustBundle = { trustDomain: '', roots: [] }; // until told otherwise, nobody is trusted
  revocations = new Revocations();
  version = 0;
  readonly access = new AccessBoard();
  readonly traffic = new TrafficBoard();
  readonly #workloads = new Map<string, Workload>();
  readonly #services = new Map<string, Service>();
  readonly #memberships = new Memberships();
  readonly #endpoints = new Map<string, UpstreamEndpoint>();
  /** By 'namespace/service port'. */
  readonly #clusters = new Map<string, Cluster>();
  /** Service id by virtual address. */
  readonly #vips = new Map<string, string>();
  /** By 'address port' of the application. */
  readonly #byAddress = new Map<string, UpstreamEndpoint>();
  /** By 'unit servername': ports of local workloads. */
  readonly #named = new Map<string, NamedTarget>();
  /** By endpoint id: the same ports. */
  readonly #locals = new Map<string, NamedTarget>();
  /** By 'unit port' of the application, which several workloads of a unit may share on addresses of their own. */
  readonly #byPort = new Map<string, Set<LocalTarget>>();
  /** Whose port it is. */
  readonly #owners = new WeakMap<LocalTarget, Workload>();
  readonly #log: Logger;
  readonly #stats: StatsWriter;
  readonly #callsContext: CallsContext;
  readonly #calls = new Map<Workload, Map<Cluster, Calls>>();

  constructor({ log, stats, shared, place }: WorldOptions) {
    this.#log = log;
    this.#stats = stats;
    this.#callsContext = { board: this.traffic, shared, stats, place };
  }

  workload(id: string): Workload | undefined {
    return this.#workloads.get(id);
  }

  /** The local port that a TLS server name stands for in this unit. */
  target(unit: string, serverName: string): NamedTarget | undefined {
    return this.#named.get(`${unit} ${serverName}`);
  }

  /** The local port that a connection in plaintext was meant for. */
  plaintextTarget(unit: string, address: string, port: number): LocalTarget | undefined {
    const targets = [...(this.#byPort.get(`${unit} ${port}`) ?? [])];
    return targets.length === 1 ? targets[0] : targets.find((target) => target.address === address);
  }

  onPort(unit: string, port: number): readonly NamedTarget[] {
    const targets = [...(this.#byPort.get(`${unit} ${port}`) ?? [])];
    return targets.map((target) => ({ workload: this.#owners.get(target)!, target }));
  }

  /** The port of this node that the mesh knows by this address. */
  published(address: string, port: number): NamedTarget | undefined {
    return this.#byAddress.get(`${address} ${port}`)?.local;
  }

  workloadsOf(unit: string): readonly Workload[] {
    return [...this.#workloads.values()].filter(({ data }) => data.unit === unit);
  }

  cluster(service: string, port: number): Cluster | undefined {
    return this.#clusters.get(`${service} ${port}`);
  }

  /** Calls of a workload of this node to a port of a service; to be refreshed before each use. */
  calls(workload: Workload, cluster: Cluster): Calls {
    const known = this.#calls.get(workload) ?? new Map<Cluster, Calls>();
    this.#calls.set(workload, known);
    let calls = known.get(cluster);
    if (calls === undefined) {
      calls = new Calls(workload, cluster, this.#callsContext);
      known.set(cluster, calls);
    }
    calls.refresh();
    return calls;
  }

  /** How long connecting to an endpoint may take; undefined where no policy says. */
  connectTimeoutMs(workload: Workload, { data }: UpstreamEndpoint): number | undefined {
    const cluster = this.cluster(`${data.namespace}/${data.service}`, data.servicePort);
    return cluster === undefined ? undefined : this.calls(workload, cluster).connectTimeoutMs;
  }

  /** The same calls, as they are now: a service may have left and come back. */
  refreshed(calls: Calls): Calls {
    const { cluster, workload } = calls;
    if (this.#calls.get(workload)?.get(cluster) === calls) {
      calls.refresh();
      return calls;
    }
    return this.calls(workload, this.cluster(cluster.service, cluster.port) ?? cluster);
  }

  /** Whether an address is a virtual one: then it leads nowhere but through the mesh. */
  isVip(address: string): boolean {
    return this.#vips.has(address);
  }

  resolve(address: string, port: number): Destination | undefined {
    const service = this.#vips.get(address);
    if (service !== undefined) {
      const cluster = this.cluster(service, port);
      return cluster === undefined ? undefined : { kind: 'cluster', cluster };
    }
    const endpoint = this.#byAddress.get(`${address} ${port}`);
    if (endpoint === undefined) return undefined;
    const { namespace, service: name, servicePort } = endpoint.data;
    return { kind: 'endpoint', endpoint, cluster: this.#ensureCluster(`${namespace}/${name}`, servicePort) };
  }

  /** Virtual addresses of `<service>.<namespace>.weft`, for DNS. */
  lookup(name: string): readonly string[] | undefined {
    const match = /^([^.]+)\.([^.]+)\.weft\.?$/.exec(name.toLowerCase());
    return match === null ? undefined : this.#services.get(`${match[2]}/${match[1]}`)?.vips;
  }

  /** Applies an update. Parts that cannot be used are refused and logged; the rest takes effect. */
  apply(update: SnapshotUpdate): void {
    if (update.trust !== undefined) this.#applyTrust(update.trust);
    if (update.revocations !== undefined) this.revocations = new Revocations(update.revocations);
    if (update.access !== undefined) this.#applyAccess(update.access);
    if (update.traffic !== undefined) this.#applyTraffic(update.traffic);
    if (update.workloads !== undefined) this.#applyWorkloads(update.workloads);
    if (update.services !== undefined) this.#applyServices(update.services);
    if (update.endpoints !== undefined) this.#applyEndpoints(update.endpoints);
    this.version = update.version;
    this.#stats.count('updatesApplied');
  }

  /** Closes all pools. */
  close(): void {
    for (const endpoint of this.#endpoints.values()) endpoint.retire();
    for (const workload of this.#calls.keys()) this.#forgetCalls(workload);
    for (const { target } of this.#named.values()) target.retire();
  }

  #applyTrust({ trustDomain, rootsPem, foreignIssuers: specs = [] }: TrustData): void {
    try {
      const foreignIssuers = parseForeignIssuers(specs);
      this.trust = { ...parseTrustBundle(trustDomain, rootsPem.join('\n'), 'snapshot'), foreignIssuers };
    } catch (err) {
      this.#stats.count('updatesRefused');
      this.#log.error({ err, trustDomain }, 'trust bundle refused, the former one stays');
    }
  }

  #applyAccess(rules: AccessRules): void {
    try {
      this.access.apply(rules, Date.now());
    } catch (err) {
      this.#stats.count('updatesRefused');
      this.#log.error({ err }, 'access rules refused, the former ones stay');
    }
  }

  #applyTraffic(rules: TrafficRules): void {
    try {
      this.traffic.apply(rules);
    } catch (err) {
      this.#stats.count('updatesRefused');
      this.#log.error({ err }, 'rules about traffic refused, the former ones stay');
    }
  }

  #applyWorkloads(delta: Delta<LocalWorkload>): void {
    for (const data of delta.upsert) {
      const known = this.#workloads.get(data.id);
      try {
        const isSameSvid =
          known?.data.svid.certificateChainPem === data.svid.certificateChainPem &&
          known.data.svid.privateKeyPem === data.svid.privateKeyPem;
        const context = isSameSvid ? known.secureContext : secureContext(data.svid);
        this.#putWorkload(known, data, context);
      } catch (cause) {
        this.#stats.count('updatesRefused');
        const err = new ProxyError('WEFT_PROXY_BAD_SVID', data.identity, { cause });
        this.#log.error({ err, workload: data.id }, 'workload update refused');
      }
    }
    for (const id of delta.remove) {
      const gone = this.#workloads.get(id);
      if (gone === undefined) continue;
      this.#workloads.delete(id);
      this.#forgetCalls(gone);
      for (const [endpointId, target] of gone.targets) this.#removeTarget(gone, endpointId, target);
    }
  }

  #putWorkload(known: Workload | undefined, data: LocalWorkload, context: tls.SecureContext): void {
    const workload = known ?? new Workload(data, context);
    // Connections that are open keep the context they were made with; new ones read this field.
    workload.data = data;
    workload.secureContext = context;
    this.#workloads.set(data.id, workload);
    for (const [id, target] of workload.targets) {
      if (!data.ports.some((port) => target.isFor(data, port))) this.#removeTarget(workload, id, target);
    }
    for (const target of workload.targets.values()) {
      target.relabel(data);
      this.access.add(target);
    }
    for (const port of data.ports) {
      if (!workload.targets.has(port.endpointId))
        this.#addTarget(workload, port.endpointId, new LocalTarget(data, port));
      this.#link(port.endpointId);
    }
  }

  #addTarget(workload: Workload, id: string, target: LocalTarget): void {
    workload.targets.set(id, target);
    const named = { workload, target };
    this.#named.set(nameOf(target), named);
    this.#owners.set(target, workload);
    this.#locals.set(id, named);
    const key = `${target.unit} ${target.port}`;
    this.#byPort.set(key, new Set([...(this.#byPort.get(key) ?? []), target]));
    this.access.add(target);
  }

  #removeTarget(workload: Workload, id: string, target: LocalTarget): void {
    workload.targets.delete(id);
    const key = `${target.unit} ${target.port}`;
    const others = this.#byPort.get(key);
    if (others?.delete(target) && others.size === 0) this.#byPort.delete(key);
    this.access.delete(target);
    if (this.#named.get(nameOf(target))?.target === target) this.#named.delete(nameOf(target));
    if (this.#locals.get(id)?.target === target) this.#locals.delete(id);
    this.#link(id);
    target.retire();
  }

  /** Calls to an endpoint of this node need not leave it, where it is what the workload here says it is. */
  #link(id: string): void {
    const endpoint = this.#endpoints.get(id);
    if (endpoint === undefined) return;
    const named = this.#locals.get(id);
    endpoint.local = named !== undefined && isAt(named, endpoint.data) ? named : undefined;
  }

  #applyServices(delta: Delta<Service>): void {
    for (const id of [...delta.remove, ...delta.upsert.map((service) => service.id)]) {
      for (const vip of this.#services.get(id)?.vips ?? []) {
        if (this.#vips.get(vip) === id) this.#vips.delete(vip);
      }
    }
    for (const id of delta.remove) {
      const gone = this.#services.get(id);
      this.#services.delete(id);
      this.#memberships.forget(id);
      for (const { port } of gone?.ports ?? []) this.#gather(id, port);
    }
    for (const service of delta.upsert) {
      const before = this.#services.get(service.id);
      this.#services.set(service.id, service);
      this.#memberships.know(service);
      for (const vip of service.vips) this.#vips.set(vip, service.id);
      for (const { port } of service.ports) {
        const cluster = this.#ensureCluster(service.id, port);
        this.#tellProtocol(cluster);
        cluster.balance(service.balancer ?? DEFAULT_BALANCER);
      }
      if (service.selector === undefined && before?.selector === undefined) continue;
      for (const { port } of [...service.ports, ...(before?.ports ?? [])]) this.#gather(service.id, port);
    }
  }

  /** Finds the members of a cluster anew, after what its service says of them changed. */
  #gather(service: string, port: number): void {
    const cluster = this.cluster(service, port);
    if (cluster === undefined) return;
    cluster.members.clear();
    for (const endpoint of this.#endpoints.values()) {
      if (this.#memberships.isMember(endpoint.data, service, port)) cluster.members.set(endpoint.data.id, endpoint);
    }
    this.#tellProtocol(cluster);
    cluster.refresh();
    this.#dropIfUnused(cluster);
  }

  #applyEndpoints(delta: Delta<Endpoint>): void {
    const touched = new Set<Cluster>();
    for (const id of delta.remove) this.#removeEndpoint(id, touched);
    for (const data of delta.upsert) {
      const known = this.#endpoints.get(data.id);
      if (known?.isSamePlace(data)) {
        this.access.callerLabels.replace(known.data, data);
        this.#leaveClusters(known, touched);
        if (known.data.state !== 'ready' && data.state === 'ready')
          known.health.renew(this.#callsContext.shared.nowMs());
        known.data = data;
        this.#link(data.id);
        this.#joinClusters(known, touched);
      } else {
        this.#removeEndpoint(data.id, touched);
        this.#addEndpoint(data, touched);
      }
    }
    for (const cluster of touched) {
      this.#tellProtocol(cluster);
      cluster.refresh();
      this.#dropIfUnused(cluster);
    }
  }

  /** What the service says of the port; where that leaves it open, what all of its endpoints say. */
  #tellProtocol(cluster: Cluster): void {
    const declared = this.#services.get(cluster.service)?.ports.find(({ port }) => port === cluster.port)?.protocol;
    const spoken = new Set([...cluster.members.values()].map(({ data }) => data.protocol));
    const [first = 'auto'] = spoken;
    cluster.protocol = declared !== undefined && declared !== 'auto' ? declared : spoken.size > 1 ? 'auto' : first;
  }

  #addEndpoint(data: Endpoint, touched: Set<Cluster>): void {
    const endpoint = new UpstreamEndpoint(data, this.#callsContext.shared);
    this.#endpoints.set(data.id, endpoint);
    this.#link(data.id);
    this.access.callerLabels.replace(undefined, data);
    this.#byAddress.set(`${data.address} ${data.port}`, endpoint);
    this.#joinClusters(endpoint, touched);
  }

  #joinClusters(endpoint: UpstreamEndpoint, touched: Set<Cluster>): void {
    for (const { service, port } of this.#memberships.of(endpoint.data)) {
      const cluster = this.#ensureCluster(service, port);
      // Where there was nobody, nobody has to be spared.
      endpoint.health.firstSeen(this.#callsContext.shared.nowMs(), cluster.members.size > 0);
      cluster.members.set(endpoint.data.id, endpoint);
      touched.add(cluster);
    }
  }

  #leaveClusters({ data }: UpstreamEndpoint, touched: Set<Cluster>): void {
    for (const { service, port } of this.#memberships.of(data)) {
      const cluster = this.cluster(service, port);
      if (cluster?.members.delete(data.id)) touched.add(cluster);
    }
  }

  #removeEndpoint(id: string, touched: Set<Cluster>): void {
    const gone = this.#endpoints.get(id);
    if (gone === undefined) return;
    this.#endpoints.delete(id);
    this.access.callerLabels.replace(gone.data, undefined);
    const { address, port } = gone.data;
    if (this.#byAddress.get(`${address} ${port}`) === gone) this.#byAddress.delete(`${address} ${port}`);
    this.#leaveClusters(gone, touched);
    gone.retire();
  }

  #ensureCluster(service: string, port: number): Cluster {
    const key = `${service} ${port}`;
    let cluster = this.#clusters.get(key);
    if (cluster === undefined) {
      cluster = new Cluster(service, port, 'auto');
      this.#clusters.set(key, cluster);
    }
    return cluster;
  }

  /** Whether the service itself, and not just its endpoints, says what is spoken on this port. */
  #declares(cluster: Cluster): boolean {
    return this.#services.get(cluster.service)?.ports.some(({ port }) => port === cluster.port) ?? false;
  }

  #dropIfUnused(cluster: Cluster | undefined): void {
    if (cluster === undefined || cluster.members.size > 0 || this.#declares(cluster)) return;
    this.#clusters.delete(`${cluster.service} ${cluster.port}`);
    for (const calls of this.#calls.values()) {
      calls.get(cluster)?.close();
      calls.delete(cluster);
    }
  }

  /** Lets go of what was known about calls; those that are open keep theirs. */
  #forgetCalls(workload: Workload): void {
    for (const calls of this.#calls.get(workload)?.values() ?? []) calls.close();
    this.#calls.delete(workload);
  }
}

function isAt({ workload, target }: NamedTarget, endpoint: Endpoint): boolean {
  return (
    workload.data.identity === endpoint.identity &&
    target.serverName === endpointServerName(endpoint.port, endpoint.service, endpoint.namespace) &&
    target.address === endpoint.address
  );
}

function nameOf({ unit, serverName }: LocalTarget): string {
  return `${unit} ${serverName}`;
}
