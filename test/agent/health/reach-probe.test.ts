/** What counts as reached: a real handshake with whoever proves to be the endpoint, and nothing less. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, Socket } from 'node:net';
import tls from 'node:tls';
import { afterAll, describe, expect, test } from 'vitest';
import { probeReach, type ReachOptions } from '../../../agent/health/reach-probe.ts';
import { Revocations } from '../../../certs/revocation.ts';
import { mintSvid, type Svid } from '../../../certs/svid.ts';
import { ALPN } from '../../../proxy/snapshot.ts';
import { TLS_OPTIONS } from '../../../proxy/tls.ts';
import { Realm, TRUST_DOMAIN } from '../../gossip/support/mesh.ts';

const realm = new Realm();
const node = realm.identity('n1');
const WEB = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/web`;
const mint = (path: string): Svid =>
  mintSvid(node, `spiffe://${TRUST_DOMAIN}/ns/shop/sa/${path}`, { ttlMs: 600_000, nowMs: Date.now() });
const servers: Server[] = [];
const sockets = new Set<Socket>();
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  realm[Symbol.dispose]();
});

async function listen(server: Server): Promise<number> {
  servers.push(server.listen(0, '127.0.0.1'));
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function agentOf({ certificateChainPem, privateKeyPem }: Svid): Promise<number> {
  const shown = { cert: certificateChainPem, key: privateKeyPem, requestCert: true, ALPNProtocols: [ALPN.tunnel] };
  const server = tls.createServer({ ...TLS_OPTIONS, ...shown });
  server.on('tlsClientError', () => {});
  server.on('secureConnection', (socket) => socket.on('error', () => {}));
  return listen(server);
}

const TLS_PROBE: ReachOptions = {
  open: () => new Socket(),
  prober: { unit: 'netns:client', svid: mint('client') },
  trust: node.trust,
  revocations: new Revocations(),
};

function probe(tunnelPort: number, options = TLS_PROBE, timeoutMs = 5_000) {
  const endpoint = { address: '127.0.0.1', tunnelPort, port: 80, service: 'web', namespace: 'shop', identity: WEB };
  return probeReach(endpoint, options, { timeoutMs, signal: new AbortController().signal });
}

describe('an endpoint is reached', () => {
  test('where its agent proves its identity', async () => {
    expect(await probe(await agentOf(mint('web')))).toEqual({ ok: true });
  });

  test('not where somebody else answers, or one of a root that is not trusted', async () => {
    expect(await probe(await agentOf(mint('cart')))).toEqual({ ok: false, detail: `not ${WEB}: wrong-identity` });
    using other = new Realm();
    const stranger = mintSvid(other.identity('n1'), WEB, { ttlMs: 600_000, nowMs: Date.now() });
    expect(await probe(await agentOf(stranger))).toEqual({ ok: false, detail: `not ${WEB}: untrusted-root` });
  });

  test('not where nobody listens, says a word, or speaks TLS', async () => {
    const gone = createServer();
    const port = await listen(gone);
    gone.close();
    expect(await probe(port)).toMatchObject({ ok: false, detail: expect.stringContaining('ECONNREFUSED') });
    const mute = await listen(createServer());
    expect(await probe(mute, TLS_PROBE, 200)).toEqual({
      ok: false,
      detail: `127.0.0.1:${mute}: took longer than 200 ms`,
    });
    const rude = await listen(createServer((socket) => socket.end('hello')));
    expect(await probe(rude)).toMatchObject({ ok: false });
  });

  test('by TCP alone from a node that runs no workload', async () => {
    const { prober: _, ...rest } = TLS_PROBE;
    expect(await probe(await listen(createServer()), { ...rest, prober: undefined })).toEqual({ ok: true });
  });
});
