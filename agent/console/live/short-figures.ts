/**
 * Figures of the topology with as many digits as are shown, and one more: they are shorter, and a browser is told of a change
 * that one can see. Pure.
 * @module
 */
import type { Signals } from '../shapes/common.ts';
import type { Topology } from '../shapes/topology.ts';

const DIGITS = 4;

export function withShortFigures(topology: Topology): Topology {
  return { ...topology, nodes: topology.nodes.map(shortened), edges: topology.edges.map(shortened) };
}

function shortened<T extends Signals>(one: T): T {
  const { requestsPerSec, appFailedRatio, meshFailedRatio, deniedRatio, p50Ms, p99Ms, bytesPerSec } = one;
  return {
    ...one,
    requestsPerSec: short(requestsPerSec),
    appFailedRatio: short(appFailedRatio),
    meshFailedRatio: short(meshFailedRatio),
    deniedRatio: short(deniedRatio),
    p50Ms: short(p50Ms),
    p99Ms: short(p99Ms),
    bytesPerSec: short(bytesPerSec),
  };
}

function short(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(DIGITS));
}
