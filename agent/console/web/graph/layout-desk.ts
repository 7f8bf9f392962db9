/**
 * Asks the worker for places: only the newest question is answered. Where a worker cannot start, fails or is silent, the page's
 * own thread works the answer out, with code that it loads then.
 * @module
 */
import { ApiError } from '../state/api.ts';
import { type PackedAsk, type PackedPlaces, type PlacesAsked, type PlacesFound, packed } from './places-asked.ts';

/** A layout of 1,000 services takes 50 ms; a worker that says nothing for this long has no code, or no turn. */
const SILENT_MS = 3_000;

export interface WorkerTells {
  readonly onFound: (found: PackedPlaces) => void;
  /** It could not start, or threw. */
  readonly onFailed: () => void;
}
export interface LayoutWorker {
  ask(message: PackedAsk): void;
  end(): void;
}

interface Question {
  readonly number: number;
  readonly asked: PlacesAsked;
  readonly late: ReturnType<typeof setTimeout>;
  /** undefined: of no use any more. */
  readonly answer: (found: PlacesFound | undefined) => void;
  readonly fail: (error: ApiError) => void;
}

export class LayoutDesk {
  readonly #make: (tells: WorkerTells) => LayoutWorker;
  #worker: LayoutWorker | undefined;
  #isWithout = false;
  #newest = 0;
  #open: Question | undefined;

  constructor(make: (tells: WorkerTells) => LayoutWorker) {
    this.#make = make;
  }

  /** Before the first question, so that the worker has its code by then. */
  start(): void {
    if (this.#worker !== undefined || this.#isWithout) return;
    try {
      this.#worker = this.#make({ onFound: (found) => this.#take(found), onFailed: () => this.#goWithout() });
    } catch {
      this.#isWithout = true; // the browser has none, or its policy allows none
    }
  }

  /**
   * Fails where no code could be loaded to work it out with; asked again, a worker is tried again.
   *
   * @returns undefined where a newer question was asked meanwhile, or the desk was closed
   */
  ask(asked: PlacesAsked): Promise<PlacesFound | undefined> {
    this.start();
    this.#end(undefined);
    return new Promise((answer, fail) => {
      const late = setTimeout(() => void this.#answerHere(), SILENT_MS);
      this.#open = { number: ++this.#newest, asked, late, answer, fail };
      if (this.#worker === undefined) void this.#answerHere();
      else this.#worker.ask(packed(asked, this.#newest));
    });
  }

  close(): void {
    this.#end(undefined);
    this.#worker?.end();
    this.#worker = undefined;
  }

  #take({ number, outer, inner }: PackedPlaces): void {
    if (number === this.#open?.number) this.#end({ outer, inner });
  }

  #goWithout(): void {
    this.#worker?.end();
    this.#worker = undefined;
    this.#isWithout = true;
    void this.#answerHere();
  }

  async #answerHere(): Promise<void> {
    const question = this.#open;
    if (question === undefined) return;
    const code = await import('./placing.ts').catch(() => undefined);
    if (question !== this.#open) return;
    if (code !== undefined) return this.#end(code.placesFor(question.asked));
    this.#isWithout = false;
    question.fail(unloaded('layout'));
    this.#end(undefined);
  }

  #end(found: PlacesFound | undefined): void {
    const question = this.#open;
    this.#open = undefined;
    clearTimeout(question?.late);
    question?.answer(found);
  }
}

/** What the graph says where a part of its code is missing. */
export function unloaded(part: 'layout' | 'drawing'): ApiError {
  return new ApiError(0, `${part}-not-loaded`, `The graph is not shown: the code of its ${part} could not be loaded.`);
}
