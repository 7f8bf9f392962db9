/** The graph: who calls whom, how it fares, and what is wrong first. Pure: register + figures -> JSON. @module */
import type { Endpoint } from '../../../gossip/records/endpoint.ts';
import type { Figures, FiguresRow } from '../../history/figures.ts';
import type { Coverage } from '../../mesh-query/shapes.ts';
import type { Judgement } from '../../observe/health.ts';
import type { Burn } from '../../observe/slo.ts';
import type { MeshEvent } from '../shapes/common.ts';
import type { Topology, TopologyEdge, TopologyNode } from '../shapes/topology.ts';
import { type Arc, type ArcFigures, Arcs, type TopologyKind, versionOf, workloadId } from './arcs.ts';
import { judge } from './health.ts';
import { problemsView, type TroubleFigures } from './problems.ts';
import { OUTSIDE, type Register, splitId } from './register.ts';
import { mergeRows, seriesOf, share, signalsOf, totalsOf, UNKNOWN } from './signals.ts';

/** `edges` and `inbound` in one step. */
export interface TopologyFigures extends ArcFigures {
  /** outbound, by destination; one step. */
  readonly services: Figures;
  /** outbound, by destination, version; one step. */
  readonly versions: Figures;
  /** outbound, nothing apart; steps of 5 min over 24 h. */
  readonly strip: Figures;
  /** outbound, by destination; one step of 24 h, for what is usual. */
  readonly usual: Figures;
}

export interface TopologyQuestion {
  readonly view: TopologyKind;
  /** Namespaces to show, with whom they speak; undefined: all. */
  readonly namespaces: ReadonlySet<string> | undefined;
  readonly rangeMs: number;
  readonly asOfMs: number;
}

export interface TopologyParts {
  readonly register: Register;
  readonly figures: TopologyFigures;
  readonly coverage: Coverage;
  readonly events: readonly MeshEvent[];
  /** Of services with a declared objective. */
  readonly burns?: ReadonlyMap<string, Burn>;
}

export interface BuiltGraph {
  readonly nodes: readonly TopologyNode[];
  readonly edges: readonly TopologyEdge[];
}

const MAX_PROBLEMS = 20;

/** The first half: what there is. More has to be asked about what of it is in trouble. */
export function graphOf(question: TopologyQuestion, parts: TopologyParts): BuiltGraph {
  return new Graph(question, parts).build();
}

/** @param details by service in trouble */
export function topologyView(
  { asOfMs, rangeMs }: TopologyQuestion,
  { register, figures, coverage, events }: TopologyParts,
  { nodes, edges }: BuiltGraph,
  details: ReadonlyMap<string, TroubleFigures>,
): Topology {
  const problems = problemsView({ nodes, edges, details, services: figures.services, register, events });
  return {
    asOfMs,
    rangeMs,
    coverage,
    problems: problems.slice(0, MAX_PROBLEMS),
    nodes: [...nodes],
    edges: [...edges],
    strip: seriesOf(figures.strip.rows[0], figures.strip),
    events: [...events],
  };
}

class Graph {
  readonly #question: TopologyQuestion;
  readonly #parts: TopologyParts;
  readonly #byService: ReadonlyMap<string, FiguresRow>;
  readonly #byVersion: ReadonlyMap<string, readonly FiguresRow[]>;
  readonly #lost: ReadonlySet<string>;
  readonly #usual: ReadonlyMap<string, number>;
  readonly #isCovered: boolean;
  readonly #arcs: Arcs;

  constructor(question: TopologyQuestion, parts: TopologyParts) {
    this.#question = question;
    this.#parts = parts;
    const { services, versions } = parts.figures;
    this.#byService = new Map(services.rows.map((row) => [row.labels.destination ?? '', row]));
    this.#byVersion = Map.groupBy(versions.rows, ({ labels }) => labels.destination ?? '');
    this.#isCovered = services.coveredMs.some((ms) => ms > 0);
    this.#usual = new Map(
      parts.figures.usual.rows.flatMap(({ labels, p99Ms: [p99Ms] }) =>
        typeof p99Ms === 'number' ? [[labels.destination ?? '', p99Ms] as const] : [],
      ),
    );
    this.#lost = new Set(parts.coverage.missing.map(({ node }) => node));
    this.#arcs = new Arcs(question.view, parts.register, parts.figures, this.#lost);
  }

  build(): BuiltGraph {
    const calls = this.#arcs.all().filter(({ from, to }) => this.#isShown(from) || this.#isShown(to));
    const known = this.#known().filter(([id]) => this.#isShown(id));
    const ids = [...new Set([...known.map(([id]) => id), ...calls.flatMap(({ from, to }) => [from, to])])].sort();
    const places = new Map(ids.map((id, i) => [id, i]));
    const endpoints = new Map(known);
    const callers = Map.groupBy(calls, ({ to }) => to);
    const nodes = ids.map((id) => {
      const names = (callers.get(id) ?? []).map(({ from }) => from);
      return this.#node(id, endpoints.get(id) ?? [], names);
    });
    const edges = calls.map((call) => this.#edge(call, places));
    return { nodes, edges: edges.sort((a, b) => a.from - b.from || a.to - b.to) };
  }

  /** What exists, traffic or not, with the endpoints behind it. */
  #known(): readonly (readonly [string, readonly Endpoint[]])[] {
    const { register } = this.#parts;
    switch (this.#question.view) {
      case 'service':
        return [...register.services.keys()].map((id) => [id, register.endpointsOf(id)]);
      case 'workload':
        return [...Map.groupBy(register.endpoints, workloadId)];
      case 'version':
        if (register.isPast) return []; // versions of now need not have been there
        return [...Map.groupBy(register.endpoints, versionOf)];
      case 'node': {
        const byNode = Map.groupBy(register.endpoints, ({ node }) => node);
        return register.members
          .filter(({ state }) => state !== 'left')
          .map(({ name }) => [name, byNode.get(name) ?? []]);
      }
    }
  }

  #node(id: string, endpoints: readonly Endpoint[], callers: readonly string[]): TopologyNode {
    const { register, figures } = this.#parts;
    const [namespace, name] = splitId(id);
    const isService = this.#question.view === 'service';
    const { row, isKnown } = this.#rowOf(id);
    const signals = signalsOf(row, figures.services);
    const ready = register.readyOf(endpoints);
    const ejected = endpoints.filter((endpoint) => register.ejected.has(endpoint.id)).length;
    const judged: Judgement =
      id === OUTSIDE
        ? { health: 'quiet', cause: 'callers outside the mesh' }
        : judge({
            row,
            isCovered: this.#isCovered,
            isUnseen:
              !isKnown ||
              this.#lost.has(id) ||
              (endpoints.length > 0 && endpoints.every(({ node }) => this.#lost.has(node))),
            usualP99Ms: isService ? (this.#usual.get(id) ?? null) : null,
            endpointsReady: ready,
            callers,
            burn: isService ? this.#parts.burns?.get(id) : undefined,
          });
    return {
      ...signals,
      id,
      namespace,
      name,
      kind: kindOf(id, this.#question.view, { endpoints, isDeclared: register.services.has(id) }),
      ...judged,
      versions: this.#versions(id, endpoints),
      endpointsReady: register.isPast ? null : (ready ?? 0),
      endpointsTotal: endpoints.length,
      badges: ejected === 0 ? [] : [`ejected ${ejected}/${endpoints.length}`],
      lastSeenMs: row === undefined ? null : toTheMinute(this.#question.asOfMs),
    };
  }

  /** Of a workload or node what arrived there; what several share in cannot be told apart. */
  #rowOf(id: string): { readonly row: FiguresRow | undefined; readonly isKnown: boolean } {
    switch (this.#question.view) {
      case 'service':
        return { row: this.#byService.get(id), isKnown: true };
      case 'version': {
        const [service = '', version = ''] = id.split('@');
        const row = this.#byVersion.get(service)?.find(({ labels }) => (labels.version ?? '') === version);
        return { row, isKnown: true };
      }
      default: {
        const rows = this.#arcs.arrivedAt(id);
        return { row: rows === undefined ? undefined : mergeRows(rows), isKnown: rows !== undefined };
      }
    }
  }

  /** In the view of versions the one that it is. Of an earlier moment those that took requests then. */
  #versions(id: string, endpoints: readonly Endpoint[]): TopologyNode['versions'] {
    const { view } = this.#question;
    const [service = '', own] = id.split('@');
    if (view === 'version' ? own === undefined : view !== 'service') return [];
    const all = this.#versionsOf(service, this.#parts.register.isPast ? [] : endpoints);
    return own === undefined ? all : all.filter(({ name }) => name === own);
  }

  #versionsOf(service: string, endpoints: readonly Endpoint[]): TopologyNode['versions'] {
    const rows = this.#byVersion.get(service) ?? [];
    const requests = new Map(rows.map((row) => [row.labels.version ?? '', totalsOf(row).requests ?? 0]));
    const all = [...requests.values()].reduce((a, b) => a + b, 0);
    const names = [...new Set([...endpoints.map(({ version }) => version), ...requests.keys()])].filter(
      (name) => name !== '',
    );
    return names
      .sort()
      .map((name) => ({ name, shareRatio: rows.length === 0 ? null : share(requests.get(name) ?? 0, all) }));
  }

  #edge({ from, to, protocol, rows, isExact }: Arc, places: ReadonlyMap<string, number>): TopologyEdge {
    const { figures, register } = this.#parts;
    const row = isExact ? mergeRows(rows) : undefined;
    const signals = isExact ? signalsOf(row, figures.edges) : UNKNOWN;
    const { health } = judge({
      row,
      isCovered: false,
      isUnseen: false,
      usualP99Ms: null,
      endpointsReady: null,
      callers: [],
    });
    const isMeshed = rows.every(({ labels }) => register.services.has(labels.destination ?? ''));
    const tls = from === OUTSIDE ? 'plaintext' : isMeshed ? 'mutual' : 'unknown';
    return { ...signals, from: places.get(from)!, to: places.get(to)!, protocol, tls, health };
  }

  #isShown(id: string): boolean {
    const { namespaces, view } = this.#question;
    return namespaces === undefined || view === 'node' || namespaces.has(splitId(id)[0]);
  }
}

/** Else every service would change with every tick. */
function toTheMinute(ms: number): number {
  return Math.floor(ms / 60_000) * 60_000;
}

function kindOf(
  id: string,
  view: TopologyKind,
  { endpoints, isDeclared }: { readonly endpoints: readonly Endpoint[]; readonly isDeclared: boolean },
): TopologyNode['kind'] {
  if (id === OUTSIDE || id === 'passthrough') return 'outside';
  if (view === 'node') return 'node';
  if (view === 'version' && id.includes('@')) return 'version';
  if (view === 'workload' && endpoints.length > 0) return 'workload';
  if (endpoints.length > 0 && endpoints.every(({ protocol }) => protocol === 'tcp')) return 'store';
  return isDeclared || id.includes('/') ? 'service' : 'unmeshed';
}
