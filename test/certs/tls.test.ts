/** The chain on real TLS 1.3 connections, with nothing but the roots as trust, and before the openssl program. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import type { Svid } from '../../certs/svid.ts';
import { toPem } from '../../certs/trust-bundle.ts';
import { peerChain, type Verdict, verifyChain } from '../../certs/verify.ts';
import { addNode, chainOf, HOUR_MS, makeNode, mint, TemporaryDirectory, TRUST_DOMAIN, WEB } from './trust.ts';

const CART = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/cart`;

interface Side {
  readonly node: NodeIdentity;
  readonly svid: Svid;
}

function contextOf({ node, svid }: Side): tls.SecureContextOptions {
  return {
    ca: toPem(node.trust.roots),
    cert: svid.certificateChainPem,
    key: svid.privateKeyPem,
    minVersion: 'TLSv1.3',
  };
}

/** Handshakes once, both sides verified by OpenSSL, and returns what each side's own verifier says of the other. */
async function handshake(server: Side, client: Side): Promise<{ atServer: Verdict; atClient: Verdict }> {
  const listener = tls.createServer({ ...contextOf(server), requestCert: true, rejectUnauthorized: true });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const accepted = once(listener, 'secureConnection') as Promise<[TLSSocket]>;
  const socket = tls.connect({ ...contextOf(client), port, host: '127.0.0.1', checkServerIdentity: () => undefined });
  try {
    const [[peer]] = await Promise.all([accepted, once(socket, 'secureConnect')]);
    expect([peer.authorized, socket.authorized, socket.getProtocol()]).toEqual([true, true, 'TLSv1.3']);
    const judge = (seen: TLSSocket, { node }: Side) =>
      verifyChain(peerChain(seen), { trust: node.trust, role: 'workload', nowMs: Date.now() });
    return { atServer: judge(peer, server), atClient: judge(socket, client) };
  } finally {
    socket.destroy();
    listener.close();
    await once(listener, 'close');
  }
}

test('two workloads of two nodes meet over mutual TLS 1.3 and each learns who the other is and who vouches', async () => {
  using directory = new TemporaryDirectory();
  const a = makeNode(directory);
  const b = addNode(directory, { name: 'b', grant: ['ns/*/sa/cart'], nowMs: Date.now(), ttlMs: HOUR_MS });
  const web = { node: a, svid: mint(a) };
  const cart = { node: b, svid: mint(b, CART) };

  const { atServer, atClient } = await handshake(cart, web);

  expect(atServer).toMatchObject({ ok: true, spiffeId: WEB, node: 'a' });
  expect(atClient).toMatchObject({ ok: true, spiffeId: CART, node: 'b', expiresAtMs: cart.svid.expiresAtMs });
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
