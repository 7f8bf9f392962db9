/**
 * Notices that the bundle directory changed, whoever changed it. The kernel says when to look; a slow poll finds what it
 * did not say, such as a directory that was replaced.
 * @module
 */
import { type FSWatcher, watch } from 'node:fs';
import type { Logger } from 'pino';

/** Files of a bundle are put in place one after the other. */
const SETTLE_MS = 100;
const POLL_MS = 30_000;

export interface BundleWatchOptions {
  readonly directory: string;
  readonly changed: () => void;
  readonly log: Logger;
}

export class BundleWatch implements Disposable {
  readonly #options: BundleWatchOptions;
  readonly #poll: NodeJS.Timeout;
  #watcher: FSWatcher | undefined;
  #settle: NodeJS.Timeout | undefined;

  constructor(options: BundleWatchOptions) {
    this.#options = options;
    this.#poll = setInterval(() => this.#look(), POLL_MS).unref();
    this.#open();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#poll);
    clearTimeout(this.#settle);
    this.#watcher?.close();
  }

  #look(): void {
    this.#watcher?.close();
    this.#open(); // of whatever has the name by now
    this.#options.changed();
  }

  #open(): void {
    try {
      const watcher = watch(this.#options.directory, { persistent: false }, () => {
        this.#settle ??= setTimeout(() => {
          this.#settle = undefined;
          this.#options.changed();
        }, SETTLE_MS).unref();
      });
      watcher.on('error', () => watcher.close());
      this.#watcher = watcher;
    } catch (err) {
      this.#options.log.debug({ err }, 'the bundle directory cannot be watched; it is looked at now and then');
    }
  }
}
