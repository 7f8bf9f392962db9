/** All of an agent that has to do with documents, put together: compiler, consumers, keeper, and answers about them. @module */
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { DocumentNote } from '../../gossip/documents/note.ts';
import type { Held } from '../../gossip/documents/revision.ts';
import { DocumentAudit } from '../audit/document-records.ts';
import type { AuditRecorder } from '../audit/trail.ts';
import { weftVersion } from '../version.ts';
import { Compiler } from './compiler.ts';
import type { DocumentMesh } from './keeper.ts';
import { DocumentKeeper } from './keeper.ts';
import { LastGood } from './last-good.ts';
import { type MeshConfig, MeshConfigConsumer } from './mesh-config.ts';
import { DocumentService } from './service.ts';

export interface AgentDocumentsOptions {
  readonly node: string;
  readonly dataDirectory: string;
  readonly audit: AuditRecorder;
  readonly log: Logger;
}

export class AgentDocuments implements AsyncDisposable {
  readonly #compiler = new Compiler();
  readonly #meshConfig = new MeshConfigConsumer();
  readonly #audit: DocumentAudit;
  readonly #keeper: DocumentKeeper;

  constructor({ node, dataDirectory, audit, log }: AgentDocumentsOptions) {
    this.#audit = new DocumentAudit(audit);
    this.#keeper = new DocumentKeeper({
      node,
      version: weftVersion(),
      consumers: [this.#meshConfig],
      compiler: this.#compiler,
      audit: this.#audit,
      lastGood: new LastGood(join(dataDirectory, 'documents-in-use.json')),
      log,
    });
  }

  /** Resolves when what was in use before this start is in use again. */
  async start(mesh: DocumentMesh): Promise<DocumentService> {
    await this.#keeper.start(mesh);
    const parts = { mesh, keeper: this.#keeper, compiler: this.#compiler, audit: this.#audit };
    return new DocumentService({ ...parts, version: weftVersion() });
  }

  /** What the mesh says of itself. */
  meshConfig(): MeshConfig {
    return this.#meshConfig.current;
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#compiler.close();
    await this.#keeper.close();
  }
}
