/**
 * Gives the core time: steps it with whatever happens, keeps its timers, and hands its effects on to be carried out. Holds
 * no rule of the protocol.
 * @module
 */
import type { Logger } from 'pino';
import type { CoreOptions } from '../core.ts';
import { Core } from '../core.ts';
import type { RestoreOutcome, WriteOutcome } from '../documents/outcome.ts';
import type { Effect, Input } from '../effects.ts';
import { GossipError } from '../errors.ts';
import { FairClock } from './fair-clock.ts';
import { Timers } from './timers.ts';

/** The effects that reach beyond the driver. */
export type OutwardEffect = Exclude<
  Effect,
  { kind: 'arm' | 'disarm' | 'validated' | 'document-written' | 'documents-restored' }
>;

export interface DriverOptions extends CoreOptions {
  readonly perform: (effect: OutwardEffect) => void;
  readonly log: Logger;
}

export class Driver {
  readonly core: Core;
  readonly #perform: (effect: OutwardEffect) => void;
  readonly #clock: FairClock;
  readonly #timers: Timers;
  #isStopped = false;
  /** The answers of the step in progress: gossipsub and operators wait for theirs within it. */
  #isForwarded = false;
  #outcome: WriteOutcome | RestoreOutcome | undefined;

  constructor({ perform, log, ...options }: DriverOptions) {
    this.#perform = perform;
    this.#clock = new FairClock((forMs) => {
      log.warn({ forMs: Math.round(forMs) }, 'the gossip thread stood still');
      queueMicrotask(() => this.take({ kind: 'stalled', forMs }));
    });
    this.#timers = new Timers(
      () => this.#clock.nowMs(),
      (timer) => this.take({ kind: 'fired', timer }),
    );
    this.core = new Core(options);
  }

  /** What to add to an instant on the core's clock to get Unix time. */
  get toWallMs(): number {
    return Date.now() - this.#clock.nowMs();
  }

  /** Nothing happens any more once stopped. */
  take(input: Input): void {
    if (this.#isStopped) return;
    for (const effect of this.core.step(this.#clock.nowMs(), input)) this.#carryOut(effect);
  }

  /** Takes a broadcast. @returns whether it is worth passing on */
  judge(input: Extract<Input, { kind: 'broadcast' | 'document-broadcast' }>): boolean {
    this.#isForwarded = false;
    this.take(input);
    return this.#isForwarded;
  }

  /** Takes what somebody waits for the outcome of. @throws GossipError when stopped */
  ask(input: Extract<Input, { kind: 'document-write' }>): WriteOutcome;
  ask(input: Extract<Input, { kind: 'documents-restore' }>): RestoreOutcome;
  ask(input: Input): WriteOutcome | RestoreOutcome {
    this.#outcome = undefined;
    this.take(input);
    if (this.#outcome === undefined) throw new GossipError('WEFT_GOSSIP_CLOSED', input.kind);
    return this.#outcome;
  }

  stop(): void {
    this.#isStopped = true;
    this.#timers.stop();
    this.#clock.stop();
  }

  #carryOut(effect: Effect): void {
    switch (effect.kind) {
      case 'arm':
        this.#timers.arm(effect.timer, effect.atMs);
        break;
      case 'disarm':
        this.#timers.disarm(effect.timer);
        break;
      case 'validated':
        this.#isForwarded = effect.forward;
        break;
      case 'document-written':
      case 'documents-restored':
        this.#outcome = effect.outcome;
        break;
      default:
        this.#perform(effect);
    }
  }
}
