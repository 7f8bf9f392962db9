/**
 * How a service or a call fares, and the numbers that decided, in words. Worst wins: bad, warn, unknown, quiet, ok. Pure.
 *
 * Failed is what the application answered with 5xx and the like, and what the mesh refused without policy; denials and limits
 * are not failures.
 * @module
 */
import type { Health, Signals } from '../shapes/common.ts';

/** Fewer requests than this say nothing. */
export const QUIET_BELOW = 20;
const BAD_RATIO = 0.03;
const WARN_RATIO = 0.01;

export interface Judged {
  readonly health: Health;
  readonly cause: string;
}

export interface Evidence {
  readonly signals: Signals;
  /** In the range; null: nobody can say. */
  readonly requests: number | null;
  /** Connections, where no requests are seen. */
  readonly connections: number;
  readonly endpointsReady: number;
  readonly endpointsTotal: number;
  /** Whether those who would know did not answer. */
  readonly isUnseen: boolean;
}

export const WORST_FIRST: readonly Health[] = ['bad', 'warn', 'unknown', 'quiet', 'ok'];

export function judge({ signals, requests, connections, ...known }: Evidence): Judged {
  const called = (requests ?? 0) + connections;
  const failed = (signals.appFailedRatio ?? 0) + (signals.meshFailedRatio ?? 0);
  if (known.endpointsTotal > 0 && known.endpointsReady === 0 && called > 0) {
    return { health: 'bad', cause: `none of ${known.endpointsTotal} endpoints is ready, and it is called` };
  }
  if ((requests ?? 0) >= QUIET_BELOW && failed >= WARN_RATIO) {
    const cause = `failed ${percent(failed)} of ${whole(requests ?? 0)} requests`;
    return { health: failed >= BAD_RATIO ? 'bad' : 'warn', cause };
  }
  if (known.isUnseen && called === 0) return { health: 'unknown', cause: 'the nodes that would know do not answer' };
  if (known.endpointsTotal > 0 && known.endpointsReady === 0) {
    return { health: 'warn', cause: `none of ${known.endpointsTotal} endpoints is ready; nobody calls it` };
  }
  if (requests === null && connections === 0) return { health: 'unknown', cause: 'nothing was counted in this range' };
  if (called < QUIET_BELOW) return { health: 'quiet', cause: `${whole(called)} requests in this range` };
  return { health: 'ok', cause: `failed ${percent(failed)} of ${whole(requests ?? 0)} requests` };
}

export function worst(all: readonly Health[]): Health {
  return WORST_FIRST.find((health) => all.includes(health)) ?? 'unknown';
}

export function percent(ratio: number): string {
  return `${Number((ratio * 100).toPrecision(2))} %`;
}

function whole(count: number): string {
  return Math.round(count).toLocaleString('en');
}
