/** The side of the compile worker: takes bodies, answers with what they compile to. @module */
import { parentPort } from 'node:worker_threads';
import { messageOf } from '../errors.ts';
import type { Compiled, DocumentKind } from './kind.ts';
import { decodeResource } from './resource.ts';

export interface CompileRequest {
  readonly request: number;
  readonly kind: string;
  readonly body: Uint8Array;
}

/** What the worker says: that it is loaded, once, and then what each request compiles to. */
export type CompileAnswer = 'loaded' | { readonly request: number; readonly compiled: Compiled };

export function serveCompiles(kinds: ReadonlyMap<string, DocumentKind>): void {
  const port = parentPort!;
  port.on('message', ({ request, kind, body }: CompileRequest) => {
    port.postMessage({ request, compiled: compile(kinds.get(kind), body) } satisfies CompileAnswer);
  });
  port.postMessage('loaded' satisfies CompileAnswer);
}

function compile(kind: DocumentKind | undefined, body: Uint8Array): Compiled {
  const resource = decodeResource(body);
  if (kind === undefined || resource === undefined) return { ok: false, problem: 'it is not a resource' };
  try {
    return kind.compile(resource);
  } catch (err) {
    return { ok: false, problem: `it made the compiler fail: ${messageOf(err)}` };
  }
}
