/**
 * What operators say about traffic, as one worker looks it up: the routes of a port, and everything else there is about calls.
 *
 * Tables are compiled when rules arrive, not when a request does; what did not change keeps its table.
 * @module
 */

import { type Effective, PolicyBook } from '../resilience/effective.ts';
import type { TargetedCall } from '../resilience/targets.ts';
import { compileRoutes, type RouteTable } from '../routing/table.ts';
import { isAtDestination, NO_TRAFFIC, type TrafficRules } from './rules.ts';

interface PortRoutes {
  everybody: RouteTable | undefined;
  /** By the namespace of the caller. */
  readonly consumers: Map<string, RouteTable>;
}

export class TrafficBoard {
  /** Raised by every change, so that who remembers an answer knows when to ask again. */
  version = 1;
  rules: TrafficRules = NO_TRAFFIC;
  /** Whether anything is said about requests where they arrive, so that nobody looks for it in vain. */
  hasAdmission = false;
  /** By 'namespace/service port'. */
  #ports = new Map<string, PortRoutes>();
  #policies = new PolicyBook([]);
  /** Every table with what it was compiled from. */
  #tables = new Map<string, { readonly written: string; readonly table: RouteTable }>();

  /** @throws what a table cannot be compiled from; then all stays as it was */
  apply(rules: TrafficRules): void {
    const tables = new Map<string, { readonly written: string; readonly table: RouteTable }>();
    const ports = new Map<string, PortRoutes>();
    for (const routes of rules.routes) {
      const key = `${routes.service} ${routes.port}`;
      const written = JSON.stringify(routes);
      const name = `${key} ${routes.consumer ?? ''}`;
      const known = this.#tables.get(name);
      const entry = known?.written === written ? known : { written, table: compileRoutes(routes) };
      tables.set(name, entry);
      const port = ports.get(key) ?? { everybody: undefined, consumers: new Map<string, RouteTable>() };
      ports.set(key, port);
      if (routes.consumer === undefined) port.everybody = entry.table;
      else port.consumers.set(routes.consumer, entry.table);
    }
    this.#policies = new PolicyBook(rules.policies);
    this.rules = rules;
    this.hasAdmission =
      rules.policies.some(({ settings }) => (settings.concurrency ?? 'off') !== 'off') ||
      rules.limits.some(isAtDestination);
    this.#tables = tables;
    this.#ports = ports;
    this.version++;
  }

  /**
   * The routes that a caller's requests fall under; undefined where there are none, and requests go to the service.
   *
   * @param service 'namespace/service'
   * @param namespace of the caller
   */
  routes(service: string, port: number, namespace: string): RouteTable | undefined {
    if (this.#ports.size === 0) return undefined;
    const routes = this.#ports.get(`${service} ${port}`);
    return routes?.consumers.get(namespace) ?? routes?.everybody;
  }

  /** The settings that hold for a call, each with its document. */
  effective(call: TargetedCall): Effective {
    return this.#policies.effective(call);
  }
}
