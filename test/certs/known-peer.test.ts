/** Peers met before, on real TLS connections: cheaper to judge, and judged no less. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { CertificateMemory } from '../../certs/memory.ts';
import { Revocations } from '../../certs/revocation.ts';
import { toPem } from '../../certs/trust-bundle.ts';
import { type VerifyOptions, verifyChain, verifyKnown, verifyPeer } from '../../certs/verify.ts';
import { type Forged, forge, forgeChain, HOUR_MS, NOW_MS, SHAPE, TRUST_DOMAIN, WEB } from './trust.ts';

const opened: (TLSSocket | tls.Server)[] = [];
afterEach(() => {
  for (const thing of opened.splice(0)) 'destroy' in thing ? thing.destroy() : thing.close();
});

/** A connection to a server that presents these certificates, leaf first. */
async function connectTo(chain: readonly Forged[]): Promise<TLSSocket> {
  const [leaf] = chain;
  const server = tls.createServer({
    cert: toPem(chain.map(({ certificate }) => certificate)),
    key: leaf!.privateKey.export({ type: 'pkcs8', format: 'pem' }),
  });
  server.on('secureConnection', (socket) => opened.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  opened.push(server, socket);
  await once(socket, 'secureConnect');
  return socket;
}

function judging(socket: TLSSocket, usual: Pick<VerifyOptions, 'trust' | 'memory'>) {
  return (twist: Partial<VerifyOptions> = {}) =>
    verifyPeer(socket, { role: 'workload', nowMs: NOW_MS, ...usual, ...twist });
}

test('a peer met before is judged by the clock, the roots, the revocations and the identity wanted now', async () => {
  const { trust, svid, node, issuer } = forgeChain();
  const memory = new CertificateMemory();
  const judge = judging(await connectTo([svid, node, issuer]), { trust, memory });
  expect(judge()).toMatchObject({ ok: true, spiffeId: WEB, node: 'a' });
  expect(memory.pathOf(svid.certificate)?.facts).toHaveLength(4);
  expect(judge()).toMatchObject({ ok: true, spiffeId: WEB, node: 'a', expiresAtMs: NOW_MS + HOUR_MS });

  const spiffeNode = `spiffe://${TRUST_DOMAIN}/node/a`;
  const revoked = (subject: string) => ({ revocations: new Revocations([{ subject, beforeMs: NOW_MS }]) });
  expect(judge({ nowMs: NOW_MS + 2 * HOUR_MS })).toMatchObject({ ok: false, reason: 'expired' });
  expect(judge({ trust: forgeChain().trust })).toMatchObject({ ok: false, reason: 'untrusted-root' });
  expect(judge(revoked(WEB))).toMatchObject({ ok: false, reason: 'revoked' });
  expect(judge(revoked(spiffeNode))).toMatchObject({ ok: false, reason: 'revoked' });
  expect(judge({ expected: `${WEB}x` })).toMatchObject({ ok: false, reason: 'wrong-identity' });
  expect(judge({ role: 'node' })).toMatchObject({ ok: false, reason: 'wrong-role' });
  expect(judge()).toMatchObject({ ok: true });
});

test('a peer whose node has another certificate by now is judged by the one it presents', async () => {
  const laterMs = NOW_MS + 3 * HOUR_MS;
  const late = { notAfterMs: NOW_MS + 9 * HOUR_MS };
  const { trust, svid, node, issuer } = forgeChain({ root: late, issuer: late, svid: late });
  const renewed = forge({ ...SHAPE.node, ...late, publicKey: node.certificate.publicKey }, issuer);
  const memory = new CertificateMemory();
  const before = [svid, node, issuer].map(({ certificate }) => certificate);
  expect(verifyChain(before, { trust, role: 'workload', nowMs: NOW_MS, memory })).toMatchObject({ ok: true });
  const judge = judging(await connectTo([svid, renewed, issuer]), { trust, memory });
  expect(judge({ nowMs: laterMs })).toMatchObject({ ok: true, node: 'a' });
});

test('a peer of whom a part was forgotten is verified anew', async () => {
  const { trust, svid, node, issuer } = forgeChain();
  const memory = new CertificateMemory(2);
  const judge = judging(await connectTo([svid, node, issuer]), { trust, memory });
  for (let i = 0; i < 3; i++) {
    expect(judge()).toMatchObject({ ok: true, spiffeId: WEB });
    expect(memory.pathOf(svid.certificate)).toBeUndefined();
    expect(verifyKnown(svid.certificate, { trust, role: 'workload', nowMs: NOW_MS, memory })).toBeUndefined();
  }
});

test('a foreign peer is refused however often it comes, and not remembered', async () => {
  const { trust } = forgeChain();
  const foreign = forgeChain();
  const memory = new CertificateMemory();
  const judge = judging(await connectTo([foreign.svid, foreign.node, foreign.issuer]), { trust, memory });
  for (let i = 0; i < 3; i++) expect(judge()).toMatchObject({ ok: false, reason: 'untrusted-root' });
  expect(memory.pathOf(foreign.svid.certificate)).toBeUndefined();
});
