/**
 * The catalog of an agent: what it has seen itself, what it tells others, and what all of them together know.
 *
 * What others said is asked for when somebody looks, and kept for ten seconds; what this node sees is always as new as its last look.
 * @module
 */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { RequestRecord } from '../../proxy/telemetry/record.ts';
import type { AgentDocuments } from '../documents/agent-documents.ts';
import type { Coverage, MeshAnswers, Topic } from '../mesh-query/shapes.ts';
import type { Running } from '../running.ts';
import { serviceId } from '../services.ts';
import type { DeclaredEntity } from './declared/entities.ts';
import type { InventoryState } from './inventory.ts';
import { mergeCatalogs } from './mesh-catalog.ts';
import { type NodeCatalog, nodeCatalog } from './node-catalog.ts';
import { CatalogObserver } from './observer.ts';
import { OpenApis } from './openapi/operations.ts';
import { type CatalogDetail, type CatalogRow, CatalogView, type Scorecard } from './rows.ts';
import { RuntimeWatch } from './runtime/runtime-watch.ts';
import { ServerHeaders } from './runtime/server-headers.ts';

type Viewed = Promise<{ readonly view: CatalogView; readonly coverage: Coverage }>;

/** Reads the catalog of the whole mesh. */
export interface CatalogReader {
  services(): Promise<{ readonly services: readonly CatalogRow[]; readonly coverage: Coverage }>;
  /** @param id 'namespace/service' */
  service(id: string): Promise<{ readonly service: CatalogDetail | undefined; readonly coverage: Coverage }>;
  /** All of it, at one moment. */
  view(): Viewed;
}

export interface CatalogOptions {
  readonly documents: Pick<AgentDocuments, 'catalog' | 'access' | 'traffic'>;
  readonly log: Logger;
  /** Tells of kept requests; undefined: nobody does. @returns stops */
  readonly records?: { subscribe(sink: (records: readonly RequestRecord[]) => void): () => void };
  readonly hasObjective?: (service: string) => boolean;
}

const TOPIC = 'catalog';
const KEPT_MS = 10_000;
const VIEW_MS = 1_000;
/** Plaintext that is older says nothing of today. */
const PLAINTEXT_MS = 24 * 3_600_000;

export class Catalog implements CatalogReader, AsyncDisposable {
  readonly #running: Running;
  readonly #options: CatalogOptions;
  readonly #parts = new AsyncDisposableStack();
  readonly #observer: CatalogObserver;
  readonly #runtimes: RuntimeWatch | undefined;
  readonly #headers = new ServerHeaders();
  readonly #openApis = new OpenApis();
  #viewed: { readonly atMs: number; readonly viewed: Viewed } | undefined;
  #asked: { readonly atMs: number; readonly answers: Promise<MeshAnswers<NodeCatalog>> } | undefined;

  constructor(running: Running, options: CatalogOptions) {
    this.#running = running;
    this.#options = options;
    const { config, node, services, enrolment, plane, queries } = running;
    this.#observer = this.#parts.use(
      new CatalogObserver({
        file: join(config.dataDirectory, 'catalog.json'),
        trustDomain: node.trustDomain,
        forgetAfterMs: config.catalog.forgetAfterMs,
        endpoints: () => services.endpoints(),
        workloads: () => enrolment.view().map(({ workload, identity }) => ({ service: serviceId(workload), identity })),
        series: () => plane.stats.each(),
        log: options.log,
      }),
    );
    this.#runtimes = config.catalog.readProcesses
      ? this.#parts.use(
          new RuntimeWatch({ node: node.name, workloads: () => running.directory.workloads(), log: options.log }),
        )
      : undefined;
    const unsubscribe = options.records?.subscribe((records) => this.#headers.heard(records));
    if (unsubscribe !== undefined) this.#parts.defer(unsubscribe);
    const topic: Topic<Record<string, never>, NodeCatalog> = {
      name: TOPIC,
      question: z.object({}),
      answerSchema: nodeCatalog,
      answer: () => this.own(),
    };
    queries.offer(topic);
  }

  /** What this node tells others. */
  own(): NodeCatalog {
    const { state } = this.#observer.inventory;
    const nowMs = Date.now();
    return {
      ...(state as Pick<NodeCatalog, keyof InventoryState>), // lists of its own
      facts: [...(this.#runtimes?.facts() ?? []), ...this.#headers.facts()],
      plaintext: this.#running.plane.stats
        .access()
        .flatMap(({ labels, lastMs }) =>
          labels.kind === 'plaintext' && labels.source !== 'other' && nowMs - lastMs < PLAINTEXT_MS
            ? [{ service: labels.destination, source: labels.source, lastMs }]
            : [],
        ),
      certificates: this.#certificates(),
    };
  }

  /** For a second the same one: a console asks for many things at once. */
  view(): Viewed {
    const atMs = performance.now();
    if (this.#viewed === undefined || atMs - this.#viewed.atMs > VIEW_MS) {
      this.#viewed = { atMs, viewed: this.#view() };
    }
    return this.#viewed.viewed;
  }

  async #view(): Viewed {
    const { node, services } = this.#running;
    const { documents, hasObjective } = this.#options;
    const { answers, coverage } = await this.#others();
    const { access, traffic, catalog } = documents;
    const view = new CatalogView({
      mesh: mergeCatalogs(new Map([...answers, [node.name, this.own()]])),
      endpoints: services.endpoints(),
      written: traffic.serviceDocuments().map(({ namespace, name }) => `${namespace}/${name}`),
      entities: catalog.all(),
      find: (ref) => catalog.get(ref),
      openApis: this.#openApis,
      access: access.rules,
      policies: traffic.policies(),
      routes: traffic.rules.routes,
      hasObjective,
      nowMs: Date.now(),
    });
    return { view, coverage };
  }

  async services(): ReturnType<CatalogReader['services']> {
    const { view, coverage } = await this.view();
    return { services: view.rows(), coverage };
  }

  async service(id: string): ReturnType<CatalogReader['service']> {
    const { view, coverage } = await this.view();
    return { service: view.detail(id), coverage };
  }

  async scorecard(): Promise<Scorecard & { readonly coverage: Coverage }> {
    const { view, coverage } = await this.view();
    return { ...view.scorecard(), coverage };
  }

  entities(): readonly DeclaredEntity[] {
    return this.#options.documents.catalog.all();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#parts.disposeAsync();
  }

  #others(): Promise<MeshAnswers<NodeCatalog>> {
    const atMs = performance.now();
    if (this.#asked === undefined || atMs - this.#asked.atMs > KEPT_MS) {
      this.#asked = { atMs, answers: this.#running.queries.ask<object, NodeCatalog>({ name: TOPIC }, {}) };
    }
    return this.#asked.answers;
  }

  #certificates(): NodeCatalog['certificates'] {
    const { enrolment, svids } = this.#running;
    const byIdentity = new Map(svids.svids().map((svid) => [svid.spiffeId, svid]));
    return enrolment.view().flatMap(({ workload, identity }) => {
      const svid = byIdentity.get(identity);
      if (svid === undefined) return [];
      const { expiresAtMs, notBeforeMs } = svid;
      return [{ service: serviceId(workload), expiresMs: expiresAtMs, lifeMs: expiresAtMs - notBeforeMs }];
    });
  }
}
