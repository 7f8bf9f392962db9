/** Endpoints as the data plane uses them: with their load, their pools, and grouped behind the port that callers dial. @module */

import type { Answerer, Candidate } from '../balancer/balanced.ts';
import { type BalancerName, DEFAULT_BALANCER } from '../balancer/balancer.ts';
import { PeakEwma } from '../balancer/peak-ewma.ts';
import { EndpointHealth } from '../resilience/endpoint-health.ts';
import type { SharedTable } from '../resilience/shared-table.ts';
import { type Endpoint, HBONE, type Protocol, TUNNEL_LABEL } from '../snapshot.ts';
import { addressOf } from '../telemetry/parties.ts';
import type { NamedTarget } from '../workload.ts';
import type { Dialer } from './dial.ts';
import type { Http1Pool } from './pool.ts';
import type { SessionPool } from './session-pool.ts';
import type { WarmConnections } from './warm-connections.ts';

/** Streams of bytes. */
interface Ways extends Dialer {
  close(): void;
}

/** Lives as long as the endpoint is published under the same address and identity; connections to it may outlive it. */
export class UpstreamEndpoint implements Candidate {
  data: Endpoint;
  outstanding = 0;
  readonly latency = new PeakEwma();
  /** As all workers of the node see it. */
  readonly health: EndpointHealth;
  /** The port it is, where its workload is one of this node. */
  local: NamedTarget | undefined = undefined;
  /** By id of the local workload that calls: connections are never shared between identities. */
  readonly tunnels = new Map<string, SessionPool>();
  /** Connections that serve one request at a time, by the same. */
  readonly pools = new Map<string, Http1Pool>();
  /** Those whose streams are bytes, to its agent or into another mesh, by the same. */
  readonly ways = new Map<string, Ways>();
  /** Connections of their own for opaque bytes, by the same. */
  readonly warm = new Map<string, WarmConnections>();

  constructor(data: Endpoint, shared: SharedTable) {
    this.data = data;
    this.health = new EndpointHealth(shared, data.id);
  }

  get name(): string {
    return this.data.id;
  }

  /** Whether its side of the tunnel is HBONE: an ambient mesh, or an agent that is called like one. */
  get speaksHbone(): boolean {
    return this.data.labels[TUNNEL_LABEL] === HBONE;
  }

  get isForeign(): boolean {
    return this.speaksHbone;
  }

  get version(): string {
    return this.data.version;
  }

  get weight(): number {
    return this.data.weight;
  }

  get answerer(): Answerer {
    const { address, port, version } = this.data;
    return { endpoint: addressOf(address, port), version };
  }

  /** Whether what was published anew leads to the same place, so that load and connections stay. */
  isSamePlace(other: Endpoint): boolean {
    const { address, port, tunnelPort, identity, namespace, service, servicePort } = this.data;
    return (
      address === other.address &&
      port === other.port &&
      tunnelPort === other.tunnelPort &&
      identity === other.identity &&
      namespace === other.namespace &&
      service === other.service &&
      servicePort === other.servicePort
    );
  }

  /** Takes no more traffic: idle connections are closed, the others when they are done. */
  retire(): void {
    const pools = [...this.tunnels.values(), ...this.pools.values(), ...this.ways.values(), ...this.warm.values()];
    for (const pool of pools) pool.close();
    this.tunnels.clear();
    this.pools.clear();
    this.ways.clear();
    this.warm.clear();
    this.health.close();
  }
}

/** One port of a service and the endpoints behind it. */
export class Cluster {
  /** 'namespace/service'. */
  readonly service: string;
  readonly port: number;
  protocol: Protocol;
  /** All endpoints, by id. */
  readonly members = new Map<string, UpstreamEndpoint>();
  /** How its endpoints are picked, where no policy says. */
  balancing: BalancerName = DEFAULT_BALANCER;
  /** Raised by every change of its endpoints, so that who prepared picking knows when to do so again. */
  version = 0;
  /** Of all its endpoints. */
  healths: readonly EndpointHealth[] = [];
  /** Learned: here the server speaks first, so waiting for the client to speak is time lost. */
  isServerFirst = false;

  constructor(service: string, port: number, protocol: Protocol) {
    this.service = service;
    this.port = port;
    this.protocol = protocol;
  }

  /** To be called after members, or anything about them, changed. */
  refresh(): void {
    this.version++;
    this.healths = [...this.members.values()].map(({ health }) => health);
  }

  /** Picks in this way from now on. */
  balance(by: BalancerName): void {
    if (by === this.balancing) return;
    this.balancing = by;
    this.version++;
  }
}
