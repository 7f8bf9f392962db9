/**
 * Tries the endpoints that it falls to this node to check, where a TrafficPolicy asks for it, and says which ones it does
 * not reach. An endpoint is taken for well until it was not reached as often in a row as its policy says.
 * @module
 */
import type { Logger } from 'pino';
import type { Endpoint } from '../../gossip/records/endpoint.ts';
import type { HealthCheck, TrafficPolicy } from '../../proxy/traffic/rules.ts';
import { afterCheck, type HealthState, UNCHECKED } from '../workloads/health-state.ts';
import type { ProbeResult } from '../workloads/probe.ts';
import { Checkers } from './checkers.ts';
import { healthCheckOf } from './health-checks.ts';

export interface ReachKeeperOptions {
  readonly node: string;
  readonly endpoints: () => readonly Endpoint[];
  /** Names of members that are there. */
  readonly members: () => readonly string[];
  readonly policies: () => readonly TrafficPolicy[];
  readonly probe: (
    endpoint: Endpoint,
    limits: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ) => Promise<ProbeResult>;
  /** Takes all that is not reached at the moment. */
  readonly checked: (unreached: ReadonlySet<string>) => void;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly log: Logger;
}

/** What one node checks at most; endpoints beyond it are not checked by it. */
const MAX_CHECKED = 2_000;
/** Tries under way at a time; others wait, each endpoint at most once. */
const CONCURRENCY = 16;
/** Who checks what is worked out so long after something changed. */
const SETTLE_MS = 500;
const JITTER = 0.1;

interface Checked {
  endpoint: Endpoint;
  check: HealthCheck;
  state: HealthState;
  timer: NodeJS.Timeout | undefined;
  readonly stop: AbortController;
}

export class ReachKeeper implements AsyncDisposable {
  readonly #options: ReachKeeperOptions;
  readonly #checked = new Map<string, Checked>();
  readonly #queue: Checked[] = [];
  readonly #running = new Set<Promise<void>>();
  #settling: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: ReachKeeperOptions) {
    this.#options = options;
  }

  /** How many endpoints this node checks. */
  get size(): number {
    return this.#checked.size;
  }

  /** Endpoints, members or policies are not what they were. */
  changed(): void {
    if (this.#isClosed) return;
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      this.#assign();
    }, SETTLE_MS).unref();
  }

  /** Ends all tries, those under way too. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#settling);
    for (const one of this.#checked.values()) stop(one);
    this.#checked.clear();
    this.#queue.length = 0;
    await Promise.all(this.#running);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #assign(): void {
    const wanted = this.#wanted();
    let isLess = false;
    for (const [id, one] of this.#checked) {
      if (wanted.has(id)) continue;
      stop(one);
      this.#checked.delete(id);
      isLess ||= one.state.health === 'unready';
    }
    for (const [id, { endpoint, check }] of wanted) {
      const known = this.#checked.get(id);
      if (known !== undefined) {
        Object.assign(known, { endpoint, check });
        continue;
      }
      const one = { endpoint, check, state: UNCHECKED, timer: undefined, stop: new AbortController() };
      this.#checked.set(id, one);
      this.#later(one, this.#options.random() * check.intervalMs);
    }
    if (isLess) this.#tell();
  }

  #wanted(): Map<string, { readonly endpoint: Endpoint; readonly check: HealthCheck }> {
    const { node, endpoints, members, policies, log } = this.#options;
    const wanted = new Map<string, { readonly endpoint: Endpoint; readonly check: HealthCheck }>();
    const checkOf = healthCheckOf(policies());
    if (checkOf === undefined) return wanted;
    const checkers = new Checkers(members());
    let left = 0;
    for (const endpoint of endpoints()) {
      // One that is not ready takes no traffic, and its agent may be on its way out.
      const check = endpoint.state === 'ready' ? checkOf(endpoint) : undefined;
      if (check === undefined || !checkers.of(endpoint).includes(node)) continue;
      if (wanted.size < MAX_CHECKED) wanted.set(endpoint.id, { endpoint, check });
      else left++;
    }
    if (left > 0) log.warn({ checked: MAX_CHECKED, left }, 'more endpoints to check than one node may');
    return wanted;
  }

  #later(one: Checked, waitMs: number): void {
    one.timer = setTimeout(() => {
      this.#queue.push(one);
      this.#pump();
    }, waitMs).unref();
  }

  #pump(): void {
    while (this.#running.size < CONCURRENCY) {
      const one = this.#queue.shift();
      if (one === undefined) return;
      if (one.stop.signal.aborted) continue;
      const run = this.#try(one).finally(() => {
        this.#running.delete(run);
        this.#pump();
      });
      this.#running.add(run);
    }
  }

  async #try(one: Checked): Promise<void> {
    const { probe, random, log } = this.#options;
    const { signal } = one.stop;
    const result = await probe(one.endpoint, { timeoutMs: one.check.timeoutMs, signal });
    if (signal.aborted) return;
    const before = one.state.health;
    one.state = afterCheck(one.state, result.ok, one.check);
    if (one.state.health !== before) {
      const { id } = one.endpoint;
      if (result.ok) log.info({ endpoint: id }, 'endpoint is reached again');
      else log.warn({ endpoint: id, detail: result.detail }, 'endpoint is not reached');
      this.#tell();
    }
    this.#later(one, one.check.intervalMs * (1 + JITTER * (2 * random() - 1)));
  }

  #tell(): void {
    const unreached = [...this.#checked].flatMap(([id, { state }]) => (state.health === 'unready' ? [id] : []));
    this.#options.checked(new Set(unreached));
  }
}

function stop(one: Checked): void {
  clearTimeout(one.timer);
  one.stop.abort();
}
