/** Single requests on real agents: logs, traces, spans for a collector, taps and rates, asked of one node about all three. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { runCli } from '../../agent/cli/cli.ts';
import type { Span, Trace } from '../../agent/console/shapes/mesh.ts';
import * as shapes from '../../agent/console/shapes/mesh.ts';
import type { LabPod } from '../../agent/lab/lab.ts';
import { HTTP_PORTS, type LabAgent, MeshLab } from '../../agent/lab/mesh-lab.ts';
import { labObstacle } from '../../agent/lab/support.ts';

const obstacle = await labObstacle();
const [RELAY, RECEIVER, CALLS] = ['relay', 'otlp-receiver', 'calls'].map((name) =>
  join(import.meta.dirname, 'programs', `${name}.ts`),
) as [string, string, string];

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly service: string;
}

describe.skipIf(obstacle !== undefined)(
  `requests seen one by one on three agents${obstacle === undefined ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let mesh: MeshLab;
    let agents: readonly LabAgent[];
    let client: LabPod;
    /** What the collector was sent. */
    const collected: OtlpSpan[] = [];

    beforeAll(async () => {
      mesh = await MeshLab.create({ name: 'obs', nodes: 3 });
      const [n1, n2, n3] = mesh.lab.nodes as [LabPod['node'], LabPod['node'], LabPod['node']];
      client = await mesh.addPod(n1, { name: 'client' });
      const web = await mesh.addPod(n2, { name: 'web', ports: HTTP_PORTS });
      const cart = await mesh.addPod(n3, { name: 'cart', ports: HTTP_PORTS });
      const stock = await mesh.addPod(n1, { name: 'stock', ports: HTTP_PORTS });
      const forgetful = await mesh.addPod(n2, { name: 'forgetful', ports: HTTP_PORTS });
      const receiver = await mesh.serve(n1, RECEIVER, 4318);
      let rest = '';
      receiver.stdout!.on('data', (data: Buffer) => {
        const lines = (rest + data.toString()).split('\n');
        rest = lines.pop()!;
        for (const line of lines) if (line.startsWith('{')) collected.push(...spansIn(line));
      });
      const telemetry = {
        sampleRatio: 1,
        userHeader: 'x-user',
        accessLog: { sink: 'file' },
        otlp: { endpoint: `http://${n1.address4}:4318/v1/traces`, intervalMs: 100 },
      };
      agents = mesh.lab.nodes.map((node) =>
        mesh.launchAgent(node, { workers: 1, telemetry, console: { loopback: 'all' } }),
      );
      await mesh.untilAlive(agents, { patienceMs: 90_000 });
      await mesh.serve(stock, RELAY, 8080);
      await mesh.serve(cart, RELAY, 8080, 'http://stock.shop.weft');
      await mesh.serve(web, RELAY, 8080, 'http://cart.shop.weft');
      await mesh.serve(forgetful, RELAY, 8080, 'http://stock.shop.weft', 'drop');
      await mesh.untilRouted(agents, ['cart', 'forgetful', 'stock', 'web']);
    }, 180_000);
    afterAll(() => mesh?.close());

    interface Run {
      readonly out: () => string;
      readonly err: () => string;
      readonly code: Promise<number>;
      /** As Ctrl-C does. */
      readonly stop: () => Promise<number>;
    }

    function run(...argv: readonly string[]): Run {
      const stop = new AbortController();
      let [out, err] = ['', ''];
      const code = runCli([...argv, '-s', join(agents[1]!.home, 'agent.sock')], {
        stdout: { write: (text) => (out += text) },
        stderr: { write: (text) => (err += text) },
        env: {},
        signal: stop.signal,
        nowMs: Date.now,
      });
      const stopped = (): Promise<number> => {
        stop.abort();
        return code;
      };
      return { out: () => out, err: () => err, code, stop: stopped };
    }

    async function weft(...argv: readonly string[]): Promise<{ code: number; out: string; err: string }> {
      const { out, err, code } = run(...argv);
      return { code: await code, out: out(), err: err() };
    }

    const seen = (out: string): string[] =>
      out
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as { node: string; attributes: Record<string, unknown> })
        .map(({ node, attributes }) => [node, attributes['weft.direction'], attributes['url.path']].join(' '))
        .sort();

    const found = async <T>(...argv: readonly string[]): Promise<T> =>
      JSON.parse((await weft(...argv, '-o', 'json')).out) as T;

    /** Calls a service under a trace of the caller's own choosing, until the trace has so many spans of requests. */
    async function traced(id: string, url: string, requests: number, ...args: readonly string[]): Promise<Span[]> {
      const { code, stderr } = await mesh.curl(client, '-H', `traceparent: 00-${id}-00000000000000aa-01`, ...args, url);
      expect([code, stderr]).toEqual([0, '']);
      let spans: Span[] = [];
      await agents[0]!
        .until(`${requests} spans of ${id}`, async () => {
          spans = (await found<Trace>('trace', id)).spans.filter(({ kind }) => kind !== 'internal');
          return spans.length === requests;
        })
        .catch((err: unknown) => {
          throw new Error(`${JSON.stringify(spans, null, 1)}`, { cause: err });
        });
      return spans;
    }

    test('a trace through three services is whole: client and server spans, each with the right parent', async () => {
      const id = '11'.repeat(16);
      const spans = await traced(id, 'http://web.shop.weft/v1/things/7', 6);
      expect(chainOf(spans, '00000000000000aa')).toEqual([
        ['client', 'shop/client', 'n1'],
        ['server', 'shop/web', 'n2'],
        ['client', 'shop/web', 'n2'],
        ['server', 'shop/cart', 'n3'],
        ['client', 'shop/cart', 'n3'],
        ['server', 'shop/stock', 'n1'],
      ]);
      const tree = (await weft('trace', id)).out;
      expect(tree).toContain('spans of 4 services');
      expect(tree).toMatch(/└─ shop\/stock answers: /);
    });

    test('a collector of OpenTelemetry is sent the same trace', async () => {
      const id = '11'.repeat(16);
      const requests = (): OtlpSpan[] => collected.filter(({ traceId, kind }) => traceId === id && kind !== 1);
      await agents[0]!.until('six spans at the collector', async () => requests().length === 6);
      const spans = requests();
      expect(chainOf(spans.map(asSpan), '00000000000000aa').map(([kind, service]) => [kind, service])).toEqual([
        ['client', 'shop/client'],
        ['server', 'shop/web'],
        ['client', 'shop/web'],
        ['server', 'shop/cart'],
        ['client', 'shop/cart'],
        ['server', 'shop/stock'],
      ]);
      for (const { startTimeUnixNano, endTimeUnixNano } of spans) {
        expect(Math.abs(Number(startTimeUnixNano) / 1e6 - Date.now())).toBeLessThan(120_000);
        expect(BigInt(endTimeUnixNano) > BigInt(startTimeUnixNano)).toBe(true);
      }
      const inside = collected.filter(({ traceId, kind }) => traceId === id && kind === 1);
      const ids = new Set(spans.map(({ spanId }) => spanId));
      expect(inside.length).toBeGreaterThan(0);
      expect(inside.every(({ parentSpanId = '' }) => ids.has(parentSpanId))).toBe(true);
    });

    test('an application that drops headers: its call is found below the request that it answered, as a guess', async () => {
      const id = '22'.repeat(16);
      const spans = await traced(id, 'http://forgetful.shop.weft/v1/things/8', 4);
      expect(chainOf(spans, '00000000000000aa')).toEqual([
        ['client', 'shop/client', 'n1'],
        ['server', 'shop/forgetful', 'n2'],
        ['client', 'shop/forgetful', 'n2'],
        ['server', 'shop/stock', 'n1'],
      ]);
      const guessed = spans.filter(({ inferredConfidence }) => inferredConfidence !== null);
      expect(guessed.map(({ kind, service, inferredConfidence }) => [kind, service, inferredConfidence])).toEqual([
        ['client', 'shop/forgetful', 1],
      ]);
      expect(guessed[0]!.traceId).not.toBe(id);
    });

    test('weft traces finds a request that failed deep down, by service, path and user', async () => {
      const id = '33'.repeat(16);
      await traced(id, 'http://web.shop.weft/v1/fail', 6, '-H', 'x-user: ada@shop.example');
      const ids = async (...argv: readonly string[]): Promise<string[]> =>
        (await found<{ traces: { traceId: string }[] }>('traces', ...argv)).traces.map(({ traceId }) => traceId);
      expect(await ids('stock', '--failed')).toEqual([id]);
      expect(await ids('--user', 'ada@shop.example')).toEqual([id]);
      expect(await ids('--path', '/v1/fail', '--status', '5xx', '--to', 'shop/cart')).toEqual([id]);
      expect(await ids('--path', '/v1/fail', '--status', '2xx')).toEqual([]);
      expect((await weft('traces', '--failed')).out).toContain('shop/cart shop/client shop/stock shop/web');
    });

    test('weft logs finds lines of all nodes, in order, without what is private', async () => {
      await traced('44'.repeat(16), 'http://web.shop.weft/users/ada@shop.example', 6, '-H', 'x-user: ada@shop.example');
      const { out } = await weft('logs', '--trace', '44'.repeat(16), '-o', 'json');
      const lines = out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { node: string; timestamp: string; attributes: Record<string, unknown> });
      expect(lines.map(({ node }) => node).sort()).toEqual(['n1', 'n1', 'n2', 'n2', 'n3', 'n3']);
      expect(lines.map(({ timestamp }) => timestamp)).toEqual(lines.map(({ timestamp }) => timestamp).sort());
      expect(out).not.toContain('ada@');
      expect(lines.every(({ attributes }) => attributes['url.path'] === '/users/{email}')).toBe(true);
      const byUser = (await weft('logs', '--user', 'ada@shop.example', '--from', 'client', '-o', 'json')).out;
      expect(byUser.trimEnd().split('\n')).toHaveLength(2 * 2); // both requests of hers, where they went out and came in
      const { stdout } = await mesh.lab.exec(client.node.namespace, [
        'cat',
        join(agents[0]!.home, 'data', 'access.log'),
      ]);
      expect(stdout).toContain('/users/{email}');
      expect(stdout).not.toContain('ada@');
    });

    test('the console answers the same, to what people type', async () => {
      const read = async <T>(path: string, shape: z.ZodType<T>): Promise<T> => {
        const url = `http://127.0.0.1:15000/api/v1${path}`;
        return shape.parse(
          JSON.parse((await mesh.lab.exec(agents[2]!.node.namespace, ['curl', '--silent', url])).stdout),
        );
      };
      const failed = await read('/traces?rangeMs=900000&q=failed&service=shop/stock', shapes.traces);
      expect(failed.traces.map(({ traceId, spans }) => [traceId, spans])).toEqual([['33'.repeat(16), 6]]);
      const one = await read(`/traces/${'11'.repeat(16)}`, shapes.trace);
      expect(one.spans.filter(({ kind }) => kind !== 'internal')).toHaveLength(6);
      const { logs, coverage } = await read(`/logs?rangeMs=900000&limit=200&q=trace:${'44'.repeat(16)}`, shapes.logs);
      expect([logs.length, coverage.answered]).toEqual([6, 3]);
      const wrong = await read('/logs?rangeMs=900000&q=colour:red', z.object({ error: z.string() }).loose());
      expect(wrong.error).toContain('no such field');
    });

    test('weft tap shows requests of all nodes as they end, those that it asks for and no others', async () => {
      const tap = run('tap', '--to', 'shop/stock', '--status', '5xx', '-o', 'json');
      await agents[0]!.until('taps on all nodes', async () => (await open()).every((count) => count === 1));
      for (const path of ['fail/1', 'well', 'fail/2']) await mesh.curl(client, `http://web.shop.weft/${path}`);
      await agents[0]!.until('four requests', async () => seen(tap.out()).length >= 4);
      expect([await tap.stop(), tap.err()]).toEqual([0, '']);
      expect(seen(tap.out())).toEqual([
        'n1 inbound /fail/1',
        'n1 inbound /fail/2',
        'n3 outbound /fail/1',
        'n3 outbound /fail/2',
      ]);
      expect(await open()).toEqual([0, 0, 0]);
    });

    test('weft tap by user shows what she asks for, at both ends, although nothing else names her', async () => {
      const tap = run('tap', 'web', '--from', 'client', '--user', 'ada@shop.example', '-o', 'json');
      await agents[0]!.until('taps on all nodes', async () => (await open()).every((count) => count === 1));
      for (const [user, path] of [
        ['bob', 'bob'],
        ['ada@shop.example', 'hers'],
        ['eve', 'eve'],
      ])
        await mesh.curl(client, '-H', `x-user: ${user}`, `http://web.shop.weft/of/${path}`);
      await agents[0]!.until('two requests', async () => seen(tap.out()).length >= 2);
      expect([await tap.stop(), tap.err()]).toEqual([0, '']);
      expect(seen(tap.out())).toEqual(['n1 outbound /of/hers', 'n2 inbound /of/hers']);
    });

    test('weft logs --follow goes on with what comes, each line once', async () => {
      const follow = run('logs', 'stock', '--path', '/follow/*', '--follow', '-o', 'json');
      for (const path of ['follow/1', 'follow/2']) await mesh.curl(client, `http://web.shop.weft/${path}`);
      await agents[0]!.until('four lines', async () => seen(follow.out()).length >= 4);
      await mesh.curl(client, 'http://web.shop.weft/follow/3');
      await agents[0]!.until('the last line', async () => seen(follow.out()).includes('n1 inbound /follow/3'));
      expect(await follow.stop()).toBe(0);
      expect(new Set(seen(follow.out())).size).toBe(seen(follow.out()).length);
    });

    test('weft top shows rates by caller and destination', async () => {
      let rows: { destination: string; requestsPerSec: number; failedRatio: number; p99Ms: number }[] = [];
      await agents[0]!.until('rates of all services', async () => {
        await mesh.ask<number[]>(client, CALLS, 'http://web.shop.weft/busy', 20);
        rows = (await found<{ rows: typeof rows }>('top', '--count', '1')).rows;
        return ['shop/web', 'shop/cart', 'shop/stock'].every((name) =>
          rows.some(({ destination }) => destination === name),
        );
      });
      for (const { requestsPerSec, failedRatio, p99Ms } of rows) {
        expect([requestsPerSec > 0, failedRatio, p99Ms > 0]).toEqual([true, 0, true]);
      }
    });

    test('who does not answer is named', async () => {
      await agents[2]!.kill();
      await agents[0]!.until('n3 named as missing', async () =>
        (await weft('logs', '--limit', '1')).err.includes('2 of 3 nodes answered; not n3'),
      );
      const { spans, coverage } = await found<Trace>('trace', '11'.repeat(16));
      expect(spans.some(({ node }) => node === 'n3')).toBe(false);
      expect(coverage.missing.map(({ node }) => node)).toEqual(['n3']);
    });

    const open = (): Promise<number[]> =>
      Promise.all(
        agents.map(async (agent) => Number(/^weft_telemetry_taps (\d+)$/m.exec(await agent.metrics())?.[1] ?? -1)),
      );
  },
);

/** From the outermost span on, each the only child of the one before. */
function chainOf(
  spans: readonly Pick<Span, 'spanId' | 'parentSpanId' | 'kind' | 'service' | 'node'>[],
  from: string,
): string[][] {
  const chain: string[][] = [];
  for (let parent = from; chain.length <= spans.length; ) {
    const children = spans.filter(({ parentSpanId }) => parentSpanId === parent);
    if (children.length !== 1) break;
    const { kind, service, node, spanId } = children[0]!;
    chain.push([kind, service, node]);
    parent = spanId;
  }
  return chain;
}

function spansIn(line: string): OtlpSpan[] {
  type Attribute = { readonly key: string; readonly value: { readonly stringValue?: string } };
  type Request = {
    readonly resourceSpans: readonly {
      readonly resource: { readonly attributes: readonly Attribute[] };
      readonly scopeSpans: readonly { readonly spans: readonly Omit<OtlpSpan, 'service'>[] }[];
    }[];
  };
  return (JSON.parse(line) as Request).resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const attribute = (name: string): string =>
      resource.attributes.find(({ key }) => key === name)?.value.stringValue ?? '';
    const service = `${attribute('service.namespace')}/${attribute('service.name')}`;
    return scopeSpans.flatMap(({ spans }) => spans.map((span) => ({ ...span, service })));
  });
}

function asSpan({ kind, spanId, parentSpanId = '', service }: OtlpSpan): Parameters<typeof chainOf>[0][number] {
  return { kind: kind === 2 ? 'server' : 'client', spanId, parentSpanId, service, node: '' };
}
