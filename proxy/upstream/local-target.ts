/** A port of a workload of this node: where requests end that arrive through the tunnel. @module */

import type { Balanced } from '../balancer/p2c.ts';
import { endpointServerName, type LocalPort, type LocalWorkload, type Protocol } from '../snapshot.ts';
import type { Http1Pool } from './pool.ts';

export class LocalTarget implements Balanced {
  readonly unit: string;
  /** 'namespace/service'. */
  readonly service: string;
  readonly serverName: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: Protocol;
  readonly weight = 1;
  outstanding = 0;
  /** By SPIFFE id of the caller: connections are never shared between identities. */
  readonly pools = new Map<string, Http1Pool>();
  isRetired = false;

  constructor(workload: LocalWorkload, port: LocalPort) {
    this.unit = workload.unit;
    this.service = `${workload.namespace}/${workload.service}`;
    this.serverName = endpointServerName(port.port, workload.service, workload.namespace);
    this.address = port.address;
    this.port = port.port;
    this.protocol = port.protocol;
  }

  /** Whether this target is what a workload published anew says about a port. */
  isFor(workload: LocalWorkload, port: LocalPort): boolean {
    return (
      this.unit === workload.unit &&
      this.serverName === endpointServerName(port.port, workload.service, workload.namespace) &&
      this.address === port.address &&
      this.protocol === port.protocol
    );
  }

  /** Takes no more requests: idle connections are closed, the others when they are done. */
  retire(): void {
    this.isRetired = true;
    for (const pool of this.pools.values()) pool.close();
    this.pools.clear();
  }
}
