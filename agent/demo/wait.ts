/** Waiting for something to become true, by asking again and again: bounded, and ended by a signal. @module */
import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * @param missing what is still missing, or undefined when nothing is
 * @returns undefined once nothing is missing, else what was missing when time ran out
 */
export async function waitUntil(
  missing: () => Promise<string | undefined>,
  { intervalMs, timeoutMs, signal }: WaitOptions,
): Promise<string | undefined> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    const what = await missing();
    if (what === undefined || performance.now() >= deadlineMs) return what;
    await delay(intervalMs, undefined, { signal });
  }
}
