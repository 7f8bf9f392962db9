/** All of an agent that has to do with documents, put together: compiler, consumers, keeper, and answers about them. @module */
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { RevocationEntry } from '../../certs/revocation.ts';
import { Revocations } from '../../certs/revocation.ts';
import type { Rotation } from '../../certs/root-rotation.ts';
import type { DocumentNote } from '../../gossip/documents/note.ts';
import type { DocumentKey, Held } from '../../gossip/documents/revision.ts';
import type { AccessRules } from '../../proxy/access/policy.ts';
import type { TrafficRules } from '../../proxy/traffic/rules.ts';
import { AccessKeeper } from '../access/access-keeper.ts';
import { adviceOnPermissive, adviceOnPolicy, type KnownService } from '../access/advice.ts';
import { DocumentAudit } from '../audit/document-records.ts';
import type { AuditRecorder } from '../audit/trail.ts';
import { DeclaredEntities } from '../catalog/declared/entities.ts';
import { Objectives } from '../observe/objectives.ts';
import { DocumentDelay } from '../telemetry/document-delay.ts';
import type { CompiledService } from '../traffic/compiled.ts';
import type { RunningService } from '../traffic/service-facts.ts';
import { TrafficAdvisor, type TrafficSight } from '../traffic/traffic-advisor.ts';
import { TrafficKeeper } from '../traffic/traffic-keeper.ts';
import { weftVersion } from '../version.ts';
import type { CompiledAccessPolicy } from './access-policy.ts';
import { Compiler } from './compiler.ts';
import type { DocumentMesh } from './keeper.ts';
import { DocumentKeeper } from './keeper.ts';
import { LastGood } from './last-good.ts';
import { type MeshConfig, MeshConfigConsumer, meshAccessOf } from './mesh-config.ts';
import { RevocationConsumer } from './revocation.ts';
import { DocumentService } from './service.ts';
import type { CompiledObjective } from './service-level-objective.ts';
import { TrustBundleConsumer } from './trust-bundle.ts';

export interface AgentDocumentsOptions {
  readonly node: string;
  readonly dataDirectory: string;
  readonly audit: AuditRecorder;
  readonly log: Logger;
  /** Takes all access rules, each time something about them changed. */
  readonly accessChanged: (rules: AccessRules) => void;
  /** The same for traffic. */
  readonly trafficChanged: (rules: TrafficRules) => void;
  /** Takes all services that documents declare, each time one of them changed. */
  readonly servicesWritten: (services: readonly CompiledService[]) => void;
  readonly trustDomain: string;
  /** Takes all revocations, each time there are others; before anybody is told that they are in use. */
  readonly revoked: (revocations: Revocations) => void;
  /** Takes the roots to trust into use. Rejects when it does not follow them. */
  readonly followRoots: (rotation: Rotation) => Promise<void>;
  /** Services of the mesh, for hints to writers. */
  readonly services: () => readonly (KnownService & RunningService)[];
  /** One of them by 'namespace/service'. */
  readonly service: (id: string) => RunningService | undefined;
  readonly endpoints: TrafficSight['endpoints'];
  readonly callers: TrafficSight['callers'];
}

export class AgentDocuments implements AsyncDisposable {
  readonly #compiler = new Compiler();
  readonly access: AccessKeeper;
  readonly traffic: TrafficKeeper;
  readonly advisor: TrafficAdvisor;
  readonly catalog = new DeclaredEntities();
  readonly objectives = new Objectives();
  readonly #meshConfig: MeshConfigConsumer;
  /** From writing to use. */
  readonly delay = new DocumentDelay(Date.now());
  readonly #services: AgentDocumentsOptions['services'];
  readonly #audit: DocumentAudit;
  readonly #keeper: DocumentKeeper;
  readonly #revoked: AgentDocumentsOptions['revoked'];
  #revocations = new Revocations();

  constructor({
    node,
    dataDirectory,
    audit,
    log,
    accessChanged,
    trafficChanged,
    servicesWritten,
    trustDomain,
    service,
    endpoints,
    callers,
    revoked,
    followRoots,
    services,
  }: AgentDocumentsOptions) {
    this.#audit = new DocumentAudit(audit);
    this.#services = services;
    this.#revoked = revoked;
    this.access = new AccessKeeper({ changed: accessChanged, log });
    this.traffic = new TrafficKeeper({ changed: trafficChanged, servicesWritten, trustDomain, service });
    this.advisor = new TrafficAdvisor(this.traffic, { services, endpoints, callers });
    this.#meshConfig = new MeshConfigConsumer(
      (mesh) => this.access.meshChanged(mesh),
      (mesh) => this.traffic.meshChanged(mesh),
    );
    this.#keeper = new DocumentKeeper({
      node,
      version: weftVersion(),
      consumers: [
        this.#meshConfig,
        this.access,
        new RevocationConsumer(),
        new TrustBundleConsumer(followRoots),
        ...this.traffic.consumers,
        ...this.catalog.consumers,
        this.objectives.consumer,
      ],
      compiler: this.#compiler,
      audit: this.#audit,
      applied: (revision, writtenAtMs) => this.delay.applied(revision, writtenAtMs, Date.now()),
      lastGood: new LastGood(join(dataDirectory, 'documents-in-use.json')),
      log,
    });
  }

  /** Resolves when what was in use before this start is in use again. */
  async start(mesh: DocumentMesh): Promise<DocumentService> {
    await this.#keeper.start(mesh);
    this.access.open();
    this.traffic.open();
    const parts = { mesh, keeper: this.#keeper, compiler: this.#compiler, audit: this.#audit };
    return new DocumentService({
      ...parts,
      advise: (key, value) => this.#advise(key, value),
      affected: (key, value) => this.advisor.affected(key, value),
      about: (key) => {
        const parents = this.traffic.statusOf(key);
        return { status: parents === undefined ? null : { parents }, advice: this.advisor.onUse(key) };
      },
      version: weftVersion(),
    });
  }

  /** What the mesh says of itself. */
  meshConfig(): MeshConfig {
    return this.#meshConfig.current;
  }

  /** What is revoked at this moment. */
  get revocations(): Revocations {
    return this.#revocations;
  }

  revocationsChanged(entries: readonly RevocationEntry[]): void {
    this.#revocations = new Revocations(entries);
    this.#revoked(this.#revocations);
  }

  documentsGone(keys: readonly DocumentKey[]): void {
    this.#keeper.gone(keys);
  }

  members(): void {
    this.#keeper.membersChanged();
  }

  documents(heads: readonly Held[]): void {
    this.#keeper.heads(heads);
  }

  noted(notes: readonly DocumentNote[]): void {
    this.#audit.noted(notes);
  }

  report(node: string, report: Uint8Array | undefined): void {
    this.#keeper.reported(node, report);
  }

  #advise(key: DocumentKey, value: unknown): readonly string[] {
    const { kind } = key;
    const [services, nowMs] = [this.#services(), Date.now()];
    if (kind === this.access.kind) return adviceOnPolicy(value as CompiledAccessPolicy, services, nowMs);
    if (kind === this.#meshConfig.kind) return adviceOnPermissive(meshAccessOf(value).permissive, services, nowMs);
    if (kind === this.objectives.consumer.kind) {
      const known = new Set(services.map(({ id }) => id));
      return this.objectives.advice(key, value as CompiledObjective, known);
    }
    return this.advisor.onWrite(key, value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.access[Symbol.dispose]();
    this.traffic[Symbol.dispose]();
    await this.#compiler.close();
    await this.#keeper.close();
  }
}
