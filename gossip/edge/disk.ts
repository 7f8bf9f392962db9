/**
 * What gossip keeps on disk: its own small state, and the log of documents. What cannot be written is said in the log and
 * written again with the next change; the mesh goes on meanwhile.
 * @module
 */
import type { Logger } from 'pino';
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import type { Revision } from '../documents/revision.ts';
import type { Effect } from '../effects.ts';
import { DocumentStore } from './document-store.ts';
import { GossipStore } from './store.ts';

/** The effects that must survive a restart. */
export type Keeping = Extract<Effect, { kind: 'keep-epoch' | 'remember-peers' | 'keep-revisions' }>;

export interface DiskOptions {
  readonly dataDirectory: string;
  readonly identity: NodeIdentity;
  readonly log: Logger;
  /** What is worth keeping when the log of documents is written anew. */
  readonly kept: () => Iterable<Revision>;
}

export class Disk {
  readonly store: GossipStore;
  /** The revisions that were found. */
  readonly revisions: readonly Revision[];
  readonly #documents: DocumentStore;
  readonly #log: Logger;
  #kept: Promise<void> = Promise.resolve();

  /** @throws GossipError when the directory cannot be used, or belongs to another trust domain */
  static async open({ dataDirectory, identity, log, kept }: DiskOptions): Promise<Disk> {
    const owner = { trustDomain: identity.trustDomain, name: identity.name };
    const { store, damage } = await GossipStore.open(dataDirectory, owner, Date.now());
    if (damage !== undefined) log.warn({ err: damage }, 'gossip state was damaged and set aside, starting without it');
    const documents = await DocumentStore.open(dataDirectory, identity.trustDomain, kept);
    if (documents.damage !== undefined) log.warn({ damage: documents.damage }, 'documents on disk were damaged');
    return new Disk({ store, documents: documents.store, revisions: documents.revisions, log });
  }

  private constructor(parts: {
    store: GossipStore;
    documents: DocumentStore;
    revisions: readonly Revision[];
    log: Logger;
  }) {
    this.store = parts.store;
    this.revisions = parts.revisions;
    this.#documents = parts.documents;
    this.#log = parts.log;
  }

  perform(effect: Keeping): void {
    switch (effect.kind) {
      case 'keep-epoch':
        this.#watch(this.store.keepEpoch(effect.epoch));
        break;
      case 'remember-peers':
        this.#watch(this.store.rememberPeers(effect.addresses));
        break;
      case 'keep-revisions':
        this.#kept = this.#documents.keep(effect.revisions);
        this.#watch(this.#kept);
        break;
    }
  }

  /** Resolves when the last revisions to be kept are on disk; rejects when they could not be written. */
  get kept(): Promise<void> {
    return this.#kept;
  }

  close(): Promise<void> {
    return this.#documents.close();
  }

  #watch(writing: Promise<void>): void {
    writing.catch((err: unknown) => this.#log.error({ err }, 'gossip state could not be written'));
  }
}
