/**
 * Which namespaces hold our rules, on disk: after a kill -9 or a crash the next start knows what to clean up. @module
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { systemCode } from '../errors.ts';
import { writeFileAtomic } from '../files.ts';
import { CaptureError } from './errors.ts';
import { isSameNamespace, type Linux, type NamespaceIdentity } from './linux.ts';
import { findNamespace, Namespace, type NamespaceLocator } from './namespace.ts';
import { removeCapture } from './releases.ts';

export interface CaptureEntry {
  readonly unit: string;
  readonly identity: NamespaceIdentity;
  readonly locator: NamespaceLocator;
}

const locatorSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('path'), path: z.string() }),
  z.object({ kind: z.literal('pid'), pid: z.int(), startTicks: z.int().exactOptional() }),
  z.object({ kind: z.literal('host') }),
]);
/** Not strict: fields that a newer agent adds must not stop an older one from cleaning up. */
const stateSchema = z.object({
  version: z.literal(1),
  captures: z.array(
    z.object({
      unit: z.string(),
      identity: z.object({ device: z.int(), inode: z.int() }),
      locator: locatorSchema,
    }),
  ),
});

export class CaptureState {
  readonly #file: string;
  readonly #entries = new Map<string, CaptureEntry>();
  /** The write under way or waiting; changes made before it begins are part of it. */
  #writing: Promise<void> = Promise.resolve();
  #queued: Promise<void> | undefined;

  private constructor(file: string, entries: readonly CaptureEntry[]) {
    this.#file = file;
    for (const entry of entries) this.#entries.set(entry.unit, entry);
  }

  /** @throws CaptureError when the file is there and is not one of ours */
  static load(file: string): CaptureState {
    return new CaptureState(file, readEntries(file));
  }

  entries(): readonly CaptureEntry[] {
    return [...this.#entries.values()];
  }

  /** Resolves once it is on disk. Replaces what was known of the same unit, or of the same namespace. */
  put(entry: CaptureEntry): Promise<void> {
    for (const other of this.entries()) {
      if (isSameNamespace(other.identity, entry.identity)) this.#entries.delete(other.unit);
    }
    this.#entries.set(entry.unit, entry);
    return this.#save();
  }

  delete(unit: string): Promise<void> {
    return this.#entries.delete(unit) ? this.#save() : this.#writing;
  }

  #save(): Promise<void> {
    this.#queued ??= this.#writing
      .catch(() => {}) // whoever asked for that write was told
      .then(() => {
        this.#queued = undefined;
        return writeFileAtomic(
          this.#file,
          `${JSON.stringify({ version: 1, captures: this.entries() }, undefined, 2)}\n`,
        );
      });
    this.#writing = this.#queued;
    return this.#writing;
  }
}

export interface Recovery {
  /** Namespaces whose rules stay, because they will be captured again. */
  readonly kept: readonly CaptureEntry[];
  /** Namespaces whose rules were removed. */
  readonly removed: readonly CaptureEntry[];
  /** Namespaces that no longer exist, and their rules with them. */
  readonly gone: readonly CaptureEntry[];
  /** Namespaces whose rules could not be removed. They stay on the list. */
  readonly failed: readonly { readonly entry: CaptureEntry; readonly err: unknown }[];
}

/**
 * Cleans up after an agent that did not get to: removes our rules from every namespace of the list that is not wanted any
 * more. Until capture is installed anew, workloads in the wanted ones can not connect: better than unprotected.
 *
 * @param options.wanted the namespaces that are about to be captured
 */
export async function recoverCaptures(
  linux: Linux,
  options: { readonly state: CaptureState; readonly wanted: readonly NamespaceIdentity[] },
): Promise<Recovery> {
  const { state, wanted } = options;
  const recovery = {
    kept: [] as CaptureEntry[],
    removed: [] as CaptureEntry[],
    gone: [] as CaptureEntry[],
    failed: [] as { entry: CaptureEntry; err: unknown }[],
  };
  for (const entry of state.entries()) {
    if (wanted.some((identity) => isSameNamespace(identity, entry.identity))) {
      recovery.kept.push(entry);
      continue;
    }
    try {
      const wasThere = await removeFrom(linux, entry);
      recovery[wasThere ? 'removed' : 'gone'].push(entry);
      await state.delete(entry.unit);
    } catch (err) {
      recovery.failed.push({ entry, err });
    }
  }
  return recovery;
}

async function removeFrom(linux: Linux, entry: CaptureEntry): Promise<boolean> {
  using namespace = reopen(linux, entry);
  if (namespace === undefined) return false;
  await removeCapture(linux, namespace.fd);
  return true;
}

/** The way it was found may lead nowhere, or to another namespace, while a process still lives in the one we mean. */
function reopen(linux: Linux, { locator, identity }: CaptureEntry): Namespace | undefined {
  try {
    const found = Namespace.open(linux, locator);
    if (found.isSame(identity)) return found;
    found.close();
  } catch (err) {
    if (!(err instanceof CaptureError) || err.code === 'WEFT_CAPTURE_NOT_PERMITTED') throw err;
  }
  return findNamespace(linux, identity);
}

function readEntries(file: string): readonly CaptureEntry[] {
  try {
    return stateSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).captures;
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return [];
    throw new CaptureError('WEFT_CAPTURE_STATE_UNREADABLE', file, { cause });
  }
}
