/**
 * Where documents are asked for and handed in: writes that answer once they are on disk, and queries.
 * @module
 */
import type { Chain } from '../documents/chain.ts';
import type { RestoreOutcome, WriteOutcome } from '../documents/outcome.ts';
import type { DocumentQueries, DocumentQuery } from '../documents/query.ts';
import { findRevisions, listHeads, snapshotPage } from '../documents/query.ts';
import type { Revision } from '../documents/revision.ts';
import { keyText } from '../documents/revision.ts';
import type { Disk } from './disk.ts';
import type { Driver } from './driver.ts';

export class DocumentDesk {
  readonly #driver: Driver;
  readonly #disk: Disk;

  constructor(driver: Driver, disk: Disk) {
    this.#driver = driver;
    this.#disk = disk;
  }

  /**
   * Takes an operator's signed revision; it is on disk here and on its way to the others when this resolves.
   *
   * @param options.isDryRun judge only
   */
  async write(revision: Revision, { isDryRun = false } = {}): Promise<WriteOutcome> {
    const outcome = this.#driver.ask({ kind: 'document-write', revision, isDryRun });
    try {
      await this.#disk.kept;
      return outcome;
    } catch (err) {
      return outcome.kind === 'written' ? { ...outcome, notOnDisk: err instanceof Error ? err.message : '' } : outcome;
    }
  }

  /** Takes the revisions of a snapshot, as far as they are news; nothing goes back to an older revision. */
  async restore(revisions: readonly Revision[]): Promise<RestoreOutcome> {
    const outcome = this.#driver.ask({ kind: 'documents-restore', revisions });
    await this.#disk.kept;
    return outcome;
  }

  /** All documents with the revisions kept of each, by key. */
  chains(): Iterable<[string, Chain]> {
    return this.#driver.core.documents?.library.chains() ?? [];
  }

  /** All revisions that are worth a place on disk. */
  kept(): Iterable<Revision> {
    return this.#driver.core.documents?.library.kept() ?? [];
  }

  chain(key: string): Chain | undefined {
    return this.#driver.core.documents?.library.get(key);
  }

  /** Answers a question about documents; see documents/query.ts for what is asked and answered. */
  async query<Q extends DocumentQuery>(
    query: Q,
    ask: DocumentQueries[Q]['ask'],
  ): Promise<DocumentQueries[Q]['answer']> {
    const answers: { readonly [K in DocumentQuery]: (ask: DocumentQueries[K]['ask']) => unknown } = {
      write: ({ revision, isDryRun }) => this.write(revision, { isDryRun }),
      restore: ({ revisions }) => this.restore(revisions),
      list: (wanted) => listHeads(this.chains(), wanted),
      history: (key) => this.chain(keyText(key))?.standings() ?? [],
      find: ({ idPrefix }) => findRevisions(this.chains(), idPrefix),
      snapshot: ({ after }) => snapshotPage(this.chains(), after),
    };
    return (await answers[query](ask)) as DocumentQueries[Q]['answer'];
  }
}
