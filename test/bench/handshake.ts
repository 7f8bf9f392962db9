/**
 * What deciding who the peer is adds to a mutual TLS handshake: both sides in this process, over loopback, each verifying
 * the other. CPU time of the whole process; the ways take turns every few handshakes, and ratios are of such pairs.
 * @module
 */
import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls, { type TLSSocket } from 'node:tls';
import { CertificateMemory } from '../../certs/memory.ts';
import { issueNodeBundle, loadNodeBundle, type NodeIdentity } from '../../certs/node-bundle.ts';
import { mintSvid, type Svid } from '../../certs/svid.ts';
import { parseCertificates, toPem } from '../../certs/trust-bundle.ts';
import { createTrustDomain } from '../../certs/trust-domain.ts';
import { verifyChain, verifyKnown, verifyPeer } from '../../certs/verify.ts';
import { secureContext, TLS_OPTIONS } from '../../proxy/tls.ts';
import { median, type OwnCase, type OwnResult } from './own-case.ts';

/** Handshakes before the next way has its turn: long enough for the clock, short against drifts of the machine. */
const TURN = 40;
const TURNS_A_ROUND = 10;
const WARM_UP_TURNS = 5;

/**
 * openssl: a plain mutual TLS handshake, where OpenSSL checks the chain against the root. Then ours, where it checks no
 * chain: unverified; verified for a peer met before (warm), for a new workload of a known node, and for one of whose
 * chain nothing is known (cold). Last, sessions resumed: by OpenSSL alone, and judged by what is known of the peer, which
 * the server does twice (proxy/inbound/tunnel.ts).
 */
const WAYS = ['openssl', 'unverified', 'warm', 'knownNode', 'cold', 'opensslResumed', 'resumed'] as const;
type Way = (typeof WAYS)[number];

export const HANDSHAKE: OwnCase = {
  name: 'handshake',
  async measure({ rounds }) {
    await using bench = await HandshakeBench.open();
    for (let i = 0; i < WARM_UP_TURNS; i++) for (const way of WAYS) await bench.turn(way);
    const turns = Object.fromEntries(WAYS.map((way) => [way, []])) as unknown as Record<Way, Turn[]>;
    for (let i = 0; i < rounds * TURNS_A_ROUND; i++) for (const way of WAYS) turns[way].push(await bench.turn(way));
    return report(turns);
  },
};

class HandshakeBench implements AsyncDisposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'weft-handshake-'));
  readonly #node: NodeIdentity;
  readonly #neighbour: Svid;
  readonly #warm = new CertificateMemory();
  readonly #openssl: Side;
  readonly #ours: Side;
  readonly #servers: tls.Server[] = [];
  #ports: Record<'openssl' | 'ours', number> = { openssl: 0, ours: 0 };
  readonly #sessions = new Map<number, { session: Buffer; leaf: X509Certificate }>();
  #judge: (socket: TLSSocket) => void = () => {};

  private constructor() {
    const trust = join(this.#directory, 'trust');
    const bundle = join(this.#directory, 'node');
    createTrustDomain({ trustDomain: 'bench.example', directory: trust });
    issueNodeBundle({ trustDirectory: trust, name: 'a', grant: ['ns/bench/*'], directory: bundle });
    this.#node = loadNodeBundle(bundle);
    const svid = this.#mint('web');
    this.#neighbour = this.#mint('neighbour');
    const { rejectUnauthorized: _, ...common } = TLS_OPTIONS;
    this.#openssl = {
      options: { ...common, rejectUnauthorized: true },
      context: tls.createSecureContext({
        ...common,
        ca: toPem(this.#node.trust.roots),
        cert: svid.certificateChainPem,
        key: svid.privateKeyPem,
      }),
    };
    this.#ours = { options: TLS_OPTIONS, context: secureContext(svid) };
  }

  static async open(): Promise<HandshakeBench> {
    const bench = new HandshakeBench();
    bench.#ports = { openssl: await bench.#serve(bench.#openssl), ours: await bench.#serve(bench.#ours) };
    return bench;
  }

  async turn(way: Way): Promise<Turn> {
    const judges = Array.from({ length: 2 * TURN }, () => this.#judgeOf(way)); // made before the clock runs
    this.#judge = (socket) => judges.pop()!(socket);
    const [side, port] = way.startsWith('openssl')
      ? [this.#openssl, this.#ports.openssl]
      : [this.#ours, this.#ports.ours];
    const isResumed = way.endsWith('esumed');
    const [sinceMs, before] = [performance.now(), process.cpuUsage()];
    for (let i = 0; i < TURN; i++) await this.#handshake(side, port, isResumed);
    const { user, system } = process.cpuUsage(before);
    return { cpuUs: (user + system) / TURN, perSec: (1_000 * TURN) / (performance.now() - sinceMs) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #handshake({ options, context }: Side, port: number, isResumed: boolean): Promise<void> {
    const kept = isResumed ? this.#sessions.get(port) : undefined;
    const socket = tls.connect({
      ...options,
      host: '127.0.0.1',
      port,
      servername: 'bench.example',
      secureContext: context,
      session: kept?.session,
      checkServerIdentity: () => undefined,
    });
    await once(socket, 'secureConnect');
    check(socket.isSessionReused() === isResumed);
    if (!isResumed && !this.#sessions.has(port)) {
      const leaf = socket.getPeerX509Certificate()!;
      socket.once('session', (session: Buffer) => this.#sessions.set(port, { session, leaf }));
    }
    if (kept !== undefined && port === this.#ports.ours) {
      check(verifyKnown(kept.leaf, this.#options(this.#warm))?.ok === true);
    } else this.#judge(socket);
    socket.resume().end();
    await once(socket, 'close'); // the server ends its side when it has judged
  }

  async #serve({ options, context }: Side): Promise<number> {
    const server = tls.createServer({ ...options, requestCert: true, SNICallback: (_, done) => done(null, context) });
    server.on('secureConnection', (socket) => {
      this.#judge(socket);
      socket.end().resume();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  #judgeOf(way: Way): (socket: TLSSocket) => void {
    if (way === 'openssl') return (socket) => check(socket.authorized);
    if (way === 'unverified' || way === 'opensslResumed') return () => {};
    if (way === 'resumed') {
      const accepts = (socket: TLSSocket): boolean => verifyPeer(socket, this.#options(this.#warm)).ok;
      return (socket) => check(accepts(socket) && accepts(socket));
    }
    const memory = way === 'warm' ? this.#warm : new CertificateMemory();
    if (way === 'knownNode') {
      const chain = parseCertificates(this.#neighbour.certificateChainPem, 'neighbour');
      check(verifyChain(chain, this.#options(memory)).ok);
    }
    return (socket) => check(verifyPeer(socket, this.#options(memory)).ok);
  }

  #options(memory: CertificateMemory) {
    return { trust: this.#node.trust, role: 'workload', nowMs: Date.now(), memory } as const;
  }

  #mint(name: string): Svid {
    const spiffeId = `spiffe://bench.example/ns/bench/sa/${name}`;
    return mintSvid(this.#node, spiffeId, { ttlMs: 3_600_000, nowMs: Date.now() });
  }
}

interface Side {
  readonly options: { readonly rejectUnauthorized: boolean };
  readonly context: tls.SecureContext;
}

function check(isAccepted: boolean): void {
  if (!isAccepted) throw new Error('a handshake of the benchmark was refused');
}

/** CPU of client and server together, and how many there were a second, one after the other. */
interface Turn {
  readonly cpuUs: number;
  readonly perSec: number;
}

function report(turns: Record<Way, readonly Turn[]>): OwnResult {
  const cpuUs = Object.fromEntries(WAYS.map((way) => [way, turns[way].map((turn) => turn.cpuUs)])) as Record<
    Way,
    number[]
  >;
  const rate = (way: Way): number => median(turns[way].map(({ perSec }) => perSec));
  const cpuUsPerHandshake = Object.fromEntries(WAYS.map((way) => [way, median(cpuUs[way])]));
  const handshakesPerSec = Object.fromEntries(WAYS.map((way) => [way, rate(way)]));
  const over = (way: Way, base: Way): number => median(cpuUs[way].map((us, i) => us / cpuUs[base][i]!)) - 1;
  const verified = ['warm', 'knownNode', 'cold'] as const;
  const added = (base: Way) => Object.fromEntries(verified.map((way) => [way, over(way, base)]));
  /** Shares of the CPU time of a handshake: 0.1 is a tenth more. */
  const resumedOver = { full: 1 + over('resumed', 'warm'), openssl: 1 + over('resumed', 'opensslResumed') };
  const figures = {
    cpuUsPerHandshake,
    handshakesPerSec,
    resumedOver,
    addedToPlain: added('openssl'),
    addedToUnverified: added('unverified'),
  };
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`.padStart(8);
  const lines = [
    'CPU of both sides of a mutual TLS handshake',
    ...WAYS.map(
      (way) =>
        `  ${way.padEnd(16)}${median(cpuUs[way]).toFixed(0).padStart(6)} us ${rate(way).toFixed(0).padStart(6)}/s`,
    ),
    `  resumed against full (warm): ${resumedOver.full.toFixed(2)}; against OpenSSL's resumed: ${resumedOver.openssl.toFixed(2)}`,
    'added by our verification, on both sides',
    ...verified.map((way) => {
      const plain = percent(over(way, 'openssl'));
      return `  ${way.padEnd(12)}${plain} to OpenSSL's own, ${percent(over(way, 'unverified'))} to ours without`;
    }),
  ];
  return { figures, lines };
}
