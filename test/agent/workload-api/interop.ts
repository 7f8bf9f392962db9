/**
 * `npm run interop`: go-spiffe as it comes, against Weft: its Workload API, its SVIDs, its verifier. Needs Go, and the
 * network the first time, and so is no part of `npm test`. Prints what came to pass; exits with 1 when anything did not.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import tls from 'node:tls';
import { peerChain, type Verdict, verifyChain } from '../../../certs/verify.ts';
import { secureContext, TLS_OPTIONS } from '../../../proxy/tls.ts';
import { World } from './world.ts';

await using world = await new World().start();
const goSide = world.place('go');
const { spiffeId: weftSide, ...svid } = world.mint('weft');
const context = secureContext(svid);

// Not `context`: Node takes one for a server by name only, and go-spiffe sends no name.
const server = tls.createServer({
  ...TLS_OPTIONS,
  ca: [],
  cert: svid.certificateChainPem,
  key: svid.privateKeyPem,
  requestCert: true,
});
server.on('secureConnection', (socket) => socket.end(identityIn(verdictOn(socket))));
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;

const go = spawn('go', ['run', '.', world.socket, address, weftSide], {
  cwd: join(import.meta.dirname, 'go-spiffe'),
  stdio: ['ignore', 'pipe', 'inherit'],
});
const ended = once(go, 'exit');
const found = await heard(go);
const [code] = (await ended) as [number | null];
server.close();

const wanted: Record<string, string> = {
  svid: goSide,
  dialled: goSide,
  accepted: weftSide,
  answered: `${goSide} is shown ${weftSide}`,
  renewed: goSide,
};
for (const [what, value] of Object.entries(found)) console.log(`${what}: ${value}`);
const missing = Object.keys(wanted).filter((what) => found[what] !== wanted[what]);
const isOver = code === 0 && missing.length === 0 && found.jwt?.includes('Unimplemented') === true;
console.log(
  isOver ? 'go-spiffe and Weft understand each other' : `failed: exit code ${code}, missing ${missing.join(', ')}`,
);
process.exitCode = isOver ? 0 : 1;

/** What the program says, doing meanwhile what it waits for. */
async function heard(child: ChildProcess): Promise<Record<string, string>> {
  const said: Record<string, string> = {};
  for await (const line of createInterface({ input: child.stdout! })) {
    const { what, value } = JSON.parse(line) as { what: string; value: string };
    said[what] = value;
    if (what === 'listening') said.answered = await dial(value);
    if (what === 'waiting') world.renew(goSide);
  }
  return said;
}

async function dial(to: string): Promise<string> {
  const [host, port] = to.split(':') as [string, string];
  const socket = tls.connect({ ...TLS_OPTIONS, host, port: Number(port), secureContext: context });
  await once(socket, 'secureConnect');
  const verdict = verdictOn(socket);
  const chunks: Buffer[] = await socket.toArray();
  return `${identityIn(verdict)} is shown ${Buffer.concat(chunks)}`;
}

function verdictOn(socket: tls.TLSSocket): Verdict {
  return verifyChain(peerChain(socket), { trust: world.trust, role: 'workload', nowMs: Date.now() });
}

function identityIn(verdict: Verdict): string {
  return verdict.ok ? verdict.spiffeId : `${verdict.reason}: ${verdict.detail}`;
}
