/**
 * The plan of one request under a rule, or under settings that depend on the request: which endpoints of which backend, what is
 * edited, what is copied, and where it goes when the backend has nobody left.
 * @module
 */

import type { Balanced, Chooser } from '../balancer/balanced.ts';
import type { Answer } from '../http/answer.ts';
import type { AppliedFault, CallPolicy, MirrorSink, Plan } from '../http/plan.ts';
import type { StreamPool } from '../http/streams.ts';
import type { Head } from '../http1/grammar/head.ts';
import type { ReasonCode } from '../reasons.ts';
import type { Outcome } from '../resilience/outcome.ts';
import { type Session, signSession, tokenLine } from '../routing/cookie.ts';
import { applyRequest, type CompiledBackend, type CompiledRule, responseLines } from '../routing/rule.ts';
import type { Decided } from '../telemetry/parties.ts';
import type { RequestRows } from '../telemetry/request-rows.ts';
import type { RequestTrace } from '../telemetry/request-trace.ts';
import type { UpstreamEndpoint } from '../upstream/cluster.ts';
import type { RouteContext } from '../upstream/context.ts';
import { type Caller, poolOf } from '../upstream/routes.ts';
import type { Calls } from './calls.ts';
import { mirrorsOf } from './mirror-route.ts';
import type { Affinity } from './rules.ts';
import { answerOf } from './static-answer.ts';

export interface RoutedPlanOptions {
  readonly head: Head;
  /** To the service that was dialled. */
  readonly calls: Calls;
  /** To the service of the backend. */
  readonly backendCalls: Calls;
  /** Undefined where there are no routes. */
  readonly rule: CompiledRule | undefined;
  readonly backend: CompiledBackend | undefined;
  readonly policy: CallPolicy;
  readonly session: Session | undefined;
  readonly affinity: Affinity | undefined;
  /** What balancers that hash go by. */
  readonly key: number;
  readonly fault: AppliedFault | undefined;
  readonly requests: RequestRows;
  /** See `Plan.route`. */
  readonly route: string;
  readonly caller: Caller;
  readonly context: RouteContext;
}

export class RoutedPlan implements Plan {
  readonly requests: RequestRows;
  readonly route: string;
  readonly answer = undefined;
  readonly policy: CallPolicy;
  readonly fault: AppliedFault | undefined;
  readonly #options: RoutedPlanOptions;
  readonly #chooser: Chooser;
  /** Whom the endpoint picked last belongs to: the backend, or what stands in for it. */
  #calls: Calls;
  #endpoint: UpstreamEndpoint | undefined = undefined;

  constructor(options: RoutedPlanOptions) {
    this.requests = options.requests;
    this.route = options.route;
    this.policy = options.policy;
    this.fault = options.fault;
    this.#options = options;
    this.#chooser = { key: options.key, random: options.context.random };
    this.#calls = options.backendCalls;
  }

  get decided(): Decided | undefined {
    return this.#options.rule?.decided;
  }

  pick(tried: readonly Balanced[], isUpgrade: boolean, nowMs: number): StreamPool | ReasonCode | Answer {
    const { backendCalls, backend, caller, context } = this.#options;
    this.#calls = backendCalls;
    const kept = this.#isAtBackend ? backendCalls.named(this.#options.session!.endpoint) : undefined;
    const endpoint =
      kept !== undefined && !tried.includes(kept)
        ? kept
        : backendCalls.pick(backend?.backend.subset, tried, this.#chooser, nowMs);
    if (endpoint === undefined) return this.#fallBack(tried, isUpgrade, nowMs);
    this.#endpoint = endpoint;
    return poolOf(endpoint, caller, context, isUpgrade);
  }

  /** Whether the session is one of the backend that was picked: its endpoint may not be one of another subset. */
  get #isAtBackend(): boolean {
    const { session, backend } = this.#options;
    return session !== undefined && session.backend === (backend?.id ?? '');
  }

  /** The first of the policy's fallbacks that has somebody. */
  #fallBack(tried: readonly Balanced[], isUpgrade: boolean, nowMs: number): StreamPool | ReasonCode | Answer {
    const { backendCalls, caller, context } = this.#options;
    for (const fallback of backendCalls.settings.fallbacks) {
      if (fallback.kind === 'respond') return answerOf(fallback.respond, '');
      const cluster =
        fallback.kind === 'subset' ? backendCalls.cluster : context.world.cluster(fallback.service, fallback.port);
      if (cluster === undefined) continue;
      const calls = cluster === backendCalls.cluster ? backendCalls : context.world.calls(caller.workload, cluster);
      const endpoint = calls.pick(
        fallback.kind === 'subset' ? fallback.subset : undefined,
        tried,
        this.#chooser,
        nowMs,
      );
      if (endpoint === undefined) continue;
      context.stats.count('fellBack');
      this.#calls = calls;
      this.#endpoint = endpoint;
      return poolOf(endpoint, caller, context, isUpgrade);
    }
    return 'no-endpoint';
  }

  observe(endpoint: Balanced, outcome: Outcome, startedAtMs: number, nowMs: number): void {
    this.#calls.observe(endpoint as UpstreamEndpoint, outcome, startedAtMs, nowMs); // pick gave it out
  }

  mirror(head: Head, original: RequestTrace): readonly MirrorSink[] | undefined {
    const { rule, caller, context } = this.#options;
    if (rule === undefined || rule.mirrors.length === 0) return undefined;
    return mirrorsOf(head, { rule, caller, original, context });
  }

  editRequest(head: Head): string {
    const { rule, backend } = this.#options;
    return rule === undefined ? '' : applyRequest(head, rule, backend);
  }

  editResponse(head: Head): string {
    const { rule, backend, head: request } = this.#options;
    const lines = rule === undefined ? '' : responseLines(head, rule, backend, request);
    return lines + this.#sessionLines();
  }

  /** Hands out a token where the request brought none, or one for an endpoint that is not there any more. */
  #sessionLines(): string {
    const { affinity, session, backend, rule, calls, context } = this.#options;
    const endpoint = this.#endpoint;
    if (affinity === undefined || endpoint === undefined) return '';
    if (this.#isAtBackend && session!.endpoint === endpoint.name) return '';
    const { ttlMs } = affinity;
    const scope = rule === undefined ? scopeOfService(calls) : scopeOfRule(rule);
    const token = signSession(context.world.traffic.rules.cookieSecret, scope, {
      backend: backend?.id ?? '',
      endpoint: endpoint.name,
      expiresAtMs: ttlMs === undefined ? 0 : Date.now() + ttlMs,
    });
    if (token === undefined) return '';
    const moved = session === undefined ? '' : 'weft-affinity: moved\r\n';
    return tokenLine(affinity, token) + moved;
  }
}

/** What a session is bound to. */
export function scopeOfService({ cluster }: Calls): string {
  return `${cluster.service} ${cluster.port}`;
}

export function scopeOfRule({ route }: CompiledRule): string {
  return route;
}
