/**
 * Ports of this node's workloads that were found to take no connection: tried at once, and then until they do again.
 *
 * The data plane suspects them, because a connection was refused or closed; a workload need not have a health check for that,
 * and nothing has to say that it stops. It proves nothing yet: it is believed when a connection of ours is refused. @module
 */
import type { Logger } from 'pino';
import { type OpenSocket, probe } from './probe.ts';

/** A port of a workload, and where it is reached from inside its unit. */
export interface AppPort {
  /** The workload's id. */
  readonly workload: string;
  readonly unit: string;
  readonly address: string;
  readonly port: number;
}

export interface RefusedPortsOptions {
  readonly open: OpenSocket;
  /** From 0 to 1; seeded in tests. */
  readonly random: () => number;
  readonly log: Logger;
  /** A port is refused from now on, or takes connections again. */
  readonly changed: (workload: string, isRefused: boolean) => void;
}

/** Each wait is drawn between these: soon enough to be back in time, seldom enough for hundreds of ports at once. */
const AGAIN_MIN_MS = 100;
const AGAIN_MAX_MS = 250;
const CONNECT_TIMEOUT_MS = 1_000;

/** A port under suspicion; there is at most one for each port that is watched. */
interface Suspect {
  readonly port: AppPort;
  isRefused: boolean;
  readonly stop: AbortController;
  timer: NodeJS.Timeout | undefined;
  run: Promise<void>;
}

export class RefusedPorts implements AsyncDisposable {
  readonly #options: RefusedPortsOptions;
  #watched: ReadonlyMap<string, AppPort> = new Map();
  readonly #suspects = new Map<string, Suspect>();

  constructor(options: RefusedPortsOptions) {
    this.#options = options;
  }

  /** Replaces the set of ports. What is not in it, or elsewhere by now, is under no suspicion. */
  watch(ports: readonly AppPort[]): void {
    this.#watched = new Map(ports.map((port) => [keyOf(port.workload, port.port), port]));
    for (const [key, suspect] of this.#suspects) {
      const { unit, address } = suspect.port;
      const now = this.#watched.get(key);
      if (now?.unit !== unit || now.address !== address) this.#acquit(key, suspect);
    }
  }

  /** Somebody was refused or sent away there. Ports that are not watched, and those that are being tried already, are left as they are. */
  suspect(workload: string, port: number): void {
    const key = keyOf(workload, port);
    const watched = this.#watched.get(key);
    if (watched === undefined || this.#suspects.has(key)) return;
    const stop = new AbortController();
    const suspect: Suspect = { port: watched, isRefused: false, stop, timer: undefined, run: Promise.resolve() };
    this.#suspects.set(key, suspect);
    suspect.run = this.#try(key, suspect);
  }

  isRefused(workload: string, port: number): boolean {
    return this.#suspects.get(keyOf(workload, port))?.isRefused ?? false;
  }

  /** Ends all tries, those under way too. */
  async close(): Promise<void> {
    this.#watched = new Map();
    const runs = [...this.#suspects.values()].map(({ run }) => run);
    for (const [key, suspect] of this.#suspects) this.#acquit(key, suspect);
    await Promise.all(runs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #try(key: string, suspect: Suspect): Promise<void> {
    const { open, random } = this.#options;
    const { workload, unit, address, port } = suspect.port;
    const timing = { intervalMs: 0, healthyAfter: 1, unhealthyAfter: 1, timeoutMs: CONNECT_TIMEOUT_MS };
    const check = { kind: 'tcp', port, ...timing } as const;
    const result = await probe({ id: workload, unit, address, check }, open, suspect.stop.signal);
    if (suspect.stop.signal.aborted) return;
    if (result.ok) {
      this.#acquit(key, suspect);
      this.#tell(suspect, false, '');
      return;
    }
    this.#tell(suspect, true, result.detail);
    const waitMs = AGAIN_MIN_MS + (AGAIN_MAX_MS - AGAIN_MIN_MS) * random();
    suspect.timer = setTimeout(() => {
      suspect.run = this.#try(key, suspect);
    }, waitMs).unref();
  }

  #tell(suspect: Suspect, isRefused: boolean, detail: string): void {
    if (suspect.isRefused === isRefused) return;
    suspect.isRefused = isRefused;
    const { log, changed } = this.#options;
    const { workload, port } = suspect.port;
    if (isRefused) log.warn({ workload, port, detail }, 'application takes no connections');
    else log.info({ workload, port }, 'application takes connections again');
    changed(workload, isRefused);
  }

  #acquit(key: string, suspect: Suspect): void {
    clearTimeout(suspect.timer);
    suspect.stop.abort();
    this.#suspects.delete(key);
  }
}

function keyOf(workload: string, port: number): string {
  return `${workload} ${port}`;
}
