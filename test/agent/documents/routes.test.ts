/** /v1/documents: who may write there, and what it answers to what it cannot read. */
import { join } from 'node:path';
import { pino } from 'pino';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AdminServer } from '../../../agent/admin/admin-server.ts';
import { documentRoutes } from '../../../agent/admin/document-routes.ts';
import { Realm } from '../../gossip/support/mesh.ts';
import { sources } from '../admin/fixtures.ts';
import { DocumentNode } from './mesh.ts';

let realm: Realm;
let node: DocumentNode;
let tcp: AdminServer;
beforeAll(async () => {
  realm = new Realm();
  node = await DocumentNode.start(realm, 'n1');
  tcp = await AdminServer.start({
    socket: join(realm.directory, 'other.sock'),
    listen: '127.0.0.1:0',
    sources: sources(),
    routes: [documentRoutes(node.service)],
    log: pino({ level: 'silent' }),
  });
});
afterAll(async () => {
  await tcp?.close();
  await node?.[Symbol.asyncDispose]();
  realm?.[Symbol.dispose]();
});

async function ask(
  method: 'GET' | 'POST' | 'PUT',
  path: string,
  body?: string,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const dispatcher = new Agent({ connect: { socketPath: node.socket } });
  const answered = await request(`http://agent${path}`, {
    method,
    dispatcher,
    ...(body === undefined ? {} : { body }),
  });
  const text = await answered.body.text();
  await dispatcher.close();
  return { status: answered.statusCode, body: JSON.parse(text) };
}

test('reading is for all of this machine, writing for the unix socket', async () => {
  const read = await request(`http://${tcp.listen}/v1/documents`);
  expect([read.statusCode, await read.body.json()]).toEqual([200, []]);
  for (const path of ['/v1/documents', '/v1/documents/restore']) {
    const written = await request(`http://${tcp.listen}${path}`, { method: 'POST', body: '{}' });
    expect([written.statusCode, await written.body.json()]).toEqual([
      403,
      { error: `${path} is offered on the unix socket only` },
    ]);
  }
});

test.each([
  ['POST', '/v1/documents', 'no json', 400, 'the body is not JSON'],
  ['POST', '/v1/documents', '{"revision":{}}', 400, 'revision.kind: '],
  ['POST', '/v1/documents', '{"isDryRun":true,"revision":7}', 400, 'revision: '],
  ['POST', '/v1/documents/restore', '{"revisions":"all"}', 400, 'revisions: '],
  ['POST', '/v1/documents', 'x'.repeat(16 * 1024 * 1024 + 1), 413, 'at most 16777216 bytes are read'],
  ['GET', '/v1/documents/status?revision=xyz', undefined, 400, 'revision: give 4 to 32 hexadecimal digits'],
  ['PUT', '/v1/documents', '{}', 405, 'PUT is not offered on /v1/documents'],
] as const)('%s %s is answered with what is wrong', async (method, path, body, status, error) => {
  const answered = await ask(method, path, body);
  expect(answered.status).toBe(status);
  expect(answered.body).toHaveProperty('error', expect.stringContaining(error));
});

test('a write that is no resource is refused before it is published', async () => {
  const revision = {
    kind: 'MeshConfig',
    namespace: '',
    name: 'default',
    number: 1,
    base: '',
    hlc: { ms: Date.now(), count: 0 },
    author: 'spiffe://test.example/operator/admin',
    body: '[]',
    certificate: 'AAAA',
    signature: 'AAAA',
  };
  const write = (body: string) =>
    ask('POST', '/v1/documents', JSON.stringify({ isDryRun: false, revision: { ...revision, body } }));
  expect((await write('[]')).body).toMatchObject({ outcome: 'refused', reason: 'invalid' });
  const wrong = { apiVersion: 'weft.dev/v1alpha1', kind: 'MeshConfig', metadata: { name: 'other' }, spec: {} };
  expect((await write(JSON.stringify(wrong))).body).toMatchObject({
    detail: 'it is signed as MeshConfig default and says that it is MeshConfig other',
  });
  const nonsense = { ...wrong, metadata: { name: 'default' }, spec: { displayName: 7 } };
  expect((await write(JSON.stringify(nonsense))).body).toMatchObject({
    detail: expect.stringContaining('spec.displayName'),
  });
  const unsigned = { ...wrong, metadata: { name: 'default' } };
  expect((await write(JSON.stringify(unsigned))).body).toMatchObject({ outcome: 'refused', reason: 'certificate' });
});
