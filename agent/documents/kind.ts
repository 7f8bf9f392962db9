/** What a kind of document is to this version of the agent: how it is checked, and who takes it into use. @module */
import type { z } from 'zod';
import type { DocumentKey } from '../../gossip/documents/revision.ts';
import { problemOf } from '../problem.ts';
import type { Resource } from './resource.ts';

/** A kind that this version understands. Plain functions without state: they run in a worker and in the CLI as well. */
export interface DocumentKind {
  readonly kind: string;
  /** Of the whole resource; names mistakes by field, so that the CLI can name them by line. */
  readonly schema: z.ZodType;
  /** Taken into use at once everywhere, and never held back. */
  readonly isUrgent?: true;
  /**
   * From a resource to what the consumer takes, as plain data that crosses threads. Runs off the data path and under a
   * watchdog, so it may be as thorough as it likes.
   */
  compile(resource: Resource): Compiled;
}

export type Compiled =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: string };

/** Whoever takes compiled documents of one kind into use, in the control thread. */
export interface DocumentConsumer {
  readonly kind: string;
  /**
   * From now on this holds. Throws when it cannot be taken into use; then what held before still must.
   *
   * @param revision its id
   * @param writtenAtMs when it was written, on the clock of its author
   */
  activate(key: DocumentKey, value: unknown, revision: string, writtenAtMs?: number): void | Promise<void>;
  /** The document is gone. */
  deactivate(key: DocumentKey): void | Promise<void>;
}

/** `compile` for a kind whose schema says it all: the checked resource is what the consumer gets. */
export function compileBySchema(schema: z.ZodType, resource: Resource): Compiled {
  const result = schema.safeParse(resource);
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, problem: problemOf(result.error) };
}
