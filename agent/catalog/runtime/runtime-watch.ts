/**
 * Tells languages and frameworks of the workloads of this node from their processes. Looks for other processes every five seconds, and
 * reads files of one only when it is another; a look takes at most a fiftieth of the time. Nothing is ever run.
 * @module
 */
import { stat } from 'node:fs/promises';
import type { Logger } from 'pino';
import { serviceId } from '../../services.ts';
import { namespacePathOf, type Workload } from '../../workloads/workload.ts';
import type { NodeFact } from '../node-catalog.ts';
import { type Guess, guessRuntime } from './guess.ts';
import { readClues } from './process-clues.ts';
import { type ProcessPlace, ProcessTable } from './process-table.ts';

export interface RuntimeWatchOptions {
  readonly node: string;
  readonly workloads: () => readonly Workload[];
  readonly log: Logger;
  readonly lookMs?: number;
}

interface Known {
  readonly signature: string;
  readonly facts: readonly NodeFact[];
}

const LOOK_MS = 5_000;
const LOOK_SHARE = 50;
/** More workloads of one node are not looked at. */
const MAX_WORKLOADS = 1_000;

export class RuntimeWatch implements AsyncDisposable {
  readonly #options: RuntimeWatchOptions;
  /** By workload. */
  readonly #known = new Map<string, Known>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: RuntimeWatchOptions) {
    this.#options = options;
    this.#looking = this.#look();
  }

  facts(): readonly NodeFact[] {
    return [...this.#known.values()].flatMap(({ facts }) => facts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    const startedMs = performance.now();
    try {
      const workloads = this.#options.workloads().slice(0, MAX_WORKLOADS);
      const ids = new Set(workloads.map(({ id }) => id));
      for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
      const table = workloads.length > 0 ? await ProcessTable.read() : undefined;
      for (const workload of workloads) {
        if (this.#isClosed || table === undefined) return;
        await this.#lookAt(workload, table);
      }
    } catch (err) {
      this.#options.log.warn({ err }, 'languages of workloads could not be told');
    } finally {
      const { lookMs = LOOK_MS } = this.#options;
      const waitMs = Math.max(lookMs, LOOK_SHARE * (performance.now() - startedMs));
      if (!this.#isClosed) {
        this.#timer = setTimeout(() => {
          this.#looking = this.#look();
        }, waitMs).unref();
      }
    }
  }

  async #lookAt(workload: Workload, table: ProcessTable): Promise<void> {
    const place = await placeOf(workload);
    const found = place && (await table.find(place));
    if (found === undefined) {
      this.#known.delete(workload.id);
      return;
    }
    const { signature } = found;
    if (this.#known.get(workload.id)?.signature === signature) return;
    for (const pid of await found.pids()) {
      const clues = await readClues(pid);
      const guess = clues && guessRuntime(clues);
      if (guess === undefined) continue;
      this.#known.set(workload.id, { signature, facts: this.#factsOf(workload, guess) });
      return;
    }
    this.#known.set(workload.id, { signature, facts: [] });
  }

  #factsOf(workload: Workload, { language, framework, software, by }: Guess): readonly NodeFact[] {
    const service = serviceId(workload);
    const said = `process of ${this.#options.node}, ${by}`;
    const all = { language, framework, software };
    return Object.entries(all).flatMap(([key, value]) =>
      value === undefined
        ? []
        : [{ service, fact: { key, value, source: 'observed' as const, by: said, atMs: Date.now() } }],
    );
  }
}

/** Undefined where its namespace is not there. */
async function placeOf(workload: Workload): Promise<ProcessPlace | undefined> {
  const path = namespacePathOf(workload);
  try {
    const { ino } = await stat(path ?? '/proc/self/ns/net');
    const own = await stat('/proc/self/ns/net');
    const uid = workload.runs.kind === 'host' ? workload.runs.uid : undefined;
    const ports = workload.ports.map(({ port }) => port);
    return { namespace: ino, uid, ports, isShared: ino === own.ino };
  } catch {
    return undefined;
  }
}
