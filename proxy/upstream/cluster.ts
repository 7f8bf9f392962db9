/** Endpoints as the data plane uses them: with their load, their pools, and grouped behind the port that callers dial. @module */

import type { Balancer, Candidate } from '../balancer/balanced.ts';
import { type BalancerName, createBalancer, DEFAULT_BALANCER } from '../balancer/balancer.ts';
import { PeakEwma } from '../balancer/peak-ewma.ts';
import { type Endpoint, HBONE, type Protocol, TUNNEL_LABEL } from '../snapshot.ts';
import type { NamedTarget } from '../workload.ts';
import type { HbonePool } from './hbone-pool.ts';
import type { Http1Pool } from './pool.ts';
import type { SessionPool } from './session-pool.ts';

/** Lives as long as the endpoint is published under the same address and identity; connections to it may outlive it. */
export class UpstreamEndpoint implements Candidate {
  data: Endpoint;
  outstanding = 0;
  readonly latency = new PeakEwma();
  /** The port it is, where its workload is one of this node. */
  local: NamedTarget | undefined = undefined;
  /** By id of the local workload that calls: connections are never shared between identities. */
  readonly tunnels = new Map<string, SessionPool>();
  /** Connections that serve one request at a time, by the same. */
  readonly pools = new Map<string, Http1Pool>();
  /** Ways into another mesh, by the same. */
  readonly ways = new Map<string, HbonePool>();

  constructor(data: Endpoint) {
    this.data = data;
  }

  get name(): string {
    return this.data.id;
  }

  /** Whether its side of the tunnel is HBONE: an ambient mesh, or an agent that is called like one. */
  get speaksHbone(): boolean {
    return this.data.labels[TUNNEL_LABEL] === HBONE;
  }

  get weight(): number {
    return this.data.weight;
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
    for (const pool of [...this.tunnels.values(), ...this.pools.values(), ...this.ways.values()]) pool.close();
    this.tunnels.clear();
    this.pools.clear();
    this.ways.clear();
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
  /** Picks among those that are ready. Replaced as a whole when they change. */
  balancer: Balancer<UpstreamEndpoint> = createBalancer<UpstreamEndpoint>(DEFAULT_BALANCER, []);
  #balancing: BalancerName = DEFAULT_BALANCER;
  /** Learned: here the server speaks first, so waiting for the client to speak is time lost. */
  isServerFirst = false;

  constructor(service: string, port: number, protocol: Protocol) {
    this.service = service;
    this.port = port;
    this.protocol = protocol;
  }

  /** Prepares picking anew, after members changed. */
  refresh(): void {
    const ready = [...this.members.values()].filter(({ data }) => data.state === 'ready');
    this.balancer = createBalancer(this.#balancing, ready);
  }

  /** Picks in this way from now on. */
  balance(by: BalancerName): void {
    if (by === this.#balancing) return;
    this.#balancing = by;
    this.refresh();
  }
}
