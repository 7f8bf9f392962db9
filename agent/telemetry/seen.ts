/**
 * Logs and traces as somebody may see them who sees some namespaces only: the console's answers to what people type. A request
 * is seen by whoever sees one of its sides; of a trace, the spans of which that is so. @module
 */

import { workloadOf } from '../../proxy/telemetry/workload-name.ts';
import type { Span, Trace, Traces } from '../console/shapes/mesh.ts';
import type { MeshQuery } from '../mesh-query/shapes.ts';
import { type FilterTerm, parseFilter } from './record-filter.ts';
import { findTrace, MAX_TRACES, searchTraces } from './traces/traces.ts';

export interface Seen {
  /** As in `service:shop/cart failed`; empty: all. */
  readonly q: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly limit: number;
  /** Undefined: all. */
  readonly namespaces: ReadonlySet<string> | undefined;
}

export type Answered<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

export async function seenTraces(query: MeshQuery, seen: Seen): Promise<Answered<Traces>> {
  const terms = termsOf(seen);
  if (typeof terms === 'string') return { ok: false, problem: terms };
  const { traces, coverage } = await searchTraces(query, { ...rangeOf(seen, MAX_TRACES), terms });
  const value = traces.map((row) => ({
    ...row,
    services: row.services.filter((name) => isSeen(name, seen.namespaces)),
  }));
  return { ok: true, value: { traces: value, coverage } };
}

/** @param id 32 digits and letters a to f */
export async function seenTrace(
  query: MeshQuery,
  id: string,
  namespaces: ReadonlySet<string> | undefined,
): Promise<Answered<Trace>> {
  if (!/^[0-9a-f]{32}$/.test(id))
    return { ok: false, problem: 'id: not the id of a trace, 32 digits and letters a to f' };
  const { spans, ...trace } = await findTrace(query, id);
  const isOf = ({ service, peer }: Span): boolean => isSeen(service, namespaces) || isSeen(peer, namespaces);
  return { ok: true, value: { ...trace, spans: spans.filter(isOf) } };
}

/** With the namespaces that are seen, which all nodes then look by; who sees none finds nothing. */
function termsOf({ q, namespaces }: Seen): FilterTerm[] | string {
  const parsed = parseFilter(q);
  if (!parsed.ok) return `q: ${parsed.problem}`;
  if (namespaces === undefined) return [...parsed.terms];
  const values = namespaces.size === 0 ? ['-'] : [...namespaces]; // no namespace is called so
  return [...parsed.terms, { field: 'ns', values, isNegated: false }];
}

function rangeOf({ fromMs, toMs, limit }: Seen, most: number): { sinceMs: number; untilMs: number; limit: number } {
  return { sinceMs: fromMs, untilMs: toMs, limit: Math.max(1, Math.min(limit, most)) };
}

function isSeen(service: string, namespaces: ReadonlySet<string> | undefined): boolean {
  return namespaces === undefined || namespaces.has(workloadOf(service).split('/', 1)[0]!);
}
