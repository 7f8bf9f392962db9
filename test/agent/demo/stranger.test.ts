/** The stranger against real TLS servers: one that asks for a certificate, one that forgets to. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type TlsOptions } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Processes } from '../../../agent/lab/processes.ts';
import { issueNodeBundle, loadNodeBundle } from '../../../certs/node-bundle.ts';
import { workloadId } from '../../../certs/spiffe.ts';
import { mintSvid } from '../../../certs/svid.ts';
import { createTrustDomain } from '../../../certs/trust-domain.ts';

const STRANGER = new URL('../../../agent/demo/stranger.ts', import.meta.url).pathname;
const processes = new Processes();
let directory: string;
let identity: TlsOptions;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-stranger-'));
  const trustDirectory = join(directory, 'trust');
  createTrustDomain({ trustDomain: 'test.weft', directory: trustDirectory });
  issueNodeBundle({ trustDirectory, name: 'n1', grant: ['ns/*'], directory: join(directory, 'n1') });
  const node = loadNodeBundle(join(directory, 'n1'));
  const svid = mintSvid(node, workloadId('test.weft', 'shop', 'web'), { ttlMs: 3_600_000, nowMs: Date.now() });
  identity = {
    key: svid.privateKeyPem,
    cert: svid.certificateChainPem,
    ca: node.trust.roots.map((root) => root.toString()),
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.3',
  };
});

afterAll(async () => {
  await processes.close();
  rmSync(directory, { recursive: true, force: true });
});

async function knockAt(options: TlsOptions): Promise<string> {
  const server = createServer({ ...identity, ...options }, (socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { stdout } = await processes.exec(undefined, [process.execPath, STRANGER, '127.0.0.1', String(port), 'web']);
  server.close();
  return stdout.trim();
}

test('is refused where a certificate is asked for', async () => {
  expect(await knockAt({ requestCert: true, rejectUnauthorized: true })).toBe('refused');
});

test('tells when it is let in without one', async () => {
  expect(await knockAt({ requestCert: false })).toBe('answered');
});

test('does not take a closed port for a refusal', async () => {
  const { stdout } = await processes.exec(undefined, [process.execPath, STRANGER, '127.0.0.1', '1', 'web']);
  expect(stdout.trim()).toBe('unreachable');
});
