/** The stream over a real connection: what a browser makes of its frames is what the API answers. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pino from 'pino';
import { expect, test } from 'vitest';
import type { Viewer } from '../../../agent/console/api.ts';
import { type Frame, frame } from '../../../agent/console/live/frames.ts';
import { StreamHub } from '../../../agent/console/live/hub.ts';
import { type Held, type TopicFrame, taken } from '../../../agent/console/web/state/take.ts';
import { generated, seeded } from './fake/generate.ts';

const TOPIC = '/topology?view=service';
const GRANTS: Viewer['grants'] = [{ role: 'view', namespaces: ['*'] }];
const VIEWER: Viewer = { name: 'someone', grants: GRANTS, csrf: 'token', seesRequests: false };

test.each([
  ['on this machine, as they are', true],
  ['elsewhere, compressed', false],
])('frames make the answer of each tick, and little is said where little changed: %s', async (_where, isNear) => {
  const random = seeded(1);
  const coverage = { asked: 1, answered: 1, missing: [] };
  let answer: unknown = { ...generated({ services: 30, edges: 60, namespaces: 3, seed: 1 }), coverage };
  let status = 200;
  using hub = new StreamHub({
    api: { read: async () => ({ status, body: status === 200 ? answer : { error: 'the node is starting' } }) },
    log: pino({ level: 'silent' }),
    tickMs: 3_600_000, // ticks come from the test
  });
  const server = createServer((request, response) => hub.open(request, response, () => VIEWER, isNear)).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const abort = new AbortController();
  const { body, headers } = await fetch(`http://127.0.0.1:${port}/`, { signal: abort.signal });
  expect(headers.get('content-encoding')).toBe(isNear ? null : 'gzip');
  const frames = framesOf(body!);
  const next = async () => (await frames.next()).value as { readonly frame: Frame; readonly bytes: number };
  try {
    const hello = (await next()).frame as Extract<Frame, { kind: 'hello' }>;
    expect(hub.setTopics(hello.streamId, [TOPIC], VIEWER).status).toBe(200);
    let held: Held | undefined;
    const kinds: string[] = [];
    let [whole, least] = [0, Number.POSITIVE_INFINITY];
    for (let tick = 0; tick < 12; tick += 1) {
      const { frame: got, bytes } = await next();
      kinds.push(got.kind);
      if (got.kind === 'snapshot') whole = Math.max(whole, bytes);
      if (got.kind === 'patch') least = Math.min(least, bytes);
      held = taken(held, got as TopicFrame);
      expect(held!.record.data).toEqual(status === 200 ? JSON.parse(JSON.stringify(answer)) : null);
      expect(held!.record.problem).toEqual(status === 200 ? null : { status: 503, error: 'the node is starting' });
      status = tick === 6 ? 503 : 200;
      if (tick % 3 !== 2) answer = changed(answer as { nodes: { p99Ms: number }[] }, random);
      await hub.tick();
    }
    expect(kinds.filter((kind) => kind === 'snapshot')).toHaveLength(3); // the first, the refusal, and after it
    expect(kinds).toContain('coverage');
    expect(least).toBeLessThan(whole / 10);
  } finally {
    abort.abort();
    server.closeAllConnections();
    server.close();
  }
});

function changed<T extends { nodes: { p99Ms: number }[] }>(answer: T, random: () => number): T {
  const at = Math.floor(random() * answer.nodes.length);
  return { ...answer, nodes: answer.nodes.map((node, i) => (i === at ? { ...node, p99Ms: random() * 100 } : node)) };
}

async function* framesOf(body: ReadableStream<Uint8Array>) {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const data = /^data: (.*)$/m.exec(text.slice(0, end))![1]!;
      text = text.slice(end + 2);
      yield { frame: frame.parse(JSON.parse(data)), bytes: data.length };
    }
  }
}
