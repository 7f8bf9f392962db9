/** Taps: what workers are told to watch, what is kept for who watches, and that nothing is left when nobody does. */
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Redactor } from '../../../agent/telemetry/access-log/redact.ts';
import { redactConfig } from '../../../agent/telemetry/access-log-config.ts';
import { parseFilter } from '../../../agent/telemetry/record-filter.ts';
import { RecordHub } from '../../../agent/telemetry/records.ts';
import { MAX_SESSIONS, TAP_TTL_MS, type TapAnswer, TapDesk } from '../../../agent/telemetry/tap/tap-desk.ts';
import { watchOf } from '../../../agent/telemetry/tap/watch.ts';
import type { Head } from '../../../proxy/http1/grammar/head.ts';
import { HeadParser } from '../../../proxy/http1/grammar/head-parser.ts';
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';
import { asksFor, concerns, type TapFilter } from '../../../proxy/telemetry/taps.ts';
import { record, T0 } from './records.ts';

const TAPPED = { sampled: false, failed: false, slow: false, tapped: true };
const terms = (text: string) => {
  const parsed = parseFilter(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return [...parsed.terms];
};

describe('a desk', () => {
  let watched: readonly TapFilter[];
  let leftOut: number;
  let hub: RecordHub;
  let desk: TapDesk;
  beforeEach(() => {
    vi.useFakeTimers({ now: T0 });
    watched = [];
    leftOut = 0;
    hub = new RecordHub({ watch: (taps) => (watched = taps), log: pino({ level: 'silent' }) });
    const redactor = new Redactor(redactConfig.parse({}), 'lab.example');
    desk = new TapDesk({
      node: 'node-1',
      hub,
      redact: (one) => redactor.record(one),
      userOf: (user) => redactor.user(user),
      isUserHashed: true,
      leftOut: () => leftOut,
      nowMs: Date.now,
    });
  });
  afterEach(() => {
    desk[Symbol.dispose]();
    vi.useRealTimers();
  });

  const poll = (filter = '', options: { session?: number; cursor?: number; isOver?: boolean } = {}): TapAnswer => {
    const { session = 1, cursor = 0, isOver = false } = options;
    const id = session.toString(16).padStart(16, '0');
    return desk.poll({ session: id, terms: terms(filter), cursors: { 'node-1': cursor, 'node-2': 77 }, isOver });
  };
  const paths = ({ requests }: TapAnswer): unknown[] =>
    requests.map(({ record: { attributes } }) => (attributes as Record<string, unknown>)['url.path']);
  const hear = (...all: readonly string[]): void => hub.deliver(all.map((path) => record({ path, kept: TAPPED })));

  test('tells what ended since the last poll, again until it has arrived, and what fits only', () => {
    expect(poll('path:/a*')).toEqual({ cursor: 0, requests: [], dropped: 0, leftOut: 0, refused: '' });
    hear('/a1', '/b', '/a2');
    const first = poll('path:/a*');
    expect(paths(first)).toEqual(['/a1', '/a2']);
    expect(paths(poll('path:/a*'))).toEqual(['/a1', '/a2']); // its answer was lost
    hear('/a3');
    expect(paths(poll('path:/a*', { cursor: first.cursor }))).toEqual(['/a3']);
  });

  test('has workers watch while somebody does, and not a moment longer', () => {
    poll('to:shop/cart');
    expect(watched.map(({ destinations, untilMs }) => [destinations, untilMs - T0])).toEqual([
      [['shop/cart'], TAP_TTL_MS],
    ]);
    vi.advanceTimersByTime(6_000);
    poll('to:shop/cart');
    expect(watched.map(({ untilMs }) => untilMs - T0)).toEqual([6_000 + TAP_TTL_MS]);
    vi.advanceTimersByTime(TAP_TTL_MS + 1);
    expect([desk.sessions, watched]).toEqual([0, []]);
    poll();
    poll('', { isOver: true });
    expect([desk.sessions, watched]).toEqual([0, []]);
  });

  test('takes four at a time, and says so to the fifth', () => {
    for (let session = 1; session <= MAX_SESSIONS; session++) expect(poll('', { session }).refused).toBe('');
    expect(poll('', { session: 9 }).refused).toContain('4 taps are open');
    poll('', { session: 1, isOver: true });
    expect(poll('', { session: 9 }).refused).toBe('');
  });

  test('keeps a thousand, makes room for what is newer, and counts what went', () => {
    poll();
    hear(...Array.from({ length: 1_300 }, (_, i) => `/${i}`));
    leftOut = 40;
    const first = poll();
    expect([first.dropped, first.leftOut, first.requests.length, paths(first)[0]]).toEqual([300, 40, 500, '/300']);
    const second = poll('', { cursor: first.cursor });
    expect([paths(second)[0], paths(second).at(-1)]).toEqual(['/800', '/1299']);
    expect(poll('', { cursor: second.cursor }).requests).toEqual([]);
  });

  test('shows nobody what is private, not even who finds a request by it', () => {
    poll('path:/u/ada@shop.example');
    hear('/u/ada@shop.example', '/u/bob@shop.example');
    const answer = poll('path:/u/ada@shop.example');
    expect(paths(answer)).toEqual(['/u/{email}']);
    expect(JSON.stringify(answer)).not.toContain('ada');
  });
});

/** Whether a worker that is told what is asked for tells of this request. */
function isWatched(one: RequestRecord, text: string): boolean {
  const filter = watchOf('t', terms(text), T0 + 1);
  return concerns(filter, one) && asksFor(filter, headOf(one), one);
}

function headOf({ method, path }: RequestRecord): Head {
  const bytes = Buffer.from(`${method} ${path}?q=1 HTTP/1.1\r\nhost: cart\r\n\r\n`, 'latin1');
  const parser = new HeadParser('request', { maxHeadBytes: 32_768, maxFields: 128 });
  expect(parser.parse(bytes, 0, bytes.length)).toBe(bytes.length);
  return parser.head;
}

test.each([
  'service:cart',
  'service:shop/web,shop/pay',
  'duration>10ms',
  'path:/v1/{id}',
  'from:shop/web',
  'from:web to:cart',
  'from:spiffe://lab.example/ns/shop/sa/web',
  'to:shop/cart status:5xx',
  'status:503 reason:no-endpoint',
  'status:503,404 reason:no-*',
  'method:get path:/v1/*',
  'path:/v1/carts/7',
  '-to:shop/pay -status:2xx',
  'failed',
])('workers watch for no less than what %s asks for', (text) => {
  const wanted = record({ status: 503, reason: 'no-endpoint', kept: { ...TAPPED, failed: true } });
  for (const one of [wanted, { ...wanted, direction: 'inbound' as const, sourceService: '' }])
    expect(isWatched(one, text)).toBe(true);
});

test.each([
  'to:shop/pay',
  'service:pay',
  'from:shop/pay,stock',
  'from:spiffe://lab.example/ns/shop/sa/pay',
  'status:2xx',
  'method:POST',
  'path:/v2/*',
  'path:/v1/carts/77',
  'reason:overflow',
  'duration>13ms',
])('workers need not tell of what %s leaves out', (text) => {
  expect(isWatched(record({ status: 503 }), text)).toBe(false);
});
