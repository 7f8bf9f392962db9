/** The kinds this version of the agent understands. Others are stored, passed on, and reported as pending. @module */
import { accessPolicyKind } from './access-policy.ts';
import { catalogKinds } from './catalog-entities.ts';
import { faultInjectionKind } from './fault-injection.ts';
import { grpcRouteKind } from './grpc-route.ts';
import { httpRouteKind } from './http-route.ts';
import type { DocumentKind } from './kind.ts';
import { meshConfigKind } from './mesh-config.ts';
import { rateLimitKind } from './rate-limit.ts';
import { referenceGrantKind } from './reference-grant.ts';
import { revocationKind } from './revocation.ts';
import { serviceKind } from './service-kind.ts';
import { serviceLevelObjectiveKind } from './service-level-objective.ts';
import { tcpRouteKind, tlsRouteKind } from './stream-routes.ts';
import { trafficPolicyKind } from './traffic-policy.ts';
import { trustBundleKind } from './trust-bundle.ts';

export const KINDS: ReadonlyMap<string, DocumentKind> = new Map(
  [
    accessPolicyKind,
    meshConfigKind,
    revocationKind,
    trustBundleKind,
    httpRouteKind,
    grpcRouteKind,
    tcpRouteKind,
    tlsRouteKind,
    referenceGrantKind,
    serviceKind,
    trafficPolicyKind,
    rateLimitKind,
    faultInjectionKind,
    serviceLevelObjectiveKind,
    ...catalogKinds,
  ].map((kind) => [kind.kind, kind]),
);
