/** The Workload API on a real socket, asked by gRPC's own client; who asks is real: this process, and programs in pods. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { verifyChain } from '../../../certs/verify.ts';
import { makeNode, TemporaryDirectory, TRUST_DOMAIN } from '../../certs/trust.ts';
import { type SvidMessage, WorkloadClient } from './client.ts';
import { OWN_UID, World } from './world.ts';

const { status } = grpc;

let world: World;
let client: WorkloadClient;
beforeEach(async () => {
  world = await new World().start();
  client = new WorkloadClient(world.socket);
});
afterEach(async () => {
  client[Symbol.dispose]();
  await world[Symbol.asyncDispose]();
});

test('a program gets an SVID that verifies, its key, and the roots', async () => {
  const spiffeId = world.place('web');
  const { svids } = await client.svids().message();
  expect(svids.map((svid) => svid.spiffe_id)).toEqual([spiffeId]);
  const [svid] = svids;
  const chain = certificatesIn(svid!.x509_svid);
  expect(verifyChain(chain, { trust: world.trust, role: 'workload', nowMs: Date.now() })).toMatchObject({
    ok: true,
    spiffeId,
  });
  expect(chain[0]!.checkPrivateKey(keyOf(svid!))).toBe(true);
  expect(certificatesIn(svid!.bundle).map(String)).toEqual(world.trust.roots.map(String));
});

test('a program that is several workloads gets the SVID of each, and of one identity only one', async () => {
  const ids = [world.place('web'), world.place('cart')];
  world.place('web');
  const { svids } = await client.svids().message();
  expect(svids.map((svid) => svid.spiffe_id)).toEqual(ids);
});

test('the roots come alone to who asks for them alone', async () => {
  world.place('web');
  const { bundles } = await client.bundles().message();
  expect(Object.keys(bundles)).toEqual([`spiffe://${TRUST_DOMAIN}`]);
  expect(certificatesIn(Object.values(bundles)[0]!).map(String)).toEqual(world.trust.roots.map(String));
});

test('a renewed SVID and new roots arrive on the open stream, and nothing arrives while nothing changes', async () => {
  const spiffeId = world.place('web');
  const svids = client.svids();
  const bundles = client.bundles();
  const [first] = (await svids.message()).svids;
  await bundles.message();

  world.api.refresh(); // no news
  world.renew(spiffeId);
  const [second] = (await svids.message()).svids;
  expect(second!.x509_svid).not.toEqual(first!.x509_svid);
  expect(certificatesIn(second!.x509_svid)[0]!.checkPrivateKey(keyOf(second!))).toBe(true);

  using other = new TemporaryDirectory();
  world.trust = { ...world.trust, roots: [...world.trust.roots, ...makeNode(other).trust.roots] };
  world.api.refresh();
  expect(certificatesIn(Object.values((await bundles.message()).bundles)[0]!)).toHaveLength(2);
  expect(certificatesIn((await svids.message()).svids[0]!.bundle)).toHaveLength(2);
});

test('a workload that leaves the mesh has its stream ended', async () => {
  world.place('web');
  const stream = client.svids();
  await stream.message();
  world.clear();
  expect(await stream.next()).toMatchObject({ kind: 'end', code: status.PERMISSION_DENIED });
});

test('who is no workload is denied, and the log says so once', async () => {
  world.place('web', { kind: 'host', uid: OWN_UID + 1 });
  world.place('anybody', { kind: 'host', uid: undefined });
  for (const stream of [client.svids(), client.svids(), client.bundles()])
    expect(await stream.next()).toMatchObject({ kind: 'end', code: status.PERMISSION_DENIED });
  expect(world.lines.filter((line) => line.includes('no workload'))).toHaveLength(1);
});

test('without the security header nothing is told', async () => {
  world.place('web');
  for (const metadata of [{}, { 'workload.spiffe.io': 'false' }, { 'workload.spiffe.io': 'TRUE' }])
    expect(await client.svids(metadata).next()).toMatchObject({ kind: 'end', code: status.INVALID_ARGUMENT });
});

test('JWT-SVIDs are answered with what to use instead', async () => {
  world.place('web');
  const failures = [
    await client.failureOf('FetchJWTSVID', { audience: ['a'] }),
    await client.failureOf('ValidateJWTSVID', { audience: 'a', svid: 'x'.repeat(4_000) }),
  ];
  for (const { code, details } of failures)
    expect([code, details]).toEqual([status.UNIMPLEMENTED, expect.stringContaining('FetchX509SVID')]);
  expect(await client.jwtBundles().next()).toMatchObject({ kind: 'end', code: status.UNIMPLEMENTED });
});

test('what is no gRPC is told so', async () => {
  const session = connectHttp2('http://agent', { createConnection: () => connect(world.socket) });
  const ask = async (headers: Record<string, string>): Promise<unknown> => {
    const stream = session.request({ 'workload.spiffe.io': 'true', ...headers }).end();
    const [{ ':status': code }] = (await once(stream, 'response')) as [Record<string, unknown>];
    stream.resume();
    return code;
  };
  expect(await ask({ ':method': 'GET', 'content-type': 'application/grpc' })).toBe(405);
  expect(await ask({ ':method': 'POST', 'content-type': 'application/json' })).toBe(415);
  session.destroy();
});

test('every program may open the socket, and it is gone after the end', async () => {
  expect(statSync(world.socket).mode & 0o777).toBe(0o666);
  world.place('web');
  const stream = client.svids();
  await stream.message();
  await world.api.close();
  expect(await stream.next()).toMatchObject({ kind: 'end', code: status.UNAVAILABLE });
  expect(() => statSync(world.socket)).toThrow('ENOENT');
});

function certificatesIn(der: Buffer): X509Certificate[] {
  const found: X509Certificate[] = [];
  for (let at = 0; at < der.length; ) {
    const certificate = new X509Certificate(der.subarray(at));
    found.push(certificate);
    at += certificate.raw.length;
  }
  return found;
}

function keyOf({ x509_svid_key }: SvidMessage) {
  return createPrivateKey({ key: x509_svid_key, format: 'der', type: 'pkcs8' });
}
