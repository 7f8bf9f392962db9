/** The chain on real TLS 1.3 connections, with nothing but the roots as trust, and before the openssl program. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import { type TrustBundle, toPem } from '../../certs/trust-bundle.ts';
import { peerChain, type Verdict, verifyChain } from '../../certs/verify.ts';
import { addNode, chainOf, HOUR_MS, makeNode, mint, TemporaryDirectory, TRUST_DOMAIN, WEB } from './trust.ts';

const CART = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/cart`;

interface Side {
  readonly trust: TrustBundle;
  readonly certificateChainPem: string;
  readonly privateKeyPem: string;
}

function workload(node: NodeIdentity, spiffeId = WEB): Side {
  return { trust: node.trust, ...mint(node, spiffeId) };
}

/** A node that uses its own certificate where an SVID belongs. */
function impostor(node: NodeIdentity): Side {
  const privateKeyPem = node.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { trust: node.trust, certificateChainPem: toPem(node.chain), privateKeyPem };
}

function optionsOf(side: Side): tls.SecureContextOptions {
  const { certificateChainPem: cert, privateKeyPem: key } = side;
  return { ca: toPem(side.trust.roots), cert, key, minVersion: 'TLSv1.3' };
}

function judge(seen: TLSSocket, { trust }: Side): Verdict {
  return verifyChain(peerChain(seen), { trust, role: 'workload', nowMs: Date.now() });
}

/** Real servers and clients on loopback, all closed at the end of the block. */
class Wire implements AsyncDisposable {
  readonly #listener: tls.Server;
  readonly #server: Side;
  readonly #sockets: TLSSocket[] = [];

  private constructor(listener: tls.Server, server: Side) {
    this.#listener = listener;
    this.#server = server;
  }

  static async open(server: Side): Promise<Wire> {
    const listener = tls.createServer({ requestCert: true, rejectUnauthorized: true, ...optionsOf(server) });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return new Wire(listener, server);
  }

  /** One handshake that OpenSSL accepts on both sides, and what each side's own verifier says of the other. */
  async handshake(client: Side, session?: Buffer) {
    const accepted = once(this.#listener, 'secureConnection') as Promise<[TLSSocket]>;
    const socket = this.#connect({ ...optionsOf(client), ...(session && { session }) });
    const ticket = once(socket, 'session') as Promise<[Buffer]>;
    const [[peer]] = await Promise.all([accepted, once(socket, 'secureConnect')]);
    this.#sockets.push(peer);
    expect([peer.authorized, socket.authorized, socket.getProtocol()]).toEqual([true, true, 'TLSv1.3']);
    expect([peer.isSessionReused(), socket.isSessionReused()]).toEqual([session !== undefined, session !== undefined]);
    const verdicts = { atServer: judge(peer, this.#server), atClient: judge(socket, client) };
    peer.write('ready'); // the ticket comes with the first bytes read
    socket.resume();
    return { ...verdicts, presented: peerChain(peer).length, ticket };
  }

  /** One handshake that must fail, and what the server says of it. */
  async refusal(client: tls.ConnectionOptions): Promise<string> {
    const refused = once(this.#listener, 'tlsClientError') as Promise<[Error, TLSSocket]>;
    this.#connect(client).on('error', () => {});
    const [err, socket] = await refused;
    return String(socket.authorizationError ?? err.message);
  }

  #connect(options: tls.ConnectionOptions): TLSSocket {
    const { port } = this.#listener.address() as AddressInfo;
    const socket = tls.connect({ port, host: '127.0.0.1', checkServerIdentity: () => undefined, ...options });
    this.#sockets.push(socket);
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#listener.close();
    await once(this.#listener, 'close');
  }
}

test('two workloads of two nodes meet over mutual TLS 1.3 and each learns who the other is and who vouches', async () => {
  using directory = new TemporaryDirectory();
  const a = makeNode(directory);
  const b = addNode(directory, { name: 'b', grant: ['ns/*/sa/cart'], nowMs: Date.now(), ttlMs: HOUR_MS });
  await using wire = await Wire.open(workload(b, CART));

  const { atServer, atClient } = await wire.handshake(workload(a));

  expect(atServer).toMatchObject({ ok: true, spiffeId: WEB, node: 'a' });
  expect(atClient).toMatchObject({ ok: true, spiffeId: CART, node: 'b' });
});

test('a node certificate in the place of an SVID passes OpenSSL and not our verifier, on either side', async () => {
  using directory = new TemporaryDirectory();
  const node = makeNode(directory);
  await using wire = await Wire.open(impostor(node));
  const { atServer, atClient } = await wire.handshake(impostor(node));
  expect(atServer).toMatchObject({ ok: false, reason: 'wrong-role' });
  expect(atClient).toMatchObject({ ok: false, reason: 'wrong-role' });
});

test('a peer that presents far more certificates than a chain has is refused, and the rest is not read', async () => {
  using directory = new TemporaryDirectory();
  const node = makeNode(directory);
  const web = workload(node);
  await using wire = await Wire.open(web);
  const certificateChainPem = web.certificateChainPem + toPem(Array.from({ length: 20 }, () => node.chain[1]!));
  const { atServer, presented } = await wire.handshake({ ...web, certificateChainPem });
  expect(atServer).toMatchObject({ ok: false, reason: 'chain-too-long' });
  expect(presented).toBe(8);
});

test('a client of a foreign root, one without a certificate and one of TLS 1.2 do not get through', async () => {
  using directory = new TemporaryDirectory();
  using foreign = new TemporaryDirectory();
  const node = makeNode(directory);
  const web = optionsOf(workload(node));
  await using wire = await Wire.open(workload(node));
  const stranger = optionsOf(workload(makeNode(foreign)));
  expect(await wire.refusal({ ...stranger, ca: web.ca! })).toBe('UNABLE_TO_GET_ISSUER_CERT_LOCALLY');
  expect(await wire.refusal({ ca: web.ca! })).toMatch(/peer did not return a certificate/);
  expect(await wire.refusal({ ...web, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })).toMatch(/unsupported protocol/);
});

test('a resumed session, which hides the chain, is refused', async () => {
  using directory = new TemporaryDirectory();
  const node = makeNode(directory);
  await using wire = await Wire.open(workload(node));
  const first = await wire.handshake(workload(node));
  const [session] = await first.ticket;
  const { atServer, atClient } = await wire.handshake(workload(node), session);
  expect([first.atServer.ok, first.atClient.ok]).toEqual([true, true]);
  expect(atServer).toMatchObject({ ok: false, reason: 'untrusted-root' });
  expect(atClient).toMatchObject({ ok: false, reason: 'no-certificate' });
});

test('the openssl program accepts the chain for TLS servers and clients, by the letter of RFC 5280', () => {
  using directory = new TemporaryDirectory();
  const [svid, node, issuer] = chainOf(mint(makeNode(directory)));
  writeFileSync(directory.sub('svid.crt'), svid!.toString());
  writeFileSync(directory.sub('above.crt'), toPem([node!, issuer!]));
  for (const purpose of ['sslserver', 'sslclient']) {
    const args = ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', directory.sub('trust/roots.crt')];
    const output = execFileSync('openssl', [
      ...args,
      '-untrusted',
      directory.sub('above.crt'),
      directory.sub('svid.crt'),
    ]);
    expect(output.toString()).toContain('svid.crt: OK');
  }
});
