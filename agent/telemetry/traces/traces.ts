/**
 * Traces over the whole mesh: topic `traces` finds and sums up what a node has, topic `trace` tells all spans of some ids, and
 * which other traces it guesses to belong to them. Whoever asks puts the answers together.
 * @module
 */
import { z } from 'zod';
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';
import { type Span, span, type Trace, type Traces } from '../../console/shapes/mesh.ts';
import type { Coverage, MeshQuery, Topic } from '../../mesh-query/shapes.ts';
import type { EntryOptions } from '../access-log/entry.ts';
import { type FilterTerm, filterTerms, fits, withUsers } from '../record-filter.ts';
import { Inference, type InferredLink } from './inferred.ts';
import { requestSpan, spansOf } from './spans.ts';
import { summaryOf, traceRowOf, traceSummary } from './summary.ts';
import type { TraceStore } from './trace-store.ts';

export const MAX_TRACES = 500;
/** Traces that guesses may join to one, and how often another is asked for. */
const MAX_JOINED = 32;
const MAX_ROUNDS = 6;
const MAX_SPANS = 4_000;

const traceId = z.string().regex(/^[0-9a-f]{32}$/, 'not the id of a trace: 32 digits and letters a to f');

const searchQuestion = z.strictObject({
  /** Finds those of which a request fits; or sums up these. */
  terms: filterTerms,
  ids: z.array(traceId).max(MAX_TRACES).nullable(),
  sinceMs: z.number(),
  untilMs: z.number(),
  limit: z.int().min(1).max(MAX_TRACES),
});
type SearchQuestion = z.infer<typeof searchQuestion>;
const searchAnswer = z.array(traceSummary).max(MAX_TRACES);

const traceQuestion = z.strictObject({ ids: z.array(traceId).min(1).max(MAX_JOINED) });
const traceAnswer = z.object({ spans: z.array(span).max(MAX_SPANS), joined: z.array(traceId) });
type TraceAnswer = z.infer<typeof traceAnswer>;

export interface TraceSearch {
  readonly terms: FilterTerm[];
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly limit: number;
}

export interface TracesOptions {
  readonly store: TraceStore;
  readonly spans: EntryOptions;
  readonly sampleRatio: number;
  readonly userOf: (user: string) => string;
  readonly nowMs: () => number;
}

/** What this node answers. */
export function tracesTopic(options: TracesOptions): Topic<SearchQuestion, z.infer<typeof searchAnswer>> {
  const { store, userOf } = options;
  return {
    name: 'traces',
    question: searchQuestion,
    answerSchema: searchAnswer,
    answer: ({ ids, terms, sinceMs, untilMs, limit }) => {
      store.forget(options.nowMs());
      if (ids !== null) return ids.flatMap((id) => (store.trace(id).length === 0 ? [] : [summaryOf(store.trace(id))]));
      const wanted = withUsers(terms, userOf);
      const found = [];
      for (const records of store.latest()) {
        const isIn = ({ atMs }: RequestRecord): boolean => atMs >= sinceMs && atMs <= untilMs;
        if (records.some((record) => isIn(record) && fits(record, wanted))) found.push(summaryOf(records));
        if (found.length === limit) break;
      }
      return found;
    },
  };
}

export function traceTopic(options: TracesOptions): Topic<z.infer<typeof traceQuestion>, TraceAnswer> {
  return {
    name: 'trace',
    question: traceQuestion,
    answerSchema: traceAnswer,
    answer: ({ ids }) => {
      options.store.forget(options.nowMs());
      return traceHere(ids, options);
    },
  };
}

/** All of some traces that this node has, and what it guesses. */
export function traceHere(ids: readonly string[], { store, spans, sampleRatio }: TracesOptions): TraceAnswer {
  const records = ids.flatMap((id) => store.trace(id));
  if (records.length === 0) return { spans: [], joined: [] };
  const inference = new Inference(store.all(), sampleRatio);
  const links = records.flatMap((record) => [...inference.children(record), ...inference.parents(record)]);
  const parentOf = new Map<RequestRecord, InferredLink>();
  // One that is asked for, so that it is shown with all that may be its own; then the one that was asked last.
  const rank = ({ parent }: InferredLink): number => (ids.includes(parent.traceId) ? 1e15 : 0) + parent.atMs;
  for (const link of links) {
    const known = parentOf.get(link.child);
    if (known === undefined || rank(link) > rank(known)) parentOf.set(link.child, link);
  }
  const joined = [...parentOf.values()].flatMap(({ parent, child }) => [parent.traceId, child.traceId]);
  return {
    spans: records
      .flatMap((record) => withParent(spansOf(record, spans), parentOf.get(record), spans))
      .slice(0, MAX_SPANS),
    joined: [...new Set(joined)].filter((id) => !ids.includes(id)).slice(0, MAX_JOINED),
  };
}

function withParent([own, ...below]: readonly Span[], link: InferredLink | undefined, options: EntryOptions): Span[] {
  if (link === undefined) return [own!, ...below];
  const parent = requestSpan(link.parent, options);
  return [{ ...own!, parentSpanId: parent.spanId, inferredConfidence: link.confidence }, ...below];
}

/** Newest first. Two rounds: who has what fits, then what all nodes know of those. */
export async function searchTraces(query: MeshQuery, { limit, ...search }: TraceSearch): Promise<Traces> {
  const topic = { name: 'traces', answerSchema: searchAnswer };
  const wanted = Math.min(limit, MAX_TRACES);
  const found = await query.ask(topic, { ...search, ids: null, limit: wanted } satisfies SearchQuestion);
  const newest = [...found.answers.values()].flat().sort((a, b) => b.first.startMs - a.first.startMs);
  const ids = [...new Set(newest.map(({ traceId }) => traceId))].slice(0, wanted);
  if (ids.length === 0) return { traces: [], coverage: found.coverage };
  const whole = await query.ask(topic, { ...search, terms: [], ids, limit: wanted } satisfies SearchQuestion);
  const parts = Map.groupBy([...whole.answers.values()].flat(), ({ traceId }) => traceId);
  const traces = ids.flatMap((id) => {
    const known = parts.get(id) ?? newest.filter(({ traceId }) => traceId === id);
    return known.length === 0 ? [] : [traceRowOf(known)];
  });
  traces.sort((a, b) => b.startMs - a.startMs);
  return { traces, coverage: worse(found.coverage, whole.coverage) };
}

/** One trace, and those that are guessed to belong to it: their spans keep the ids of their own traces. */
export async function findTrace(query: MeshQuery, id: string): Promise<Trace> {
  const topic = { name: 'trace', answerSchema: traceAnswer };
  const spans = new Map<string, Span>();
  const asked = new Set<string>();
  let next: readonly string[] = [id];
  let coverage: Coverage = { asked: 0, answered: 0, missing: [] };
  for (let round = 0; round < MAX_ROUNDS && next.length > 0; round++) {
    for (const one of next) asked.add(one);
    const { answers, coverage: covered } = await query.ask(topic, { ids: [...asked] });
    coverage = round === 0 ? covered : worse(coverage, covered);
    const joined: string[] = [];
    for (const answer of answers.values()) {
      for (const one of answer.spans) spans.set(`${one.traceId} ${one.spanId}`, one);
      joined.push(...answer.joined);
    }
    next = [...new Set(joined)].filter((one) => !asked.has(one)).slice(0, MAX_JOINED - asked.size);
  }
  const sorted = [...spans.values()].sort((a, b) => a.startMs - b.startMs).slice(0, MAX_SPANS);
  return { traceId: id, spans: connected(sorted, id), coverage };
}

/** Guesses upwards may lead to traces of other callers: only what hangs together with the trace that was asked for. */
function connected(spans: readonly Span[], id: string): Span[] {
  const bySpan = new Map(spans.map((one) => [one.spanId, one]));
  const ids = new Set([id]);
  for (let isMore = true; isMore; ) {
    const before = ids.size;
    for (const one of spans) {
      const parent = one.inferredConfidence === null ? undefined : bySpan.get(one.parentSpanId);
      if (parent === undefined) continue;
      if (ids.has(one.traceId)) ids.add(parent.traceId);
      if (ids.has(parent.traceId)) ids.add(one.traceId);
    }
    isMore = ids.size > before;
  }
  return spans.filter(({ traceId }) => ids.has(traceId));
}

/** Of two rounds: who failed in either is missing. */
function worse(a: Coverage, b: Coverage): Coverage {
  const missing = [...new Map([...a.missing, ...b.missing].map((one) => [one.node, one])).values()];
  const asked = Math.max(a.asked, b.asked);
  return { asked, answered: asked - missing.length, missing };
}
