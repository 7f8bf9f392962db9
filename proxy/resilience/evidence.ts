/**
 * What nodes tell each other about ejected endpoints. Of the control thread: it publishes what its own node has ejected, and
 * never what it believes others, so that a rumour does not feed itself.
 * @module
 */

import { BELIEVED_NODES, EndpointHealth, ejectedUntilMs, healthKey, UNDECIDED_MS } from './endpoint-health.ts';
import type { SharedTable } from './shared-table.ts';

/** What one node may accuse at a time; the rest is not heard. */
export const MAX_ACCUSED = 256;

export interface Ejected {
  readonly endpoint: string;
  /** On the clock of the table. */
  readonly untilMs: number;
}

/** Ejections that other nodes told of. */
export class Evidence {
  readonly #table: SharedTable;
  /** By node. */
  readonly #accused = new Map<string, ReadonlySet<string>>();
  readonly #accusers = new Map<string, { readonly health: EndpointHealth; nodes: number }>();

  constructor(table: SharedTable) {
    this.#table = table;
  }

  /** All that a node ejects now; none also for a node that is gone. */
  replace(node: string, endpoints: readonly string[]): void {
    const before = this.#accused.get(node) ?? new Set<string>();
    const now = new Set(endpoints.slice(0, MAX_ACCUSED));
    if (now.size === 0) this.#accused.delete(node);
    else this.#accused.set(node, now);
    for (const endpoint of now.difference(before)) this.#count(endpoint, 1);
    for (const endpoint of before.difference(now)) this.#count(endpoint, -1);
  }

  /** How many nodes accuse it. */
  accusersOf(endpoint: string): number {
    return this.#accusers.get(endpoint)?.nodes ?? 0;
  }

  /** How many endpoints are left out because enough nodes accuse them. */
  get believed(): number {
    let believed = 0;
    for (const { nodes } of this.#accusers.values()) if (nodes >= BELIEVED_NODES) believed++;
    return believed;
  }

  /** Of all nodes on all endpoints. */
  get accusations(): number {
    let accusations = 0;
    for (const { nodes } of this.#accusers.values()) accusations += nodes;
    return accusations;
  }

  #count(endpoint: string, by: number): void {
    let known = this.#accusers.get(endpoint);
    if (known === undefined) {
      known = { health: new EndpointHealth(this.#table, endpoint), nodes: 0 };
      this.#accusers.set(endpoint, known);
    }
    known.nodes += by;
    known.health.suspectedBy(known.nodes);
    if (known.nodes > 0) return;
    known.health.close();
    this.#accusers.delete(endpoint);
  }
}

/** What this node has ejected itself. */
export class OwnEjections {
  readonly #table: SharedTable;
  #version = -1;
  #ejected: readonly Ejected[] = [];

  constructor(table: SharedTable) {
    this.#table = table;
  }

  /**
   * Those whose time is not over, or was not long ago and no request has decided about them yet. Cheap where nothing has
   * changed, so it may be asked often.
   *
   * @param endpoints ids of all that may be; looked through only after a change
   */
  list(nowMs: number, endpoints: () => Iterable<string>): readonly Ejected[] {
    const version = this.#table.healthVersion;
    if (version !== this.#version) {
      this.#version = version;
      this.#ejected = this.#look(nowMs, endpoints());
    } else if (this.#ejected.some(({ untilMs }) => untilMs + UNDECIDED_MS <= nowMs)) {
      // A request that is let through prolongs the time of its endpoint, and that is no change of health yet.
      const known = this.#ejected.map(({ endpoint }) => endpoint);
      this.#ejected = this.#look(nowMs, known);
    }
    return this.#ejected;
  }

  #look(nowMs: number, endpoints: Iterable<string>): readonly Ejected[] {
    const ejected: Ejected[] = [];
    for (const endpoint of endpoints) {
      const slot = this.#table.peek(healthKey(endpoint));
      const untilMs = slot === undefined ? undefined : ejectedUntilMs(slot, nowMs);
      if (untilMs !== undefined) ejected.push({ endpoint, untilMs });
    }
    return ejected;
  }
}
