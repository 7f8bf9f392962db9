/**
 * Looks at the health of all services every 10 s and notes events of what changed: on the first two nodes of the mesh by name
 * that are alive, so that one of them may go. Both look at the same moments, and what both note is told as one event.
 *
 * A node that becomes one of the two goes on from the events there are. A look that takes longer than 10 s leaves out the next.
 * @module
 */
import type { Logger } from 'pino';
import type { Member } from '../../gossip/view.ts';
import { FiguresCache } from '../console/figures-cache.ts';
import { judge } from '../console/views/health.ts';
import type { Register } from '../console/views/register.ts';
import type { AgentEvents } from '../events/events.ts';
import type { Dimension, FiguresQuestion } from '../history/figures.ts';
import type { MeshFigures } from '../history/history.ts';
import { type Fares, HealthSight, LOOK_MS } from './health-sight.ts';
import { burnsOf, type SloSight } from './slo-list.ts';

const WATCHERS = 2;
const WINDOW_MS = 60_000;
/** After the end of a step, for all nodes to have taken it. */
const SETTLED_MS = 2_000;
const DAY_MS = 86_400_000;
const USUAL_MS = 300_000;
const MINUTE_MS = 60_000;
/** Whoever begins to watch reads so many events of the last day. */
const MAX_TOLD = 1_000;

export interface HealthWatchParts {
  readonly node: string;
  readonly members: () => readonly Member[];
  readonly register: () => Register;
  readonly figures: (question: FiguresQuestion) => Promise<MeshFigures>;
  readonly sight: () => SloSight;
  readonly events: Pick<AgentEvents, 'list' | 'note'>;
  readonly log: Logger;
}

export class HealthWatch implements AsyncDisposable {
  readonly #parts: HealthWatchParts;
  readonly #cache: FiguresCache;
  #sight: HealthSight | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(parts: HealthWatchParts) {
    this.#parts = parts;
    this.#cache = new FiguresCache(parts.figures, Date.now);
    this.#arm();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  #arm(): void {
    if (this.#isClosed) return;
    const dueInMs = LOOK_MS - ((Date.now() - SETTLED_MS) % LOOK_MS);
    this.#timer = setTimeout(() => {
      const atMs = Math.round((Date.now() - SETTLED_MS) / LOOK_MS) * LOOK_MS; // a timer may be early
      this.#looking = this.#look(atMs)
        .catch((err: unknown) => this.#parts.log.warn({ err }, 'the health of services could not be looked at'))
        .finally(() => this.#arm());
    }, dueInMs).unref();
  }

  async #look(atMs: number): Promise<void> {
    const { node, members, events } = this.#parts;
    if (!isWatcher(node, members())) {
      this.#sight = undefined;
      return;
    }
    this.#sight ??= new HealthSight(await this.#told(atMs));
    for (const { what, atMs: sinceMs } of this.#sight.look(atMs, await this.#fares(atMs))) events.note(what, sinceMs);
  }

  async #told(nowMs: number): Promise<readonly { readonly title: string; readonly atMs: number }[]> {
    const question = {
      fromMs: nowMs - DAY_MS,
      toMs: nowMs,
      kinds: ['health' as const],
      touches: null,
      limit: MAX_TOLD,
    };
    return (await this.#parts.events.list(question)).events;
  }

  async #fares(toMs: number): Promise<readonly Fares[]> {
    const sight = this.#parts.sight();
    const register = this.#parts.register();
    const keptMs = ({ stepMs }: FiguresQuestion): number => (stepMs === MINUTE_MS ? LOOK_MS : USUAL_MS);
    const [now, usual, burns] = await Promise.all([
      this.#parts.figures(about(toMs - WINDOW_MS, toMs, ['destination'])),
      this.#cache.ask(about(toMs - DAY_MS, toMs, ['destination']), USUAL_MS),
      burnsOf({ ...sight, figures: (question) => this.#cache.ask(question, keptMs(question)) }, toMs),
    ]);
    const rows = new Map(now.figures.rows.map((row) => [row.labels.destination ?? '', row]));
    const usuals = new Map(usual.figures.rows.map((row) => [row.labels.destination ?? '', row.p99Ms[0] ?? null]));
    const lost = new Set(now.coverage.missing.map(({ node }) => node));
    const isCovered = now.figures.coveredMs.some((ms) => ms > 0);
    const callers = await this.#callersOf(register, toMs);
    return [...register.services.keys()].map((service) => {
      const endpoints = register.endpointsOf(service);
      const judgement = judge({
        row: rows.get(service),
        isCovered,
        isUnseen: endpoints.length > 0 && endpoints.every(({ node }) => lost.has(node)),
        usualP99Ms: usuals.get(service) ?? null,
        endpointsReady: endpoints.length === 0 ? null : readyOf(register, service),
        callers: callers.get(service) ?? [],
        burn: burns.get(service),
      });
      return { service, ...judgement };
    });
  }

  /** Of services without a ready endpoint: nobody else's matter. */
  async #callersOf(register: Register, toMs: number): Promise<ReadonlyMap<string, readonly string[]>> {
    const isDown = (service: string): boolean =>
      register.endpointsOf(service).length > 0 && readyOf(register, service) === 0;
    if (![...register.services.keys()].some(isDown)) return new Map();
    const by = ['source', 'sourceService', 'destination'] as const;
    const { figures } = await this.#parts.figures(about(toMs - WINDOW_MS, toMs, by));
    const callers = new Map<string, string[]>();
    for (const { labels } of figures.rows) {
      const { destination = '', source, sourceService } = labels;
      callers.set(destination, [...(callers.get(destination) ?? []), register.callerOf(source, sourceService)]);
    }
    return callers;
  }
}

/** Whether this node is among the first of those that are alive; each node sees that by itself. */
export function isWatcher(node: string, members: readonly Pick<Member, 'name' | 'state'>[]): boolean {
  const alive = members.filter(({ state }) => state === 'alive').map(({ name }) => name);
  return [...new Set([...alive, node])].sort().slice(0, WATCHERS).includes(node);
}

function readyOf(register: Register, service: string): number {
  return register.endpointsOf(service).filter(({ state }) => state === 'ready').length;
}

function about(fromMs: number, toMs: number, by: readonly Dimension[]): FiguresQuestion {
  return { fromMs, toMs, stepMs: null, service: null, by: [...by], direction: 'outbound' };
}
