/** Connections of `weft-tcp/2`: made ahead, they begin when their first byte says so. @module */

import type { Socket } from 'node:net';
import type { Drainable } from '../http/exchange.ts';
import { START } from '../upstream/warm-connections.ts';

/** The other side gives up what it has not needed for 20 s. */
const PATIENCE_MS = 60_000;

/**
 * Calls back once it begins, with what came behind the first byte; the socket is paused then. One that begins otherwise,
 * or not at all, is closed.
 *
 * @param onGone called before it begins, or when it does not
 */
export function awaitStart(
  socket: Socket,
  begin: (leftover: Buffer | undefined) => void,
  onGone: (awaited: Drainable) => void,
): Drainable {
  const awaited: Drainable = { drain: () => giveUp(), destroy: () => giveUp() };
  const stop = (): void => {
    clearTimeout(timer);
    socket.off('data', onData);
    socket.off('end', giveUp);
    socket.off('close', stop);
    onGone(awaited);
  };
  const giveUp = (): void => {
    stop();
    socket.destroy();
  };
  const onData = (chunk: Buffer): void => {
    if (chunk[0] !== START) {
      giveUp();
      return;
    }
    stop();
    socket.pause();
    begin(chunk.length > 1 ? chunk.subarray(1) : undefined);
  };
  const timer = setTimeout(giveUp, PATIENCE_MS).unref();
  socket.on('data', onData);
  socket.on('end', giveUp);
  socket.on('close', stop);
  return awaited;
}
