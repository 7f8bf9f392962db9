/** A port of a workload of this node: where requests end that arrive through the tunnel. @module */

import { performance } from 'node:perf_hooks';
import type { AccessTargetPort } from '../access/board.ts';
import type { AccessDestination, DestinationAccess } from '../access/destination.ts';
import type { Answerer, Balanced } from '../balancer/balanced.ts';
import { endpointServerName, type LocalPort, type LocalWorkload, type Protocol } from '../snapshot.ts';
import { addressOf } from '../telemetry/parties.ts';
import { Gates } from '../traffic/gates.ts';
import type { IdleLimit } from './idle-limit.ts';
import type { Http1Pool } from './pool.ts';
import type { SessionPool } from './session-pool.ts';

/** Who hears of applications that stop. */
export interface AppWatch {
  /** Told of a port of a workload of this node that may take no more connections. */
  readonly unreachable: (workload: string, port: number) => void;
}

/** Each port is told of at most this often by each worker; what happens in between is left out. */
const TELL_AGAIN_MS = 100;

export class LocalTarget implements Balanced, AccessTargetPort {
  /** Id of the workload whose port it is. */
  readonly workload: string;
  readonly unit: string;
  /** 'namespace/service'. */
  readonly service: string;
  readonly serverName: string;
  /** What callers call it, for a request that does not say. */
  readonly authority: string;
  readonly address: string;
  readonly port: number;
  /** What callers dial, by which policies and limits name it. */
  readonly servicePort: number;
  readonly protocol: Protocol;
  readonly proxyProtocol: LocalPort['proxyProtocol'];
  readonly weight = 1;
  outstanding = 0;
  destination: AccessDestination;
  version: string;
  access: DestinationAccess | undefined = undefined;
  isPermissive = false;
  /** How many requests at a time, and how often. */
  readonly gates = new Gates();
  /** By caller, and by its address where the application sees it: connections are never shared between identities. */
  readonly pools = new Map<string, Http1Pool>();
  /** The same, where the application speaks HTTP/2. */
  readonly sessions = new Map<string, SessionPool>();
  /** How long it keeps a connection that nobody uses; known once it has been called. */
  idle: IdleLimit | undefined = undefined;
  isRetired = false;
  /** When somebody was last told that nobody may listen there; on the clock of `performance.now()`. */
  toldUnreachableAtMs = Number.NEGATIVE_INFINITY;

  constructor(workload: LocalWorkload, port: LocalPort) {
    this.workload = workload.id;
    this.unit = workload.unit;
    this.service = `${workload.namespace}/${workload.service}`;
    this.serverName = endpointServerName(port.port, workload.service, workload.namespace);
    this.authority = `${workload.service}.${workload.namespace}.weft:${port.port}`;
    this.address = port.address;
    this.port = port.port;
    this.servicePort = port.servicePort;
    this.protocol = port.protocol;
    this.proxyProtocol = port.proxyProtocol;
    this.destination = destinationOf(workload, port.port);
    this.version = workload.version ?? '';
  }

  get answerer(): Answerer {
    return { endpoint: addressOf(this.address, this.port), version: this.version };
  }

  /** What may change about a workload while its ports stay what they are. */
  relabel(workload: LocalWorkload): void {
    this.destination = destinationOf(workload, this.port);
    this.version = workload.version ?? '';
  }

  /** Whether this target is what a workload published anew says about a port. */
  isFor(workload: LocalWorkload, port: LocalPort): boolean {
    return (
      this.unit === workload.unit &&
      this.serverName === endpointServerName(port.port, workload.service, workload.namespace) &&
      this.address === port.address &&
      this.servicePort === port.servicePort &&
      this.protocol === port.protocol &&
      this.proxyProtocol === port.proxyProtocol
    );
  }

  /** Takes no more requests: idle connections are closed, the others when they are done. */
  retire(): void {
    this.isRetired = true;
    this.gates.close();
    for (const pool of [...this.pools.values(), ...this.sessions.values()]) pool.close();
    this.pools.clear();
    this.sessions.clear();
  }
}

/** Says that an application may take no more connections, for somebody to find out. */
export function tellUnreachable(target: LocalTarget, { unreachable }: AppWatch): void {
  const nowMs = performance.now();
  if (target.isRetired || nowMs - target.toldUnreachableAtMs < TELL_AGAIN_MS) return;
  target.toldUnreachableAtMs = nowMs;
  unreachable(target.workload, target.port);
}

function destinationOf({ namespace, service, labels }: LocalWorkload, port: number): AccessDestination {
  return { namespace, service, labels, port };
}
