/**
 * Connections to and from other agents that are open, with what their handshakes proved, and those between two workloads of
 * this node: a certificate that is called back ends them, not only those that would come after.
 *
 * Bounded by the connections of the worker, of which these are some.
 * @module
 */
import type { Socket } from 'node:net';
import type { Issued, Revocations } from '../certs/revocation.ts';
import { reset } from './tcp/reset.ts';

interface Ends {
  readonly socket: Socket;
  /** The TCP socket below TLS. */
  readonly transport: Socket;
}

export class MeshSessions {
  readonly #open = new Map<Ends, readonly Issued[]>();

  get size(): number {
    return this.#open.size;
  }

  /** @param issued whom the other side proved to be, and since when it may */
  add(ends: Ends, issued: readonly Issued[]): void {
    this.#open.set(ends, issued);
    ends.socket.once('close', () => this.#open.delete(ends));
  }

  /** Resets those whose other side is revoked. @returns how many */
  cut(revocations: Revocations): number {
    const revoked = [...this.#open].filter(([, issued]) => issued.some((one) => revocations.covers(one)));
    for (const [ends] of revoked) reset(ends);
    return revoked.length;
  }
}
