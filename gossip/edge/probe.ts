/**
 * Asks the kernel behind an address whether a process listens there, without a word to the process itself: a stalled one
 * still completes the handshake, a dead one is refused.
 * @module
 */
import { connect } from 'node:net';
import type { ProbeOutcome } from '../effects.ts';
import type { HostPort } from './address.ts';

const ATTEMPTS = 3;
const BETWEEN_MS = 100;
const DEADLINE_MS = 400;

/** Up to three attempts, because one SYN may be lost and the kernel repeats it only after a second. Never rejects. */
export function probe(target: HostPort, signal: AbortSignal): Promise<ProbeOutcome> {
  const { promise, resolve } = Promise.withResolvers<ProbeOutcome>();
  const release: (() => void)[] = [];
  const finish = (outcome: ProbeOutcome): void => {
    for (const undo of release.splice(0)) undo();
    resolve(outcome);
  };
  const attempt = (): void => {
    const socket = connect(target);
    socket.on('connect', () => finish('connected'));
    socket.on('error', (err: NodeJS.ErrnoException) => {
      if (err.code === 'ECONNREFUSED') finish('refused'); // other errors say something about the path, not the process
    });
    release.push(() => socket.destroy());
  };
  const later = Array.from({ length: ATTEMPTS - 1 }, (_, i) => setTimeout(attempt, (i + 1) * BETWEEN_MS));
  const deadline = setTimeout(() => finish('silent'), DEADLINE_MS);
  const onAbort = (): void => finish('silent');
  signal.addEventListener('abort', onAbort);
  release.push(
    () => later.forEach(clearTimeout),
    () => clearTimeout(deadline),
    () => signal.removeEventListener('abort', onAbort),
  );
  attempt();
  return promise;
}
