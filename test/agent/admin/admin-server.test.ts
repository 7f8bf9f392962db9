import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AdminServer } from '../../../agent/admin/admin-server.ts';
import type { AdminSources } from '../../../agent/admin/views.ts';
import { ask } from '../../../agent/cli/client.ts';
import { sources } from './fixtures.ts';

let directory: string;
let socket: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-admin-'));
  socket = join(directory, 'run', 'agent.sock');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function start(replaced: Partial<AdminSources> = {}, listen = '127.0.0.1:0'): Promise<AdminServer> {
  return AdminServer.start({ socket, listen, sources: sources(replaced), log: pino({ level: 'silent' }) });
}

type Options = { method?: string; path: string; headers?: Record<string, string> };

/** One request, raw enough to lie about its Host. */
async function http(
  to: { socketPath: string } | { listen: string },
  options: Options,
): Promise<{ status: number; body: string }> {
  const where = 'listen' in to ? { host: '127.0.0.1', port: Number(to.listen.split(':')[1]) } : to;
  const request = httpRequest({ ...where, agent: false, ...options }).end();
  const [response] = await once(request, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, body: Buffer.concat(chunks).toString() };
}

test('the unix socket answers, and only its owner may use it', async () => {
  await using _server = await start();
  expect(await ask({ kind: 'socket', path: socket }, '/v1/status')).toMatchObject({ node: 'n1', isReady: true });
  expect(lstatSync(socket).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(directory, 'run'))).toEqual(['agent.sock']);
});

test('loopback answers the same', async () => {
  await using server = await start();
  const port = Number(server.listen.split(':')[1]);
  expect(await ask({ kind: 'address', address: { address: '127.0.0.1', port } }, '/v1/members')).toHaveLength(2);
});

test('closing removes the socket, and closing twice is fine', async () => {
  const server = await start();
  await server.close();
  await server.close();
  expect(existsSync(socket)).toBe(false);
});

test('a socket left by an agent that was killed is replaced', async () => {
  const left = join(directory, 'left.sock');
  const script = `require('net').createServer().listen(${JSON.stringify(left)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  expect(existsSync(left)).toBe(true);
  socket = left;
  await using _server = await start();
  expect(await ask({ kind: 'socket', path: socket }, '/v1/members')).toHaveLength(2);
});

test('a socket on which an agent answers is left to it', async () => {
  await using _first = await start();
  await expect(start()).rejects.toMatchObject({ code: 'WEFT_AGENT_SOCKET_BUSY' });
  expect(await ask({ kind: 'socket', path: socket }, '/v1/members')).toHaveLength(2);
});

test('a file that is no socket is not removed', async () => {
  socket = join(directory, 'precious');
  writeFileSync(socket, 'data');
  await expect(start()).rejects.toMatchObject({
    code: 'WEFT_AGENT_SOCKET_UNUSABLE',
    message: expect.stringContaining('precious'),
  });
  expect(existsSync(socket)).toBe(true);
});

test('a server does not remove the socket of the one that took its place', async () => {
  const first = await start();
  rmSync(socket);
  await using _second = await start();
  await first.close();
  expect(await ask({ kind: 'socket', path: socket }, '/v1/members')).toHaveLength(2);
});

test('a port in use names the setting, and the socket is gone again', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  await expect(start({}, `127.0.0.1:${port}`)).rejects.toMatchObject({
    code: 'WEFT_AGENT_ADDRESS_IN_USE',
    message: expect.stringContaining(`admin.listen 127.0.0.1:${port}`),
  });
  expect(existsSync(socket)).toBe(false);
  other.close();
});

test.each([
  ['evil.example', {}, 403],
  ['127.0.0.1.evil.example', {}, 403],
  ['10.0.0.1:15000', {}, 403],
  ['localhost:15000', {}, 200],
  ['LOCALHOST', {}, 200],
  ['[::1]:15000', {}, 200],
  ['127.0.0.1', { 'sec-fetch-site': 'cross-site' }, 403],
  ['127.0.0.1', { 'sec-fetch-site': 'same-origin' }, 200],
])('on loopback a request for Host %s with %j is answered %i', async (host, headers, status) => {
  await using server = await start();
  expect((await http(server, { path: '/v1/status', headers: { host, ...headers } })).status).toBe(status);
});

test('the agent can be stopped over the unix socket only', async () => {
  const stopped = Promise.withResolvers<void>();
  let stops = 0;
  await using server = await start({
    shutdown: () => {
      stops += 1;
      stopped.resolve();
    },
  });
  expect((await http(server, { method: 'POST', path: '/v1/shutdown' })).status).toBe(403);
  expect((await http({ socketPath: socket }, { path: '/v1/shutdown' })).status).toBe(405);
  expect(stops).toBe(0);
  expect(await http({ socketPath: socket }, { method: 'POST', path: '/v1/shutdown' })).toEqual({
    status: 202,
    body: '{"stopping":true}\n',
  });
  await stopped.promise;
});

test('the configuration is shown without secrets', async () => {
  await using _server = await start();
  const { body } = await http({ socketPath: socket }, { path: '/v1/config' });
  expect(body).toContain('n1');
  expect(body).not.toContain('SECRET');
});

test('an unknown path lists the known ones, and a write to a listing is refused', async () => {
  await using server = await start();
  const unknown = await http(server, { path: '/v2/status' });
  expect([unknown.status, unknown.body.includes('/v1/status')]).toEqual([404, true]);
  expect((await http(server, { method: 'DELETE', path: '/v1/members' })).status).toBe(405);
});

test('a source that fails is an answer that tells nothing inside, and the server goes on', async () => {
  await using server = await start({ members: () => Promise.reject(new Error('secret detail')) });
  const failed = await http(server, { path: '/v1/members' });
  expect([failed.status, failed.body.includes('secret')]).toEqual([500, false]);
  expect((await http(server, { path: '/v1/status' })).status).toBe(200);
});

test('an agent that is not there is an error that says what to do', async () => {
  await expect(ask({ kind: 'socket', path: socket }, '/v1/status')).rejects.toMatchObject({
    code: 'WEFT_AGENT_UNREACHABLE',
    message: expect.stringContaining('no such socket'),
  });
});

test('a directory that can not be written is an error that names it', async () => {
  writeFileSync(join(directory, 'run'), '');
  await expect(start()).rejects.toMatchObject({
    code: 'WEFT_AGENT_SOCKET_UNUSABLE',
    message: expect.stringContaining('agent.sock'),
  });
});

test('garbage gets a 400 and a closed connection, and the server goes on', async () => {
  await using _server = await start();
  const client = connect(socket);
  client.end(Buffer.from([0x16, 0x03, 0x01, 0x00, 0xff, 0x0a, 0x0d, 0x0a]));
  const answer: Buffer[] = [];
  for await (const chunk of client) answer.push(chunk);
  expect(Buffer.concat(answer).toString()).toMatch(/^HTTP\/1\.1 400 /);
  expect(await ask({ kind: 'socket', path: socket }, '/v1/members')).toHaveLength(2);
});

test('an answer under way is finished before the server is gone', async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<[]>();
  const server = await start({
    services: () => {
      asked.resolve();
      return answer.promise;
    },
  });
  const client = ask({ kind: 'socket', path: socket }, '/v1/services');
  await asked.promise;
  const closed = server.close();
  answer.resolve([]);
  expect(await client).toEqual([]);
  await closed;
});

test('metrics are text, as Prometheus reads them', async () => {
  await using _server = await start();
  const { status, body } = await http({ socketPath: socket }, { path: '/metrics' });
  expect([status, body]).toEqual([200, expect.stringMatching(/^# HELP weft_agent_ready /)]);
});
