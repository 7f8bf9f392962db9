/** Which endpoints a connection that is not HTTP goes to: by the routes of the port, and the settings of its calls. @module */

import type { Balanced, Chooser } from '../balancer/balanced.ts';
import type { ReasonCode } from '../reasons.ts';
import { Split } from '../routing/split.ts';
import type { Attempt } from '../tcp/connect.ts';
import type { Calls } from '../traffic/calls.ts';
import type { Backend, StreamRule } from '../traffic/rules.ts';
import type { UpstreamEndpoint } from '../upstream/cluster.ts';
import type { RouteContext } from '../upstream/context.ts';
import type { Destination } from '../world.ts';

export class StreamAttempts {
  readonly #destination: Destination;
  readonly #chooser: Chooser;
  /** Of the backend that the connection goes to, or why it goes nowhere. */
  readonly #calls: Calls | ReasonCode;
  readonly #subset: string | undefined;

  constructor(destination: Destination, calls: Calls, context: RouteContext) {
    this.#destination = destination;
    this.#chooser = { key: calls.workload.hash, random: context.random };
    const rule = destination.kind === 'cluster' ? ruleFor(calls.streams) : undefined;
    const backend = rule === undefined ? undefined : new Split(rule.backends).pick(context.random);
    this.#subset = backend?.subset;
    this.#calls = rule === undefined ? calls : callsTo(backend, calls, context);
  }

  pick(tried: readonly Balanced[]): UpstreamEndpoint | ReasonCode {
    if (typeof this.#calls === 'string') return this.#calls;
    if (this.#destination.kind === 'endpoint') return tried.length === 0 ? this.#destination.endpoint : 'no-endpoint';
    return this.#calls.pick(this.#subset, tried, this.#chooser) ?? 'no-endpoint';
  }

  /** The same attempt, whose outcome counts for its endpoint. */
  observed(attempt: Attempt | ReasonCode): Attempt | ReasonCode {
    const calls = this.#calls;
    if (typeof attempt === 'string' || typeof calls === 'string') return attempt;
    const startedAtMs = performance.now();
    const endpoint = attempt.endpoint as UpstreamEndpoint; // pick gave it out
    return {
      ...attempt,
      dial: (done) =>
        attempt.dial((result) => {
          calls.observe(endpoint, result.ok ? 'good' : 'failed', startedAtMs, performance.now());
          done(result);
        }),
    };
  }
}

/** The oldest route goes first, by name among those of one age (Gateway API, conflict resolution). */
function ruleFor(rules: readonly StreamRule[]): StreamRule | undefined {
  return rules[0];
}

function callsTo(backend: Backend | undefined, calls: Calls, { world }: RouteContext): Calls | ReasonCode {
  if (backend === undefined || backend.problem !== undefined) return 'bad-backend';
  const cluster = world.cluster(backend.service, backend.port);
  if (cluster === undefined) return 'no-endpoint';
  return cluster === calls.cluster ? calls : world.calls(calls.workload, cluster);
}
