/**
 * What becomes of the requests of one connection that somebody has said something about: limits, faults and routes, in this
 * order, and the plan of those that go on.
 * @module
 */

import { performance } from 'node:perf_hooks';
import { hash32 } from '../balancer/hash.ts';
import { type Answer, refusal } from '../http/answer.ts';
import { DirectPlan } from '../http/direct-plan.ts';
import { isGrpcCall } from '../http/grpc-call.ts';
import type { AppliedFault, Plan } from '../http/plan.ts';
import type { Head } from '../http1/grammar/head.ts';
import type { ReasonCode } from '../reasons.ts';
import { readSession, type Session, tokenOf } from '../routing/cookie.ts';
import { redirectLocation } from '../routing/redirect.ts';
import { HeadRouteRequest } from '../routing/request.ts';
import { type CompiledRule, rewriteTarget } from '../routing/rule.ts';
import type { Decided } from '../telemetry/parties.ts';
import type { RequestRows } from '../telemetry/request-rows.ts';
import type { RouteContext } from '../upstream/context.ts';
import type { Caller } from '../upstream/routes.ts';
import { outboundParties } from '../workload.ts';
import type { Calls } from './calls.ts';
import type { Disturbance } from './faults.ts';
import { RoutedPlan, scopeOfRule, scopeOfService } from './routed-plan.ts';
import { type Balancing, subjectOf } from './rules.ts';
import { answerOf } from './static-answer.ts';

/** What is the same for all requests of a connection. */
export interface Arrived {
  readonly requests: RequestRows;
  readonly authority: string;
}

export class Planner {
  readonly #caller: Caller;
  readonly #arrived: Arrived;
  readonly #context: RouteContext;
  readonly #request = new HeadRouteRequest();
  /** Of the rule that the request falls under. */
  #route = '';

  constructor(caller: Caller, arrived: Arrived, context: RouteContext) {
    this.#caller = caller;
    this.#arrived = arrived;
    this.#context = context;
  }

  plan(head: Head, calls: Calls): Plan {
    const { random } = this.#context;
    const request = this.#request.of(head);
    const { table } = calls;
    const rule = table?.match(request, calls.peer, random);
    const route = rule === undefined ? undefined : scopeOfRule(rule);
    this.#route = rule === undefined ? '' : table!.matchedRoute;
    const limited = this.#limit(head, calls, route);
    if (limited !== undefined) return limited;
    const fault = calls.faults?.draw(request, calls.peer, route, Date.now(), random);
    if (fault?.abort !== undefined) return this.#abort(fault.abort, fault);
    if (table !== undefined && rule === undefined) return this.#refuse(head, 'no-route', '');
    if (rule === undefined) return this.#toService(head, calls, fault);
    return this.#answer(head, rule, calls) ?? this.#lead(head, rule, calls, fault);
  }

  /** No route, but a session, a hash or a fault to mind. */
  #toService(head: Head, calls: Calls, fault: Disturbance | undefined): Plan {
    return new RoutedPlan({
      head,
      calls,
      backendCalls: calls,
      rule: undefined,
      backend: undefined,
      policy: calls.policy,
      session: this.#session(calls, undefined),
      affinity: calls.settings.affinity,
      key: this.#key(calls.settings.balancer),
      fault,
      requests: this.#arrived.requests,
      route: '',
      caller: this.#caller,
      context: this.#context,
    });
  }

  #lead(head: Head, rule: CompiledRule, calls: Calls, fault: Disturbance | undefined): Plan {
    const { world, random, stats } = this.#context;
    const { policy, effective } = calls.under(rule.rule);
    const affinity = rule.rule.affinity ?? effective.settings.affinity;
    const session = this.#session(calls, rule);
    const backend = rule.pickBackend(random, session?.backend);
    if (backend === undefined || backend.backend.problem !== undefined)
      return this.#refuse(
        head,
        'bad-backend',
        backend?.backend.problem ?? 'no backend has any weight',
        '',
        rule.decided,
      );
    const { service, port } = backend.backend;
    const isDialled = service === calls.cluster.service && port === calls.cluster.port;
    const cluster = isDialled ? calls.cluster : world.cluster(service, port);
    if (cluster === undefined) return this.#refuse(head, 'no-endpoint', `${service}:${port}`, '', rule.decided);
    rewriteTarget(head, rule);
    const backendCalls = isDialled ? calls : world.calls(this.#caller.workload, cluster);
    return new RoutedPlan({
      head,
      calls,
      backendCalls,
      rule,
      backend,
      policy,
      session,
      affinity,
      key: this.#key(backendCalls.settings.balancer),
      fault,
      requests: isDialled ? this.#arrived.requests : stats.requests(outboundParties(this.#caller.workload, service)),
      route: this.#route,
      caller: this.#caller,
      context: this.#context,
    });
  }

  /** What the rule answers by itself; undefined where requests go on. */
  #answer(head: Head, rule: CompiledRule, calls: Calls): Plan | undefined {
    const preflight = rule.cors?.preflight(head);
    const { decided } = rule;
    if (preflight !== undefined)
      return this.#respond({ status: 204, lines: preflight, body: '', trailers: '' }, { decided });
    if (rule.redirect !== undefined) {
      const arrived = { scheme: 'http', port: calls.cluster.port, authority: this.#arrived.authority } as const;
      const location = redirectLocation(head, rule.redirect, arrived);
      const { status } = rule.redirect.redirect;
      const lines = `Location: ${location}\r\n${rule.response.lines}`;
      return this.#respond({ status, lines, body: '', trailers: '' }, { decided });
    }
    const { respond } = rule.rule.actions;
    return respond === undefined ? undefined : this.#respond(answerOf(respond, rule.response.lines), { decided });
  }

  #limit(head: Head, calls: Calls, route: string | undefined): Plan | undefined {
    const { stats } = this.#context;
    const limited = calls.limits?.take(performance.now(), route, () => stats.count('rateLimitedShadow'));
    if (limited === undefined) return undefined;
    const { origin } = limited.limit;
    const decided: Decided = { kind: 'limit', subject: subjectOf(origin) };
    stats.count('rateLimited');
    return this.#refuse(head, 'rate-limited', `${origin.namespace}/${origin.name}`, limited.lines, decided);
  }

  #abort({ status, grpcStatus }: NonNullable<Disturbance['abort']>, fault: Disturbance): Plan {
    const reason = 'fault-injected';
    const lines = `weft-reason: fault-injected\r\nweft-node: ${this.#context.node}\r\n`;
    if (grpcStatus === undefined)
      return this.#respond(
        { status, lines: `content-type: text/plain\r\n${lines}`, body: 'weft: fault\n', trailers: '', reason },
        { fault },
      );
    const trailers = `grpc-status: ${grpcStatus}\r\ngrpc-message: weft: a FaultInjection asked for it\r\n`;
    const answer = {
      status: 200,
      lines: `content-type: application/grpc\r\n${lines}`,
      body: '',
      trailers,
      reason,
    } as const;
    return this.#respond(answer, { fault });
  }

  #session(calls: Calls, rule: CompiledRule | undefined): Session | undefined {
    const affinity = rule?.rule.affinity ?? calls.settings.affinity;
    if (affinity === undefined) return undefined;
    const token = tokenOf(this.#request, affinity);
    const { cookieSecret } = this.#context.world.traffic.rules;
    return token === undefined
      ? undefined
      : readSession(cookieSecret, rule === undefined ? scopeOfService(calls) : scopeOfRule(rule), token, Date.now());
  }

  /** What balancers that hash go by. */
  #key({ hashOn }: Balancing): number {
    if (hashOn === undefined) return this.#caller.workload.hash;
    const request = this.#request;
    const value =
      'header' in hashOn
        ? request.header(hashOn.header.toLowerCase())
        : 'cookie' in hashOn
          ? request.cookie(hashOn.cookie)
          : request.query(hashOn.query);
    return value === undefined ? this.#caller.workload.hash : hash32(value);
  }

  #refuse(head: Head, reason: ReasonCode, detail: string, lines = '', decided?: Decided): Plan {
    const { node } = this.#context;
    return this.#respond(refusal({ reason, detail, node, policy: '', lines, isGrpc: isGrpcCall(head) }), { decided });
  }

  /** @param fault that comes before the answer */
  #respond(answer: Answer, { fault, decided }: { fault?: Disturbance; decided?: Decided | undefined } = {}): Plan {
    return new AnswerPlan({ requests: this.#arrived.requests, route: this.#route, answer, fault, decided });
  }
}

class AnswerPlan extends DirectPlan {
  readonly requests: RequestRows;
  override readonly route: string;
  override readonly answer: Answer;
  override readonly fault: AppliedFault | undefined;
  override readonly decided: Decided | undefined;

  constructor({
    requests,
    route,
    answer,
    fault,
    decided,
  }: Pick<Plan, 'requests' | 'route' | 'fault' | 'decided'> & { readonly answer: Answer }) {
    super();
    this.requests = requests;
    this.route = route;
    this.answer = answer;
    this.fault = fault;
    this.decided = decided;
  }

  pick(): ReasonCode {
    return 'no-endpoint'; // it is answered already
  }
}

export function plannerOf(caller: Caller, arrived: Arrived, context: RouteContext): Planner {
  return new Planner(caller, arrived, context);
}
