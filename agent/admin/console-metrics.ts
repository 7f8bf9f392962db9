/** Who looks at the console of this node. @module */
import type { Registry } from 'prom-client';
import { addGauge } from './scraped.ts';

export interface ConsoleFigures {
  /** Browsers that are told what changes; 64 at most. */
  readonly streams: number;
}

export function addConsoleMetrics(registry: Registry, console: ConsoleFigures): void {
  addGauge(registry, {
    name: 'weft_agent_console_streams',
    help: 'Browsers that the console of this node tells what changes: one each, however many tabs it has; at most 64.',
    read: () => [[{}, console.streams]],
  });
}
