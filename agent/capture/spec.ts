/** What a capture unit is asked to capture, checked before anything is touched. Pure. @module */
import type { CapturePorts } from './constants.ts';
import { CaptureError } from './errors.ts';
import type { CaptureRules } from './rules.ts';

export interface CapturedWorkload {
  readonly id: string;
  /** Whose processes are the workload, where it shares a namespace. undefined: it has the namespace to itself. */
  readonly uid?: number;
  /** Where its applications listen. */
  readonly ports: readonly number[];
  readonly exclude?: {
    readonly outboundPorts?: readonly number[];
    readonly outboundCidrs?: readonly string[];
    readonly inboundPorts?: readonly number[];
  };
}

/** What holds for the unit as a whole. */
export interface UnitSettings {
  readonly unit: string;
  /** namespace: all that arrives is for the workloads. host: only what arrives at their ports. */
  readonly scope: 'namespace' | 'host';
  readonly ports: CapturePorts;
  readonly isDnsCaptured: boolean;
  readonly keepsClientAddress: boolean;
}

/** The ports chosen for one workload. */
export interface WorkloadPorts {
  readonly outbound: number;
  readonly dns: number | undefined;
}

const MAX_UID = 0xffff_fffe;

/**
 * @param agentUid the user the agent runs as, when its own traffic leaves from the same namespace
 * @throws CaptureError naming the workload and what is wrong with it
 */
export function checkWorkloads(
  settings: UnitSettings,
  workloads: readonly CapturedWorkload[],
  agentUid: number | undefined,
): void {
  const { unit, scope, ports } = settings;
  const refuse = (subject: string): never => {
    throw new CaptureError('WEFT_CAPTURE_SPEC', `${unit}: ${subject}`);
  };
  if (scope === 'namespace' && agentUid !== undefined) {
    refuse(
      'this is the network namespace of the agent itself, where only the traffic of given users may be captured; give its workloads a uid',
    );
  }
  const reserved = new Set(Object.values(ports));
  const users = new Map<number | undefined, string>();
  const listeners = new Map<number, string>();
  for (const { id, uid, ports: applicationPorts } of workloads) {
    if (uid === undefined && (scope === 'host' || workloads.length > 1)) {
      refuse(`workload ${id} shares this network namespace with others; give each of them a uid`);
    }
    if (uid !== undefined && !(Number.isInteger(uid) && uid >= 0 && uid <= MAX_UID)) {
      refuse(`workload ${id} has uid ${uid}; use a whole number from 0 to ${MAX_UID}`);
    }
    if (uid !== undefined && uid === agentUid) {
      refuse(`workload ${id} runs as uid ${uid}, like the agent; run one of them as another user`);
    }
    const sameUser = users.get(uid);
    if (sameUser !== undefined)
      refuse(`workloads ${sameUser} and ${id} have one uid, ${uid}; run them as different users`);
    users.set(uid, id);
    for (const port of applicationPorts) {
      if (reserved.has(port)) refuse(`workload ${id} listens on port ${port}, which capture needs; move it`);
      const other = listeners.get(port);
      if (other !== undefined)
        refuse(`workloads ${other} and ${id} both list port ${port} in one network namespace; correct one`);
      listeners.set(port, id);
    }
  }
}

/** The rules for checked workloads once each has its ports. */
export function unitRules(
  settings: UnitSettings,
  workloads: readonly CapturedWorkload[],
  portsOf: (workload: string) => WorkloadPorts,
): CaptureRules {
  const { scope, ports, keepsClientAddress } = settings;
  const excludePorts = workloads.flatMap(({ exclude }) => exclude?.inboundPorts ?? []);
  const inboundPorts = workloads.flatMap((workload) => workload.ports).filter((port) => !excludePorts.includes(port));
  return {
    outbound: workloads.map(({ id, uid, exclude }) => {
      const { outbound, dns } = portsOf(id);
      return {
        workload: id,
        port: outbound,
        ...(uid === undefined ? {} : { uid }),
        ...(dns === undefined ? {} : { dnsPort: dns }),
        exclude: { ports: exclude?.outboundPorts ?? [], cidrs: exclude?.outboundCidrs ?? [] },
      };
    }),
    inbound:
      scope === 'namespace'
        ? { kind: 'all', port: ports.inbound, tunnelPort: ports.tunnel, excludePorts }
        : { kind: 'ports', port: ports.inbound, ports: inboundPorts },
    keepsClientAddress,
  };
}
