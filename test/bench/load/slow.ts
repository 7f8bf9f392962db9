/**
 * Writers as fast as they may and readers that take a slice now and then, both ends of `slow-reader.ts`, each a process.
 *
 * Usage: slow.ts backend | slow.ts client HOST HTTP_PORT HTTP2_PORT TCP_PORT
 *
 * The client holds its streams until SIGTERM, then prints {download, upload, http2, tcp}: bytes that were read, of uploads such as were sent.
 * It fails at once when one of its streams ends.
 */
import { createServer as createHttpServer, request } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { connect, createServer } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { BACKEND_PORT, SLOW_ADDRESSES } from '../routes.ts';

const STREAMS_EACH = 4;
const CHUNK = Buffer.alloc(65_536, 'weft');
/** 320 kB/s a stream. */
const SLICE_BYTES = 16_384;
const SLICE_MS = 50;

const [role, host = '', ...ports] = process.argv.slice(2);
if (role === 'backend') serve();
else read(...(ports.map(Number) as [number, number, number]));

function serve(): void {
  const web = createHttpServer({ requestTimeout: 0 }, (asked, answer) => {
    if (asked.method === 'PUT') readSlowly(asked, () => {});
    else if (asked.url === '/endless') writeFast(answer);
    else answer.end('ok');
  });
  web.listen(BACKEND_PORT, SLOW_ADDRESSES.http);
  const web2 = createHttp2Server();
  web2.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200 });
    if (headers[':path'] === '/endless') writeFast(stream);
    else stream.end('ok');
  });
  web2.listen(BACKEND_PORT, SLOW_ADDRESSES.http2);
  createServer((socket) => {
    socket.on('error', () => {});
    writeFast(socket);
  }).listen(BACKEND_PORT, SLOW_ADDRESSES.tcp);
}

function read(httpPort: number, http2Port: number, tcpPort: number): void {
  const bytes = { download: 0, upload: 0, http2: 0, tcp: 0 };
  const count = (way: keyof typeof bytes) => (length: number) => {
    bytes[way] += length;
  };
  for (let i = 0; i < STREAMS_EACH; i++) {
    const asked = request({ host, port: httpPort, path: '/endless', agent: false }, (answer) => {
      answer.on('close', () => fail('download'));
      readSlowly(answer, count('download'));
    });
    asked.on('error', () => fail('download')).end();
    const upload = request({ host, port: httpPort, path: '/', method: 'PUT', agent: false });
    upload.on('error', () => fail('upload')).on('response', () => fail('upload'));
    writeFast(upload, count('upload'));
    const session = connectHttp2(`http://${host}:${http2Port}`).on('error', () => fail('http2'));
    const stream = session.request({ ':path': '/endless' }).on('close', () => fail('http2'));
    readSlowly(stream, count('http2'));
    const socket = connect({ host, port: tcpPort }).on('close', () => fail('tcp'));
    socket.on('error', () => {});
    readSlowly(socket, count('tcp'));
    socket.write('go');
  }
  process.once('SIGTERM', () => {
    process.stdout.write(JSON.stringify(bytes), () => process.exit(0));
  });
}

/** As much as is taken, for ever. */
function writeFast(sink: Writable, taken: (length: number) => void = () => {}): void {
  const more = (): void => {
    while (!sink.destroyed) {
      taken(CHUNK.length);
      if (!sink.write(CHUNK)) return;
    }
  };
  sink.on('drain', more);
  more();
}

function readSlowly(source: Readable, taken: (length: number) => void): void {
  source.on('readable', () => {}); // buffers up to its high-water mark, then lets its connection wait
  const timer = setInterval(() => {
    const slice = (source.read(SLICE_BYTES) ?? source.read()) as Buffer | null;
    if (slice !== null) taken(slice.length);
  }, SLICE_MS);
  source.on('close', () => clearInterval(timer));
  source.on('error', () => {});
}

function fail(way: string): never {
  process.stderr.write(`slow-reader: a stream (${way}) ended\n`);
  process.exit(1);
}
