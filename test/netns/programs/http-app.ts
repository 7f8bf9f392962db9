/**
 * An application for tests, which knows nothing of Weft. Usage: http-app.ts PORT NAME
 *
 * GET /who answers NAME and the client's address; GET /download?bytes=N streams N bytes; GET /stream streams 3 MB a second until
 * somebody asks for /end, and says `end` then; POST /upload answers how many bytes
 * came and their SHA-256; an Upgrade to `websocket` switches to a raw echo.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';

const [port, name] = process.argv.slice(2);
const CHUNK = Buffer.alloc(65_536, 'weft');
const BETWEEN_MS = 20;
let isOver = false;

const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy());
});
server.on('upgrade', (_request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  socket.pipe(socket).on('error', () => socket.destroy());
});
server.listen(Number(port), '::', () => console.log('listening'));

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://app');
  if (url.pathname === '/download') {
    const bytes = Number(url.searchParams.get('bytes'));
    response.writeHead(200, { 'content-length': bytes });
    await pipeline(Readable.from(chunks(bytes)), response);
  } else if (url.pathname === '/stream') {
    await pipeline(Readable.from(untilOver()), response);
  } else if (url.pathname === '/end') {
    isOver = true;
    response.end();
  } else if (url.pathname === '/upload') {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      hash.update(chunk);
    }
    response.end(JSON.stringify({ bytes, sha256: hash.digest('hex') }));
  } else {
    response.setHeader('x-seen-host', request.headers.host ?? '');
    response.end(JSON.stringify({ name, client: request.socket.remoteAddress }));
  }
}

async function* untilOver(): AsyncGenerator<Buffer> {
  for (; !isOver; await setTimeout(BETWEEN_MS)) yield CHUNK;
  yield Buffer.from('end');
}

function* chunks(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= CHUNK.length) yield left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK;
}
