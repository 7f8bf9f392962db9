/** The graph: who calls whom, how it fares, and what is wrong first. Pure: register + figures -> JSON. @module */
import type { Endpoint } from '../../../gossip/records/endpoint.ts';
import type { Figures, FiguresRow } from '../../history/figures.ts';
import type { Coverage } from '../../mesh-query/shapes.ts';
import type { Judgement } from '../../observe/health.ts';
import type { MeshEvent } from '../shapes/common.ts';
import type { Topology, TopologyEdge, TopologyNode } from '../shapes/topology.ts';
import { judge } from './health.ts';
import { problemsView, type TroubleFigures } from './problems.ts';
import { OUTSIDE, type Register, splitId } from './register.ts';
import { mergeRows, seriesOf, share, signalsOf, totalsOf, UNKNOWN } from './signals.ts';

export type TopologyKind = 'service' | 'workload' | 'version' | 'node';

export interface TopologyFigures {
  /** outbound, by source, sourceService, destination, protocol; one step. Also by node or version in the views of these. */
  readonly edges: Figures;
  /** outbound, by destination; one step. */
  readonly services: Figures;
  /** outbound, by destination, version; one step. */
  readonly versions: Figures;
  /** inbound, by source, destination: for callers that no node of ours carries; one step. */
  readonly inbound: Figures;
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

/** A caller and what it calls, with all rows about it. */
interface Call {
  readonly from: string;
  readonly to: string;
  readonly protocol: TopologyEdge['protocol'];
  readonly rows: readonly FiguresRow[];
}

class Graph {
  readonly #question: TopologyQuestion;
  readonly #parts: TopologyParts;
  readonly #byService: ReadonlyMap<string, FiguresRow>;
  readonly #byVersion: ReadonlyMap<string, readonly FiguresRow[]>;
  readonly #lost: ReadonlySet<string>;
  readonly #usual: ReadonlyMap<string, number>;
  readonly #isCovered: boolean;

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
  }

  build(): BuiltGraph {
    const calls = this.#calls().filter(({ from, to }) => this.#isShown(from) || this.#isShown(to));
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
        return [...Map.groupBy(register.endpoints, ({ namespace, workload }) => `${namespace}/${workload}`)];
      case 'version':
        if (register.isPast) return []; // versions of now need not have been there
        return [...Map.groupBy(register.endpoints, (one) => versionId(`${one.namespace}/${one.service}`, one.version))];
      case 'node': {
        const byNode = Map.groupBy(register.endpoints, ({ node }) => node);
        return register.members
          .filter(({ state }) => state !== 'left')
          .map(({ name }) => [name, byNode.get(name) ?? []]);
      }
    }
  }

  #calls(): readonly Call[] {
    const { figures, register } = this.#parts;
    const found: { key: string; call: Omit<Call, 'rows'>; row: FiguresRow }[] = [];
    const add = (from: string, to: string, row: FiguresRow): void => {
      const protocol = protocolOf(row.labels.protocol);
      found.push({ key: `${from} ${to} ${protocol}`, call: { from, to, protocol }, row });
    };
    for (const row of figures.edges.rows) {
      const { source, sourceService, destination = '', node = '' } = row.labels;
      const caller = register.callerOf(source, sourceService);
      for (const from of this.#callers(caller, source ?? '', node)) {
        for (const to of this.#targets(destination, row)) add(from, to, row);
      }
    }
    for (const row of figures.inbound.rows) {
      if ((row.labels.source ?? '') !== '') continue; // its node counted it as outbound
      for (const to of this.#targets(row.labels.destination ?? '', row)) add(OUTSIDE, to, row);
    }
    return [...Map.groupBy(found, ({ key }) => key).values()].map((same) => ({
      ...same[0]!.call,
      rows: same.map(({ row }) => row),
    }));
  }

  #callers(service: string, identity: string, node: string): readonly string[] {
    const { register } = this.#parts;
    switch (this.#question.view) {
      case 'node':
        return node === '' ? [] : [node];
      case 'workload': {
        const own = register.endpointsOf(service).filter((endpoint) => endpoint.identity === identity);
        const names = new Set(own.map(({ namespace, workload }) => `${namespace}/${workload}`));
        return names.size === 1 ? [...names] : [service];
      }
      case 'version': {
        const names = new Set(register.endpointsOf(service).map(({ version }) => versionId(service, version)));
        return names.size === 1 ? [...names] : [service];
      }
      case 'service':
        return [service];
    }
  }

  /** Of several it is not known which took how much: the call leads to each, without figures. */
  #targets(service: string, row: FiguresRow): readonly string[] {
    const { view } = this.#question;
    if (view === 'version') return this.#versionsCalled(service, row);
    const endpoints = this.#parts.register.endpointsOf(service);
    if (endpoints.length === 0) return view === 'node' ? [] : [service];
    switch (view) {
      case 'service':
        return [service];
      case 'workload':
        return [...new Set(endpoints.map(({ namespace, workload }) => `${namespace}/${workload}`))];
      case 'node':
        return [...new Set(endpoints.map(({ node }) => node))];
    }
  }

  /** Requests say which version they reached, connections do not; what reached none of several leads to the service. */
  #versionsCalled(service: string, row: FiguresRow): readonly string[] {
    const { version = '', protocol } = row.labels;
    if (version !== '') return [versionId(service, version)];
    const endpoints = this.#parts.register.endpointsOf(service);
    const all = [...new Set(endpoints.map((endpoint) => versionId(service, endpoint.version)))];
    if (protocolOf(protocol) === 'tcp') return all.length === 0 ? [service] : all;
    if ((totalsOf(row).requests ?? 0) === 0) return []; // the connections below them
    return all.length === 1 ? all : [service];
  }

  #node(id: string, endpoints: readonly Endpoint[], callers: readonly string[]): TopologyNode {
    const { register, figures } = this.#parts;
    const [namespace, name] = splitId(id);
    const isService = this.#question.view === 'service';
    const row = isService ? this.#byService.get(id) : this.#rowOf(id);
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
              this.#lost.has(id) || (endpoints.length > 0 && endpoints.every(({ node }) => this.#lost.has(node))),
            usualP99Ms: this.#usual.get(id) ?? null,
            endpointsReady: ready,
            callers,
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

  #rowOf(id: string): FiguresRow | undefined {
    if (this.#question.view !== 'version') return this.#byService.get(id);
    const [service = '', version = ''] = id.split('@');
    return this.#byVersion.get(service)?.find(({ labels }) => (labels.version ?? '') === version);
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

  #edge({ from, to, protocol, rows }: Call, places: ReadonlyMap<string, number>): TopologyEdge {
    const { figures, register } = this.#parts;
    const row = mergeRows(rows);
    const isWhole = rows.every((one) => this.#targets(one.labels.destination ?? '', one).length === 1);
    const signals = isWhole ? signalsOf(row, figures.edges) : UNKNOWN;
    const { health } = judge({
      row: isWhole ? row : undefined,
      isCovered: false,
      isUnseen: false,
      usualP99Ms: null,
      endpointsReady: null,
      callers: [],
    });
    const tls = from === OUTSIDE ? 'plaintext' : register.services.has(serviceIn(to)) ? 'mutual' : 'unknown';
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

function versionId(service: string, version: string): string {
  return version === '' ? service : `${service}@${version}`;
}

function serviceIn(id: string): string {
  return id.split('@')[0]!;
}

function protocolOf(text = 'http'): TopologyEdge['protocol'] {
  return text === 'grpc' || text === 'tcp' ? text : 'http';
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
