/** What became of documents, taken from what the audit trail is told. @module */
import type { Held } from '../../gossip/documents/revision.ts';
import type { AuditRecord } from '../audit/entry.ts';
import type { AuditRecorder } from '../audit/trail.ts';
import type { Happening } from './event.ts';

const WORDS: Readonly<Partial<Record<AuditRecord['event'], string>>> = {
  applied: 'applied',
  rejected: 'rejected',
  removed: 'deleted',
  'held-back': 'held back',
};
/** Fields under which documents name the services that they are about. */
const SERVICE_FIELDS = new Set(['parentRefs', 'backendRefs', 'backendRef', 'targetRefs', 'targetRef', 'service', 'to']);
/** Whose field `services` has names of services. */
const TARGET_FIELD = 'target';
/** Documents whose services are remembered; one that was forgotten touches only what it is itself. */
const MAX_REMEMBERED = 2_000;
const MAX_DEPTH = 12;

export class DocumentEvents {
  /** Services that each document names, the one written last at the end. */
  readonly #services = new Map<string, readonly string[]>();
  readonly #note: (what: Happening) => void;

  constructor(note: (what: Happening) => void) {
    this.#note = note;
  }

  /** These are about to be judged. A deletion names nothing: what the document named before holds. */
  heads(heads: readonly Held[]): void {
    for (const { revision } of heads) {
      const { kind, namespace, name, body } = revision;
      if (body === null) continue;
      const key = `${kind} ${namespace}/${name}`;
      this.#services.delete(key);
      this.#services.set(key, servicesOf(Buffer.from(body).toString(), namespace));
      const oldest = this.#services.keys().next();
      if (this.#services.size > MAX_REMEMBERED && !oldest.done) this.#services.delete(oldest.value);
    }
  }

  /** A recorder that notes what it is told, and tells the trail. */
  recording(trail: AuditRecorder): AuditRecorder {
    return {
      record: (what) => {
        trail.record(what);
        this.#judged(what);
      },
    };
  }

  #judged({ event, kind, namespace = '', name, revision, operator = '', number = 0, detail = '' }: AuditRecord): void {
    const word = WORDS[event];
    if (word === undefined || kind === undefined || name === undefined || revision === undefined) return;
    const full = namespace === '' ? name : `${namespace}/${name}`;
    const named = this.#services.get(`${kind} ${namespace}/${name}`) ?? [];
    const touches = [...new Set([...named, ...(kind === 'Service' ? [full] : [])])];
    this.#note({
      kind: 'document',
      subject: `${event} ${revision}`,
      title: `${kind} ${full} ${word}${event === 'removed' ? '' : `, revision ${number}`}`,
      detail,
      touches,
      document: {
        kind,
        namespace,
        name,
        rev: revision,
        line: null,
        signer: operator.slice(operator.lastIndexOf('/') + 1),
      },
      isOnce: true,
    });
  }
}

/** Services that a document names, as 'namespace/service'. Anything that is no document names none. */
export function servicesOf(body: string, namespace: string): readonly string[] {
  const found = new Set<string>();
  const collect = (value: unknown, under: string, depth: number): void => {
    if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return;
    if (Array.isArray(value)) {
      for (const one of value) collect(one, under, depth + 1);
      return;
    }
    const fields = value as Readonly<Record<string, unknown>>;
    const { kind = 'Service', name, service, services } = fields;
    const isReference = SERVICE_FIELDS.has(under);
    const own = typeof fields.namespace === 'string' ? fields.namespace : namespace;
    if (isReference && kind === 'Service' && typeof name === 'string') found.add(`${own}/${name}`);
    if (typeof service === 'string') found.add(service.includes('/') ? service : `${own}/${service}`);
    if (under === TARGET_FIELD && Array.isArray(services))
      for (const one of services) if (typeof one === 'string') found.add(`${own}/${one}`);
    for (const [field, inner] of Object.entries(fields)) collect(inner, field, depth + 1);
  };
  try {
    collect(JSON.parse(body), '', 0);
  } catch {
    return [];
  }
  return [...found];
}
