/**
 * Between what the calls of each view go, and with which figures. Pure.
 *
 * A row names services. Callers' counts also tell the version that answered and the node of the caller; destinations' counts tell
 * the node they arrived at. Where one of these says which of several workloads or nodes it was, the call has figures; where none
 * does it leads to each of them, without any: unknown, and not zero.
 * @module
 */
import type { Endpoint } from '../../../gossip/records/endpoint.ts';
import type { Figures, FiguresRow } from '../../history/figures.ts';
import type { TopologyEdge } from '../shapes/topology.ts';
import { hasIdentity, OUTSIDE, type Register } from './register.ts';
import { totalsOf } from './signals.ts';

export type TopologyKind = 'service' | 'workload' | 'version' | 'node';

/** A caller and what it calls, with all rows about it. */
export interface Arc {
  readonly from: string;
  readonly to: string;
  readonly protocol: TopologyEdge['protocol'];
  readonly rows: readonly FiguresRow[];
  /** Whether the rows are of this call alone, and are all there is of it. */
  readonly isExact: boolean;
}

export interface ArcFigures {
  /** outbound, by source, sourceService, destination, protocol; by version too in views of workloads and versions, by node in that of nodes. */
  readonly edges: Figures;
  /** inbound, by source, destination, protocol; by node too in views of workloads and nodes. */
  readonly inbound: Figures;
}

interface Part extends Omit<Arc, 'rows'> {
  readonly row: FiguresRow;
}

export class Arcs {
  readonly #view: TopologyKind;
  readonly #register: Register;
  readonly #figures: ArcFigures;
  /** Nodes that did not say what they counted. */
  readonly #lost: ReadonlySet<string>;
  #byPlace: ReadonlyMap<string, readonly FiguresRow[] | undefined> | undefined;

  constructor(view: TopologyKind, register: Register, figures: ArcFigures, lost: ReadonlySet<string>) {
    this.#view = view;
    this.#register = register;
    this.#figures = figures;
    this.#lost = lost;
  }

  all(): readonly Arc[] {
    const { edges, inbound } = this.#figures;
    const rows = edges.rows.filter((row) => !this.#isOfConnections(row));
    const arrived = this.#arrived();
    const told = [...Map.groupBy(rows, pairOf)].flatMap(([pair, same]): readonly Part[] => {
      const parts = same.flatMap((row) => this.#toldBy(row));
      return parts.every(({ isExact }) => isExact) ? parts : (arrived.get(pair) ?? parts);
    });
    const parts = [...told, ...inbound.rows.flatMap((row) => this.#fromOutside(row))];
    const groups = Map.groupBy(parts, ({ from, to, protocol }) => `${from} ${to} ${protocol}`);
    return [...groups.values()].map((same) => {
      const { from, to, protocol } = same[0]!;
      return { from, to, protocol, rows: same.map(({ row }) => row), isExact: same.every((part) => part.isExact) };
    });
  }

  /** What arrived at a workload or node, as destinations counted it; undefined where that cannot be told apart. */
  arrivedAt(id: string): readonly FiguresRow[] | undefined {
    this.#byPlace ??= this.#arrivedByPlace();
    return this.#byPlace.has(id) ? this.#byPlace.get(id) : [];
  }

  #arrivedByPlace(): ReadonlyMap<string, readonly FiguresRow[] | undefined> {
    const places = new Map<string, FiguresRow[] | undefined>();
    for (const row of this.#figures.inbound.rows) {
      const targets = this.#arrivals(row);
      for (const id of targets) {
        const rows = places.has(id) ? places.get(id) : [];
        if (targets.length === 1) rows?.push(row);
        places.set(id, targets.length === 1 ? rows : undefined);
      }
    }
    return places;
  }

  #toldBy(row: FiguresRow): readonly Part[] {
    const { source = '', sourceService, destination = '', version, node = '' } = row.labels;
    const froms = this.#callers(this.#register.callerOf(source, sourceService), source, node);
    const tos = this.#targets(destination, protocolOf(row) === 'tcp' ? undefined : version);
    const isExact = froms.length === 1 && tos.length === 1;
    return froms.flatMap((from) => tos.map((to) => ({ from, to, protocol: protocolOf(row), row, isExact })));
  }

  /** By caller and service what destinations counted, where that says of each call between what it was. */
  #arrived(): ReadonlyMap<string, readonly Part[]> {
    if (this.#view !== 'workload' && this.#view !== 'node') return new Map();
    const rows = this.#figures.inbound.rows.filter(
      (row) => hasIdentity(row.labels.source ?? '') && !this.#isOfConnections(row),
    );
    const whole = [...Map.groupBy(rows, pairOf)].flatMap(([pair, same]) => {
      const parts = same.flatMap((row): readonly Part[] => {
        const { source = '' } = row.labels;
        const froms = this.#callers(this.#register.callerOf(source), source, '');
        const tos = this.#arrivals(row);
        const isExact = froms.length === 1 && tos.length === 1;
        return isExact ? [{ from: froms[0]!, to: tos[0]!, protocol: protocolOf(row), row, isExact }] : [];
      });
      const nodes = this.#register.endpointsOf(same[0]!.labels.destination ?? '').map(({ node }) => node);
      const isWhole = parts.length === same.length && !nodes.some((node) => this.#lost.has(node));
      return isWhole ? [[pair, parts] as const] : [];
    });
    return new Map(whole);
  }

  /** Of other callers their own node counted it. */
  #fromOutside(row: FiguresRow): readonly Part[] {
    if (hasIdentity(row.labels.source ?? '')) return [];
    const targets = this.#arrivals(row);
    return targets.map((to) => {
      return { from: OUTSIDE, to, protocol: protocolOf(row), row, isExact: targets.length === 1 };
    });
  }

  /** Where the versions of requests are told apart, their connections have none: they are counted in the others. */
  #isOfConnections(row: FiguresRow): boolean {
    return row.labels.version === '' && protocolOf(row) !== 'tcp' && (totalsOf(row).requests ?? 0) === 0;
  }

  #callers(service: string, identity: string, node: string): readonly string[] {
    const all = this.#register.endpointsOf(service);
    const own = all.filter((endpoint) => endpoint.identity === identity);
    switch (this.#view) {
      case 'service':
        return [service];
      case 'node':
        return node === '' ? distinct(own.map((one) => one.node)) : [node];
      case 'workload':
        return only(own.map(workloadId), service);
      case 'version':
        return only(all.map(versionOf), service);
    }
  }

  /** @param version of the endpoint that answered, '' for none of any version; undefined where that was not asked */
  #targets(service: string, version: string | undefined): readonly string[] {
    const all = this.#register.endpointsOf(service);
    const there = version === undefined ? all : all.filter((endpoint) => endpoint.version === version);
    if (there.length > 0) return this.#idsOf(service, there);
    if (this.#view === 'version') return [versionId(service, version ?? '')]; // such a version there is no more, or it reached none
    return version === '' && all.length > 0 ? [] : this.#idsOf(service, all);
  }

  #arrivals({ labels: { destination = '', node } }: FiguresRow): readonly string[] {
    const all = this.#register.endpointsOf(destination);
    const there = all.filter((endpoint) => endpoint.node === node);
    return this.#idsOf(destination, there.length > 0 ? there : all);
  }

  #idsOf(service: string, endpoints: readonly Endpoint[]): readonly string[] {
    switch (this.#view) {
      case 'service':
        return [service];
      case 'workload':
        return endpoints.length === 0 ? [service] : distinct(endpoints.map(workloadId));
      case 'version':
        return endpoints.length === 0 ? [service] : distinct(endpoints.map(versionOf));
      case 'node':
        return distinct(endpoints.map(({ node }) => node));
    }
  }
}

export function workloadId({ namespace, workload }: Pick<Endpoint, 'namespace' | 'workload'>): string {
  return `${namespace}/${workload}`;
}

export function versionOf({ namespace, service, version }: Endpoint): string {
  return versionId(`${namespace}/${service}`, version);
}

function versionId(service: string, version: string): string {
  return version === '' ? service : `${service}@${version}`;
}

function pairOf({ labels: { source, destination, protocol } }: FiguresRow): string {
  return `${source} ${destination} ${protocol}`;
}

/** Of several it is not known which. */
function only(ids: readonly string[], otherwise: string): readonly string[] {
  const all = distinct(ids);
  return all.length === 1 ? all : [otherwise];
}

function distinct(ids: readonly string[]): readonly string[] {
  return [...new Set(ids)];
}

function protocolOf({ labels: { protocol } }: FiguresRow): Arc['protocol'] {
  return protocol === 'grpc' || protocol === 'tcp' ? protocol : 'http';
}
