/**
 * What holds of documents at every instant: nothing is in force that no entitled operator signed, word for word, and no
 * node goes back from a revision to an older one, so no deletion is ever undone but by a later write.
 * @module
 */
import type { Held, Revision } from '../../gossip/documents/revision.ts';
import { keyText } from '../../gossip/documents/revision.ts';
import type { DocumentWatcher, Operators } from '../world/operators.ts';
import type { Process } from '../world/process.ts';
import type { Report } from './invariant.ts';

export class DocumentsHold implements DocumentWatcher {
  readonly #operators: Operators;
  readonly #report: Report;
  /** The latest that each node showed of each document. */
  readonly #latest = new WeakMap<Process, Map<string, Held>>();

  constructor(operators: Operators, report: Report) {
    this.#operators = operators;
    this.#report = report;
  }

  documentHeld(viewer: Process, head: Held): void {
    const key = keyText(head.revision);
    const signed = this.#operators.signed.get(head.id);
    if (signed === undefined || content(signed) !== content(head.revision)) {
      this.#report(
        'documents-hold',
        `${viewer.name} holds ${head.id} of ${key} in force, which nobody entitled signed`,
      );
    }
    const latest = this.#latest.get(viewer) ?? new Map<string, Held>();
    this.#latest.set(viewer, latest);
    const before = latest.get(key);
    if (before !== undefined && isOlder(head, before)) {
      const what = before.revision.body === null ? 'a deletion' : `revision ${before.id}`;
      this.#report('documents-hold', `${viewer.name} went back from ${what} of ${key} to ${head.id}`);
    }
    latest.set(key, head);
  }
}

function isOlder(a: Held, b: Held): boolean {
  const [x, y] = [a.revision.hlc, b.revision.hlc];
  if (x.ms !== y.ms) return x.ms < y.ms;
  return x.count === y.count ? a.id < b.id : x.count < y.count;
}

/** All of a revision, in one text. */
function content({ body, certificate, signature, ...rest }: Revision): string {
  const hex = (bytes: Uint8Array | null): string => (bytes === null ? 'deleted' : Buffer.from(bytes).toString('hex'));
  const { kind, namespace, name, number, base, hlc, author } = rest;
  return [
    kind,
    namespace,
    name,
    number,
    base,
    hlc.ms,
    hlc.count,
    author,
    ...[body, certificate, signature].map(hex),
  ].join();
}
