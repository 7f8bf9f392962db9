/** What proxies tell of the requests that they carry, over real sockets. */
import { expect, test } from 'vitest';
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';
import { eventually, Mesh, TestClient, TestServer, WEB } from '../mesh.ts';

const ALL = { config: { telemetry: { sampleRatio: 1 } } };

/** An application that remembers heads, and answers each with the status that its path asks for. */
async function startApp(heads: string[]): Promise<TestServer> {
  return TestServer.tcp((socket) => {
    socket.setEncoding('latin1');
    let text = '';
    socket.on('data', (chunk: unknown) => {
      text += String(chunk);
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        heads.push(head);
        const status = /^\S+ \/(\d{3})/.exec(head)?.[1] ?? '200';
        socket.write(`HTTP/1.1 ${status} X\r\nServer: own/1.0\r\nContent-Length: 2\r\n\r\nok`);
      }
    });
  });
}

async function ask(client: TestClient, path: string, lines = ''): Promise<void> {
  client.received = '';
  client.send(`GET ${path} HTTP/1.1\r\nHost: cart.shop\r\nUser-Agent: tester/2\r\n${lines}\r\n`);
  await client.until(/\r\n\r\nok$/);
}

function lineOf(head: string, name: string): string {
  return new RegExp(`^${name}: (.*)$`, 'im').exec(head)?.[1] ?? '';
}

async function pairOf(mesh: Mesh): Promise<readonly [outbound: RequestRecord, inbound: RequestRecord]> {
  await eventually(() => mesh.a.records.length > 0 && mesh.b.records.length > 0);
  return [mesh.a.records[0]!, mesh.b.records[0]!];
}

test('a request over two hops is told of by both, as one trace that the application goes on with', async () => {
  const heads: string[] = [];
  await using app = await startApp(heads);
  await using mesh = await Mesh.start(app.port, ALL);
  using client = await TestClient.connect(mesh.port);
  await ask(client, '/v1/items?page=2');
  const [outbound, inbound] = await pairOf(mesh);
  expect(outbound).toMatchObject({
    direction: 'outbound',
    source: WEB,
    sourceService: 'shop/web',
    destination: 'shop/cart',
    protocol: 'http',
    method: 'GET',
    authority: 'cart.shop',
    path: '/v1/items',
    status: 200,
    grpcStatus: null,
    reason: '',
    endpoint: `127.0.0.1:${app.port}`,
    version: '1',
    userAgent: 'tester/2',
    server: 'own/1.0',
    parentSpanId: '',
    kept: { sampled: true, failed: false, slow: false, tapped: false },
  });
  expect(inbound).toMatchObject({
    direction: 'inbound',
    source: WEB,
    sourceService: '',
    path: '/v1/items',
    status: 200,
  });
  expect(outbound.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(inbound.traceId).toBe(outbound.traceId);
  expect(inbound.parentSpanId).toBe(outbound.spanId);
  expect(lineOf(heads[0]!, 'traceparent')).toBe(`00-${inbound.traceId}-${inbound.spanId}-01`);
  expect(outbound.steps.map(({ kind }) => kind)).toContain('attempt');
});
