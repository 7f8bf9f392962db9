/** Waits for a client's first bytes, but not for long: some protocols let the server speak first. @module */

import type { Socket } from 'node:net';
import { FairTimeout } from '../fair-timeout.ts';
import { sniff, sniffFinal } from './sniff.ts';

export interface Detected {
  readonly protocol: 'http' | 'opaque';
  /** What was read to find out; the socket is paused and nothing is lost. */
  readonly leftover: Buffer | undefined;
  /** Whether the client said nothing at all. */
  readonly wasSilent: boolean;
}

/** Calls back once, unless the client goes away first. */
export function detect(socket: Socket, timeoutMs: number, done: (detected: Detected) => void): void {
  let bytes: Buffer | undefined;
  const settle = (protocol: Detected['protocol']): void => {
    stop();
    socket.pause();
    done({ protocol, leftover: bytes, wasSilent: bytes === undefined });
  };
  const onData = (chunk: Buffer): void => {
    bytes = bytes === undefined ? chunk : Buffer.concat([bytes, chunk]);
    const verdict = sniff(bytes);
    if (verdict !== 'more') settle(verdict);
  };
  const giveUp = (): void => settle(bytes === undefined ? 'opaque' : sniffFinal(bytes));
  const stop = (): void => {
    timer.clear();
    socket.off('data', onData);
    socket.off('end', giveUp);
    socket.off('close', stop);
  };
  const timer = new FairTimeout(giveUp, timeoutMs);
  socket.on('data', onData);
  socket.on('end', giveUp);
  socket.on('close', stop);
}
