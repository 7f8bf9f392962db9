/** Trace context as heads carry it: read, continued, begun anew. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { frameRequest } from '../../../proxy/http1/grammar/framing.ts';
import type { Head } from '../../../proxy/http1/grammar/head.ts';
import { HeadParser } from '../../../proxy/http1/grammar/head-parser.ts';
import { Outbox } from '../../../proxy/http1/outbox.ts';
import { writeRequestHead } from '../../../proxy/http1/serialize.ts';
import { RequestTrace, TraceLine } from '../../../proxy/telemetry/request-trace.ts';
import { TraceIds } from '../../../proxy/telemetry/trace-ids.ts';

const LIMITS = { maxHeadBytes: 32_768, maxFields: 128 };
const T = '0af7651916cd43dd8448eb211c80319c';
const S = 'b7ad6b7169203331';

function tracer(settings: { sampleRatio?: number; propagate?: boolean } = {}): RequestTrace {
  const ids = new TraceIds(new Int32Array([1, 2, 3, 4]));
  return new RequestTrace({ ids, line: new TraceLine(), sampleRatio: 0, propagate: true, ...settings });
}

function headOf(lines: readonly string[]): Head {
  const bytes = Buffer.from(['GET / HTTP/1.1', 'host: a', ...lines, '', ''].join('\r\n'), 'latin1');
  const parser = new HeadParser('request', LIMITS);
  expect(parser.parse(bytes, 0, bytes.length)).toBe(bytes.length);
  expect(frameRequest(parser.head)).toBeUndefined();
  return parser.head;
}

function sent(head: Head, extra: string): string {
  let text = '';
  const socket = { write: (bytes: Buffer) => (text += bytes.toString('latin1')).length > 0, writableNeedDrain: false };
  const out = new Outbox(socket as never);
  writeRequestHead(out, head, extra);
  out.flush();
  return text;
}

/** What the next hop gets of a head with these lines, and what is remembered. */
function passed(lines: readonly string[], settings?: { sampleRatio?: number; propagate?: boolean }) {
  const trace = tracer(settings);
  const head = headOf(lines);
  trace.begin(head);
  const text = sent(head, trace.pass(head, false));
  const fields = text
    .split('\r\n')
    .slice(1, -2)
    .map((line) => /^([^:]+): ?(.*)$/.exec(line)!.slice(1) as [string, string])
    .map(([name, value]) => [name.toLowerCase(), value] as const);
  const all = (name: string) => fields.filter(([key]) => key === name).map(([, value]) => value);
  return { trace, text, all, traceparent: all('traceparent') };
}

const hex = (digits: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: digits, maxLength: digits })
    .map((all) => all.join(''))
    .filter((text) => /[^0]/.test(text));

test('whatever trace a request is part of goes on, with our span as the parent', () => {
  fc.assert(
    fc.property(hex(32), hex(16), fc.boolean(), fc.boolean(), (traceId, spanId, isSampled, isRandom) => {
      const flags = `0${(isSampled ? 1 : 0) + (isRandom ? 2 : 0)}`;
      const { trace, traceparent, all } = passed([`Traceparent: 00-${traceId}-${spanId}-${flags}`, 'tracestate: a=1']);
      expect([trace.traceId, trace.parentSpanId, trace.isSampled]).toEqual([traceId, spanId, isSampled]);
      expect(trace.spanId).not.toBe(spanId);
      expect(traceparent).toEqual([`00-${traceId}-${trace.spanId}-${flags}`]);
      expect(all('tracestate')).toEqual(['a=1']);
    }),
  );
});

test('a request without a context begins a trace', () => {
  const { trace, traceparent } = passed(['x: 1', 'tracestate: a=1']);
  expect(traceparent).toEqual([`00-${trace.traceId}-${trace.spanId}-00`]);
  expect(trace.parentSpanId).toBe('');
});

test.each([
  ['capital digits', [`traceparent: 00-${T.toUpperCase()}-${S}-01`]],
  ['no trace id', [`traceparent: 00-${'0'.repeat(32)}-${S}-01`]],
  ['no span id', [`traceparent: 00-${T}-${'0'.repeat(16)}-01`]],
  ['version ff', [`traceparent: ff-${T}-${S}-01`]],
  ['more than version 00 has', [`traceparent: 00-${T}-${S}-01-x`]],
  ['less', [`traceparent: 00-${T}-${S}-0`]],
  ['other flags', [`traceparent: 00-${T}-${S}-0g`]],
  ['other dashes', [`traceparent: 00_${T}-${S}-01`]],
  ['two of them', [`traceparent: 00-${T}-${S}-01`, `traceparent: 00-${T}-${S}-01`]],
  ['one about this hop', ['connection: traceparent', `traceparent: 00-${T}-${S}-01`]],
  ['nothing', ['traceparent: ']],
  ['B3 of a wrong length', [`b3: ${T}0-${S}`]],
  ['B3 of other digits', [`x-b3-traceid: ${T}`, 'x-b3-spanid: zzzzzzzzzzzzzzzz']],
])('a context that cannot be read is replaced, with all of it: %s', (_name, lines) => {
  const { trace, traceparent, all, text } = passed([...lines, 'tracestate: a=1']);
  expect(trace.traceId).not.toBe(T);
  expect(trace.parentSpanId).toBe('');
  expect(traceparent).toEqual([`00-${trace.traceId}-${trace.spanId}-00`]);
  expect(all('tracestate')).toEqual([]);
  expect(text).not.toContain(S);
});

test('a context of a later version goes on as one of ours', () => {
  const { trace, traceparent } = passed([`traceparent: 01-${T}-${S}-01-more`]);
  expect(traceparent).toEqual([`00-${T}-${trace.spanId}-01`]);
});

test('no line can make a head of two readings: what is sent parses, and has one traceparent', () => {
  const value = fc.string({ unit: fc.constantFrom(...'0123456789abcdefg- _'), maxLength: 70 });
  const name = fc.constantFrom('traceparent', 'b3', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-sampled', 'x-b3-flags');
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 6 }), (fields) => {
      const { text, traceparent } = passed(fields.map(([key, one]) => `${key}: ${one}`));
      expect(traceparent).toHaveLength(1);
      expect(traceparent[0]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$/);
      const parser = new HeadParser('request', LIMITS);
      const bytes = Buffer.from(text, 'latin1');
      expect(parser.parse(bytes, 0, bytes.length)).toBe(bytes.length);
    }),
  );
});

test('B3 in one field goes on in one field, beside traceparent', () => {
  const { trace, traceparent, all } = passed([`b3: ${T}-${S}-1-05e3ac9a4f6e3b90`]);
  expect([trace.traceId, trace.parentSpanId, trace.isSampled]).toEqual([T, S, true]);
  expect(all('b3')).toEqual([`${T}-${trace.spanId}-1-${S}`]);
  expect(traceparent).toEqual([`00-${T}-${trace.spanId}-01`]);
});

test('B3 in several fields, of 64 bits, goes on so', () => {
  const short = T.slice(16);
  const { trace, all } = passed([`X-B3-TraceId: ${short}`, `X-B3-SpanId: ${S}`, 'X-B3-Sampled: 0', 'X-B3-Flags: 0']);
  expect(trace.traceId).toBe(`${'0'.repeat(16)}${short}`);
  expect(all('x-b3-traceid')).toEqual([short]);
  expect(all('x-b3-spanid')).toEqual([trace.spanId]);
  expect(all('x-b3-parentspanid')).toEqual([S]);
  expect(all('x-b3-sampled')).toEqual(['0']);
  expect(trace.isSampled).toBe(false);
});

test.each([
  ['b3: 1', true],
  ['b3: d', true],
  ['b3: 0', false],
  ['x-b3-flags: 1', true],
  ['x-b3-sampled: true', true],
])('a decision alone is followed in a trace of our own: %s', (line, isSampled) => {
  const ratio = isSampled ? 0 : 1;
  const { trace, traceparent } = passed([line], { sampleRatio: ratio });
  expect(trace.isSampled).toBe(isSampled);
  expect(traceparent[0]).toMatch(isSampled ? /-01$/ : /-00$/);
});

test('Trace Context has the word where both came, and B3 is told the same', () => {
  const { trace, all } = passed([`traceparent: 00-${T}-${S}-01`, `b3: ${'1'.repeat(32)}-${'2'.repeat(16)}-0`]);
  expect(trace.traceId).toBe(T);
  expect(all('b3')).toEqual([`${T}-${trace.spanId}-1-${S}`]);
});

test('nothing of a head changes where contexts are not to be passed on', () => {
  const lines = [`traceparent: 00-${T}-${S}-01`, 'b3: 1'];
  expect(passed(lines, { propagate: false }).text).toBe(sent(headOf(lines), ''));
});

test('the application is told of the span of the destination, where both ends are here', () => {
  const trace = tracer();
  const head = headOf([]);
  trace.begin(head);
  trace.pass(head, true);
  expect(head.tail.toString('latin1')).toBe(`traceparent: 00-${trace.traceId}-${trace.arrivalSpanId}-00\r\n\r\n`);
  expect(trace.arrivalSpanId).not.toBe(trace.spanId);
});

test('ids differ, and their share is told of', () => {
  const trace = tracer({ sampleRatio: 0.1 });
  const traces = new Set<string>();
  const spans = new Set<string>();
  let sampled = 0;
  for (let i = 0; i < 100_000; i++) {
    trace.begin(undefined);
    traces.add(trace.traceId);
    spans.add(trace.spanId);
    if (trace.isSampled) sampled++;
  }
  expect(traces.size).toBe(100_000);
  expect(spans.size).toBe(100_000);
  expect(sampled).toBeGreaterThan(9_500); // 5 sigma
  expect(sampled).toBeLessThan(10_500);
});
