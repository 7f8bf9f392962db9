/**
 * The start of the mesh thread. A successor loads it before it is its turn, so that peers miss this node for as short a time
 * as can be.
 * @module
 */
import { MeshThread, type MeshThreadOptions, type Succession } from '../threads/mesh.ts';

export interface MeshStartOptions extends Omit<MeshThreadOptions, 'succeeds'> {
  readonly isSuccessor: boolean;
  readonly signal: AbortSignal;
}

export class MeshStart implements AsyncDisposable {
  readonly #options: MeshStartOptions;
  readonly #succession = Promise.withResolvers<Succession>();
  readonly #giveUp = new AbortController();
  readonly #early: Promise<MeshThread> | undefined;

  constructor(options: MeshStartOptions) {
    this.#options = options;
    this.#early = options.isSuccessor ? this.#start(this.#succession.promise) : undefined;
    this.#early?.catch(() => {}); // told by `now`, where it is waited for
  }

  /** Resolves when the thread is up. Whoever calls closes it. @param succession what a predecessor's mesh is told first */
  now(succession: Succession): Promise<MeshThread> {
    this.#succession.resolve(succession);
    return this.#early ?? this.#start();
  }

  /** A thread that still waits for its turn ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#giveUp.abort();
    await this.#early?.catch(() => {});
  }

  #start(succeeds?: Promise<Succession>): Promise<MeshThread> {
    const { isSuccessor: _, signal, ...options } = this.#options;
    return MeshThread.start(
      { ...options, ...(succeeds === undefined ? {} : { succeeds }) },
      AbortSignal.any([signal, this.#giveUp.signal]),
    );
  }
}
