/** One long stream of bytes on one connection: a download, an upload, or bytes without HTTP. @module */
import { connect, type Socket } from 'node:net';
import type { GeneratorOrder, LoadResult } from './load.ts';

type Order = Extract<GeneratorOrder, { kind: 'bulk' }>;

const CHUNK = Buffer.alloc(262_144, 'x');
/** Where the backend keeps what is to be downloaded. */
const DOWNLOAD_PATH = '/bulk';

export async function bulk({ host, port, way, bytes }: Order): Promise<LoadResult> {
  const startedMs = performance.now();
  let received = 0;
  let first = '';
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const onread = {
    buffer: Buffer.allocUnsafe(262_144),
    callback: (length: number, buffer: Uint8Array): boolean => {
      if (received === 0) first = Buffer.from(buffer.subarray(0, Math.min(length, 64))).toString('latin1');
      received += length;
      return true;
    },
  };
  const socket: Socket = connect({ host, port, onread });
  socket.on('error', () => {});
  socket.on('close', resolve);
  if (way === 'download') socket.write(`GET ${DOWNLOAD_PATH} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n`);
  else {
    if (way === 'upload')
      socket.write(`PUT / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Length: ${bytes}\r\n\r\n`);
    await send(socket, bytes);
    if (way === 'tcp') socket.end(); // who echoes says how much came
  }
  await closed;
  const isWhole =
    way === 'download'
      ? first.startsWith('HTTP/1.1 200') && received > bytes
      : way === 'upload'
        ? first.startsWith('HTTP/1.1 200')
        : first === String(bytes);
  const seconds = (performance.now() - startedMs) / 1_000;
  return { count: bytes, seconds, failed: isWhole ? 0 : 1, p50Ms: 0, p99Ms: 0, p999Ms: 0 };
}

async function send(socket: Socket, bytes: number): Promise<void> {
  for (let left = bytes; left > 0 && !socket.destroyed; left -= CHUNK.length) {
    const isTaken = socket.write(left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK);
    if (isTaken) continue;
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.once('drain', resolve);
    socket.once('close', resolve);
    await promise;
    socket.off('close', resolve);
    socket.off('drain', resolve);
  }
}
