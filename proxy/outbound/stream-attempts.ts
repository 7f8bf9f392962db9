/** Which endpoints a connection that is not HTTP goes to: by the routes of the port, and the settings of its calls. @module */

import { performance } from 'node:perf_hooks';
import type { Balanced, Chooser } from '../balancer/balanced.ts';
import type { ReasonCode } from '../reasons.ts';
import { Split } from '../routing/split.ts';
import { ruleFor } from '../routing/stream-rules.ts';
import type { Attempt } from '../tcp/connect.ts';
import type { Calls } from '../traffic/calls.ts';
import type { Backend } from '../traffic/rules.ts';
import type { UpstreamEndpoint } from '../upstream/cluster.ts';
import type { RouteContext } from '../upstream/context.ts';
import type { Destination } from '../world.ts';

export class StreamAttempts {
  readonly #destination: Destination;
  readonly #chooser: Chooser;
  /** Of the backend that the connection goes to, or why it goes nowhere. */
  readonly #calls: Calls | ReasonCode;
  readonly #subset: string | undefined;

  /** @param serverName that the client asks for by TLS, in lower case; undefined where it asks for none */
  constructor(destination: Destination, calls: Calls, serverName: string | undefined, context: RouteContext) {
    this.#destination = destination;
    this.#chooser = { key: calls.workload.hash, random: context.random };
    const { streams } = calls;
    const isRouted = destination.kind === 'cluster' && streams.length > 0;
    const rule = isRouted ? ruleFor(streams, serverName) : undefined;
    const backend = rule === undefined ? undefined : new Split(rule.backends).pick(context.random);
    this.#subset = backend?.subset;
    if (!isRouted) this.#calls = calls;
    else this.#calls = rule === undefined ? 'no-route' : callsTo(backend, calls, context);
  }

  pick(tried: readonly Balanced[]): UpstreamEndpoint | ReasonCode {
    if (typeof this.#calls === 'string') return this.#calls;
    if (this.#destination.kind === 'endpoint') return tried.length === 0 ? this.#destination.endpoint : 'no-endpoint';
    return this.#calls.pick(this.#subset, tried, this.#chooser, performance.now()) ?? 'no-endpoint';
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
          const isAnswered = result.ok || result.reason === 'access-denied'; // by an endpoint that is well
          calls.observe(endpoint, isAnswered ? 'good' : 'failed', startedAtMs, performance.now());
          done(result);
        }),
    };
  }
}

function callsTo(backend: Backend | undefined, calls: Calls, { world }: RouteContext): Calls | ReasonCode {
  if (backend === undefined || backend.problem !== undefined) return 'bad-backend';
  const cluster = world.cluster(backend.service, backend.port);
  if (cluster === undefined) return 'no-endpoint';
  return cluster === calls.cluster ? calls : world.calls(calls.workload, cluster);
}
