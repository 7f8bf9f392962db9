/**
 * Opaque bytes between two sockets: half-close is passed on as half-close, a reset as a reset, and a side that does not
 * take its bytes stops the other from being read.
 * @module
 */

import { performance } from 'node:perf_hooks';
import type { TcpConfig } from '../config.ts';
import type { Deadlines, Timed } from '../deadlines.ts';
import type { GarbagePace } from '../garbage.ts';
import type { RawEnd } from '../http/streams.ts';
import type { RecordKeeper } from '../telemetry/record-keeper.ts';
import type { StatsWriter } from '../telemetry/stats-writer.ts';
import { reset } from './reset.ts';

export interface RelayContext {
  readonly tcp: TcpConfig;
  readonly stats: StatsWriter;
  readonly deadlines: Deadlines;
  readonly garbage: GarbagePace;
  /** Relays that run, so that closing the proxy can end them. */
  readonly relays: Set<OpaqueRelay>;
  readonly records: RecordKeeper;
}

export interface RelayOptions {
  readonly downstream: RawEnd;
  readonly upstream: RawEnd;
  /** In the statistics: one, or that of either end of the hop where both are on this node. */
  readonly rows: readonly number[];
  readonly context: RelayContext;
  /** Longest silence in both directions; left out: as configured. */
  readonly idleTimeoutMs?: number | undefined;
  /** Called once, when both sockets are closed. */
  readonly onClose: (relay: OpaqueRelay) => void;
}

/** Where so much comes at a time, more does: what one read brings leaves as one write. */
const MANY_BYTES = 8_192;

export class OpaqueRelay implements Timed {
  deadlineMs = Number.POSITIVE_INFINITY;
  /** From and to the client, so far. */
  received = 0;
  sent = 0;
  /** Whether it was ended because nobody said anything. */
  wasIdle = false;
  readonly #options: RelayOptions;
  #open = 2;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  start(): void {
    const { downstream, upstream, context, rows } = this.#options;
    const { stats } = context;
    const count = (received: number, sent: number): void => {
      this.received += received;
      this.sent += sent;
      for (const row of rows) stats.bytes(row, received, sent);
    };
    context.relays.add(this);
    context.deadlines.add(this);
    this.#touch();
    this.#connect(downstream, upstream, (bytes) => count(bytes, 0));
    this.#connect(upstream, downstream, (bytes) => count(0, bytes));
  }

  onDeadline(): void {
    for (const row of this.#options.rows) this.#options.context.stats.failure(row, 'idle-timeout');
    this.wasIdle = true;
    this.destroy();
  }

  destroy(): void {
    this.#options.downstream.socket.destroy();
    this.#options.upstream.socket.destroy();
  }

  #touch(): void {
    const { context, idleTimeoutMs = context.tcp.idleTimeoutMs } = this.#options;
    this.deadlineMs = performance.now() + idleTimeoutMs;
  }

  /** Everything that happens on `from` and what it means for `to`. */
  #connect(from: RawEnd, to: RawEnd, count: (bytes: number) => void): void {
    const source = from.socket;
    const sink = to.socket;
    const uncork = (): void => sink.uncork();
    const forward = (chunk: Buffer): void => {
      this.#touch();
      count(chunk.length);
      this.#options.context.garbage.passed(chunk.length);
      if (chunk.length >= MANY_BYTES && sink.writableCorked === 0) {
        sink.cork();
        process.nextTick(uncork);
      }
      if (!sink.write(chunk)) source.pause();
    };
    if (from.leftover !== undefined && from.leftover.length > 0) forward(from.leftover);
    source.on('data', forward);
    sink.on('drain', () => {
      this.#touch();
      source.resume();
    });
    source.on('end', () => sink.end());
    let hasFailed = false;
    source.on('error', () => {
      hasFailed = true;
    });
    source.on('close', () => {
      // A socket that closed by itself had both directions ended; anything else is a reset to the other side.
      if (hasFailed) reset(to);
      else if (!source.readableEnded) sink.destroy();
      this.#open--;
      if (this.#open === 0) this.#close();
    });
    if (source.destroyed) {
      // It died while it was being handed over: its 'close' was told to its former owner.
      reset(to);
      this.#open--;
      if (this.#open === 0) this.#close();
      return;
    }
    if (source.readableEnded) sink.end();
    if (!sink.writableNeedDrain) source.resume();
  }

  #close(): void {
    const { context, onClose } = this.#options;
    context.relays.delete(this);
    context.deadlines.delete(this);
    onClose(this);
  }
}
