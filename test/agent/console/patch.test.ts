/** What a browser makes of patches is what the agent had; and the stream they come by, over real HTTP: taken up again, and bounded. @module */
import { once } from 'node:events';
import {
  type ClientRequest,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import type { ConsoleApi, Viewer } from '../../../agent/console/api.ts';
import { type Frame, frame } from '../../../agent/console/live/frames.ts';
import { StreamHub } from '../../../agent/console/live/hub.ts';
import { applyPatch, diff, type Json } from '../../../agent/console/live/patch.ts';
import { ConsoleGround } from './ground.ts';

const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<Json>;

test('a value and the difference to another make the other', () => {
  fc.assert(
    fc.property(json, json, (before, after) => {
      const [a, b] = [overTheWire(before), overTheWire(after)]; // without what JSON cannot say, such as -0
      expect(applyPatch(a, overTheWire(diff(a, b)))).toEqual(b);
    }),
    { numRuns: 1_000 },
  );
});

test('a value that changed in a few places is patched there alone, and the base stays as it was', () => {
  const rows = fc.array(fc.record({ id: fc.string(), rate: fc.integer(), marks: fc.array(fc.nat(3)) }), {
    minLength: 1,
  });
  fc.assert(
    fc.property(rows, fc.nat(), fc.integer(), (before, pick, rate) => {
      const at = pick % before.length;
      const after = before.map((row, i) => (i === at ? { ...row, rate } : row));
      const frozen = overTheWire(before);
      const patch = diff(before, after);
      expect(patch).toEqual(before[at]!.rate === rate ? [] : [[[at, 'rate'], rate]]);
      const patched = applyPatch(before, patch) as typeof before;
      expect(patched).toEqual(after);
      expect(before).toEqual(frozen);
      for (const [i, row] of before.entries()) if (i !== at) expect(patched[i]).toBe(row);
    }),
  );
});

test('the names of prototypes are names like others', () => {
  const after = JSON.parse('{"__proto__":{"polluted":true},"constructor":1}') as Json;
  const patched = applyPatch({ a: 1 }, overTheWire(diff({ a: 1 }, after)));
  expect(JSON.stringify(patched)).toBe(JSON.stringify(after));
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  expect(() => applyPatch({}, [[['__proto__', 'polluted'], true]])).toThrow(RangeError);
});

test('a patch of another base is refused', () => {
  expect(() => applyPatch({ a: 1 }, [[['nodes', 3, 'health'], 'bad']])).toThrow('nothing at nodes');
});

/** An answer that tests change, of any length. */
class Counter implements ConsoleApi {
  n = 1;
  /** Each look is another one. */
  isRunning = false;
  bytes = 0;
  looks = 0;
  #looked: (() => void)[] = [];

  read(path: string, _asked: URLSearchParams, viewer: { readonly csrf: string }) {
    if (path === '/session') return answer({ csrf: viewer.csrf });
    if (path !== '/counter') return undefined;
    this.looks++;
    if (this.isRunning) this.n++;
    for (const tell of this.#looked.splice(0)) tell();
    const text = String(this.n % 10).repeat(this.bytes);
    return answer({ n: this.n, text, coverage: { asked: 1, answered: 1, missing: [] } });
  }

  write(): undefined {
    return undefined;
  }

  async untilLookedAt(times: number): Promise<void> {
    const { looks } = this;
    while (this.looks < looks + times) await new Promise<void>((resolve) => this.#looked.push(resolve));
  }
}

function answer(body: unknown): Promise<{ status: number; body: unknown }> {
  return Promise.resolve({ status: 200, body });
}

/** A browser's EventSource, as far as it goes. */
class Stream {
  readonly status: number;
  readonly response: IncomingMessage;
  /** All that came, in order. */
  readonly frames: Frame[] = [];
  lastId = '';
  bytes = 0;
  #text = '';
  readonly #request: ClientRequest;
  #told: (() => void)[] = [];

  private constructor(request: ClientRequest, response: IncomingMessage) {
    this.#request = request;
    this.response = response;
    this.status = response.statusCode!;
    response.on('data', (chunk: Buffer) => this.#take(chunk));
    response.on('error', () => {}); // cut off by close()
  }

  static async open(ground: { readonly near: number }, headers: Record<string, string> = {}): Promise<Stream> {
    const options = { host: '127.0.0.1', port: ground.near, path: '/api/v1/stream', headers, agent: false };
    const request = httpRequest(options).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    request.on('error', () => {});
    return new Stream(request, response);
  }

  /** The first frame from `at` on that fits. */
  async until(fits: (one: Frame) => boolean, at = 0): Promise<Frame> {
    for (;;) {
      const found = this.frames.slice(at).find(fits);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#told.push(resolve));
    }
  }

  async hello(): Promise<Extract<Frame, { kind: 'hello' }>> {
    const first = await this.until(({ kind }) => kind === 'hello');
    if (first.kind !== 'hello') throw new Error('no hello');
    return first;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.response.on('close', resolve));
    if (this.response.closed) return;
    this.#request.destroy();
    await closed;
  }

  #take(chunk: Buffer): void {
    this.bytes += chunk.length;
    this.#text += chunk.toString('latin1');
    const events = this.#text.split('\n\n');
    this.#text = events.pop()!;
    for (const event of events) {
      const [, id = '', data = ''] = /^event: \w+\nid: (.*)\ndata: (.*)$/s.exec(event) ?? [];
      this.lastId = id;
      this.frames.push(frame.parse(JSON.parse(data)));
    }
    for (const tell of this.#told.splice(0)) tell();
  }
}

async function follow(ground: ConsoleGround, stream: Stream, topics: readonly string[] = ['/counter']) {
  const { streamId } = await stream.hello();
  const { csrf } = (await ground.ask('/api/v1/session', { far: false })).json;
  const headers = { 'content-type': 'application/json', 'x-weft-csrf': csrf };
  const sent = { method: 'PUT', headers, body: JSON.stringify({ topics }), far: false };
  return ground.ask(`/api/v1/stream/${streamId}/topics`, sent);
}

/** What a browser has after all frames of a topic, each on the base it was made for. */
function stateOf(
  frames: readonly Frame[],
  from: { readonly state: Json; readonly seq: number } = { state: null, seq: 0 },
) {
  let { state, seq } = from;
  for (const one of frames) {
    if (one.kind === 'snapshot') state = one.data as Json;
    else if (one.kind === 'patch') {
      expect(one.base).toBe(seq);
      state = applyPatch(state, one.patch);
    } else continue;
    seq = one.seq;
  }
  return { state: state as { readonly n: number } | null, seq };
}

describe('a stream', () => {
  const opened = async (tickMs = 10) => {
    const api = new Counter();
    return { api, ground: await ConsoleGround.open({}, api, { tickMs }) };
  };

  test('that broke is taken up where it was, with what changed meanwhile', async () => {
    const { api, ground: own } = await opened();
    await using ground = own;
    const first = await Stream.open(ground);
    expect((await follow(ground, first)).status).toBe(200);
    await first.until(({ kind }) => kind === 'snapshot');
    const { streamId } = await first.hello();
    await first.close();
    const before = stateOf(first.frames);
    api.n = 5;
    const second = await Stream.open(ground, { 'last-event-id': first.lastId });
    expect(await second.hello()).toMatchObject({ streamId, isResumed: true });
    await second.until((one) => stateOf([one], before).state?.n === 5 || one.kind === 'snapshot');
    expect(stateOf(second.frames, before).state).toMatchObject({ n: 5 });
    await second.close();
  });

  test('that comes back after its topic was forgotten and computed anew is told so', async () => {
    const api = new Counter();
    using hub = new StreamHub({ api, log: pino({ level: 'silent' }), tickMs: 60_000 }); // rounds when the test says so
    const viewer: Viewer = { name: 'ops', grants: [], csrf: 'c', seesRequests: true };
    const server = createServer((request, response) => hub.open(request, response, () => viewer, true)).listen(
      0,
      '127.0.0.1',
    );
    await once(server, 'listening');
    using _server = { [Symbol.dispose]: () => server.close().closeAllConnections() };
    const near = (server.address() as AddressInfo).port;
    const connected = once(server, 'request');
    const first = await Stream.open({ near });
    const { streamId } = await first.hello();
    hub.setTopics(streamId, ['/counter'], viewer);
    await first.until(({ kind }) => kind === 'snapshot');
    const [, response] = (await connected) as [IncomingMessage, ServerResponse];
    const gone = once(response, 'close');
    await first.close();
    await gone;
    await hub.tick(); // nobody looks at the topic
    api.n = 5;
    const second = await Stream.open({ near }, { 'last-event-id': first.lastId });
    expect(await second.hello()).toMatchObject({ isResumed: true });
    const told = await second.until((one) => 'topic' in one && one.topic === '/counter');
    expect(told).toMatchObject({ kind: 'snapshot', data: { n: 5 } });
    await second.close();
  });

  test('of which the last frames were lost begins these topics anew', async () => {
    const { ground: own } = await opened();
    await using ground = own;
    const first = await Stream.open(ground);
    const { streamId } = await first.hello();
    const helloId = first.lastId;
    await follow(ground, first);
    await first.until(({ kind }) => kind === 'snapshot');
    await first.close();
    const second = await Stream.open(ground, { 'last-event-id': helloId });
    expect(await second.hello()).toMatchObject({ streamId, isResumed: true });
    expect(await second.until(({ kind }) => kind !== 'hello')).toMatchObject({ kind: 'snapshot', data: { n: 1 } });
    await second.close();
  });

  test('is taken up within a minute, by who had it, and by one at a time', async () => {
    const { api, ground: own } = await opened();
    await using ground = own;
    const first = await Stream.open(ground);
    await follow(ground, first);
    const { streamId } = await first.hello();
    await first.until(({ kind }) => kind === 'snapshot');
    const replacing = await Stream.open(ground, { 'last-event-id': first.lastId });
    expect(await first.until(({ kind }) => kind === 'bye')).toMatchObject({ reason: 'replaced' });
    const far = await ground.login(ground.operator('ops'));
    const other = await ground.ask(`/api/v1/stream/${streamId}/topics`, {
      method: 'PUT',
      headers: { ...far, 'content-type': 'application/json' },
      body: '{"topics":[]}',
    });
    expect(other.status).toBe(404);
    const watching = await Stream.open(ground);
    await follow(ground, watching);
    await replacing.close();
    while (ground.console.streams > 1) await api.untilLookedAt(1); // until the hub has noticed that it is gone
    ground.aheadMs = 61_000;
    await api.untilLookedAt(2); // a round has swept
    const late = await Stream.open(ground, { 'last-event-id': replacing.lastId });
    expect((await late.hello()).isResumed).toBe(false);
    for (const stream of [watching, late]) await stream.close();
  });

  test('is one of 64: another is refused until one has gone', async () => {
    const { ground: own } = await opened(1_000);
    await using ground = own;
    const streams: Stream[] = [];
    for (let i = 0; i < 64; i++) streams.push(await Stream.open(ground));
    for (const stream of streams) await stream.hello();
    const refused = await Stream.open(ground);
    expect([refused.status, refused.response.headers['retry-after']]).toEqual([503, '30']);
    const [gone, ...others] = streams;
    await gone!.close();
    let next = await Stream.open(ground);
    while (next.status !== 200) next = await Stream.open(ground); // until the hub has heard that it is gone
    expect((await next.hello()).isResumed).toBe(false);
    const back = await Stream.open(ground, { 'last-event-id': gone!.lastId }); // its place is taken
    expect(back.status).toBe(503);
    for (const stream of [...others, next]) await stream.close();
  });

  test('that is not read is sent no more than fits, and then the latest whole', async () => {
    const { api, ground: own } = await opened(5);
    await using ground = own;
    const stream = await Stream.open(ground);
    api.bytes = 512 * 1_024;
    await follow(ground, stream);
    await stream.until(({ kind }) => kind === 'snapshot');
    stream.response.pause();
    api.isRunning = true;
    await api.untilLookedAt(100);
    api.isRunning = false;
    const readMb = stream.bytes / 2 ** 20;
    stream.response.resume();
    await stream.until((one) => one.kind === 'snapshot' && (one.data as { n: number } | null)?.n === api.n);
    const caughtUpMb = stream.bytes / 2 ** 20 - readMb;
    process.stdout.write(`100 answers of 0.5 MB unread: ${caughtUpMb.toFixed(1)} MB came after\n`);
    expect(caughtUpMb).toBeLessThan(25); // what kernels and buffers hold; 50 were answered
    expect(stateOf(stream.frames).state?.n).toBe(api.n);
    await stream.close();
  });

  test('follows at most 16 topics, and none that is no path of the API', async () => {
    const { ground: own } = await opened();
    await using ground = own;
    const stream = await Stream.open(ground);
    const many = await follow(
      ground,
      stream,
      Array.from({ length: 17 }, (_, i) => `/counter?i=${i}`),
    );
    expect([many.status, many.json.error]).toEqual([400, expect.stringMatching(/^topics: \[.*<=16 items/)]);
    for (const topic of ['counter', '/stream', '/session', '/a b', '/é']) {
      const { status, json } = await follow(ground, stream, [topic]);
      expect([topic, status, json.error]).toEqual([topic, 400, expect.stringContaining(`topics: ${topic}`)]);
    }
    const unknown = await follow(ground, stream, ['/nothing']);
    expect(unknown.status).toBe(200);
    const told = await stream.until(({ kind }) => kind === 'snapshot');
    expect(told).toMatchObject({ data: null, problem: { status: 404 } });
    await stream.close();
  });
});

function overTheWire<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
