/** Where the spans of a trace are drawn: a row each, callers above what they call, in the order in which they began. @module */
import type { Span } from '../../../shapes/mesh.ts';

export interface WaterfallRow {
  readonly span: Span;
  readonly depth: number;
  /** Of the whole trace, 0..1. */
  readonly startRatio: number;
  readonly widthRatio: number;
  /** Its parent is named but was not kept by any node that answered. */
  readonly isOrphan: boolean;
  /** It seems to begin before its caller: clocks of nodes differ. Drawn as measured. */
  readonly skewMs: number;
  readonly children: number;
}

export interface Waterfall {
  readonly startMs: number;
  readonly tookMs: number;
  readonly rows: readonly WaterfallRow[];
  readonly services: readonly string[];
}

/** Below it a clock's own steps are all there is to see. */
const SKEW_FROM_MS = 1;

export function layOut(spans: readonly Span[]): Waterfall {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const children = new Map<string, Span[]>();
  const roots: Span[] = [];
  for (const span of spans) {
    const parent = span.parentSpanId === span.spanId ? undefined : byId.get(span.parentSpanId);
    if (parent === undefined) roots.push(span);
    else children.set(parent.spanId, [...(children.get(parent.spanId) ?? []), span]);
  }
  const startMs = spans.reduce((least, span) => Math.min(least, span.startMs), Number.POSITIVE_INFINITY);
  const endMs = spans.reduce((most, span) => Math.max(most, span.startMs + span.tookMs), Number.NEGATIVE_INFINITY);
  const tookMs = spans.length === 0 ? 0 : endMs - startMs;
  const rows: WaterfallRow[] = [];
  const seen = new Set<string>();

  const place = (first: Span): void => {
    const open: { span: Span; depth: number }[] = [{ span: first, depth: 0 }];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { span, depth } = next;
      if (seen.has(span.spanId)) continue; // spans that name each other as parents
      seen.add(span.spanId);
      const parent = byId.get(span.parentSpanId);
      const early = parent === undefined || parent === span ? 0 : parent.startMs - span.startMs;
      const below = (children.get(span.spanId) ?? []).toSorted(byStart);
      rows.push({
        span,
        depth,
        startRatio: tookMs === 0 ? 0 : (span.startMs - startMs) / tookMs,
        widthRatio: tookMs === 0 ? 1 : span.tookMs / tookMs,
        isOrphan: parent === undefined && span.parentSpanId !== '',
        skewMs: early > SKEW_FROM_MS ? early : 0,
        children: below.length,
      });
      for (const child of below.toReversed()) open.push({ span: child, depth: depth + 1 });
    }
  };
  for (const root of roots.toSorted(byStart)) place(root);
  for (const span of spans.toSorted(byStart)) if (!seen.has(span.spanId)) place(span);

  return {
    startMs: spans.length === 0 ? 0 : startMs,
    tookMs,
    rows,
    services: [...new Set(rows.map(({ span }) => span.service))],
  };
}

/** Of every span: who, how long and why it was kept, of which nothing was decided. */
const PLAIN: ReadonlySet<string> = new Set(
  'direction source source_identity destination destination_version duration_ms reason kept step subject bytes_received bytes_sent'
    .split(' ')
    .map((name) => `weft.${name}`),
);

/** What the mesh decided inside a span, as ticks on it: retries, ejections, a reason of its own. */
export function meshTicks(span: Span): readonly string[] {
  const ticks = span.reason === '' ? [] : [span.reason];
  for (const [key, value] of Object.entries(span.attributes)) {
    if (!key.startsWith('weft.') || PLAIN.has(key)) continue;
    const isTold = value !== '' && value !== false && value !== 0 && !(key === 'weft.attempts' && value === 1);
    if (isTold) ticks.push(`${key.slice('weft.'.length)} ${value === true ? '' : value}`.trim());
  }
  return ticks;
}

function byStart(a: Span, b: Span): number {
  return a.startMs - b.startMs || b.tookMs - a.tookMs;
}
