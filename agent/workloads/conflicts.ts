/** Which workloads may run together: of two that claim the same thing, the one written first holds. @module */
import { formatSocketAddress } from '../addresses.ts';
import { CAPTURE_PORTS } from '../capture/constants.ts';
import type { Problem } from '../problem.ts';
import { unitOf, type Workload } from './workload.ts';
import type { SourcedWorkload } from './workload-file.ts';

/** More than one machine runs, and each one is an endpoint that every node of the mesh holds. */
export const MAX_WORKLOADS = 2_000;

export interface Accepted {
  readonly workloads: readonly Workload[];
  readonly problems: readonly Problem[];
}

/**
 * Takes workloads in order, and refuses one whose name, network namespace, host user, port or listener is taken.
 *
 * @param candidates by file name, then by place in the file
 * @param isCapturing without capture the agent listens for mTLS on each workload's own address, not in its namespace
 */
export function withoutConflicts(candidates: readonly SourcedWorkload[], isCapturing: boolean): Accepted {
  const holders = new Map<string, SourcedWorkload>();
  const workloads: Workload[] = [];
  const problems: Problem[] = [];
  for (const candidate of candidates) {
    const claims = claimsOf(candidate.workload, isCapturing);
    const lost = claims.find(({ key }) => holders.has(key));
    const refusal = lost === undefined ? undefined : takenMessage(lost, holders.get(lost.key)!);
    if (refusal === undefined && workloads.length < MAX_WORKLOADS) {
      for (const { key } of claims) holders.set(key, candidate);
      workloads.push(candidate.workload);
    } else {
      const message = refusal ?? `more than ${MAX_WORKLOADS} workloads on one node; move some to another node`;
      const { file, line, column } = candidate;
      problems.push({ file, line, column, field: lost?.field ?? '', message });
    }
  }
  return { workloads, problems };
}

interface Claim {
  readonly key: string;
  readonly field: string;
  readonly what: string;
  readonly fix?: string;
}

function claimsOf(workload: Workload, isCapturing: boolean): Claim[] {
  const { id, runs, address } = workload;
  const claims: Claim[] = [{ key: `name ${id}`, field: 'metadata.name', what: `workload ${id}` }];
  const unit = unitOf(workload);
  if (runs.kind !== 'host') {
    // Whoever speaks from a namespace speaks for its workload: two identities there could not be told apart.
    claims.push({ key: `unit ${unit}`, field: `spec.runs.${runs.kind}`, what: `the network namespace ${unit}` });
  } else {
    if (runs.uid !== undefined) {
      claims.push({ key: `uid ${runs.uid}`, field: 'spec.runs.host.uid', what: `user ${runs.uid} of the host` });
    }
    for (const [index, { port }] of workload.ports.entries()) {
      const at = formatSocketAddress({ address: address ?? '', port });
      claims.push({ key: `port ${at}`, field: `spec.ports[${index}].port`, what: `${at} on the host` });
    }
  }
  if (!isCapturing && address !== undefined && workload.ports.length > 0) {
    // Both would listen there, and the kernel would hand a caller to either.
    const at = formatSocketAddress({ address, port: CAPTURE_PORTS.tunnel });
    claims.push({
      key: `tunnel ${at}`,
      field: 'spec.address',
      what: `without capture, ${at}, where other agents connect to the workload of ${address},`,
      fix: 'give one of them another spec.address, such as the next of 127.0.0.0/8 on one machine',
    });
  }
  for (const [index, { listen }] of workload.upstreams.entries()) {
    const at = formatSocketAddress(listen);
    if (listen.port === 0) continue;
    claims.push({ key: `listen ${unit} ${at}`, field: `spec.upstreams[${index}].listen`, what: `the listener ${at}` });
  }
  return claims;
}

function takenMessage({ what, fix = 'change one of them' }: Claim, holder: SourcedWorkload): string {
  return `${what} is already that of ${holder.workload.id} (${holder.file}:${holder.line}), which keeps it; ${fix}`;
}
