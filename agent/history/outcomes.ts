/**
 * Which failures are whose: the application's, the mesh's, or what a policy asked for. The health of a service is judged by
 * the first two; denials and limits have a count of their own, and what clients do wrong is none of these.
 * @module
 */
import { REASONS, type ReasonCode } from '../../proxy/reasons.ts';

export type Blame = 'app' | 'mesh' | 'policy' | 'client';

const POLICY: ReadonlySet<string> = new Set<ReasonCode>([
  'access-denied',
  'rate-limited',
  'overflow',
  'overloaded',
  'fault-injected',
  'plaintext-refused',
]);
/** The endpoint was reached, and broke off or answered nonsense. */
const APP: ReadonlySet<string> = new Set<ReasonCode>([
  'upstream-failed',
  'upstream-closed',
  'upstream-reset',
  'upstream-malformed',
  'upstream-interim-flood',
  'upstream-unasked-upgrade',
  'upstream-truncated',
]);
const CLIENT: ReadonlySet<string> = new Set<ReasonCode>([
  'client-aborted',
  'idle-timeout',
  'mirror-cut',
  'connect-not-supported',
  'connect-only',
  'unsupported-version',
  'unknown-transfer-encoding',
  'loop-refused',
]);

export function blameOf(reason: ReasonCode): Blame {
  if (POLICY.has(reason)) return 'policy';
  if (APP.has(reason)) return 'app';
  const { status } = REASONS[reason];
  return CLIENT.has(reason) || (status >= 400 && status < 500) ? 'client' : 'mesh';
}

/** Statuses of gRPC that mean that the server failed: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
export const GRPC_FAILED: readonly string[] = ['2', '4', '13', '14', '15'];

/**
 * `2xx` of 204; of gRPC, which is counted by its own status once more, whether the server failed. Of no answer `0`. Undefined for
 * what faults answered, `fault 503`, which is among the others.
 */
export function statusClass(status: string): string | undefined {
  if (status.startsWith(FAULT)) return undefined;
  if (status.startsWith('grpc ')) return GRPC_FAILED.includes(status.slice(5)) ? 'grpc failed' : 'grpc ok';
  return /^[1-5]/.test(status) ? `${status[0]}xx` : '0';
}

/** Before the status of requests that a fault answered, which are counted by it once more. */
export const FAULT = 'fault ';

export interface Outcomes {
  readonly clientErrors: number;
  readonly appFailed: number;
  readonly meshFailed: number;
  readonly denied: number;
}

/**
 * Responses of the mesh are counted by status as all others are, and once more by reason; so they are taken out of the
 * application's here. Of gRPC the mesh's are among those with a failed status. What a fault answered is denied, whatever status its
 * document chose: the application was not asked, as Istio says with the flag FI.
 *
 * @param classes responses by status class, 1xx first
 * @param grpcFailed responses with a status of GRPC_FAILED
 * @param injected those of `classes` that a fault answered
 */
export function outcomesOf(
  classes: readonly number[],
  failures: Readonly<Partial<Record<ReasonCode, number>>>,
  grpcFailed: number,
  injected: readonly number[] = [],
): Outcomes {
  let [clientErrors, appFailed] = [(classes[3] ?? 0) - (injected[3] ?? 0), (classes[4] ?? 0) - (injected[4] ?? 0)];
  let [meshFailed, denied, meshOverGrpc] = [0, 0, injected[1] ?? 0]; // a fault answers gRPC with 200 and a status of its own
  for (const [code, count] of Object.entries(failures)) {
    const reason = code as ReasonCode;
    const blame = blameOf(reason);
    const { status } = REASONS[reason];
    if (blame === 'mesh') meshFailed += count;
    if (blame === 'policy') denied += count;
    if (blame === 'app' && status === 0) appFailed += count;
    if (status >= 400 && status < 500) clientErrors -= count;
    if (blame !== 'app' && status >= 500) {
      appFailed -= count;
      meshOverGrpc += count;
    }
  }
  if (grpcFailed > 0) appFailed = Math.max(0, appFailed) + Math.max(0, grpcFailed - meshOverGrpc);
  return { clientErrors: Math.max(0, clientErrors), appFailed: Math.max(0, appFailed), meshFailed, denied };
}
