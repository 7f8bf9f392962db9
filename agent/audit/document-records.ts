/** What happens to documents, as records of the audit trail. @module */
import type { DocumentNote } from '../../gossip/documents/note.ts';
import { noteOf } from '../../gossip/documents/note.ts';
import type { Held, Revision } from '../../gossip/documents/revision.ts';
import type { AuditRecord } from './entry.ts';
import { RefusalFilter } from './refusals.ts';
import type { AuditRecorder } from './trail.ts';

export class DocumentAudit {
  readonly #recorder: AuditRecorder;
  readonly #nowMs: () => number;
  readonly #refusals = new RefusalFilter();

  constructor(recorder: AuditRecorder, nowMs: () => number = Date.now) {
    this.#recorder = recorder;
    this.#nowMs = nowMs;
  }

  /** Revisions came here, by whatever way. */
  noted(notes: readonly DocumentNote[]): void {
    for (const note of notes) {
      if (note.refusal === undefined) this.#recorder.record({ event: 'accepted', ...fieldsOf(note) });
      else this.#refused({ event: 'refused', ...fieldsOf(note), ...note.refusal });
    }
  }

  /** This agent would not even hand it to the mesh: its signature is not looked at, its author is a claim. */
  invalid(revision: Revision, detail: string): void {
    const note = noteOf({ id: '', revision }, { via: 'operator' });
    this.#refused({ event: 'refused', ...fieldsOf(note), reason: 'invalid', detail });
  }

  /** What came of a revision on this node. */
  judged(event: 'applied' | 'removed' | 'rejected' | 'held-back', held: Held, detail = ''): void {
    const { via: _via, ...fields } = fieldsOf(noteOf(held, { via: 'disk' }));
    this.#recorder.record({ event, ...fields, ...(detail === '' ? {} : { detail }) });
  }

  #refused(refusal: AuditRecord): void {
    for (const record of this.#refusals.pass(refusal, this.#nowMs())) this.#recorder.record(record);
  }
}

function fieldsOf(note: DocumentNote): Omit<AuditRecord, 'event'> {
  const { kind, namespace, name, number, base, author, arrival, id, isDeletion } = note;
  const from = arrival.via === 'peer' ? arrival.from : '';
  return {
    operator: author,
    kind,
    namespace,
    name,
    ...(id === '' ? {} : { revision: id }),
    number,
    ...(base === '' ? {} : { base }),
    signedAt: instant(note.writtenAtMs),
    via: arrival.via,
    ...(from === '' ? {} : { from }),
    ...(isDeletion ? { detail: 'deletes it' } : {}),
  };
}

/** What a stranger claims may be no instant at all. */
function instant(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : 'never';
}
