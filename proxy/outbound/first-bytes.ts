/** Telling HTTP/2 with prior knowledge from HTTP/1, where one of them is spoken: the first three bytes do. @module */

import type { Socket } from 'node:net';
import { FairTimeout } from '../fair-timeout.ts';
import { PREFACE } from '../http2/frames.ts';

/** `PRI`: no method of HTTP/1 begins like this. */
const TELLING = 3;

/**
 * Calls back once with what was read, unless the client goes away or says nothing for `timeoutMs`; then the connection is
 * closed. The socket is paused.
 */
export function readFirstBytes(
  socket: Socket,
  timeoutMs: number,
  done: (version: 'http' | 'http2', leftover: Buffer) => void,
): void {
  let bytes: Buffer | undefined;
  const onData = (chunk: Buffer): void => {
    bytes = bytes === undefined ? chunk : Buffer.concat([bytes, chunk]);
    const told = Math.min(bytes.length, TELLING);
    const isHttp2 = bytes.compare(PREFACE, 0, told, 0, told) === 0;
    if (isHttp2 && told < TELLING) return;
    stop();
    socket.pause();
    done(isHttp2 ? 'http2' : 'http', bytes);
  };
  const giveUp = (): void => {
    stop();
    socket.destroy();
  };
  const stop = (): void => {
    timer.clear();
    socket.off('data', onData);
    socket.off('end', giveUp);
    socket.off('error', giveUp);
    socket.off('close', stop);
  };
  const timer = new FairTimeout(giveUp, timeoutMs);
  socket.on('data', onData);
  socket.on('end', giveUp);
  socket.on('error', giveUp);
  socket.on('close', stop);
}
