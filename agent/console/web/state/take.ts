/** What is known of a topic after a frame about it: the stream's worker and the page make the same of the same frames. Pure. @module */
import type { Frame } from '../../live/frames.ts';
import { applyPatch, type Json } from '../../live/patch.ts';
import type { TopicRecord } from './messages.ts';

export type TopicFrame = Extract<Frame, { kind: 'snapshot' | 'patch' | 'coverage' }>;

export interface Held {
  /** Of the frame that came last. */
  readonly seq: number;
  readonly record: TopicRecord;
}

/**
 * What did not change is the same object as before, so that a reader can tell by `===`.
 *
 * @returns undefined where the frame says what changed of something that is not held: the whole is needed
 */
export function taken(held: Held | undefined, frame: TopicFrame): Held | undefined {
  const { seq, atMs } = frame;
  if (frame.kind === 'snapshot') return { seq, record: { data: frame.data, problem: frame.problem, atMs } };
  if (held === undefined) return undefined;
  const { record } = held;
  if (frame.kind === 'coverage') {
    if (held.seq !== seq || record.data === null) return held;
    return { seq, record: { ...record, data: withCoverage(record.data as Covered, frame.coverage), atMs } };
  }
  if (held.seq !== frame.base) return undefined;
  try {
    return { seq, record: { data: applyPatch(record.data as Json, frame.patch), problem: null, atMs } };
  } catch {
    return undefined; // a path that leads nowhere: the patch is of another base
  }
}

interface Covered {
  readonly coverage?: unknown;
}

function withCoverage(data: Covered, coverage: unknown): Covered {
  return JSON.stringify(data.coverage) === JSON.stringify(coverage) ? data : { ...data, coverage };
}
