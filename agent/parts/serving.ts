/** The part of an agent that carries traffic: workers, workloads with their SVIDs, and whether they can be called. @module */
import type { Logger } from 'pino';
import type { ForeignIssuerSpec } from '../../certs/foreign-issuer.ts';
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import type { Endpoint } from '../../gossip/records/endpoint.ts';
import { plainSockets } from '../../proxy/sockets.ts';
import { Captures } from '../captures.ts';
import type { AgentConfig } from '../config.ts';
import { capturedUnits } from '../enrolment/captured-unit.ts';
import { Enrolment } from '../enrolment/enrolment.ts';
import { explicitUnits } from '../enrolment/explicit-unit.ts';
import { SvidKeeper } from '../svids.ts';
import { DataPlane } from '../threads/data-plane.ts';
import { HealthChecker } from '../workloads/health.ts';
import { RefusedPorts } from '../workloads/refused-ports.ts';

export interface ServingOptions {
  readonly config: AgentConfig;
  readonly node: NodeIdentity;
  readonly foreignIssuers: readonly ForeignIssuerSpec[];
  /** While a predecessor still has the rules and listens beside us. */
  readonly isTakingOver: boolean;
  /** Takes all endpoints of this node's workloads, each time one changed. */
  readonly publish: (endpoints: readonly Endpoint[]) => void;
  /** A workload has another SVID. */
  readonly renewed: () => void;
  readonly log: Logger;
}

export interface Serving {
  readonly captures: Captures | undefined;
  readonly plane: DataPlane;
  readonly svids: SvidKeeper;
  readonly enrolment: Enrolment;
}

/** @param owner closes what was started, also where a later part of it fails to start */
export async function startServing(owner: AsyncDisposableStack, options: ServingOptions): Promise<Serving> {
  const { config, node, foreignIssuers, isTakingOver, publish, renewed, log } = options;
  const captures = config.capture.mode === 'namespace' ? owner.use(Captures.load(config.dataDirectory)) : undefined;
  if (captures !== undefined) captures.isTakingOver = isTakingOver;
  const isCapturing = captures !== undefined;

  // Each is started before what uses it, and so closed after it. What calls back to a later one goes through these.
  let enrolment: Enrolment | undefined;
  let refused: RefusedPorts | undefined;

  const plane = owner.use(
    await DataPlane.start({
      config: config.proxy,
      workers: config.workers,
      logLevel: config.log.level,
      isCapturing,
      maxSeries: config.telemetry.maxSeries,
      log,
      reopen: (worker) => enrolment?.reopen(worker) ?? [],
      unreachable: (workload, port) => refused?.suspect(workload, port),
    }),
  );
  plane.apply({ trust: trustOf(node, foreignIssuers) });
  const svids = owner.use(
    new SvidKeeper({
      node,
      ttlMs: config.certs.svidTtlMs,
      log,
      random: Math.random,
      renewed: (svid) => {
        enrolment?.renewed(svid);
        renewed();
      },
    }),
  );
  const sockets = captures?.sockets ?? plainSockets();
  const probing = {
    open: (unit: string, family: 4 | 6) => sockets.open(unit, family),
    random: Math.random,
    log,
  };
  const health = owner.use(new HealthChecker({ ...probing, changed: () => enrolment?.healthChanged() }));
  refused = owner.use(
    new RefusedPorts({
      ...probing,
      changed: (workload, isRefused) => {
        if (isRefused) health.doubt(workload);
        enrolment?.healthChanged();
      },
    }),
  );
  enrolment = owner.use(
    new Enrolment({
      node: node.name,
      zone: config.zone,
      trustDomain: node.trustDomain,
      isCapturing,
      openUnit: captures === undefined ? explicitUnits(plane) : capturedUnits(captures, plane),
      svids,
      plane,
      health,
      refused,
      log,
      publish,
    }),
  );
  return { captures, plane, svids, enrolment };
}

/** Whom the workers believe. */
export function trustOf({ trustDomain, trust }: NodeIdentity, foreignIssuers: readonly ForeignIssuerSpec[]) {
  return { trustDomain, rootsPem: trust.roots.map((root) => root.toString()), foreignIssuers };
}
