/**
 * What agents hold of memory when there is nothing to do: heaps after a full collection, and what malloc has given out.
 *
 * Resident memory alone tells little of a leak. Buffers of bodies are collected late, in waves of tens of megabytes, and malloc keeps
 * the pages of the highest one; a leak of 20 MB is lost in that. docs/performance.md has the figures.
 * @module
 */
import type { LabAgent } from '../../agent/lab/mesh-lab.ts';

/** In MB, of one agent. */
export interface Weight {
  /** As operators see it, before anything is collected. */
  readonly rss: number;
  /** Used in the heaps of all threads but of the worker that is killed now and then. */
  readonly heap: number;
  /** Given out by malloc: buffers, TLS, shared tables. */
  readonly malloc: number;
  /** Private and resident, with garbage collected and free memory given back. */
  readonly resident: number;
}

const MB = 2 ** 20;
const MARK = '{"weighed":';

/** An agent into which `weigh-on-signal.mjs` is loaded. */
export async function weigh(agent: LabAgent): Promise<Weight> {
  const told = (): string[] =>
    agent
      .log()
      .split('\n')
      .filter((line) => line.startsWith(MARK));
  const before = told().length;
  const rss = agent.rssBytes() / MB;
  agent.child.kill('SIGWINCH');
  await agent.until('a weight', () => Promise.resolve(told().length > before));
  const { weighed } = JSON.parse(told().at(-1)!) as { readonly weighed: Omit<Weight, 'rss'> };
  const { heap, malloc, resident } = weighed;
  return { rss, heap: heap / MB, malloc: malloc / MB, resident: resident / MB };
}

/** What is held, by what can be counted: neither holes between blocks nor pages that were once touched are in it. */
export function held({ heap, malloc }: Weight): number {
  return heap + malloc;
}

/** How far figures taken at equal intervals rise from the first to the last, by the line that fits them best. */
export function rise(figures: readonly number[]): number {
  const middle = (figures.length - 1) / 2;
  let above = 0;
  let squares = 0;
  for (const [i, figure] of figures.entries()) {
    above += (i - middle) * figure;
    squares += (i - middle) ** 2;
  }
  return squares === 0 ? 0 : (above / squares) * (figures.length - 1);
}
