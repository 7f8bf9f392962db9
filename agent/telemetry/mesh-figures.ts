/** Where the figures about the mesh come from. @module */
import type { MeshMetricsSources } from '../admin/mesh-metrics.ts';
import type { Running } from '../running.ts';

export function meshFigures(running: Running): MeshMetricsSources {
  return {
    delay: running.documentDelay,
    stateAgeMs: () => running.remembered.ageMs,
    workloads: () => running.enrolment.view(),
    certificates: () => ({
      issuedAtMs: running.certificates.view().life.notBeforeMs,
      rootsExpireAtMs: running.node.trust.roots.map(({ validTo }) => Date.parse(validTo)),
    }),
  };
}
