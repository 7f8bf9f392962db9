/** Whether a call is one that a policy, limit or fault is about, and how specific it is about it. @module */

import { compileSource } from '../access/compile.ts';
import type { SourceMatcher } from '../access/match.ts';
import type { AccessPeer } from '../access/peer.ts';
import type { CallTarget, Origin } from '../traffic/rules.ts';

/** A call, as far as targets tell calls apart. */
export interface TargetedCall {
  readonly namespace: string;
  /** Name without namespace. */
  readonly service: string;
  /** Service port. */
  readonly port: number;
  /** 'Kind/namespace/name'; undefined where no route was taken. */
  readonly route?: string | undefined;
  /** From `peerOf`. */
  readonly caller: AccessPeer;
}

export class TargetMatcher {
  readonly target: CallTarget;
  /** Higher is more specific: a route before a caller, then a port, a service, a namespace, the mesh. */
  readonly rank: number;
  readonly #from: readonly SourceMatcher[];

  /** @throws AccessError for a pattern or range of a caller that cannot be read */
  constructor(target: CallTarget, origin: Origin) {
    const at = `${origin.kind} ${origin.namespace}/${origin.name}`;
    const { namespace, services, ports, routes, from } = target;
    this.target = target;
    // Who may be the caller and may not be is none: what is written for few must not hold for others.
    this.#from = from.map((source) => compileSource(source, 'surely', at));
    const isGiven = [
      namespace !== undefined,
      services.length > 0,
      ports.length > 0,
      from.length > 0,
      routes.length > 0,
    ];
    this.rank = isGiven.reduce((rank, given, i) => rank + (given ? 1 << i : 0), 0);
  }

  holds(call: TargetedCall): boolean {
    const { namespace, services, ports, routes } = this.target;
    return (
      (namespace === undefined || namespace === call.namespace) &&
      (services.length === 0 || services.includes(call.service)) &&
      (ports.length === 0 || ports.includes(call.port)) &&
      (routes.length === 0 || (call.route !== undefined && routes.includes(call.route))) &&
      (this.#from.length === 0 || this.#from.some((source) => source.obstacle(call.caller) === undefined))
    );
  }
}

/** Most specific first; by name among those that are equally specific. */
export function bySpecificity(
  a: { readonly matcher: TargetMatcher; readonly origin: Origin },
  b: { readonly matcher: TargetMatcher; readonly origin: Origin },
): number {
  return b.matcher.rank - a.matcher.rank || compare(nameOf(a.origin), nameOf(b.origin));
}

function nameOf({ namespace, name }: Origin): string {
  return `${namespace}/${name}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
