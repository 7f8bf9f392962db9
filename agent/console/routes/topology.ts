/** GET /topology, /services, /services/{ns}/{name}, /edges/{ns}/{from}/{ns}/{to}: asks all nodes for figures, and makes views of them. @module */
import type { Dimension, FiguresQuestion } from '../../history/figures.ts';
import type { Burn } from '../../observe/slo.ts';
import { burnsOf, type SloSight, sightOf, sloList } from '../../observe/slo-list.ts';
import type { FiguresCache } from '../figures-cache.ts';
import type { MeshEvent } from '../shapes/common.ts';
import type { EdgeDetail } from '../shapes/edge.ts';
import type { ServiceDetail, Services } from '../shapes/services.ts';
import type { Topology } from '../shapes/topology.ts';
import type { TopologyKind } from '../views/arcs.ts';
import { edgeView } from '../views/edge.ts';
import { MAX_DETAILED, type TroubleFigures, troubled } from '../views/problems.ts';
import type { Register } from '../views/register.ts';
import { isSeen, serviceRow, serviceView, withCatalog, withCatalogDetail } from '../views/service.ts';
import { graphOf, topologyView } from '../views/topology.ts';
import { type ConsoleWorld, coverageOf, type MeshFigures, registerAt } from '../world.ts';
import type { Range } from './asked.ts';
import { policiesAbout } from './documents.ts';
import { visible } from './observed.ts';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const STRIP_STEP_MS = 300_000;
/** Shorter than a tick of the stream. */
const LIVE_MS = 1_500;
const STRIP_MS = 30_000;
const BURN_MS = 10_000;
const USUAL_MS = 300_000;
const LEAD_MS = 120_000;
const MAX_EVENTS = 100;
const TREND_STEPS = 24;
const CALLERS: readonly Dimension[] = ['source', 'sourceService', 'destination', 'protocol'];

/** What tells apart of several workloads or nodes which one it was. */
const OF_CALLS: Readonly<Record<TopologyKind, readonly Dimension[]>> = {
  service: [],
  workload: ['version'],
  version: ['version'],
  node: ['node'],
};
const OF_ARRIVALS: Readonly<Record<TopologyKind, readonly Dimension[]>> = {
  service: [],
  workload: ['node'],
  version: [],
  node: ['node'],
};

type Seen = ReadonlySet<string> | undefined;

export class TrafficRoutes {
  readonly #world: ConsoleWorld;
  readonly #cache: FiguresCache;

  constructor(world: ConsoleWorld, cache: FiguresCache) {
    this.#world = world;
    this.#cache = cache;
  }

  async topology(view: TopologyKind, range: Range, namespaces: Seen): Promise<Topology> {
    const { toMs, rangeMs } = range;
    const [edges, services, versions, inbound, strip, usual, burns] = await Promise.all([
      this.#ask(range, [...CALLERS, ...OF_CALLS[view]]),
      this.#ask(range, ['destination']),
      this.#ask(range, ['destination', 'version']),
      this.#ask(range, ['source', 'destination', 'protocol', ...OF_ARRIVALS[view]], { direction: 'inbound' }),
      this.#strip(toMs),
      this.#usual(toMs),
      view === 'service' ? burnsOf(this.#sloSight(), toMs) : new Map<string, Burn>(),
    ]);
    const figures = {
      edges: edges.figures,
      services: services.figures,
      versions: versions.figures,
      inbound: inbound.figures,
      strip: strip.figures,
      usual: usual.figures,
    };
    const coverage = coverageOf([edges.coverage, services.coverage, versions.coverage, inbound.coverage]);
    const question = { view, namespaces, rangeMs, asOfMs: toMs };
    const register = await this.#register(range);
    const parts = { register, figures, coverage, burns, events: await this.#lately(range, namespaces) };
    const graph = graphOf(question, parts);
    const worst = view === 'service' ? troubled(graph.nodes).slice(0, MAX_DETAILED) : [];
    const details = await Promise.all(worst.map(async ({ id }) => [id, await this.#trouble(id, range)] as const));
    return topologyView(question, parts, graph, new Map(details));
  }

  async services(range: Range, namespaces: Seen): Promise<Services> {
    const stepMs = Math.max(10_000, Math.ceil(range.rangeMs / TREND_STEPS / 10_000) * 10_000);
    const [graph, known, trend] = await Promise.all([
      this.topology('service', range, namespaces),
      this.#world.catalog.services(),
      this.#ask({ ...range, stepMs }, ['destination'], { isInSteps: true, keptMs: STRIP_MS }),
    ]);
    const register = await this.#register(range);
    const seen = graph.nodes
      .filter(({ id, kind }) => kind !== 'outside' && kind !== 'unmeshed' && isSeen(id, namespaces))
      .map((node) => serviceRow(node, register, trend.figures));
    const rows = withCatalog(
      seen,
      known.services
        .filter(({ id }) => isSeen(id, namespaces))
        .map((row) => (range.isPast ? { ...row, endpointsReady: null } : row)),
    );
    return { services: rows, coverage: coverageOf([graph.coverage, known.coverage]) };
  }

  /** @returns undefined for a service that nobody has, declared, or called */
  async service(id: string, range: Range, namespaces: Seen): Promise<ServiceDetail | undefined> {
    const about = { service: id };
    const [known, series, now, versions, routes, consumers, graph, calls, arrivals] = await Promise.all([
      this.#world.catalog.service(id),
      this.#ask(range, ['destination'], { ...about, isInSteps: true, isByStatus: true }),
      this.#ask(range, ['destination'], about),
      this.#ask(range, ['destination', 'version'], about),
      this.#ask(range, ['destination', 'method', 'route'], about),
      this.#ask(range, ['source', 'sourceService', 'destination', 'method', 'route'], about),
      this.topology('service', range, namespaces),
      this.#ask(range, CALLERS),
      this.#ask(range, ['destination', 'node'], { ...about, direction: 'inbound' }),
    ]);
    const node = graph.nodes.find((one) => one.id === id);
    if (node === undefined && known.service === undefined) return undefined;
    const view = serviceView(id, range.toMs, {
      register: await this.#register(range),
      figures: {
        series: series.figures,
        now: now.figures,
        versions: versions.figures,
        routes: routes.figures,
        consumers: consumers.figures,
        calls: calls.figures,
        arrivals: arrivals.figures,
      },
      coverage: coverageOf([series.coverage, now.coverage, versions.coverage, routes.coverage, arrivals.coverage]),
      health: node?.health ?? 'unknown',
      problem: graph.problems.find(({ service }) => service === id) ?? null,
      events: await this.#lately(range, namespaces, id),
      policies: await policiesAbout(this.#world, id, range.isPast ? range.toMs : undefined),
    });
    const objective = await this.#objectiveOf(id, range.toMs);
    return { ...withCatalogDetail(view, known.service), objective };
  }

  /** Asks the same for 10 s, or for 5 min: answers are kept. */
  async #objectiveOf(id: string, toMs: number): Promise<ServiceDetail['objective']> {
    const { services } = await sloList(this.#sloSight(), toMs);
    const found = services.find(({ service }) => service === id);
    if (found === undefined) return null;
    const { objective, budgetLeftRatio, exhaustedInMs, isProposed, knownMs, document } = found;
    const { targetRatio, windowMs, latencyMs = null } = objective;
    const source = document && {
      ...{ kind: 'ServiceLevelObjective', namespace: document.namespace, name: document.name },
      ...{ rev: document.revision, line: null },
    };
    return { targetRatio, windowMs, latencyMs, knownMs, budgetLeftRatio, exhaustedInMs, isProposed, source };
  }

  #sloSight(): SloSight {
    const { documents, running } = this.#world;
    const figures: SloSight['figures'] = (question) =>
      this.#cache.ask(question, question.stepMs === MINUTE_MS ? BURN_MS : USUAL_MS);
    return { ...sightOf(running, documents.objectives), figures };
  }

  async edge(from: string, to: string, range: Range): Promise<EdgeDetail> {
    const [series, now, versions] = await Promise.all([
      this.#ask(range, CALLERS, { service: to, isInSteps: true }),
      this.#ask(range, CALLERS, { service: to }),
      this.#ask(range, [...CALLERS, 'version'], { service: to }),
    ]);
    const coverage = coverageOf([series.coverage, now.coverage, versions.coverage]);
    const figures = { series: series.figures, now: now.figures, versions: versions.figures };
    return edgeView({ from, to }, { register: await this.#register(range), figures, coverage });
  }

  #register({ isPast, toMs }: Range): Promise<Register> {
    return registerAt(this.#world.running, isPast ? toMs : undefined);
  }

  async #trouble(service: string, range: Range): Promise<TroubleFigures> {
    const [series, versions, routes] = await Promise.all([
      this.#ask(range, ['destination'], { service, isInSteps: true }),
      this.#ask(range, ['destination', 'version'], { service }),
      this.#ask(range, ['destination', 'method', 'route'], { service }),
    ]);
    return { series: series.figures, versions: versions.figures, routes: routes.figures };
  }

  /** What happened in the range and just before, to what the viewer may see. */
  async #lately({ fromMs, toMs }: Range, namespaces: Seen, touches: string | null = null): Promise<MeshEvent[]> {
    const question = { fromMs: fromMs - LEAD_MS, toMs: toMs + 1, kinds: [], touches, limit: MAX_EVENTS };
    const { events } = await this.#world.running.events.list(question);
    return visible(events, namespaces);
  }

  #usual(toMs: number): Promise<MeshFigures> {
    const range = { fromMs: toMs - DAY_MS, toMs, stepMs: DAY_MS };
    return this.#ask(range, ['destination'], { keptMs: USUAL_MS });
  }

  /** Up to now, so that one may go forward again; of a moment before these 24 h, up to that. */
  #strip(shownMs: number): Promise<MeshFigures> {
    const nowMs = Date.now();
    const toMs = shownMs > nowMs - DAY_MS ? nowMs : shownMs;
    const range = { fromMs: toMs - DAY_MS, toMs, stepMs: STRIP_STEP_MS };
    return this.#ask(range, [], { isInSteps: true, keptMs: STRIP_MS });
  }

  #ask(
    { fromMs, toMs, stepMs }: Pick<Range, 'fromMs' | 'toMs' | 'stepMs'>,
    by: readonly Dimension[],
    options: {
      readonly service?: string;
      readonly direction?: FiguresQuestion['direction'];
      readonly isInSteps?: boolean;
      readonly isByStatus?: boolean;
      readonly keptMs?: number;
    } = {},
  ): Promise<MeshFigures> {
    const { service = null, direction = 'outbound', isInSteps = false, isByStatus, keptMs = LIVE_MS } = options;
    const question = {
      fromMs,
      toMs,
      stepMs: isInSteps ? stepMs : null,
      service,
      by: [...by],
      direction,
      ...(isByStatus === undefined ? {} : { isByStatus }),
    };
    return this.#cache.ask(question, keptMs);
  }
}
