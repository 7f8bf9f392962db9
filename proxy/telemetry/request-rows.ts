/**
 * The rows of requests between one caller and one destination, found by version, route and method. It is asked for each request,
 * so the usual answer is one lookup, by the template that the request's path has.
 * @module
 */

import type { Parties } from './parties.ts';
import type { RouteTemplate, RouteTemplates } from './route-templates.ts';
import { OTHER_ROUTE, partyLabels, type SeriesLabels } from './series.ts';
import { NO_TAPS, type Watchable } from './taps.ts';

/** Templates that are remembered for a version; then all are forgotten and found anew in the table. */
const MAX_KNOWN = 512;

/** The table that they are in. */
export interface RowSource {
  readonly generation: number;
  readonly templates: RouteTemplates;
  row(labels: SeriesLabels): number;
  connections(parties: Parties, protocol: 'http' | 'tcp'): number;
}

export class RequestRows implements Watchable {
  readonly parties: Parties;
  taps = NO_TAPS;
  among = NO_TAPS;
  readonly #stats: RowSource;
  #generation = 0;
  #connections = -1;
  /** By version, with a mark for gRPC. */
  readonly #versions = new Map<string, Map<RouteTemplate, number>>();
  #last = new Map<RouteTemplate, number>();
  #lastVersion: string | undefined = undefined;
  #lastIsGrpc = false;

  constructor(stats: RowSource, parties: Parties) {
    this.#stats = stats;
    this.parties = parties;
  }

  /** @param version of the endpoint; '' for none */
  row(template: RouteTemplate, version: string, isGrpc: boolean): number {
    if (this.#generation !== this.#stats.generation) this.#forget();
    if (version !== this.#lastVersion || isGrpc !== this.#lastIsGrpc) this.#turnTo(version, isGrpc);
    return this.#last.get(template) ?? this.#find(template, version, isGrpc);
  }

  /** The row of connections that carry these requests, where nobody counts them as they open. */
  get connections(): number {
    if (this.#generation !== this.#stats.generation) this.#forget();
    if (this.#connections === -1) this.#connections = this.#stats.connections(this.parties, 'http');
    return this.#connections;
  }

  #forget(): void {
    this.#generation = this.#stats.generation;
    this.#connections = -1;
    this.#versions.clear();
    this.#lastVersion = undefined;
  }

  #turnTo(version: string, isGrpc: boolean): void {
    const key = isGrpc ? `${version} grpc` : version;
    let known = this.#versions.get(key);
    if (known === undefined) {
      known = new Map();
      this.#versions.set(key, known);
    }
    this.#last = known;
    this.#lastVersion = version;
    this.#lastIsGrpc = isGrpc;
  }

  #find(template: RouteTemplate, version: string, isGrpc: boolean): number {
    const { route, method } = template;
    const admitted = this.#stats.templates.admits(this.parties.destination, route) ? route : OTHER_ROUTE;
    const protocol = isGrpc ? 'grpc' : 'http';
    const row = this.#stats.row({ ...partyLabels(this.parties), protocol, version, route: admitted, method });
    if (this.#last.size >= MAX_KNOWN) this.#last.clear();
    this.#last.set(template, row);
    return row;
  }
}
