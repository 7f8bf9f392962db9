/**
 * Spans as OpenTelemetry's exporter takes them. They are made of records, after the fact: the SDK's tracer, which measures for
 * itself, has no part in it. @module
 */
import { type HrTime, SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import type { Span } from '../../console/shapes/mesh.ts';
import { serviceAttributes } from '../access-log/entry.ts';

const KINDS = { client: SpanKind.CLIENT, server: SpanKind.SERVER, internal: SpanKind.INTERNAL } as const;
/** Services of one node, and names that come from outside with them: one more makes all anew. */
const MAX_RESOURCES = 1_024;

export class ReadableSpans {
  readonly #scope: ReadableSpan['instrumentationScope'];
  readonly #resources = new Map<string, Resource>();

  constructor(version: string) {
    this.#scope = { name: 'weft', version };
  }

  of(span: Span): ReadableSpan {
    const { traceId, spanId, parentSpanId, name, kind, startMs, tookMs, isFailed, reason, attributes } = span;
    const context = (id: string, isRemote: boolean) => ({
      traceId,
      spanId: id,
      traceFlags: TraceFlags.SAMPLED,
      isRemote,
    });
    return {
      name,
      kind: KINDS[kind],
      spanContext: () => context(spanId, false),
      // What is below a request's own span was made here; the parent of that is another process.
      ...(parentSpanId === '' ? {} : { parentSpanContext: context(parentSpanId, kind !== 'internal') }),
      startTime: hrTime(startMs),
      endTime: hrTime(startMs + tookMs),
      duration: hrTime(tookMs),
      status: isFailed ? { code: SpanStatusCode.ERROR, message: reason } : { code: SpanStatusCode.UNSET },
      attributes,
      links: [],
      events: [],
      ended: true,
      resource: this.#resource(span),
      instrumentationScope: this.#scope,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
  }

  /** The same object for the same service: the exporter groups spans by it. */
  #resource({ service, node }: Span): Resource {
    let resource = this.#resources.get(service);
    if (resource === undefined) {
      if (this.#resources.size >= MAX_RESOURCES) this.#resources.clear();
      resource = resourceFromAttributes({ ...serviceAttributes(service), 'host.name': node });
      this.#resources.set(service, resource);
    }
    return resource;
  }
}

/** Seconds and nanoseconds, each apart: together they are more digits than a number has. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000);
  const nanos = Math.round((ms - seconds * 1_000) * 1e6);
  return nanos === 1e9 ? [seconds + 1, 0] : [seconds, nanos];
}
