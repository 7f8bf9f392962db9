/**
 * All calls of one workload of this node to one port of a service: what holds for them, what they are counted by, and which
 * endpoints they go to. One object serves all connections of a worker; it notices by version numbers when it has to look again.
 * @module
 */

import type { AccessPeer } from '../access/peer.ts';
import { peerOf } from '../access/peer.ts';
import type { Balanced, Chooser } from '../balancer/balanced.ts';
import type { BalancerName } from '../balancer/balancer.ts';
import type { CallPolicy } from '../http/plan.ts';
import { Circuit } from '../resilience/circuit.ts';
import type { Effective, EffectiveSettings } from '../resilience/effective.ts';
import type { Outcome } from '../resilience/outcome.ts';
import { EndpointPicker } from '../resilience/picker.ts';
import type { SharedTable } from '../resilience/shared-table.ts';
import { byPrecedence } from '../routing/stream-rules.ts';
import type { RouteTable } from '../routing/table.ts';
import type { StatsWriter } from '../telemetry/stats-writer.ts';
import type { Cluster, UpstreamEndpoint } from '../upstream/cluster.ts';
import type { Workload } from '../workload.ts';
import type { TrafficBoard } from './board.ts';
import { MeteredCalls } from './call-policy.ts';
import { CallFaults } from './faults.ts';
import { CallLimits } from './limits.ts';
import { settingsOfRule } from './rule-settings.ts';
import type { HttpRule, StreamRule } from './rules.ts';

export interface CallsContext {
  readonly board: TrafficBoard;
  readonly shared: SharedTable;
  readonly stats: StatsWriter;
  /** Name and zone of this node. */
  readonly place: { readonly node: string; readonly zone: string };
}

interface Picker {
  readonly picker: EndpointPicker<UpstreamEndpoint>;
  /** Of the cluster when it was made, and when it was last told. */
  readonly balancing: BalancerName;
  version: number;
}

/** How long a copy of a request may take where no policy says. */
const COPY_MS = 30_000;

export class Calls {
  readonly cluster: Cluster;
  readonly workload: Workload;
  /** As policies name the caller. */
  readonly peer: AccessPeer;
  /** Undefined where requests go to the service as they are. */
  table: RouteTable | undefined = undefined;
  /** Rules about connections that are not HTTP, the first to go first; none where there are rules about HTTP. */
  streams: readonly StreamRule[] = [];
  limits: CallLimits | undefined = undefined;
  faults: CallFaults | undefined = undefined;
  readonly #context: CallsContext;
  readonly #circuit: Circuit;
  readonly #pickers = new Map<string | undefined, Picker>();
  /** By rule: what routes change about settings. */
  readonly #byRule = new Map<HttpRule, { readonly policy: CallPolicy; readonly effective: Effective }>();
  #effective: Effective | undefined = undefined;
  #policy: CallPolicy | undefined = undefined;
  #copies: CallPolicy | undefined = undefined;
  #version = 0;

  constructor(workload: Workload, cluster: Cluster, context: CallsContext) {
    const { identity, address, labels } = workload.data;
    this.workload = workload;
    this.cluster = cluster;
    this.#context = context;
    this.peer = peerOf({ identity, address, labels: [labels] });
    this.#circuit = new Circuit(context.shared, identity, cluster.service, cluster.port);
  }

  /** Looks again where rules have changed. To be called before anything else is asked for a request. */
  refresh(): void {
    const { board } = this.#context;
    if (board.version === this.#version) return;
    this.#version = board.version;
    const { service, port } = this.cluster;
    const table = board.routes(service, port, this.workload.data.namespace);
    this.table = table !== undefined && table.routes.http.length > 0 ? table : undefined;
    this.streams = this.table === undefined ? byPrecedence(table?.routes.streams ?? []) : [];
    this.#effective = board.effective(this.#call(undefined));
    const { settings } = this.#effective;
    this.#policy = new MeteredCalls(settings, this.#circuit, this.#context);
    this.#copies = new MeteredCalls(forCopies(settings), this.#circuit, this.#context);
    this.#byRule.clear();
    this.#pickers.clear();
    const before = this.limits;
    this.limits = CallLimits.of(board, this.#call(undefined), this.#context.shared);
    before?.close(); // afterwards, so that a bucket of both stays in use
    this.faults = CallFaults.of(board, this.#call(undefined));
  }

  /** Whether requests go on as they are: nobody has said anything about them. */
  get isPlain(): boolean {
    return this.table === undefined && this.limits === undefined && this.faults === undefined && !this.#isParticular;
  }

  get settings(): EffectiveSettings {
    return this.#effective!.settings;
  }

  /** Where a policy says; else it is as configured. */
  get connectTimeoutMs(): number | undefined {
    const { settings, origins } = this.#effective!;
    return origins.has('timeouts.connectMs') ? settings.timeouts.connectMs : undefined;
  }

  /** Longest silence on a connection of bytes, where a policy says. */
  get idleTimeoutMs(): number | undefined {
    const { idleMs } = this.settings.timeouts;
    return idleMs === 0 ? undefined : idleMs;
  }

  get policy(): CallPolicy {
    return this.#policy!;
  }

  /** For copies of requests to other services. */
  get copyPolicy(): CallPolicy {
    return this.#copies!;
  }

  /** The settings and counts of requests under a rule of a route. */
  under(rule: HttpRule): { readonly policy: CallPolicy; readonly effective: Effective } {
    const known = this.#byRule.get(rule);
    if (known !== undefined) return known;
    const { kind, namespace, name } = rule.origin;
    const effective = this.#context.board.effective(this.#call(`${kind}/${namespace}/${name}`));
    const settings = { ...effective.settings, ...settingsOfRule(rule, effective.settings) };
    const made = { policy: new MeteredCalls(settings, this.#circuit, this.#context), effective };
    this.#byRule.set(rule, made);
    return made;
  }

  /**
   * @param subset undefined: all endpoints
   * @param tried endpoints that failed for this request
   * @param nowMs on the clock of `performance.now()`
   */
  pick(
    subset: string | undefined,
    tried: readonly Balanced[],
    chooser: Chooser,
    nowMs: number,
  ): UpstreamEndpoint | undefined {
    const { shared, stats } = this.#context;
    const sharedMs = shared.sharedMs(nowMs);
    const picker = this.#picker(subset, sharedMs);
    const endpoint = picker.pick(chooser, tried, sharedMs);
    if (picker.isPanicking && endpoint !== undefined) stats.count('panicPicks');
    return endpoint;
  }

  /** The endpoint of this id, where it takes requests. */
  named(id: string): UpstreamEndpoint | undefined {
    const endpoint = this.cluster.members.get(id);
    if (endpoint?.data.state !== 'ready') return undefined;
    return endpoint.health.isUsable || this.settings.outliers === 'off' ? endpoint : undefined;
  }

  /** What became of a request there. Instants are on the clock of `performance.now()`. */
  observe(endpoint: UpstreamEndpoint, outcome: Outcome, startedAtMs: number, nowMs: number): void {
    const { outliers } = this.settings;
    if (outliers === 'off') return;
    const { shared, stats } = this.#context;
    const isEjected = endpoint.health.observe(
      outcome,
      shared.sharedMs(startedAtMs),
      shared.sharedMs(nowMs),
      outliers,
      this.cluster.healths,
    );
    if (isEjected) stats.count('outlierEjections');
  }

  /** A place among the connections of this caller; false where there is none. */
  openConnection(): boolean {
    if (this.#circuit.tryAcquire('connections', this.settings.circuit)) return true;
    this.#context.stats.count('circuitOverflows');
    return false;
  }

  closeConnection(): void {
    this.#circuit.release('connections');
  }

  /** @returns false while something is still open; then it stays */
  close(): boolean {
    if (!this.#circuit.isIdle) return false;
    this.limits?.close();
    this.#circuit.close();
    return true;
  }

  /** Whether its endpoint depends on the request, or on there being one. */
  get #isParticular(): boolean {
    const { balancer, affinity, fallbacks } = this.settings;
    return balancer.hashOn !== undefined || affinity !== undefined || fallbacks.length > 0;
  }

  #picker(subset: string | undefined, nowMs: number): EndpointPicker<UpstreamEndpoint> {
    const { cluster } = this;
    let known = this.#pickers.get(subset);
    if (known === undefined || known.balancing !== cluster.balancing) {
      const { shared: table, stats, place: here } = this.#context;
      const onProbe = (): void => stats.count('outlierProbes');
      const { balancing } = cluster;
      known = {
        picker: new EndpointPicker({ table, here, settings: this.#pickerSettings, subset, onProbe }),
        version: -1,
        balancing,
      };
      this.#pickers.set(subset, known);
    }
    if (known.version !== cluster.version) {
      known.version = cluster.version;
      known.picker.update(cluster.members.values(), nowMs);
    }
    return known.picker;
  }

  get #pickerSettings(): EffectiveSettings {
    const { settings, origins } = this.#effective!;
    return origins.has('balancer') ? settings : { ...settings, balancer: { name: this.cluster.balancing } };
  }

  #call(route: string | undefined) {
    const [namespace, service] = this.cluster.service.split('/') as [string, string];
    return { namespace, service, port: this.cluster.port, route, caller: this.peer };
  }
}

/** Nobody waits for a copy, so nobody ends one that takes for ever, or misses one that failed. */
function forCopies(settings: EffectiveSettings): EffectiveSettings {
  const { timeouts, retries } = settings;
  const requestMs = timeouts.requestMs > 0 ? timeouts.requestMs : COPY_MS;
  return { ...settings, timeouts: { ...timeouts, requestMs }, retries: { ...retries, attempts: 0 } };
}
