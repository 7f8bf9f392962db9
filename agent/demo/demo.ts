/**
 * `weft demo`: a mesh of three nodes with a shop under traffic on this machine, to look at or to check itself.
 *
 * Whatever ends it, Ctrl-C at any moment, SIGTERM, a failure half-way up, takes down what was started. Only SIGKILL leaves
 * namespaces and a folder behind, and the next run removes those.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import { messageOf } from '../errors.ts';
import { labObstacle } from '../lab/support.ts';
import { runCheck, shortcomings } from './check.ts';
import { servicesOf, shopTopology } from './topology.ts';
import { watchDemo } from './watch.ts';

export interface DemoOptions {
  /** Prove it and end, instead of running on. */
  readonly check: boolean;
  /** Loopback addresses even where network namespaces are to be had. */
  readonly loopback?: boolean;
  /** A live page where the output is a terminal; otherwise a line every few seconds. */
  readonly view: boolean;
  /** Visits to the shop; each is five requests through the mesh. */
  readonly perSecond: number;
  /** Length of the check's steady phase, or of the whole view; default: 8 s, or until it is stopped. */
  readonly seconds?: number;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** As shells report a program that ended by SIGINT. */
const INTERRUPTED = 130;

/** @returns the exit code: 0, 1 when something is wrong, 130 when a check was interrupted */
export async function runDemo({ check, loopback = false, view, perSecond, seconds }: DemoOptions): Promise<number> {
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  const say = (sentence: string): void => void process.stderr.write(`demo: ${sentence}\n`);
  // The handlers stay until all is down, so that a second Ctrl-C does not cut the cleaning short.
  for (const signal of SIGNALS) process.on(signal, abort);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', abort); // nobody reads any more
  const mesh = { runId: randomUUID(), loopback, restarts: !check };
  try {
    const obstacle = loopback ? undefined : await labObstacle();
    if (obstacle) say(`${obstacle}: using loopback addresses instead`);
    if (!check) {
      await watchDemo({ mesh, signal: stop.signal, isLive: view, perSecond, seconds, say });
      return 0;
    }
    const result = await runCheck({
      mesh: { ...mesh, onEvent: say },
      perSecond,
      steadySeconds: seconds,
      signal: stop.signal,
      say,
    });
    process.stdout.write(`${JSON.stringify(result)}\n`);
    const topology = shopTopology();
    const wrong = shortcomings(result, { members: topology.nodes.length, services: servicesOf(topology).length });
    for (const what of wrong) say(`check failed: ${what}`);
    return wrong.length === 0 ? 0 : 1;
  } catch (error) {
    if (stop.signal.aborted) return check ? INTERRUPTED : 0;
    say(messageOf(error));
    return 1;
  } finally {
    for (const signal of SIGNALS) process.off(signal, abort);
    for (const stream of [process.stdout, process.stderr]) stream.off('error', abort);
  }
}
