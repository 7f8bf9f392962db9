/** Waits for the first message of a client of TLS, where rules go by the name it asks for. @module */

import type { Socket } from 'node:net';
import { FairTimeout } from '../fair-timeout.ts';
import { serverNameOf } from './server-name.ts';

export interface HelloLimits {
  /** How long a client may say nothing where there is a rule for those that name nobody: its server may speak first. */
  readonly silenceMs: number;
  /** How long a hello may take. */
  readonly helloMs: number;
  /** Whether there is such a rule. */
  readonly isAnyTaken: boolean;
}

/**
 * Calls back once, with what was read, unless the client goes away first. What is no hello, or none in time, names nobody. The
 * socket is paused.
 */
export function readServerName(
  socket: Socket,
  { silenceMs, helloMs, isAnyTaken }: HelloLimits,
  done: (serverName: string | undefined, leftover: Buffer | undefined) => void,
): void {
  let bytes: Buffer | undefined;
  const settle = (serverName: string | undefined): void => {
    stop();
    socket.pause();
    done(serverName, bytes);
  };
  const giveUp = (): void => settle(undefined);
  let timer = new FairTimeout(giveUp, isAnyTaken ? silenceMs : helloMs);
  const onData = (chunk: Buffer): void => {
    if (bytes === undefined) {
      timer.clear();
      timer = new FairTimeout(giveUp, helloMs);
    }
    bytes = bytes === undefined ? chunk : Buffer.concat([bytes, chunk]);
    const hello = serverNameOf(bytes);
    if (hello.kind !== 'more') settle(hello.kind === 'name' ? hello.name : undefined);
  };
  const stop = (): void => {
    timer.clear();
    socket.off('data', onData);
    socket.off('end', giveUp);
    socket.off('error', stop);
    socket.off('close', stop);
  };
  socket.on('data', onData);
  socket.on('end', giveUp);
  socket.on('error', stop);
  socket.on('close', stop);
}
