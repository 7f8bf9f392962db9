/**
 * What a node shows of an owner is a page that this owner published, all of it and nothing else, and never one older
 * than the node has shown before. So no deleted key comes back, no two pages are mixed, and nothing that the owner did
 * not sign is ever applied.
 * @module
 */
import type { PageVersion, ShownPage } from '../world/pages.ts';
import { fingerprint } from '../world/pages.ts';
import type { Process } from '../world/process.ts';
import type { Invariant, Report } from './invariant.ts';

export class WholePages implements Invariant {
  readonly #report: Report;
  /** Per owner, what each of its pages holds. */
  readonly #published = new Map<string, Map<number, string>>();
  /** Per node, the newest page it showed of an owner before it withdrew that owner. */
  readonly #withdrawn = new WeakMap<Process, Map<string, number>>();

  constructor(report: Report) {
    this.#report = report;
  }

  published(process: Process, page: PageVersion): void {
    this.known(process.name, page);
  }

  known(owner: string, page: PageVersion): void {
    let pages = this.#published.get(owner);
    if (pages === undefined) {
      pages = new Map();
      this.#published.set(owner, pages);
    }
    pages.set(page.number, fingerprint(page.endpoints));
  }

  showed(viewer: Process, owner: string, page: ShownPage | undefined, before: ShownPage | undefined): void {
    const newest = before?.number ?? this.#withdrawn.get(viewer)?.get(owner) ?? 0;
    if (page === undefined) {
      let withdrawn = this.#withdrawn.get(viewer);
      if (withdrawn === undefined) {
        withdrawn = new Map();
        this.#withdrawn.set(viewer, withdrawn);
      }
      withdrawn.set(owner, newest);
      return;
    }
    const published = page.number === undefined ? undefined : this.#published.get(owner)?.get(page.number);
    if (published === undefined || published !== fingerprint(page.endpoints.values())) {
      this.#report('whole-pages', `${viewer.name} shows of ${owner} what it never published: ${summary(page)}`);
    } else if (page.number! < newest) {
      this.#report('whole-pages', `${viewer.name} shows page ${page.number} of ${owner} after page ${newest}`);
    }
  }
}

function summary(page: ShownPage): string {
  return `${page.number ?? 'no number'}, ${page.endpoints.size} endpoints, ${[...page.endpoints.keys()].slice(0, 3).join(' ')}`;
}
