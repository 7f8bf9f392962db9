/** The way of requests of one connection to a service, or to one of its endpoints. Without rules about them it is their plan. @module */

import type { Balanced, Chooser } from '../balancer/balanced.ts';
import { DirectPlan } from '../http/direct-plan.ts';
import type { CallPolicy, Plan } from '../http/plan.ts';
import type { Route } from '../http/route.ts';
import type { StreamPool } from '../http/streams.ts';
import type { Head } from '../http1/grammar/head.ts';
import type { ReasonCode } from '../reasons.ts';
import type { Outcome } from '../resilience/outcome.ts';
import type { RequestRows } from '../telemetry/request-rows.ts';
import type { Calls } from '../traffic/calls.ts';
import { type Planner, plannerOf } from '../traffic/planner.ts';
import type { Cluster, UpstreamEndpoint } from './cluster.ts';
import type { RouteContext } from './context.ts';
import { authorityOf, type Caller, poolOf } from './routes.ts';

/** What both ways have in common: settings and counts of the calls of this workload to this port. */
abstract class CallRoute extends DirectPlan implements Route {
  readonly row: number;
  readonly requests: RequestRows;
  readonly authority: string;
  readonly isLocal = false;
  readonly guard = undefined;
  readonly admission = undefined;
  readonly lines = '';
  readonly original = undefined;
  protected readonly caller: Caller;
  protected readonly context: RouteContext;
  protected calls: Calls;

  constructor(cluster: Cluster, caller: Caller, requests: RequestRows, context: RouteContext) {
    super();
    this.row = requests.connections;
    this.requests = requests;
    this.authority = authorityOf(cluster.service, cluster.port);
    this.caller = caller;
    this.context = context;
    this.calls = context.world.calls(caller.workload, cluster);
  }

  override get policy(): CallPolicy {
    return this.calls.policy;
  }

  abstract plan(head: Head): Plan;

  override observe(endpoint: Balanced, outcome: Outcome, startedAtMs: number, nowMs: number): void {
    this.calls.observe(endpoint as UpstreamEndpoint, outcome, startedAtMs, nowMs); // pick gave it out
  }
}

export class ServiceRoute extends CallRoute {
  readonly #chooser: Chooser;
  /** Made when there is something to plan. */
  #planner: Planner | undefined = undefined;

  constructor(cluster: Cluster, caller: Caller, requests: RequestRows, context: RouteContext) {
    super(cluster, caller, requests, context);
    this.#chooser = { key: caller.workload.hash, random: context.random };
  }

  plan(head: Head): Plan {
    this.calls = this.context.world.refreshed(this.calls);
    if (this.calls.isPlain) return this;
    this.#planner ??= plannerOf(this.caller, { requests: this.requests, authority: this.authority }, this.context);
    return this.#planner.plan(head, this.calls);
  }

  pick(tried: readonly Balanced[], isUpgrade: boolean, nowMs: number): StreamPool | ReasonCode {
    const endpoint = this.calls.pick(undefined, tried, this.#chooser, nowMs);
    if (endpoint === undefined) return 'no-endpoint';
    return poolOf(endpoint, this.caller, this.context, isUpgrade);
  }
}

/** To one endpoint by its own address: routes of its service are not about it, settings are. */
export class EndpointRoute extends CallRoute {
  readonly #endpoint: UpstreamEndpoint;

  constructor(
    endpoint: UpstreamEndpoint,
    cluster: Cluster,
    caller: Caller,
    requests: RequestRows,
    context: RouteContext,
  ) {
    super(cluster, caller, requests, context);
    this.#endpoint = endpoint;
  }

  plan(): Plan {
    this.calls = this.context.world.refreshed(this.calls);
    return this;
  }

  pick(tried: readonly Balanced[], isUpgrade: boolean): StreamPool | ReasonCode {
    if (tried.length > 0) return 'no-endpoint';
    return poolOf(this.#endpoint, this.caller, this.context, isUpgrade);
  }
}
