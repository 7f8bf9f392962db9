/** When a workload counts as ready: a rule over the outcomes of its checks, without clocks or sockets. @module */
import type { HealthCheckTiming } from './workload.ts';

export type Health = 'ready' | 'unready';

export interface HealthState {
  readonly health: Health;
  /** False until the first success: from then on `healthyAfter` counts. */
  readonly wasReady: boolean;
  /** Outcomes in a row that speak against `health`. */
  readonly against: number;
}

export const NEVER_CHECKED: HealthState = { health: 'unready', wasReady: false, against: 0 };
/** A workload without a check is taken at its word. */
export const UNCHECKED: HealthState = { health: 'ready', wasReady: true, against: 0 };

/** The very first success is enough: nobody has seen this workload fail. After that, the thresholds decide. */
export function afterCheck(
  state: HealthState,
  isHealthy: boolean,
  limits: Pick<HealthCheckTiming, 'healthyAfter' | 'unhealthyAfter'>,
): HealthState {
  if (isHealthy === (state.health === 'ready')) return { ...state, against: 0 };
  const against = state.against + 1;
  if (!isHealthy)
    return against < limits.unhealthyAfter ? { ...state, against } : { ...state, health: 'unready', against: 0 };
  if (state.wasReady && against < limits.healthyAfter) return { ...state, against };
  return { health: 'ready', wasReady: true, against: 0 };
}
