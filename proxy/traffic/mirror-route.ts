/** Where copies of requests go: which of a rule's mirrors take one, and the route of the copy. @module */

import type { Balanced, Chooser } from '../balancer/balanced.ts';
import { DirectPlan } from '../http/direct-plan.ts';
import type { CallPolicy, MirrorSink, Plan } from '../http/plan.ts';
import type { Route } from '../http/route.ts';
import type { StreamPool } from '../http/streams.ts';
import type { Head } from '../http1/grammar/head.ts';
import type { ReasonCode } from '../reasons.ts';
import type { Outcome } from '../resilience/outcome.ts';
import { applyRequest, type CompiledMirror, type CompiledRule } from '../routing/rule.ts';
import type { RequestRows } from '../telemetry/request-rows.ts';
import type { RequestTrace } from '../telemetry/request-trace.ts';
import type { UpstreamEndpoint } from '../upstream/cluster.ts';
import type { RouteContext } from '../upstream/context.ts';
import { authorityOf, type Caller, poolOf } from '../upstream/routes.ts';
import { outboundParties } from '../workload.ts';
import type { Calls } from './calls.ts';
import { mirror } from './mirror.ts';

/** How an application can tell a copy. */
const MARK = 'x-weft-mirror: true\r\n';

export interface MirrorOptions {
  readonly rule: CompiledRule;
  readonly caller: Caller;
  /** Of the request that is copied. */
  readonly original: RequestTrace;
  readonly context: RouteContext;
}

/** @returns undefined where this request is not copied */
export function mirrorsOf(head: Head, options: MirrorOptions): readonly MirrorSink[] | undefined {
  const { rule, caller, context } = options;
  let sinks: MirrorSink[] | undefined;
  for (const one of rule.mirrors) {
    if (context.random() * 100 >= one.mirror.percent) continue;
    const { service, port } = one.backend.backend;
    const cluster = context.world.cluster(service, port);
    if (cluster === undefined) continue;
    const calls = context.world.calls(caller.workload, cluster);
    const sink = mirror(head, new MirrorRoute(one, calls, options), context);
    if (sink === undefined) continue;
    sinks ??= [];
    sinks.push(sink);
  }
  return sinks;
}

class MirrorRoute extends DirectPlan implements Route {
  readonly requests: RequestRows;
  readonly authority: string;
  readonly isLocal = false;
  readonly guard = undefined;
  readonly admission = undefined;
  readonly lines = MARK;
  readonly original: RequestTrace;
  readonly #rule: CompiledRule;
  readonly #mirror: CompiledMirror;
  readonly #calls: Calls;
  readonly #caller: Caller;
  readonly #context: RouteContext;
  readonly #chooser: Chooser;

  constructor(one: CompiledMirror, calls: Calls, { rule, caller, original, context }: MirrorOptions) {
    super();
    const { service, port } = calls.cluster;
    this.requests = context.stats.requests(outboundParties(caller.workload, service));
    this.authority = authorityOf(service, port);
    this.original = original;
    this.#rule = rule;
    this.#mirror = one;
    this.#calls = calls;
    this.#caller = caller;
    this.#context = context;
    this.#chooser = { key: caller.workload.hash, random: context.random };
  }

  get row(): number {
    return this.requests.connections;
  }

  override get policy(): CallPolicy {
    return this.#calls.copyPolicy;
  }

  plan(): Plan {
    return this;
  }

  pick(tried: readonly Balanced[], _isUpgrade: boolean, nowMs: number): StreamPool | ReasonCode {
    const endpoint = this.#calls.pick(this.#mirror.backend.backend.subset, tried, this.#chooser, nowMs);
    return endpoint === undefined ? 'no-endpoint' : poolOf(endpoint, this.#caller, this.#context, false);
  }

  override observe(endpoint: Balanced, outcome: Outcome, startedAtMs: number, nowMs: number): void {
    this.#calls.observe(endpoint as UpstreamEndpoint, outcome, startedAtMs, nowMs);
  }

  override editRequest(head: Head): string {
    return applyRequest(head, this.#rule, this.#mirror.backend);
  }
}
