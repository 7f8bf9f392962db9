/**
 * The backend that is no nginx, as a process of its own: takes uploads, echoes WebSocket messages, echoes small TCP messages
 * and counts long TCP streams. It speaks to the load generators of this folder only, so it reads no more than they send.
 */
import { createHash } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { BACKEND_PORT, SERVER_ADDRESSES } from './routes.ts';

/** A longer message than this is the beginning of a stream, which is counted. */
const LARGEST_MESSAGE = 4_096;
/** RFC 6455 §1.3. */
const WEBSOCKET_ID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

const web = createHttpServer({ keepAliveTimeout: 3_600_000, requestTimeout: 0 }, (request, response) => {
  request.resume();
  request.on('end', () => response.end('taken'));
});
web.on('upgrade', (request, socket: Duplex) => {
  const proof = createHash('sha1').update(`${request.headers['sec-websocket-key']}${WEBSOCKET_ID}`).digest('base64');
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${proof}\r\n\r\n`,
  );
  socket.on('error', () => {});
  socket.on('data', (frame: Buffer) => {
    // One short masked frame at a time, under a mask of zeros (RFC 6455 §5.2): the echo is the frame without mask.
    const length = frame[1]! & 0x7f;
    socket.write(Buffer.concat([Buffer.from([0x81, length]), frame.subarray(6, 6 + length)]));
  });
});
web.listen(BACKEND_PORT, SERVER_ADDRESSES.http);

createServer({ allowHalfOpen: true, noDelay: true }, serveTcp).listen(BACKEND_PORT, SERVER_ADDRESSES.tcp);

function serveTcp(socket: Socket): void {
  let received = 0;
  let isStream = false;
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
    isStream ||= chunk.length > LARGEST_MESSAGE;
    if (!isStream) socket.write(chunk);
  });
  socket.on('end', () => socket.end(isStream ? String(received) : ''));
}
