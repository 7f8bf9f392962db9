/**
 * The end of a connection after our last word on it. Closing at once would reset it where the peer is still sending, and a
 * reset throws away what the peer has not read: the last response, or the GOAWAY that says what was wrong.
 * @module
 */

import type { Socket } from 'node:net';

/** Longest wait for a peer to take what was written. */
const FLUSH_MS = 30_000;

export interface LingerLimits {
  /** Wait for the peer to close, once it has been sent everything. */
  readonly lingerMs: number;
  /** Most bytes that are read and dropped meanwhile. */
  readonly lingerBytes: number;
}

/** Ends our side, then reads and drops until the peer ends its own, up to the limits. Nobody else may listen any more. */
export function linger(socket: Socket, { lingerMs, lingerBytes }: LingerLimits): void {
  if (socket.destroyed) return;
  const close = (): void => void socket.destroy();
  let timer = setTimeout(close, FLUSH_MS).unref();
  let left = lingerBytes;
  socket.on('data', (chunk) => {
    left -= chunk.length;
    if (left < 0) close();
  });
  socket.on('end', () => socket.destroySoon());
  socket.on('close', () => clearTimeout(timer));
  socket.end(() => {
    clearTimeout(timer);
    timer = setTimeout(close, lingerMs).unref();
  });
  socket.resume();
}
