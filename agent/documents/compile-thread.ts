/** The side of the compile worker: takes bodies, answers with what they compile to. @module */
import { parentPort } from 'node:worker_threads';
import type { DocumentKey } from '../../gossip/documents/revision.ts';
import { messageOf } from '../errors.ts';
import type { Compiled, DocumentKind } from './kind.ts';
import { decodeResource, keyProblem } from './resource.ts';

export interface CompileRequest {
  readonly request: number;
  /** What it was signed as. */
  readonly key: DocumentKey;
  readonly body: Uint8Array;
}

/** What the worker says: that it is loaded, once, and then what each request compiles to. */
export type CompileAnswer = 'loaded' | { readonly request: number; readonly compiled: Compiled };

export function serveCompiles(kinds: ReadonlyMap<string, DocumentKind>): void {
  const port = parentPort!;
  port.on('message', ({ request, key, body }: CompileRequest) => {
    port.postMessage({ request, compiled: compile(kinds.get(key.kind), key, body) } satisfies CompileAnswer);
  });
  port.postMessage('loaded' satisfies CompileAnswer);
}

function compile(kind: DocumentKind | undefined, key: DocumentKey, body: Uint8Array): Compiled {
  const resource = decodeResource(body);
  if (kind === undefined || resource === undefined) return { ok: false, problem: 'it is not a resource' };
  const problem = keyProblem(key, resource);
  if (problem !== undefined) return { ok: false, problem };
  try {
    return kind.compile(resource);
  } catch (err) {
    return { ok: false, problem: `it made the compiler fail: ${messageOf(err)}` };
  }
}
