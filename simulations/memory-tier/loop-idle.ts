/**
 * Knows when the event loop has nothing left to do but to wait for timers: no immediate is planned, and no request is with
 * the thread pool (crypto, files). Between two looks the loop turns once, so all promises have run their course.
 *
 * This is the rule by which virtual time moves: whatever was begun at an instant is done before the next instant comes,
 * however long it really takes. Without it a handshake would take more virtual time on a busy machine than on an idle one.
 * @module
 */
import { type AsyncHook, createHook } from 'node:async_hooks';

/** Requests of files, and jobs of node:crypto and zlib, by the names that Node gives their resources. */
const FILE_REQUEST = /^(FSREQ|FILEHANDLECLOSEREQ)/;
const JOB = /REQUEST$/;
/** As many turns without anything to do, one after another, and the loop is idle. */
const QUIET_TURNS = 2;

export class LoopIdle implements Disposable {
  readonly #files = new Set<number>();
  readonly #jobs = new Map<number, object>();
  readonly #immediates = new Set<NodeJS.Immediate>();
  #subtleCalls = 0;
  readonly #hook: AsyncHook;
  readonly #setImmediate = globalThis.setImmediate;
  readonly #clearImmediate = globalThis.clearImmediate;
  readonly #undo: (() => void)[] = [];

  constructor() {
    const gone = (id: number): void => {
      this.#files.delete(id);
      this.#jobs.delete(id);
    };
    this.#hook = createHook({
      init: (id, type, _trigger, resource) => {
        if (FILE_REQUEST.test(type)) this.#files.add(id);
        else if (JOB.test(type)) this.#jobs.set(id, resource);
      },
      before: gone,
      destroy: gone,
    }).enable();
    globalThis.setImmediate = this.#plan.bind(this) as typeof setImmediate;
    globalThis.clearImmediate = (immediate) => {
      if (immediate !== undefined) this.#immediates.delete(immediate);
      this.#clearImmediate(immediate);
    };
    this.#countSubtleCalls();
  }

  /** Resolves when nothing is left to do at this instant. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#setImmediate(resolve);
      await promise;
      if (this.#isBusy()) quiet = -1;
    }
  }

  [Symbol.dispose](): void {
    this.#hook.disable();
    globalThis.setImmediate = this.#setImmediate;
    globalThis.clearImmediate = this.#clearImmediate;
    for (const undo of this.#undo.splice(0)) undo();
  }

  #plan(callback: (...args: unknown[]) => void, ...args: unknown[]): NodeJS.Immediate {
    const immediate = this.#setImmediate(() => {
      this.#immediates.delete(immediate);
      callback(...args);
    });
    this.#immediates.add(immediate);
    return immediate;
  }

  /** Its jobs look like those that are done at once, so they are counted where they are asked for. */
  #countSubtleCalls(): void {
    const owner: object = Object.getPrototypeOf(crypto.subtle);
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(owner))) {
      if (typeof value !== 'function' || name === 'constructor') continue;
      const counting = (...args: unknown[]): unknown => {
        const answer: unknown = Reflect.apply(value, crypto.subtle, args);
        if (!(answer instanceof Promise)) return answer;
        this.#subtleCalls++;
        return answer.finally(() => {
          this.#subtleCalls--;
        });
      };
      Object.defineProperty(owner, name, { value: counting, configurable: true, writable: true });
      this.#undo.push(() => Object.defineProperty(owner, name, { value, configurable: true, writable: true }));
    }
  }

  #isBusy(): boolean {
    if (this.#immediates.size > 0 || this.#files.size > 0 || this.#subtleCalls > 0) return true;
    for (const [id, job] of this.#jobs) {
      // One that was done at once, within the call, has nobody to call back.
      if (typeof Reflect.get(job, 'ondone') === 'function') return true;
      this.#jobs.delete(id);
    }
    return false;
  }
}
