/**
 * How the requests of a series ended: status, reason of the mesh and status of gRPC together. The table counts each by itself, to
 * be small; a reason has a status of its own nearly always, so that putting them together again loses little, and no sum.
 * @module
 */
import { REASONS, type ReasonCode } from '../../proxy/reasons.ts';
import type { SeriesStats } from '../../proxy/telemetry/stats-reader.ts';

export interface OutcomeCount {
  /** '200'; '0' for no response. */
  readonly code: string;
  readonly reason: ReasonCode | '';
  /** '14'; '' where the call is not gRPC or nobody said. */
  readonly grpcStatus: string;
  readonly count: number;
}

type Counts = Map<string, number>;

/** @returns counts that add up to the requests of the series */
export function outcomesOf(stats: SeriesStats): readonly OutcomeCount[] {
  const { labels, statuses, grpcStatuses, failures, injected } = stats;
  const left: Counts = new Map(Object.entries(statuses));
  const calls: Counts = new Map(Object.entries(grpcStatuses));
  const isCall = labels.protocol === 'grpc';
  const outcomes: OutcomeCount[] = [];
  const tell = (code: string, reason: ReasonCode | '', count: number): void => {
    if (!isCall) {
      outcomes.push({ code, reason, grpcStatus: '', count });
      return;
    }
    // Refused by the mesh, or not answered as gRPC is: not with 0, as long as there are others.
    const wanted =
      reason === '' && code === '200' ? ['0'] : code === '200' ? [...calls.keys()].filter((s) => s !== '0') : ['other'];
    for (const [status, part] of take(calls, wanted, count)) {
      outcomes.push({ code, reason, grpcStatus: status === 'other' ? '' : status, count: part });
    }
  };
  // What a fault answered has the status that its document chose; the rest of that reason was reset.
  let answered = 0;
  for (const [code, count] of Object.entries(injected)) {
    for (const [from, part] of take(left, [code], Math.min(count, left.get(code) ?? 0))) {
      tell(from, 'fault-injected', part);
      answered += part;
    }
  }
  for (const [reason, all] of Object.entries(failures) as [ReasonCode, number][]) {
    const { status } = REASONS[reason];
    const count = reason === 'fault-injected' ? all - answered : all;
    for (const [code, part] of take(left, isCall ? ['200', '0'] : [String(status), '0'], count))
      tell(code, reason, part);
  }
  for (const [code, count] of left) if (count > 0) tell(code, '', count);
  return outcomes;
}

/** Takes so many out of these, those that are wanted first; fewer where there are no more. */
function take(from: Counts, wanted: readonly string[], count: number): readonly (readonly [string, number])[] {
  const taken: [string, number][] = [];
  let missing = count;
  for (const key of [...wanted, ...from.keys()]) {
    const part = Math.min(missing, from.get(key) ?? 0);
    if (part <= 0) continue;
    from.set(key, from.get(key)! - part);
    taken.push([key, part]);
    missing -= part;
  }
  return taken;
}
