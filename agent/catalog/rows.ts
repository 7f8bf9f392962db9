/** The catalog as the console, the CLI and Backstage read it: one row a service, and all that is known of one. Pure. @module */
import type { Endpoint } from '../../gossip/records/endpoint.ts';
import type { AccessRules } from '../../proxy/access/policy.ts';
import type { ServiceRoutes, TrafficPolicy } from '../../proxy/traffic/rules.ts';
import type { ApiDrift, Fact, ScoredRule, ServiceRow } from '../console/shapes/services.ts';
import { serviceId } from '../services.ts';
import { declaredFacts, type EntityLookup, labelFacts } from './declared/declared-facts.ts';
import type { DeclaredEntity } from './declared/entities.ts';
import { refsIn, refText } from './declared/entity-ref.ts';
import { tieComponents } from './declared/ties.ts';
import type { SeenService } from './inventory.ts';
import type { MeshCatalog, Relation, Route } from './mesh-catalog.ts';
import { driftOf } from './openapi/drift.ts';
import type { OpenApis } from './openapi/operations.ts';
import { scorecard, splitId } from './scorecard.ts';
import { OUTSIDE } from './traffic-gains.ts';

/** Figures of traffic, health and trend come from elsewhere. */
export type CatalogRow = Pick<
  ServiceRow,
  | 'id'
  | 'namespace'
  | 'name'
  | 'tab'
  | 'owner'
  | 'tier'
  | 'language'
  | 'protocol'
  | 'versions'
  | 'endpointsReady'
  | 'endpointsTotal'
  | 'firstSeenMs'
  | 'lastSeenMs'
  | 'rulesMet'
  | 'rulesTotal'
>;

export interface CatalogNeighbour {
  readonly service: string;
  readonly protocol: string;
  /** 1 is a neighbour; more go through others. */
  readonly hops: number;
  readonly via: readonly string[];
  readonly tls: 'mutual' | 'plaintext';
  /** Requests or connections since it was first seen; of neighbours only. */
  readonly count: number;
  readonly bytes: number;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
}

export interface CatalogDetail extends CatalogRow {
  readonly facts: readonly Fact[];
  readonly rules: readonly ScoredRule[];
  readonly routes: readonly Route[];
  readonly callers: readonly CatalogNeighbour[];
  readonly calls: readonly CatalogNeighbour[];
  /** What its component says it depends on and it has not called as long as anybody remembers. */
  readonly declaredUnused: readonly string[];
  /** What it calls and its component does not name; empty where it has none. */
  readonly usedUndeclared: readonly string[];
  /** `component:namespace/name`; null: none. */
  readonly component: string | null;
  /** Null: its component provides no API with an OpenAPI document. */
  readonly api: ApiDrift | null;
}

export interface Scorecard {
  readonly services: readonly {
    readonly id: string;
    readonly owner: string | null;
    readonly rules: readonly ScoredRule[];
  }[];
  /** The worst first; null: those that nobody owns. */
  readonly owners: readonly {
    readonly owner: string | null;
    readonly services: number;
    readonly rulesMet: number;
    readonly rulesTotal: number;
  }[];
}

/** What rows are made of. */
export interface CatalogSight {
  readonly mesh: MeshCatalog;
  readonly endpoints: readonly Endpoint[];
  /** Services that documents of kind Service declare. */
  readonly written: readonly string[];
  readonly entities: readonly DeclaredEntity[];
  readonly find: EntityLookup;
  readonly openApis: Pick<OpenApis, 'of'>;
  readonly access: AccessRules;
  readonly policies: readonly TrafficPolicy[];
  readonly routes: readonly ServiceRoutes[];
  /** Undefined: this agent knows no objectives. */
  readonly hasObjective: ((service: string) => boolean) | undefined;
  readonly nowMs: number;
}

/** Without endpoint and traffic for this long a service is gone, and without being called for this long a declared one is silent. */
export const GONE_AFTER_MS = 60_000;
export const SILENT_AFTER_MS = 24 * 3_600_000;
const MAX_HOPS = 3;

export class CatalogView {
  readonly #sight: CatalogSight;
  readonly #endpoints: ReadonlyMap<string, readonly Endpoint[]>;
  readonly #written: ReadonlySet<string>;
  readonly #ties: ReadonlyMap<string, DeclaredEntity>;
  readonly #relationsTo: ReadonlyMap<string, readonly Relation[]>;
  readonly #relationsFrom: ReadonlyMap<string, readonly Relation[]>;
  /** Namespaces in which somebody declares components. */
  readonly #declaring: ReadonlySet<string>;
  readonly #routes: ReadonlyMap<string, readonly Route[]>;

  constructor(sight: CatalogSight) {
    this.#sight = sight;
    this.#endpoints = Map.groupBy(sight.endpoints, serviceId);
    this.#written = new Set(sight.written);
    this.#ties = tieComponents(sight.entities, new Set([...sight.mesh.services.keys(), ...this.#endpoints.keys()]));
    const relations = overProtocols(sight.mesh.relations);
    this.#relationsTo = Map.groupBy(relations, ({ to }) => to);
    this.#relationsFrom = Map.groupBy(relations, ({ from }) => from);
    this.#routes = Map.groupBy(sight.mesh.routes, ({ service }) => service);
    this.#declaring = new Set([...this.#ties.keys()].map((id) => splitId(id)[0]));
  }

  ids(): readonly string[] {
    const all = [this.#sight.mesh.services, this.#endpoints, this.#ties].flatMap((map) => [...map.keys()]);
    return [...new Set([...all, ...this.#written])].sort();
  }

  rows(): readonly CatalogRow[] {
    return this.ids().map((id) => this.#row(id, this.#facts(id)));
  }

  detail(id: string): CatalogDetail | undefined {
    if (!this.#isKnown(id)) return undefined;
    const facts = this.#facts(id);
    const calls = this.#neighbours(id, 'calls');
    return {
      ...this.#row(id, facts),
      facts,
      rules: this.rules(id, facts),
      routes: this.#routes.get(id) ?? [],
      callers: this.#neighbours(id, 'callers'),
      calls,
      ...this.#drift(
        id,
        calls.filter(({ hops }) => hops === 1).map(({ service }) => service),
      ),
      component: this.componentOf(id),
      api: this.#api(id),
    };
  }

  /** That were called, the busiest first. */
  routes(): readonly Route[] {
    return this.#sight.mesh.routes.toSorted((a, b) => b.count - a.count);
  }

  rules(id: string, facts = this.#facts(id)): readonly ScoredRule[] {
    const { mesh, access, policies, routes, hasObjective, nowMs } = this.#sight;
    return scorecard({
      id,
      facts,
      endpoints: this.#endpoints.get(id) ?? [],
      access,
      policies,
      routes,
      plaintextCallers: (mesh.plaintext.get(id) ?? []).map(({ source }) => source),
      certificates: mesh.certificates.get(id) ?? [],
      api: this.#api(id),
      hasObjective: hasObjective?.(id) ?? null,
      nowMs,
    });
  }

  componentOf(id: string): string | null {
    const tied = this.#ties.get(id)?.entity;
    if (tied === undefined) return null;
    return refText({
      kind: 'component',
      namespace: tied.metadata.namespace ?? 'default',
      name: tied.metadata.name.toLowerCase(),
    });
  }

  /** Services of a component. */
  servicesOf(component: DeclaredEntity): readonly string[] {
    return [...this.#ties].flatMap(([id, tied]) => (tied === component ? [id] : []));
  }

  /** Who called whom, as references to components. */
  dependencies(): readonly (readonly [from: string, to: string])[] {
    const ref = (id: string): string => this.componentOf(id) ?? `component:${id}`;
    return this.#sight.mesh.relations.flatMap(({ from, to }) =>
      to === OUTSIDE ? [] : [[ref(from), ref(to)] as const],
    );
  }

  /** Every service with its rules, and the share of rules that each owner's services meet. */
  scorecard(): Scorecard {
    const services = this.ids().flatMap((id) => {
      const facts = this.#facts(id);
      const { tab, owner } = this.#row(id, facts);
      return tab === 'gone' ? [] : [{ id, owner, rules: this.rules(id, facts) }];
    });
    const byOwner = Map.groupBy(services, ({ owner }) => owner);
    const owners = [...byOwner].map(([owner, own]) => {
      const rules = own.flatMap((service) => service.rules);
      const met = rules.filter(({ isMet }) => isMet).length;
      return { owner, services: own.length, rulesMet: met, rulesTotal: rules.length };
    });
    return { services, owners: owners.sort((a, b) => a.rulesMet / a.rulesTotal - b.rulesMet / b.rulesTotal) };
  }

  #isKnown(id: string): boolean {
    return this.#sight.mesh.services.has(id) || this.#endpoints.has(id) || this.#ties.has(id) || this.#written.has(id);
  }

  #row(id: string, facts: readonly Fact[]): CatalogRow {
    const [namespace, name] = splitId(id);
    const seen = this.#sight.mesh.services.get(id);
    const endpoints = this.#endpoints.get(id) ?? [];
    const rules = this.rules(id, facts);
    const first = (key: string): Fact | undefined => facts.find((fact) => fact.key === key);
    const language = first('language') ?? first('software');
    return {
      id,
      namespace,
      name,
      tab: this.#tab(id, seen),
      owner: first('owner')?.value ?? null,
      tier: first('tier')?.value ?? null,
      language: language === undefined ? null : { value: language.value, source: language.source },
      protocol: this.#protocol(id, endpoints),
      versions: [...new Set(endpoints.map(({ version }) => version).filter((version) => version !== ''))].sort(),
      endpointsReady: endpoints.filter(({ state }) => state === 'ready').length,
      endpointsTotal: endpoints.length,
      firstSeenMs: seen?.firstSeenMs ?? null,
      lastSeenMs: endpoints.length > 0 ? this.#sight.nowMs : (seen?.lastSeenMs ?? null),
      rulesMet: rules.filter(({ isMet }) => isMet).length,
      rulesTotal: rules.length,
    };
  }

  /**
   * Being undeclared says nothing where nobody declares anything: only what is called in a namespace that has components counts as
   * used and not declared.
   */
  #tab(id: string, seen: SeenService | undefined): CatalogRow['tab'] {
    const { nowMs } = this.#sight;
    const isDeclared = this.#ties.has(id) || this.#written.has(id);
    const isThere = this.#endpoints.has(id) || (seen !== undefined && nowMs - seen.lastSeenMs < GONE_AFTER_MS);
    if (!isThere) return isDeclared ? 'silent' : 'gone';
    const isCalled = seen?.calledMs != null && nowMs - seen.calledMs < SILENT_AFTER_MS;
    const isUsed = isCalled || (seen?.trafficMs != null && nowMs - seen.trafficMs < SILENT_AFTER_MS);
    if (isDeclared) return isUsed ? 'seen' : 'silent';
    return isCalled && this.#declaring.has(splitId(id)[0]) ? 'undeclared' : 'seen';
  }

  #protocol(id: string, endpoints: readonly Endpoint[]): string {
    const called = (this.#relationsTo.get(id) ?? []).toSorted((a, b) => b.count - a.count)[0]?.protocol;
    const declared = endpoints.find(({ protocol }) => protocol !== 'auto')?.protocol;
    return called ?? declared ?? '';
  }

  /** What is declared comes before what is observed, and that before what is inferred. */
  #facts(id: string): readonly Fact[] {
    const tied = this.#ties.get(id);
    const declared = tied === undefined ? [] : declaredFacts(tied, this.#sight.find);
    const told = this.#sight.mesh.facts.get(id) ?? [];
    const labelled = labelFacts(this.#endpoints.get(id) ?? []);
    const observed = told.filter(({ source }) => source === 'observed');
    return [...declared, ...labelled, ...observed, ...told.filter(({ source }) => source !== 'observed')];
  }

  #neighbours(id: string, way: 'callers' | 'calls'): readonly CatalogNeighbour[] {
    const relations = way === 'callers' ? this.#relationsTo : this.#relationsFrom;
    const other = ({ from, to }: Relation): string => (way === 'callers' ? from : to);
    const found = new Map<string, CatalogNeighbour>();
    let edge: readonly { readonly at: string; readonly via: readonly string[] }[] = [{ at: id, via: [] }];
    for (let hops = 1; hops <= MAX_HOPS; hops++) {
      const next: { at: string; via: readonly string[] }[] = [];
      for (const { at, via } of edge) {
        for (const relation of relations.get(at) ?? []) {
          const service = other(relation);
          if (service === id || found.has(service)) continue;
          const { protocol, count, bytes, firstSeenMs, lastSeenMs } = relation;
          const tls = service === OUTSIDE ? 'plaintext' : 'mutual';
          const volume = hops === 1 ? { count, bytes } : { count: 0, bytes: 0 };
          found.set(service, { service, protocol, hops, via, tls, ...volume, firstSeenMs, lastSeenMs });
          next.push({ at: service, via: [...via, service] });
        }
      }
      edge = next;
    }
    return [...found.values(), ...(way === 'callers' ? this.#plaintextCallers(id) : [])];
  }

  #plaintextCallers(id: string): readonly CatalogNeighbour[] {
    return (this.#sight.mesh.plaintext.get(id) ?? []).map(({ source, lastMs }) => ({
      service: source,
      protocol: '',
      hops: 1,
      via: [],
      tls: 'plaintext',
      count: 0,
      bytes: 0,
      firstSeenMs: lastMs,
      lastSeenMs: lastMs,
    }));
  }

  /** What the OpenAPI documents of the APIs that its component provides say, held against the routes that were called. */
  #api(id: string): ApiDrift | null {
    const component = this.#ties.get(id)?.entity;
    const refs = component === undefined ? [] : refsIn(component, 'providesApis', 'api').map(refText);
    const read = refs.flatMap((ref) => {
      const declared = this.#sight.find(ref);
      const operations = declared === undefined ? undefined : this.#sight.openApis.of(declared);
      return operations === undefined ? [] : [{ name: `API ${ref.slice(ref.indexOf(':') + 1)}`, ...operations }];
    });
    if (read.length === 0) return null;
    const problems = read.flatMap(({ name, problem }) => (problem === '' ? [] : [`${name}: ${problem}`]));
    const definedBy = read.map(({ name }) => name);
    // Of a document that cannot be read nothing can be said to be missing.
    if (read.every(({ operations }) => operations.length === 0))
      return { definedBy, problems, undeclared: [], unused: [] };
    const { undeclared, unused } = driftOf(
      read.flatMap(({ operations }) => operations),
      this.#routes.get(id) ?? [],
    );
    return {
      definedBy,
      problems,
      undeclared: undeclared.map(({ consumers, ...route }) => ({ ...route, consumers: [...consumers] })),
      unused: [...unused],
    };
  }

  /** What the component says it depends on, held against what is called. */
  #drift(id: string, called: readonly string[]): Pick<CatalogDetail, 'declaredUnused' | 'usedUndeclared'> {
    const component = this.#ties.get(id);
    if (component === undefined) return { declaredUnused: [], usedUndeclared: [] };
    const { entity } = component;
    const refs = refsIn(entity, 'dependsOn', 'component').filter(({ kind }) => kind === 'component');
    const declared = refs.map((ref) => {
      const found = this.#sight.find(refText(ref));
      const services = found === undefined ? [] : this.servicesOf(found);
      return services.length > 0 ? services : [`${ref.namespace}/${ref.name}`];
    });
    const named = new Set(declared.flat());
    return {
      declaredUnused: declared.filter((services) => !services.some((one) => called.includes(one))).map(([one]) => one!),
      usedUndeclared: called.filter((service) => service !== OUTSIDE && !named.has(service)),
    };
  }
}

/** Two services are neighbours once, under the protocol that most of their calls have. */
function overProtocols(relations: readonly Relation[]): readonly Relation[] {
  const pairs = Map.groupBy(relations, ({ from, to }) => `${from} ${to}`);
  return [...pairs.values()].map((all) => {
    const main = all.toSorted((a, b) => b.count - a.count)[0]!;
    return {
      ...main,
      count: all.reduce((sum, { count }) => sum + count, 0),
      bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
      firstSeenMs: Math.min(...all.map(({ firstSeenMs }) => firstSeenMs)),
      lastSeenMs: Math.max(...all.map(({ lastSeenMs }) => lastSeenMs)),
    };
  });
}
