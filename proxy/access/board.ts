/**
 * The rules in force on a worker, and what they mean for each port of a local workload.
 *
 * Ports are told what holds for them (`access`), and a port whose rules changed is given another object: whoever remembers
 * a decision sees by that alone that it may be old.
 * @module
 */

import { CallerLabels } from './caller-labels.ts';
import { type AccessInForce, AccessRuleset } from './compile.ts';
import { type AccessDestination, accessTo, type DestinationAccess } from './destination.ts';
import type { AccessRules } from './policy.ts';

/** A port that access rules may be about. */
export interface AccessTargetPort {
  readonly destination: AccessDestination;
  /** undefined: everybody in the mesh may call. */
  access: DestinationAccess | undefined;
  /** Whether plaintext is let in. */
  isPermissive: boolean;
}

export class AccessBoard {
  readonly callerLabels = new CallerLabels();
  readonly #ports = new Set<AccessTargetPort>();
  #inForce: AccessInForce | undefined = undefined;
  /** What ports under the same rules share. */
  #shared = new Map<string, DestinationAccess>();

  /** When to `advance` next; Infinity where time changes nothing. */
  get untilMs(): number {
    return this.#inForce?.untilMs ?? Number.POSITIVE_INFINITY;
  }

  /** Whether decisions depend on what the register says about callers. */
  get readsLabels(): boolean {
    return this.#inForce?.ruleset.readsLabels ?? false;
  }

  /** @throws AccessError for rules that cannot be compiled; those before stay in force */
  apply(rules: AccessRules, nowMs: number): void {
    this.#enforce(new AccessRuleset(rules).at(nowMs));
  }

  /** @returns whether the passing of time changed what is in force */
  advance(nowMs: number): boolean {
    const before = this.#inForce;
    if (before === undefined) return false;
    const now = before.ruleset.at(nowMs);
    const isChanged = now.fingerprint !== before.fingerprint;
    if (isChanged) this.#enforce(now);
    else this.#inForce = now;
    return isChanged;
  }

  /** Tells a port what holds for it, now and whenever that changes; again when its destination changed. */
  add(port: AccessTargetPort): void {
    this.#ports.add(port);
    this.tell(port);
  }

  delete(port: AccessTargetPort): void {
    this.#ports.delete(port);
  }

  /** Tells a port what holds for it now; for one that has gone while connections to it are open. */
  tell(port: AccessTargetPort): void {
    const inForce = this.#inForce;
    if (inForce === undefined) return;
    const { destination } = port;
    port.access = accessTo(destination, inForce, this.#shared);
    port.isPermissive = inForce.ruleset.source.permissive.some(
      ({ namespace, service, port: number, untilMs }) =>
        namespace === destination.namespace &&
        service === destination.service &&
        number === destination.port &&
        untilMs > inForce.nowMs,
    );
  }

  #enforce(inForce: AccessInForce): void {
    this.#inForce = inForce;
    this.#shared = new Map();
    for (const port of this.#ports) this.tell(port);
  }
}
