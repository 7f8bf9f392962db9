/**
 * What hostile peers present to a real tunnel listener: nothing of it reaches the application, every case is counted, and
 * honest workloads are served meanwhile.
 */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import { expect, test } from 'vitest';
import type { CertificateSpec } from '../../certs/issue.ts';
import { toPem } from '../../certs/trust-bundle.ts';
import { CLOCK_SKEW_MS } from '../../certs/verify.ts';
import { endpointServerName } from '../../proxy/snapshot.ts';
import type { Counter } from '../../proxy/telemetry/counters.ts';
import { type Forged, forge, HOUR_MS, TRUST_DOMAIN } from '../certs/trust.ts';
import { eventually, Mesh, TestServer, WEB } from './mesh.ts';

const PAY = `spiffe://${TRUST_DOMAIN}/ns/bank/sa/pay`;

function hello(): Promise<TestServer> {
  return TestServer.of(http.createServer((_request, response) => response.end('hello')));
}

/** An SVID of any shape, signed with the real key of node a. */
function signedByNode(mesh: Mesh, twist: Partial<CertificateSpec>): Forged {
  const signer = { certificate: mesh.nodeA.chain[0]!, privateKey: mesh.nodeA.privateKey };
  const times = { notBeforeMs: Date.now() - CLOCK_SKEW_MS, notAfterMs: Date.now() + HOUR_MS / 2 };
  return forge({ ...times, ...twist }, signer);
}

function credentials(mesh: Mesh, { certificate, privateKey }: Forged): tls.ConnectionOptions {
  return {
    cert: toPem([certificate, ...mesh.nodeA.chain]),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}

function dial(mesh: Mesh, options: tls.ConnectionOptions): tls.TLSSocket {
  return tls.connect({
    port: mesh.tunnelPort,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    servername: endpointServerName(mesh.appPort, 'cart', 'shop'),
    ALPNProtocols: ['http/1.1'],
    ...options,
  });
}

/** Everything that comes back to a request until the connection ends, or until it is served. */
async function ask(mesh: Mesh, options: tls.ConnectionOptions): Promise<string> {
  const socket = dial(mesh, options);
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    if (text.includes('hello')) socket.destroy();
  });
  socket.on('error', () => undefined);
  socket.write('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return text;
}

const WEB_SVID = (mesh: Mesh): tls.ConnectionOptions => {
  const { certificateChainPem: cert, privateKeyPem: key } = mesh.mint(WEB);
  return { cert, key };
};

const HOSTILE: readonly (readonly [string, Partial<CertificateSpec>, Counter])[] = [
  ['has expired', { notAfterMs: Date.now() - CLOCK_SKEW_MS - 2_000 }, 'peersRefusedExpired'],
  ['is not valid yet', { notBeforeMs: Date.now() + CLOCK_SKEW_MS + HOUR_MS / 4 }, 'peersRefusedExpired'],
  ['is outside the grant of its node', { uris: [PAY] }, 'peersRefusedGrant'],
  ['names a node', { uris: [`spiffe://${TRUST_DOMAIN}/node/a`] }, 'peersRefusedIdentity'],
  ['has a NUL in its name', { uris: [`${WEB}\0.evil`] }, 'peersRefusedIdentity'],
  ['has no name', { uris: [] }, 'peersRefusedIdentity'],
  ['has two names', { uris: [WEB, WEB] }, 'peersRefusedIdentity'],
  ['spells the trust domain in capitals', { uris: [WEB.replace('test', 'TEST')] }, 'peersRefusedIdentity'],
  ['ends the trust domain with a dot', { uris: [WEB.replace('.example', '.example.')] }, 'peersRefusedIdentity'],
  ['may sign certificates', { keyUsage: ['digitalSignature', 'keyCertSign'] }, 'peersRefusedMalformed'],
  [
    'takes 100 kB',
    { lists: [{ oid: '1.3.6.1.4.1.99999.1', strings: ['x'.repeat(100_000)] }] },
    'peersRefusedMalformed',
  ],
];

test.each(HOSTILE)('an SVID that %s gets nothing', async (_what, twist, counter) => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  expect(await ask(mesh, credentials(mesh, signedByNode(mesh, twist)))).toBe('');
  expect(mesh.b.reader.counters()[counter]).toBe(1);
  expect(app.accepted).toBe(0);
  expect(await ask(mesh, credentials(mesh, signedByNode(mesh, {})))).toContain('hello'); // the same without the twist
});

test('a good chain with 20 certificates behind it gets nothing', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  const { cert, key } = WEB_SVID(mesh);
  const deep = toPem(Array.from({ length: 20 }, () => mesh.nodeA.chain[1]!));
  expect(await ask(mesh, { cert: `${String(cert)}${deep}`, key: key! })).toBe('');
  expect(mesh.b.reader.counters().peersRefusedMalformed).toBe(1);
  expect(app.accepted).toBe(0);
});

test('an SVID of another workload is not enough to be an endpoint, whoever signed it', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  // The endpoint is told to present web, a good SVID of the same node's grant, where cart was dialled.
  mesh.b.proxy.apply(mesh.update({ workloads: [mesh.cart(mesh.mint(WEB, mesh.nodeB))] }));
  const response = await fetch(`http://127.0.0.1:${mesh.port}/`);
  expect([response.status, response.headers.get('weft-reason')]).toEqual([503, 'identity-refused']);
  expect(app.accepted).toBe(0);
});

test('10,000 peers that stall in the handshake hold no more than their share, and pass', async () => {
  const handshakeTimeoutMs = 300;
  await using app = await hello();
  await using mesh = await Mesh.start(app.port, { config: { tunnel: { handshakeTimeoutMs } } });
  const stalled: net.Socket[] = [];
  let most = 0;
  for (let batch = 0; batch < 20; batch++) {
    const opened = Array.from({ length: 500 }, () => net.connect(mesh.tunnelPort, '127.0.0.1').on('error', () => {}));
    stalled.push(...opened);
    await Promise.all(opened.map((socket) => once(socket, 'connect').catch(() => undefined)));
    most = Math.max(most, mesh.b.proxy.openConnections);
  }
  const counters = (): Record<Counter, number> => mesh.b.reader.counters();
  await eventually(() => counters().connectionsAccepted === 10_000 && mesh.b.proxy.openConnections === 0);
  const { handshakesTimedOut, handshakesFailed, handshakesRefusedLimit } = counters();
  expect(handshakesTimedOut + handshakesFailed + handshakesRefusedLimit).toBe(10_000);
  expect(most).toBeLessThanOrEqual(256 + 500); // the handshakes allowed, and what was accepted in the turn of the look
  expect(await ask(mesh, WEB_SVID(mesh))).toContain('hello');
  for (const socket of stalled) socket.destroy();
}, 60_000);
