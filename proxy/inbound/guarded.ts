/**
 * Inbound connections that are open, so that new rules reach them: those that carry bytes are cut, those that carry
 * requests finish what is under way and close. Bounded by the connections of the worker, of which these are some.
 * @module
 */

import type { Socket } from 'node:net';
import { reset } from '../tcp/reset.ts';
import type { StatsWriter } from '../telemetry/stats-writer.ts';
import type { Guard } from './guard.ts';

export interface Guarded {
  readonly guard: Guard;
  readonly socket: Socket;
  /** The TCP socket below TLS, the same as `socket` for plaintext. */
  readonly transport: Socket;
  /** Row in the statistics. */
  readonly row: number;
  /** Lets open requests end, then closes; undefined for what carries bytes, which includes upgraded connections. */
  drain: (() => void) | undefined;
}

export class GuardedConnections {
  readonly #open = new Set<Guarded>();
  readonly #stats: StatsWriter;

  constructor(stats: StatsWriter) {
    this.#stats = stats;
  }

  /** Until its socket closes. */
  add(connection: Guarded): void {
    if (connection.socket.closed) return;
    this.#open.add(connection);
    connection.socket.once('close', () => this.#open.delete(connection));
  }

  /** Judges all of them by the rules of now. @returns how many are cut or drained */
  judgeAgain(): number {
    let shut = 0;
    for (const { guard, socket, transport, row, drain } of this.#open) {
      if (drain !== undefined) {
        if (!guard.isShut) continue;
        drain();
      } else {
        const denial = guard.judgeAgain();
        if (denial === undefined) continue;
        this.#stats.failure(row, denial.reason);
        reset({ socket, transport });
      }
      shut++;
    }
    return shut;
  }
}
