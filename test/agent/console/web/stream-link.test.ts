/** What a browser tells its node, over a network that answers when the test says so. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Listener, StreamLink } from '../../../../agent/console/web/state/stream-link.ts';

/** Topics of each PUT, in the order they were sent, with the way to answer it. */
let puts: { readonly topics: readonly string[]; answer(): void }[];
let say: (kind: string, frame: object) => void;

beforeEach(() => {
  puts = [];
  vi.stubGlobal('fetch', (path: string, { method = 'GET', body }: RequestInit) => {
    if (method === 'GET') return Promise.resolve(Response.json({ csrf: 'c' }));
    expect(path).toBe('/api/v1/stream/s/topics');
    const { promise, resolve } = Promise.withResolvers<Response>();
    const { topics } = JSON.parse(String(body)) as { topics: string[] };
    puts.push({ topics, answer: () => resolve(Response.json({ topics })) });
    return promise;
  });
  vi.stubGlobal(
    'EventSource',
    class extends EventTarget {
      constructor() {
        super();
        say = (kind, frame) => this.dispatchEvent(new MessageEvent(kind, { data: JSON.stringify(frame) }));
      }
      close(): void {}
    },
  );
});
afterEach(() => vi.unstubAllGlobals());

test('the next wish is told when the one before has been answered', async () => {
  const link = new StreamLink();
  const listener: Listener = { topics: new Set(), told: new Map(), tell: () => {}, tellFrame: () => {} };
  link.add(listener);
  say('hello', { streamId: 's', tickMs: 2_000, isResumed: false });
  await vi.waitUntil(() => puts.length === 1);
  puts[0]!.answer();
  const wishes = [['/edge'], [], ['/edge']];
  for (const topics of wishes) {
    listener.topics = new Set(topics);
    link.topicsChanged(listener);
  }
  for (const count of [2, 3, 4]) {
    await vi.waitUntil(() => puts.length >= count);
    expect(puts.length).toBe(count);
    puts.at(-1)!.answer();
  }
  expect(puts.slice(1).map(({ topics }) => topics)).toEqual(wishes);
  link.remove(listener);
});
