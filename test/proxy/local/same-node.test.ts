/** Two workloads of one node: the same rules, reasons and statistics as between two nodes, without TLS and in one pass. */

import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import { expect, test } from 'vitest';
import type { AccessRules } from '../../../proxy/access/policy.ts';
import type { Protocol } from '../../../proxy/snapshot.ts';
import { TRUST_DOMAIN } from '../../certs/trust.ts';
import { deny, operation, rules, source } from '../access/policies.ts';
import { CART, eventually, Mesh, type ProxyUnderTest, SERVICE_PORT, TestClient, TestServer, WEB } from '../mesh.ts';

const NODE_B = `spiffe://${TRUST_DOMAIN}/node/b`;
const NO_WEB = rules([deny('not-web', { from: [source({ identities: [WEB] })] })]);
const OPEN = rules([]);

/** Caller and callee on node b. The caller of the same name on node a stands for what they are compared with. */
async function oneNode(app: TestServer, protocol: Protocol = 'http'): Promise<{ mesh: Mesh; port: number }> {
  const mesh = await Mesh.start(app.port, { protocol });
  const { proxy } = mesh.b;
  proxy.apply(mesh.update({ workloads: [mesh.web(mesh.mint(WEB, mesh.nodeB))], endpoints: [mesh.endpoint()] }));
  const target = { service: 'shop/cart', port: SERVICE_PORT };
  const spec = { id: 'local', role: 'explicit', unit: 'host', workload: 'web', target, transport: 'tcp' } as const;
  return { mesh, port: (await proxy.listen(spec)).port };
}

function hello(): Promise<TestServer> {
  return TestServer.of(
    http.createServer(({ method, url, headers }, response) => {
      response.setHeader('weft-reason', 'made-up');
      response.end(`app ${method} ${url} ${headers.host}`);
    }),
  );
}

interface Answer {
  readonly status: number;
  readonly reason: string | undefined;
  readonly policy: string | undefined;
  readonly body: string;
}

async function get(port: number, path = '/', agent: http.Agent | false = false): Promise<Answer> {
  const request = http.get({ port, host: '127.0.0.1', path, agent, headers: { host: 'cart.shop.weft' } });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let body = '';
  response.setEncoding('latin1').on('data', (text: string) => {
    body += text;
  });
  await once(response, 'end');
  const { 'weft-reason': reason, 'weft-policy': policy } = response.headers as Record<string, string | undefined>;
  return { status: response.statusCode!, reason, policy, body };
}

function enforce(mesh: Mesh, access: AccessRules): void {
  mesh.b.proxy.apply({ version: 100, access });
}

function revoke(mesh: Mesh, ...subjects: readonly string[]): void {
  const revocations = subjects.map((subject) => ({ subject, beforeMs: Date.now() }));
  mesh.b.proxy.apply({ version: 101, revocations });
}

/** What either end has counted: responses by hundreds, refusals by reason. */
function counted(...sides: readonly ProxyUnderTest[]) {
  return sides
    .flatMap(({ reader }) => reader.series())
    .map(({ labels, requests, failures, connectionsOpened }) => ({
      labels,
      requests,
      failures,
      hasConnections: connectionsOpened > 0,
    }))
    .sort((one, other) => one.labels.direction.localeCompare(other.labels.direction));
}

test('a request stays on the node: no handshake, and one connection to the application', async () => {
  await using app = await hello();
  const { mesh, port } = await oneNode(app);
  await using _closing = mesh;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (let i = 0; i < 3; i++) {
    const answer = await get(port, `/${i}`, agent);
    expect(answer).toEqual({ status: 200, reason: undefined, policy: undefined, body: `app GET /${i} cart.shop.weft` });
  }
  agent.destroy();
  expect(mesh.b.reader.counters().handshakesStarted).toBe(0);
  expect(app.accepted).toBe(1);
});

test('both ends count what they count between two nodes, and the caller is told the same', async () => {
  const run = async (isLocal: boolean) => {
    const app = await hello();
    const { mesh, port: local } = await oneNode(app);
    await using _closing = mesh;
    const port = isLocal ? local : mesh.port;
    const answers = [await get(port)];
    enforce(mesh, NO_WEB);
    answers.push(await get(port));
    enforce(mesh, OPEN);
    await app[Symbol.asyncDispose]();
    answers.push(await get(port));
    return { answers, counted: isLocal ? counted(mesh.b) : counted(mesh.a, mesh.b) };
  };
  const [local, far] = [await run(true), await run(false)];
  expect(local).toEqual(far);
  expect(local.answers.map(({ status, reason }) => [status, reason])).toEqual([
    [200, undefined],
    [403, 'access-denied'],
    [503, 'app-unreachable'],
  ]);
  expect(local.counted.map(({ failures }) => failures)).toEqual([
    {}, // connections
    { 'access-denied': 1, 'app-unreachable': 1 },
    {},
    {},
  ]);
});

test('bytes of a request and its response are counted at both ends', async () => {
  await using app = await hello();
  const { mesh, port } = await oneNode(app);
  await using _closing = mesh;
  await get(port);
  const [inbound, outbound] = ['inbound', 'outbound'].map(
    (direction) => mesh.b.reader.series().find(({ labels }) => labels.direction === direction)!,
  );
  await eventually(() => mesh.b.reader.totals().bytesSent > 100);
  expect(inbound!.bytesReceived).toBeGreaterThan(40);
  expect(outbound!.bytesReceived).toBeGreaterThanOrEqual(inbound!.bytesReceived);
});

test('rules about requests hold on a connection that is open, and for each request by itself', async () => {
  await using app = await hello();
  const { mesh, port } = await oneNode(app);
  await using _closing = mesh;
  using client = await TestClient.connect(port);
  const ask = async (expected: RegExp): Promise<void> => {
    client.received = '';
    client.send('GET /x HTTP/1.1\r\nHost: cart\r\n\r\n');
    await client.until(expected);
  };
  await ask(/app GET/);
  enforce(mesh, rules([deny('x', { to: [operation({ paths: ['/x'] })] })]));
  await ask(/403 .*weft-node: b.*weft-policy: shop\/x\/r0/s);
  enforce(mesh, OPEN);
  await ask(/app GET/);
});

test('bytes are judged when they begin and when rules change, and counted at both ends', async () => {
  await using app = await TestServer.tcp((socket) => socket.pipe(socket));
  const { mesh, port } = await oneNode(app, 'tcp');
  await using _closing = mesh;
  using client = await TestClient.connect(port);
  client.send('ping');
  await client.until(/ping/);
  expect(mesh.b.reader.series().map(({ bytesReceived, bytesSent }) => [bytesReceived, bytesSent])).toEqual([
    [4, 4],
    [4, 4],
  ]);
  enforce(mesh, NO_WEB);
  await client.closed();
  expect(client.error?.code).toBe('ECONNRESET');
  using late = await TestClient.connect(port);
  await late.closed();
  expect([late.received, late.error?.code]).toEqual(['', 'ECONNRESET']);
  const inbound = mesh.b.reader.series().find(({ labels }) => labels.direction === 'inbound')!;
  expect([inbound.failures, inbound.connectionsActive]).toEqual([{ 'access-denied': 2 }, 0]);
  expect(app.accepted).toBe(1);
});

test('rules that change while the application is dialled hold for that connection', async () => {
  await using app = await TestServer.tcp((socket) => socket.pipe(socket));
  const { mesh, port } = await oneNode(app, 'tcp');
  await using _closing = mesh;
  using client = await TestClient.connect(port);
  // The outbound row is counted as the dialling begins, in the same turn; the connection stands in a later one.
  await eventually(() => mesh.b.reader.series().length > 0);
  enforce(mesh, NO_WEB);
  client.send('ping');
  await client.closed();
  expect([client.received, client.error?.code]).toEqual(['', 'ECONNRESET']);
});

test('a connection that was upgraded is cut when rules change', async () => {
  const server = http.createServer();
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.pipe(socket).on('error', () => socket.destroy());
  });
  await using app = await TestServer.of(server);
  const { mesh, port } = await oneNode(app);
  await using _closing = mesh;
  using client = await TestClient.connect(port);
  client.send('GET /chat HTTP/1.1\r\nHost: cart\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nping');
  await client.until(/101 .*ping/s);
  enforce(mesh, rules([deny('other', { to: [operation({ paths: ['/other'] })] })]));
  client.send('pong');
  await client.until(/pong/);
  enforce(mesh, rules([deny('chat', { to: [operation({ paths: ['/chat'] })] })]));
  await client.closed();
});

test.each([
  ['the caller', WEB],
  ['the callee', CART],
  ['their node', NODE_B],
])('a revocation of %s ends the request that is open, and lets in no other', async (_who, subject) => {
  const open: http.ServerResponse[] = [];
  await using app = await TestServer.of(
    http.createServer(({ url }, response) => (url === '/open' ? open.push(response) : response.end('ok'))),
  );
  const { mesh, port } = await oneNode(app);
  await using _closing = mesh;
  expect((await get(port)).status).toBe(200); // on a connection that the next one will use
  const pending = get(port, '/open');
  await eventually(() => open.length === 1);
  revoke(mesh, subject);
  expect((await pending).reason).toBe('identity-refused');
  expect(await get(port)).toMatchObject({ status: 503, reason: 'identity-refused' });
  expect(mesh.b.reader.counters().sessionsCutRevoked).toBe(1);
  expect(mesh.b.reader.counters().peersRefusedRevoked).toBe(2);
  revoke(mesh);
  expect((await get(port)).status).toBe(200);
});

test('a revocation resets bytes that flow', async () => {
  await using app = await TestServer.tcp((socket) => socket.pipe(socket));
  const { mesh, port } = await oneNode(app, 'tcp');
  await using _closing = mesh;
  using client = await TestClient.connect(port);
  client.send('ping');
  await client.until(/ping/);
  revoke(mesh, WEB);
  await client.closed();
  expect(client.error?.code).toBe('ECONNRESET');
  await eventually(() => app.sockets.size === 0);
  using late = await TestClient.connect(port);
  await late.closed();
  expect(late.error?.code).toBe('ECONNRESET');
  expect(app.accepted).toBe(1);
});

test('an application that speaks HTTP/2 is reached from HTTP/1.1 and HTTP/2 alike', async () => {
  const server = http2.createServer((request, response) => response.end(`h2 ${request.url}`));
  await using app = await TestServer.of(server);
  const { mesh, port } = await oneNode(app, 'http2');
  await using _closing = mesh;
  expect((await get(port, '/one')).body).toBe('h2 /one');
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const stream = session.request({ ':path': '/two' });
  const [chunk] = (await once(stream, 'data')) as [Buffer];
  expect(chunk.toString()).toBe('h2 /two');
  session.destroy();
  expect(mesh.b.reader.counters().handshakesStarted).toBe(0);
});

test('what is published under the id of a local workload but says otherwise is not taken for it', async () => {
  await using app = await hello();
  const { mesh, port } = await oneNode(app);
  await using _closing = mesh;
  const stranger = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/stranger`;
  mesh.b.proxy.apply(mesh.update({ endpoints: [mesh.endpoint({ identity: stranger })] }));
  expect((await get(port)).reason).toBe('identity-refused'); // by a handshake, with whoever is there
  expect(mesh.b.reader.counters().handshakesStarted).toBe(1);
  mesh.b.proxy.apply(mesh.update({ endpoints: [mesh.endpoint()] }));
  expect((await get(port)).status).toBe(200);
});

test('a local endpoint whose application is down is passed over for one on another node', async () => {
  await using dead = await TestServer.tcp(() => undefined);
  const { port: deadPort } = dead;
  await using app = await hello();
  const { mesh, port } = await oneNode(app);
  await using _closing = mesh;
  const down = {
    ...mesh.cart(),
    id: 'down',
    ports: [{ ...mesh.cart().ports[0]!, endpointId: 'b/down/http', port: deadPort }],
  };
  const endpoint = mesh.endpoint({ id: 'b/down/http', port: deadPort });
  mesh.b.proxy.apply(mesh.update({ workloads: [down], endpoints: [endpoint] }));
  await dead[Symbol.asyncDispose]();
  for (let i = 0; i < 10; i++) expect((await get(port)).status).toBe(200);
  expect(mesh.b.reader.counters().upstreamRetried).toBeGreaterThan(0);
});

test('a request that another node has sent back goes on to an idle connection here, body and all', async () => {
  const dead = await TestServer.tcp(() => undefined);
  const { port: deadPort } = dead;
  await dead[Symbol.asyncDispose]();
  await using app = await TestServer.of(http.createServer((request, response) => request.pipe(response)));
  const { mesh, port } = await oneNode(app);
  await using _closing = mesh;
  const { port: tunnelPort } = await mesh.a.proxy.listen({ id: 't', role: 'tunnel', unit: 'host', transport: 'tcp' });
  const cart = mesh.cart(mesh.mint(CART, mesh.nodeA));
  const down = { ...cart, id: 'down', ports: [{ ...cart.ports[0]!, endpointId: 'a/down/http', port: deadPort }] };
  mesh.a.proxy.apply(mesh.update({ workloads: [down] }));
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const post = async (): Promise<string> => {
    const request = http.request({ port, host: '127.0.0.1', method: 'POST', agent });
    request.end('x'.repeat(20_000));
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    let bytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) bytes += chunk.length;
    return `${response.statusCode} ${bytes}`;
  };
  expect(await post()).toBe('200 20000'); // leaves an idle connection to the application
  const endpoint = mesh.endpoint({ id: 'a/down/http', node: 'a', port: deadPort, tunnelPort });
  mesh.b.proxy.apply(mesh.update({ endpoints: [endpoint] }));
  for (let i = 0; i < 10; i++) expect(await post()).toBe('200 20000');
  expect(mesh.b.reader.counters().upstreamRetried).toBeGreaterThan(0);
});
