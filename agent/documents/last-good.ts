/**
 * Which revisions this node had in use, on disk: what it falls back to when a newer one is no good, and what it begins
 * with when it starts alone.
 *
 * A revision is counted as tried before it is taken into use, and the count is cleared a while after. A process that ends
 * in between finds the count at its next start: once may have been chance, twice is taken for the revision's doing.
 * @module
 */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { z } from 'zod';
import { writeFileAtomic } from '../files.ts';

const id = z.string().regex(/^[0-9a-f]{32}$/);
const contents = z.object({
  version: z.literal(1),
  /** Per document, latest first. */
  good: z.record(z.string(), z.array(id).max(2)),
  /** How often each revision was begun to be used without coming to a good end. */
  tries: z.record(id, z.int().min(1)),
});

type Contents = z.output<typeof contents>;

const NOTHING: Contents = { version: 1, good: {}, tries: {} };
const MAX_TRIES = 2;
/** Revisions counted at a time; the oldest are forgotten. */
const MAX_COUNTED = 1_000;

export class LastGood {
  readonly #file: string;
  #contents: Contents;
  #writing: Promise<void> | undefined;
  #isDirty = false;

  /** Reads the file; one that cannot be read is set aside, and all begins anew. */
  constructor(file: string) {
    this.#file = file;
    this.#contents = read(file);
  }

  /** The revisions of a document that were in use, latest first. */
  of(key: string): readonly string[] {
    return this.#contents.good[key] ?? [];
  }

  keys(): readonly string[] {
    return Object.keys(this.#contents.good);
  }

  /** Whether this process ended every time it tried that revision. */
  isFatal(revision: string): boolean {
    return (this.#contents.tries[revision] ?? 0) >= MAX_TRIES;
  }

  /** A revision is about to be taken into use. Resolves when that is on disk. */
  trying(revision: string): Promise<void> {
    const { [revision]: count = 0, ...others } = this.#contents.tries;
    const kept = Object.entries(others).slice(1 - MAX_COUNTED);
    return this.#change({ tries: Object.fromEntries([...kept, [revision, count + 1]]) });
  }

  /** It was taken into use, or not, and this process still lives. */
  tried(revision: string): Promise<void> {
    const { [revision]: _count, ...tries } = this.#contents.tries;
    return this.#change({ tries });
  }

  /** All that is being tried has come to a good end. */
  allTried(): Promise<void> {
    const isOver = ([, count]: [string, number]): boolean => count >= MAX_TRIES;
    return this.#change({ tries: Object.fromEntries(Object.entries(this.#contents.tries).filter(isOver)) });
  }

  isGood(key: string, revision: string): Promise<void> {
    const others = this.of(key).filter((one) => one !== revision);
    return this.#change({ good: { ...this.#contents.good, [key]: [revision, ...others.slice(0, 1)] } });
  }

  /** It worked here, but not elsewhere. */
  isNoGood(key: string, revision: string): Promise<void> {
    const others = this.of(key).filter((one) => one !== revision);
    return this.#change({ good: { ...this.#contents.good, [key]: others } });
  }

  forget(key: string): Promise<void> {
    const { [key]: _gone, ...good } = this.#contents.good;
    return this.#change({ good });
  }

  #change(change: Partial<Contents>): Promise<void> {
    this.#contents = { ...this.#contents, ...change };
    this.#isDirty = true;
    this.#writing ??= this.#writeWhileDirty().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #writeWhileDirty(): Promise<void> {
    while (this.#isDirty) {
      this.#isDirty = false;
      await writeFileAtomic(this.#file, `${JSON.stringify(this.#contents)}\n`);
    }
  }
}

function read(file: string): Contents {
  if (!existsSync(file)) return NOTHING;
  try {
    return contents.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    renameSync(file, `${file}.damaged`);
    return NOTHING;
  }
}
