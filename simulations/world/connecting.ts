/**
 * Connecting to a host: what its kernel answers, and what its process does with the connection.
 * @module
 */
import type { ProbeOutcome } from '../../gossip/effects.ts';
import { HANDSHAKE_CPU_MS } from './cpu.ts';
import type { Host } from './host.ts';
import type { Process } from './process.ts';
import type { Surroundings } from './surroundings.ts';

/** What each end sends for it: noise, the chain, multistream, yamux, identify. */
export const HANDSHAKE_BYTES = 3_200;
/** When the kernel sends its SYN, counted from the first. */
const SYN_AT_MS = [0, 1_000, 3_000];
const DIAL_TIMEOUT_MS = 5_000;
/** As gossip/edge/probe.ts. */
const PROBE_AT_MS = [0, 100, 200];
const PROBE_TIMEOUT_MS = 400;

/** Connects and completes the handshake; `silent` when that took too long. */
export function handshakeMs(
  from: Process,
  to: Host | undefined,
  world: Surroundings,
  done: (outcome: ProbeOutcome) => void,
): void {
  const { queue } = from;
  const deadlineMs = queue.nowMs + DIAL_TIMEOUT_MS;
  knock({ from, to, world, atMs: SYN_AT_MS, timeoutMs: DIAL_TIMEOUT_MS }, (outcome) => {
    if (outcome !== 'connected' || to === undefined) {
      done(outcome);
      return;
    }
    // Three more round trips: noise, certificates, streams. The process behind the port has to take part in these.
    const process = world.processOn(to);
    const hereMs = from.work(HANDSHAKE_CPU_MS) - queue.nowMs;
    const thereMs = process === undefined ? 0 : process.work(HANDSHAKE_CPU_MS) - queue.nowMs;
    let tookMs = hereMs + thereMs + 2 * HANDSHAKE_CPU_MS;
    for (let i = 0; i < 3; i++) tookMs += world.network.delayMs(from.host, to) + world.network.delayMs(to, from.host);
    const finish = (): void => {
      const isLate = queue.nowMs >= deadlineMs;
      const process = world.processOn(to);
      if (isLate || from.state === 'ended') done('silent');
      else if (process === undefined || process.state === 'ended') done(to.isUp ? 'refused' : 'silent');
      else if (process.state === 'running' && !world.network.isCutEitherWay(from.host, to)) done('connected');
      else queue.later(50, finish);
    };
    queue.later(tookMs, finish);
  });
}

/** A connect probe: a word with the kernel, not with the process. */
export function probe(
  from: Process,
  to: Host | undefined,
  world: Surroundings,
  done: (outcome: ProbeOutcome) => void,
): void {
  knock({ from, to, world, atMs: PROBE_AT_MS, timeoutMs: PROBE_TIMEOUT_MS }, done);
}

interface Knock {
  readonly from: Process;
  readonly to: Host | undefined;
  readonly world: Surroundings;
  readonly atMs: readonly number[];
  readonly timeoutMs: number;
}

function knock({ from, to, world, atMs, timeoutMs }: Knock, done: (outcome: ProbeOutcome) => void): void {
  const { queue } = from;
  let isDone = false;
  const finish = (outcome: ProbeOutcome): void => {
    if (isDone) return;
    isDone = true;
    done(outcome);
  };
  queue.later(timeoutMs, () => finish('silent'));
  if (to === undefined) return;
  for (const delayMs of atMs) {
    queue.later(delayMs, () => {
      if (isDone || !world.network.arrives(from.host, to)) return;
      queue.later(world.network.latencyMs(from.host, to), () => {
        if (isDone || !to.isUp || !world.network.arrives(to, from.host)) return;
        const process = world.processOn(to);
        const isOpen = process !== undefined && process.state !== 'ended';
        queue.later(world.network.latencyMs(to, from.host), () => finish(isOpen ? 'connected' : 'refused'));
      });
    });
  }
}
