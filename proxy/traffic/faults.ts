/** What is done to requests on purpose, so that people see what becomes of it. Always for a while only. @module */

import type { AccessPeer } from '../access/peer.ts';
import { type TargetedCall, TargetMatcher } from '../resilience/targets.ts';
import { type Condition, compileConditions } from '../routing/conditions.ts';
import type { RouteRequest } from '../routing/request.ts';
import type { TrafficBoard } from './board.ts';
import { type Fault, subjectOf } from './rules.ts';

interface CompiledFault {
  readonly fault: Fault;
  readonly conditions: readonly Condition[];
  readonly subject: string;
}

/** What becomes of one request. */
export interface Disturbance {
  readonly fault: Fault;
  readonly subject: string;
  readonly delayMs: number;
  readonly abort: Fault['abort'];
  readonly isReset: boolean;
  readonly bytesPerSecond: number;
}

export class CallFaults {
  readonly #faults: readonly CompiledFault[];

  private constructor(faults: readonly CompiledFault[]) {
    this.#faults = faults;
  }

  /** @returns undefined where there are none */
  static of(board: TrafficBoard, call: TargetedCall): CallFaults | undefined {
    const faults = board.rules.faults
      .filter(({ target, origin }) => {
        const asRouted = { ...call, route: target.routes[0] }; // whether the route fits is asked for each request
        return new TargetMatcher(target, origin).holds(asRouted);
      })
      .map((fault): CompiledFault => {
        const match = { headers: fault.headers, query: [], cookies: [], sources: [] };
        return { fault, conditions: compileConditions(match), subject: subjectOf(fault.origin) };
      });
    return faults.length === 0 ? undefined : new CallFaults(faults);
  }

  /** The first fault that the request falls under, with its dice thrown; undefined where nothing happens to it. */
  draw(
    request: RouteRequest,
    caller: AccessPeer,
    route: string | undefined,
    nowMs: number,
    random: () => number,
  ): Disturbance | undefined {
    for (const { fault, conditions, subject } of this.#faults) {
      if (nowMs >= fault.untilMs) continue;
      const { routes } = fault.target;
      if (routes.length > 0 && (route === undefined || !routes.includes(route))) continue;
      if (!conditions.every((condition) => condition.holds(request, caller))) continue;
      const hits = (percent: number | undefined): boolean => percent !== undefined && random() * 100 < percent;
      const { delay, abort, reset, bandwidth } = fault;
      const disturbance = {
        fault,
        subject,
        delayMs: hits(delay?.percent) ? delay!.ms : 0,
        abort: hits(abort?.percent) ? abort : undefined,
        isReset: hits(reset?.percent),
        bytesPerSecond: hits(bandwidth?.percent) ? bandwidth!.bytesPerSecond : 0,
      };
      const { delayMs, isReset, bytesPerSecond } = disturbance;
      return delayMs > 0 || disturbance.abort !== undefined || isReset || bytesPerSecond > 0 ? disturbance : undefined;
    }
    return undefined;
  }
}
