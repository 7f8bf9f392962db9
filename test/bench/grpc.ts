/**
 * gRPC through two hops with mutual TLS between them, beside nginx with `grpc_pass` at both: unary calls, 4 connections of 16
 * at a time, 20 bytes there and 49 bytes and a trailer back; and streams of 1,000 messages, each echoed.
 *
 * Load and backend of the unary calls are h2load and nghttpd of Debian (nghttp2-client, nghttp2-server); without them the
 * cases say so. Streams have a pair of our own, `load/grpc-stream.ts`.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificates } from './certificates.ts';
import { accepting, cpuSeconds, LOAD_CORE, PROXY_CORE, pinned, rssMb, together } from './machine.ts';
import { median, type OwnCase, type OwnResult } from './own-case.ts';
import { type CertificateFiles, HOST_NAME, type Proxies } from './proxies.ts';
import { BACKEND_PORT, type Route } from './routes.ts';
import { startWeft } from './weft.ts';

const ROUTE: Route = { name: 'grpc', protocol: 'http2', hops: 2, entryPort: 9_005, endpoints: ['127.0.11.14'] };
const NGINX = { first: '127.0.15.1', second: '127.0.15.2', tunnelPort: 15_008 } as const;
const CONNECTIONS = 4;
const STREAMS = 16;
const SECONDS = 3;
const STREAM_PROGRAM = join(import.meta.dirname, 'load/grpc-stream.ts');

/** Streams of 1,000 messages at a time. */
const LONG_STREAMS = 8;

/** What gRPC clients say. */
const FIELDS = ['content-type: application/grpc', 'te: trailers', 'grpc-accept-encoding: identity', 'grpc-timeout: 5S'];

interface Round {
  readonly reqPerSec: number;
  readonly cpuUsPerRequest: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly rssMb: number;
}

/** One of the two cases: what answers, and what asks for `SECONDS` and counts calls or messages. */
interface Kind {
  readonly name: string;
  readonly counted: string;
  readonly concurrency: number;
  readonly backend: (directory: string) => readonly string[];
  readonly ask: (directory: string, address: string) => Asked;
}

interface Asked {
  readonly answered: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

const UNARY: Kind = {
  name: 'grpc-unary',
  counted: 'calls',
  concurrency: CONNECTIONS * STREAMS,
  backend: unaryBackend,
  ask: askUnary,
};

const STREAM: Kind = {
  name: 'grpc-stream',
  counted: 'messages',
  concurrency: LONG_STREAMS,
  backend: () => [process.execPath, STREAM_PROGRAM, 'serve', ROUTE.endpoints[0]!, String(BACKEND_PORT)],
  ask: askStream,
};

export const GRPC: readonly OwnCase[] = [UNARY, STREAM].map((kind) => ({
  name: kind.name,
  async measure({ rounds }) {
    if (!['/usr/bin/h2load', '/usr/sbin/nghttpd'].every((path) => existsSync(path))) {
      const lines = [`${kind.name}: skipped, h2load and nghttpd not found (Debian: nghttp2-client, nghttp2-server)`];
      return { figures: { skipped: true }, lines };
    }
    const directory = mkdtempSync(join(tmpdir(), 'weft-grpc-'));
    try {
      return await measureIn(directory, rounds, kind);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
}));

async function measureIn(directory: string, rounds: number, kind: Kind): Promise<OwnResult> {
  await using _backend = await startBackend(directory, kind);
  await using nginx = await startNginx(directory, makeCertificates(join(directory, 'certificates')));
  await using weft = await startWeft(join(directory, 'weft'), [ROUTE]);
  const sets = { weft, nginx };
  for (const set of Object.values(sets)) round(directory, set, kind);
  const measured = { weft: [] as Round[], nginx: [] as Round[] };
  for (let turn = 0; turn < rounds; turn++) {
    for (const name of ['weft', 'nginx'] as const) measured[name].push(round(directory, sets[name], kind));
  }
  return report(kind, middle(measured.weft), middle(measured.nginx));
}

/** Every call of a round has to be answered. */
function round(directory: string, { address, pids }: Proxies, kind: Kind): Round {
  const before = cpuSeconds(pids);
  const { answered, ...times } = kind.ask(directory, address);
  return {
    reqPerSec: answered / SECONDS,
    cpuUsPerRequest: ((cpuSeconds(pids) - before) * 1e6) / answered,
    ...times,
    rssMb: rssMb(pids),
  };
}

function askUnary(directory: string, address: string): Asked {
  const log = join(directory, 'calls');
  rmSync(log, { force: true });
  const load = ['h2load', `-c${CONNECTIONS}`, `-m${STREAMS}`, '-t1', `-D${SECONDS}`, '-d', join(directory, 'message')];
  const fields = FIELDS.flatMap((field) => ['-H', field]);
  const url = `http://${address}:${ROUTE.entryPort}/call`;
  const argv = ['-c', LOAD_CORE, ...load, `--log-file=${log}`, ...fields, url];
  const output = execFileSync('taskset', argv, { encoding: 'utf8' });
  const answered = Number(/status codes: (\d+) 2xx/.exec(output)?.[1]);
  const unanswered = /(\d+) failed, (\d+) errored, (\d+) timeout/.exec(output)?.slice(1).map(Number);
  if (answered === 0 || unanswered?.some((count) => count > 0) !== false) throw new Error(`${UNARY.name}: ${output}`);
  const timesMs = readFileSync(log, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => Number(line.split('\t')[2]) / 1_000)
    .sort((a, b) => a - b);
  const at = (share: number): number => timesMs[Math.floor(timesMs.length * share)]!;
  return { answered, p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999) };
}

/** Times are those of whole streams. */
function askStream(_directory: string, address: string): Asked {
  const asked = [address, String(ROUTE.entryPort), String(LONG_STREAMS), String(SECONDS)];
  const argv = ['-c', LOAD_CORE, process.execPath, STREAM_PROGRAM, 'ask', ...asked];
  return JSON.parse(execFileSync('taskset', argv, { encoding: 'utf8' })) as Asked;
}

function middle(rounds: readonly Round[]): Round {
  const of = (key: keyof Round): number => median(rounds.map((round) => round[key]));
  const [reqPerSec, cpuUsPerRequest] = [of('reqPerSec'), of('cpuUsPerRequest')];
  return {
    reqPerSec,
    cpuUsPerRequest,
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
    p999Ms: of('p999Ms'),
    rssMb: of('rssMb'),
  };
}

function report({ name, counted, concurrency }: Kind, weft: Round, nginx: Round): OwnResult {
  const ratioCpu = weft.cpuUsPerRequest / nginx.cpuUsPerRequest;
  const ratioReqPerSec = weft.reqPerSec / nginx.reqPerSec;
  const line = (set: string, { reqPerSec, cpuUsPerRequest, p50Ms, p99Ms }: Round): string =>
    `  ${set}: ${reqPerSec.toFixed(0)} ${counted}/s, ${cpuUsPerRequest.toFixed(1)} us CPU each, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`;
  return {
    figures: { concurrency, proxies: { weft, nginx }, ratioCpu, ratioReqPerSec },
    lines: [
      `${name}, ${concurrency} at a time: CPU ${ratioCpu.toFixed(2)} of nginx, ${counted}/s ${ratioReqPerSec.toFixed(2)}`,
      line('weft', weft),
      line('nginx', nginx),
    ],
  };
}

function unaryBackend(directory: string): readonly string[] {
  const root = join(directory, 'files');
  mkdirSync(root);
  const answer = 'forty-nine bytes of answer, and not a byte more.\n';
  for (const name of ['call', 'index.html']) writeFileSync(join(root, name), answer);
  writeFileSync(join(directory, 'message'), Buffer.alloc(20));
  const argv = ['nghttpd', '--no-tls', '-a', ROUTE.endpoints[0]!, '-d', root, '-m', '1000'];
  return [...argv, '--trailer', 'grpc-status: 0', String(BACKEND_PORT)];
}

function startBackend(directory: string, { backend }: Kind): Promise<AsyncDisposable> {
  const argv = backend(directory);
  return together(async (own) => {
    own(pinned(LOAD_CORE, argv, join(directory, 'backend.log')));
    await accepting(BACKEND_PORT, ROUTE.endpoints[0]!);
    return {};
  });
}

function startNginx(directory: string, pem: CertificateFiles): Promise<Proxies> {
  const { first, second, tunnelPort } = NGINX;
  const tls = (prefix: string): string =>
    `${prefix}_certificate ${pem.chain}; ${prefix}_certificate_key ${pem.key}; ${prefix}_protocols TLSv1.3;
     ${prefix}_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;`;
  const upstream = (name: string, server: string): string =>
    `upstream ${name} { server ${server}; keepalive 1024; keepalive_requests 1000000000; }`;
  const exit = `${upstream('backend', `${ROUTE.endpoints[0]}:${BACKEND_PORT}`)}
    server { listen ${second}:${tunnelPort} ssl http2 backlog=4096; ${tls('ssl')} ssl_client_certificate ${pem.roots};
      ssl_verify_client on; ssl_verify_depth 4; location / { grpc_pass grpc://backend; } }`;
  const entry = `${upstream('exit', `${second}:${tunnelPort}`)}
    server { listen ${first}:${ROUTE.entryPort} http2 backlog=4096; ${tls('grpc_ssl')}
      grpc_ssl_trusted_certificate ${pem.roots}; grpc_ssl_verify on; grpc_ssl_verify_depth 4; grpc_ssl_name ${HOST_NAME};
      grpc_ssl_server_name on; grpc_ssl_session_reuse on; location / { grpc_pass grpcs://exit; } }`;
  return together(async (own) => {
    const pids = [own(nginx(join(directory, 'exit'), exit)), own(nginx(join(directory, 'entry'), entry))];
    await accepting(tunnelPort, second);
    await accepting(ROUTE.entryPort, first);
    return { address: first, pids };
  });
}

function nginx(home: string, content: string) {
  mkdirSync(home);
  const file = join(home, 'nginx.conf');
  writeFileSync(
    file,
    `user root; worker_processes 1; daemon off; pid ${home}/pid; error_log /dev/stderr error;
     events { worker_connections 8192; multi_accept on; }
     http { access_log off; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 300s; client_body_temp_path body;
       proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi; ${content} }`,
  );
  return pinned(PROXY_CORE, ['nginx', '-p', home, '-c', file], join(home, 'log'));
}
