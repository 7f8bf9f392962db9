/**
 * Streams of 1,000 gRPC messages, both ends of them: `serve ADDRESS PORT` echoes, `ask ADDRESS PORT STREAMS SECONDS` sends
 * and prints as JSON how many messages came back whole.
 *
 * A message is 20 bytes behind its prefix of 5 (one flag, four of length). Ten of them are written before the echo of the
 * first is waited for, as a client does that streams what it has.
 */
import { type ClientHttp2Session, connect, createServer, type ServerHttp2Stream } from 'node:http2';
import { argv, stdout } from 'node:process';
import { Latencies } from './latencies.ts';

const MESSAGES = 1_000;
const AHEAD = 10;
const MESSAGE = Buffer.concat([Buffer.from([0, 0, 0, 0, 20]), Buffer.alloc(20, 'm')]);
const REQUEST = {
  ':method': 'POST',
  ':path': '/bench.Echo/Stream',
  'content-type': 'application/grpc',
  te: 'trailers',
} as const;

const [, , role, address, port] = argv;
if (role === 'serve') serve();
else await ask(Number(argv[5]), Number(argv[6]));

function serve(): void {
  const server = createServer();
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.on('error', () => {});
    stream.pipe(stream);
  });
  server.listen(Number(port), address);
}

async function ask(streams: number, seconds: number): Promise<void> {
  const session = connect(`http://${address}:${port}`);
  const endAtMs = performance.now() + seconds * 1_000;
  const latencies = new Latencies();
  const askOn = async (): Promise<void> => {
    while (performance.now() < endAtMs) await stream(session, latencies);
  };
  await Promise.all(Array.from({ length: streams }, askOn));
  session.close();
  const { count, p50Ms, p99Ms, p999Ms } = latencies.result(seconds);
  stdout.write(JSON.stringify({ answered: count * MESSAGES, p50Ms, p99Ms, p999Ms }));
}

/** From its first message to its trailers; rejects unless every byte came back. */
function stream(session: ClientHttp2Session, latencies: Latencies): Promise<void> {
  const startedAtMs = performance.now();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const request = session.request(REQUEST);
  let sent = 0;
  let received = 0;
  let status: unknown;
  const send = (): void => {
    while (sent < MESSAGES && sent - received / MESSAGE.length < AHEAD) {
      request.write(MESSAGE);
      sent++;
    }
    if (sent === MESSAGES) request.end();
  };
  request.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (sent < MESSAGES) send();
  });
  request.on('trailers', (trailers) => {
    status = trailers['grpc-status'];
  });
  request.on('error', reject);
  request.on('close', () => {
    if (received === MESSAGES * MESSAGE.length && status === '0') {
      latencies.add(startedAtMs);
      resolve();
    } else reject(new Error(`a stream ended with ${received} bytes and grpc-status ${String(status)}`));
  });
  send();
  return promise;
}
