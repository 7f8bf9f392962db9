/** Connections in the name of a local workload to the agent of an endpoint. @module */

import type { Workload } from '../workload.ts';
import type { World } from '../world.ts';
import type { UpstreamEndpoint } from './cluster.ts';
import { dialContext, type RouteContext } from './context.ts';
import { type Dialer, dialMesh, type MeshDestination } from './dial.ts';

/** @param alpn what may be spoken, best first */
export function meshDialer(
  endpoint: UpstreamEndpoint,
  workload: Workload,
  alpn: MeshDestination['alpn'],
  context: RouteContext,
): Dialer {
  const destination = meshDestination(workload, endpoint, alpn, context.world);
  return { dial: (done) => dialMesh(destination, dialContext(context), done) };
}

/** How to reach an endpoint in the name of a local workload. */
function meshDestination(
  workload: Workload,
  endpoint: UpstreamEndpoint,
  alpn: MeshDestination['alpn'],
  world: World,
): MeshDestination {
  return {
    unit: workload.data.unit,
    endpoint: endpoint.data,
    alpn,
    connectTimeoutMs: () => world.connectTimeoutMs(workload, endpoint),
    credentials: () => ({
      secureContext: workload.secureContext,
      trust: world.trust,
      revocations: world.revocations,
    }),
  };
}
