/**
 * Topic `tap`: live requests of this node for those who watch. Nothing is subscribed and no worker watches while nobody does.
 *
 * A session begins with its first poll and ends 10 s after its last. At most 4 a node, each with a ring of 1,000 requests;
 * what is not fetched in time makes room for what is newer, and is counted.
 * @module
 */
import { z } from 'zod';
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';
import { logRow } from '../../console/shapes/mesh.ts';
import type { Topic } from '../../mesh-query/shapes.ts';
import { type LogEntry, logEntry } from '../access-log/entry.ts';
import { type FilterTerm, filterTerms, fits, withUsers } from '../record-filter.ts';
import type { RecordHub } from '../records.ts';
import { watchOf } from './watch.ts';

export const TAP_TTL_MS = 10_000;
export const MAX_SESSIONS = 4;
const RING = 1_000;
const MAX_ANSWER = 500;
/** Workers are told again when this much of the time they watch for is over. */
const RENEW_MS = 4_000;

const question = z.strictObject({
  /** Chosen at random by who watches. */
  session: z.string().regex(/^[0-9a-f]{16,64}$/),
  terms: filterTerms,
  /** By node, what its last answer said. */
  cursors: z.record(z.string().max(253), z.int().min(0)),
  isOver: z.boolean(),
});
export type TapQuestion = z.infer<typeof question>;

export const tapAnswer = z.object({
  cursor: z.int(),
  /** Oldest first. */
  requests: z.array(logRow).max(MAX_ANSWER),
  /** Since the session began: what was not fetched in time, and what workers had no room to tell of. */
  dropped: z.int(),
  leftOut: z.int(),
  /** Why this node takes no part; empty: it does. */
  refused: z.string(),
});
export type TapAnswer = z.infer<typeof tapAnswer>;

export interface TapDeskOptions {
  readonly node: string;
  readonly hub: Pick<RecordHub, 'subscribe' | 'tap'>;
  readonly redact: (record: RequestRecord) => RequestRecord;
  readonly userOf: (user: string) => string;
  readonly isUserHashed: boolean;
  /** Records that workers have left out so far. */
  readonly leftOut: () => number;
  readonly nowMs: () => number;
}

interface Session {
  /** As somebody typed it, and with what records have instead of names of users. */
  readonly asked: readonly FilterTerm[];
  readonly terms: readonly FilterTerm[];
  readonly ring: RequestRecord[];
  readonly leftOutBefore: number;
  /** Of the first in the ring. */
  first: number;
  dropped: number;
  watchedUntilMs: number;
  endWatch: () => void;
  timer: NodeJS.Timeout;
}

const NOTHING = { cursor: 0, requests: [], dropped: 0, leftOut: 0, refused: '' };

export class TapDesk implements Disposable {
  readonly #options: TapDeskOptions;
  readonly #sessions = new Map<string, Session>();
  #unsubscribe: (() => void) | undefined;

  constructor(options: TapDeskOptions) {
    this.#options = options;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  topic(): Topic<TapQuestion, TapAnswer> {
    return { name: 'tap', question, answerSchema: tapAnswer, answer: (asked) => this.poll(asked) };
  }

  poll({ session: id, terms, cursors, isOver }: TapQuestion): TapAnswer {
    if (isOver) {
      this.#end(id);
      return NOTHING;
    }
    const session = this.#sessions.get(id) ?? this.#begin(id, terms);
    if (typeof session === 'string') return { ...NOTHING, refused: session };
    clearTimeout(session.timer);
    session.timer = setTimeout(() => this.#end(id), TAP_TTL_MS).unref();
    this.#watch(id, session);
    return this.#answer(session, cursors[this.#options.node] ?? 0);
  }

  [Symbol.dispose](): void {
    for (const id of this.#sessions.keys()) this.#end(id);
  }

  #begin(id: string, terms: readonly FilterTerm[]): Session | string {
    if (this.#sessions.size >= MAX_SESSIONS) return `${MAX_SESSIONS} taps are open on this node already`;
    const session: Session = {
      asked: terms,
      terms: withUsers(terms, this.#options.userOf),
      ring: [],
      leftOutBefore: this.#options.leftOut(),
      first: 0,
      dropped: 0,
      watchedUntilMs: 0,
      endWatch: () => {},
      timer: setTimeout(() => {}, 0),
    };
    if (!this.#watch(id, session)) return 'workers of this node watch for as much as they can already';
    this.#sessions.set(id, session);
    this.#unsubscribe ??= this.#options.hub.subscribe((records) => this.#heard(records));
    return session;
  }

  #watch(id: string, session: Session): boolean {
    const nowMs = this.#options.nowMs();
    if (session.watchedUntilMs - nowMs > TAP_TTL_MS - RENEW_MS) return true;
    const untilMs = nowMs + TAP_TTL_MS;
    const end = this.#options.hub.tap([watchOf(id, session.asked, untilMs)]);
    if (end === undefined) return false;
    session.watchedUntilMs = untilMs;
    session.endWatch = end;
    return true;
  }

  #heard(records: readonly RequestRecord[]): void {
    for (const raw of records) {
      let record: RequestRecord | undefined;
      for (const session of this.#sessions.values()) {
        record ??= this.#options.redact(raw);
        // Who names what is private may find it by that, and is shown it no more than others.
        if (!fits(raw, session.terms) && !fits(record, session.terms)) continue;
        session.ring.push(record);
        if (session.ring.length <= RING) continue;
        session.ring.shift();
        session.first++;
        session.dropped++;
      }
    }
  }

  /** What came up to the cursor has arrived, and is forgotten. */
  #answer(session: Session, cursor: number): TapAnswer {
    const { node, isUserHashed, leftOut } = this.#options;
    const done = Math.max(0, Math.min(cursor - session.first, session.ring.length));
    session.ring.splice(0, done);
    session.first += done;
    const records = session.ring.slice(0, MAX_ANSWER);
    return {
      cursor: session.first + records.length,
      requests: records.map((one) => ({
        atMs: one.atMs,
        node,
        record: { ...(logEntry(one, { node, isUserHashed }) satisfies LogEntry) },
      })),
      dropped: session.dropped,
      leftOut: leftOut() - session.leftOutBefore,
      refused: '',
    };
  }

  #end(id: string): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    clearTimeout(session.timer);
    session.endWatch();
    this.#sessions.delete(id);
    if (this.#sessions.size > 0) return;
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
  }
}
