/** POST /documents/check: what publishing a document, or deleting one, would do, and what is signed for it. Writes nothing. @module */
import { z } from 'zod';
import { nextHlc } from '../../../gossip/documents/hlc.ts';
import { type DocumentKey, describeKey, MAX_BODY_BYTES } from '../../../gossip/documents/revision.ts';
import { type Answer, refusal } from '../../admin/routes.ts';
import { checkDocument, parseYaml } from '../../checked-yaml.ts';
import { KINDS } from '../../documents/kinds.ts';
import { encodeResource, keyOf, type Resource, resourceSchema } from '../../documents/resource.ts';
import type { DocumentView } from '../../documents/views.ts';
import type { Problem } from '../../problem.ts';
import { seenNamespaces } from '../access/roles.ts';
import type { Viewer } from '../api.ts';
import { badBody } from '../http.ts';
import type { DocumentCheck } from '../shapes/mesh.ts';
import type { ConsoleWorld } from '../world.ts';
import { mayRead, yamlOf } from './documents.ts';
import type { ImpactRoutes } from './impact.ts';

const FILE = 'document.yaml';
const checkBody = z.strictObject({ yaml: z.string().max(2 * MAX_BODY_BYTES) });
const checkDeletionBody = z.strictObject({
  deletes: z.strictObject({ kind: z.string().max(64), namespace: z.string().max(64), name: z.string().max(253) }),
});

export class DocumentCheckRoutes {
  readonly #world: ConsoleWorld;
  readonly #impact: ImpactRoutes;

  constructor(world: ConsoleWorld, impact: ImpactRoutes) {
    this.#world = world;
    this.#impact = impact;
  }

  /** What `weft apply --dry-run` and `weft diff` would say. Writes nothing. */
  async check(body: unknown, viewer: Viewer): Promise<Answer> {
    if (typeof body === 'object' && body !== null && 'deletes' in body) return this.#checkDeletion(body, viewer);
    const asked = checkBody.safeParse(body);
    if (!asked.success) return badBody(asked.error, body);
    const { service } = this.#world;
    const read = readResource(asked.data.yaml);
    if (!read.ok) return { status: 200, body: refused(read.problems) };
    const { resource, lineOf } = read;
    const key = keyOf(resource);
    if (!mayRead(viewer, key)) return unreadable('metadata.namespace', key);
    const bytes = encodeResource(resource);
    const [view] = await service.list(key);
    const { view: checked, value } = await service.checked(key, bytes);
    const { affected, affectedCoverage } = await this.#impact.of(key, value, seenNamespaces(viewer.grants));
    const isLive = view !== undefined && !view.isDeleted;
    const base = view === undefined ? null : view.revision;
    const began = resource.metadata.revision;
    const problems: DocumentCheck['problems'] = [];
    const say = (code: string, severity: 'error' | 'warning', message: string, field = '', fix = ''): void =>
      void problems.push({ code, severity, field, line: lineOf(field), message, fix });
    if (checked.problem !== '') say('invalid', 'error', checked.problem);
    for (const text of checked.warning.split('; ')) if (text !== '') say('advice', 'warning', text);
    if (bytes.length > MAX_BODY_BYTES)
      say('too-large', 'error', `${bytes.length} bytes; at most ${MAX_BODY_BYTES} are carried`);
    if (began !== undefined && base?.startsWith(began) !== true) {
      const fix = 'look at the revision in force and make your change there';
      say('conflict', 'error', `it was made from revision ${began}, and another is in force`, 'metadata.revision', fix);
    }
    const isGood = problems.every(({ severity }) => severity !== 'error');
    const answer: DocumentCheck = {
      problems,
      present: isLive ? { rev: view.revision, yaml: yamlOf(view.resource) } : null,
      affected,
      affectedCoverage,
      nodes: this.#ready(),
      toSign: isGood ? Buffer.from(bytes).toString('base64url') : null,
      base,
      command: `weft apply -f ${key.name}.yaml --operator DIRECTORY`,
      isDeletion: false,
      key,
      next: this.#next(view),
    };
    return { status: 200, body: answer };
  }

  /** What deleting a document would do, and what is signed for it. Writes nothing. */
  async #checkDeletion(body: unknown, viewer: Viewer): Promise<Answer> {
    const asked = checkDeletionBody.safeParse(body);
    if (!asked.success) return badBody(asked.error, body);
    const key = asked.data.deletes;
    if (!mayRead(viewer, key)) return unreadable('deletes.namespace', key);
    const [view] = await this.#world.service.list(key);
    const place = key.namespace === '' ? '' : ` -n ${key.namespace}`;
    const isThere = view !== undefined && !view.isDeleted;
    const message = isThere ? '' : `there is no ${describeKey(key)} in force`;
    const missing = { code: 'missing', severity: 'error', field: 'deletes', line: null, message, fix: '' } as const;
    const { affected, affectedCoverage } = await this.#impact.without(key, seenNamespaces(viewer.grants));
    const answer: DocumentCheck = {
      problems: isThere ? [] : [missing],
      present: isThere ? { rev: view.revision, yaml: yamlOf(view.resource) } : null,
      affected,
      affectedCoverage,
      nodes: this.#ready(),
      toSign: null,
      base: view?.revision ?? null,
      command: `weft delete ${key.kind} ${key.name}${place} --operator DIRECTORY`,
      isDeletion: true,
      key,
      next: isThere ? this.#next(view) : null,
    };
    return { status: 200, body: answer };
  }

  #ready(): DocumentCheck['nodes'] {
    const members = this.#world.running.mesh.members();
    return members.map(({ name, state }) => ({ node: name, isReady: state === 'alive' ? true : null }));
  }

  /** @param view what it follows; undefined: it is the first */
  #next(view: DocumentView | undefined): NonNullable<DocumentCheck['next']> {
    const { trustDomain } = this.#world.running.node;
    return { trustDomain, number: (view?.number ?? 0) + 1, hlc: nextHlc(view?.hlc, Date.now()) };
  }
}

function unreadable(field: string, { namespace }: DocumentKey): Answer {
  const where = namespace === '' ? 'all namespaces' : `namespace ${namespace}`;
  return refusal(403, `${field}: role view for ${where} is needed to check what is written there`);
}

type Read =
  | { readonly ok: true; readonly resource: Resource; readonly lineOf: (field: string) => number | null }
  | { readonly ok: false; readonly problems: readonly Problem[] };

function readResource(yaml: string): Read {
  const documents = parseYaml(yaml, FILE);
  if (!documents.ok) return documents;
  const [document, second] = documents.value;
  if (document === undefined || second !== undefined) {
    const message = document === undefined ? 'it is empty; write one document' : 'keep one document, without ---';
    return { ok: false, problems: [{ file: FILE, line: 1, column: 1, field: '', message }] };
  }
  const envelope = checkDocument(resourceSchema, document);
  if (!envelope.ok) return envelope;
  const schema = KINDS.get(envelope.value.kind)?.schema;
  const checked = schema === undefined ? undefined : checkDocument(schema, document);
  if (checked?.ok === false) return checked;
  return {
    ok: true,
    resource: envelope.value,
    lineOf: (field) => (field === '' ? null : document.at(field.split('.')).line),
  };
}

function refused(problems: readonly Problem[]): DocumentCheck {
  return {
    problems: problems.map(({ field, line, message }) => {
      const [what = message, ...fix] = message.split('; ');
      return { code: 'invalid', severity: 'error', field, line, message: what, fix: fix.join('; ') };
    }),
    present: null,
    affected: [],
    affectedCoverage: null,
    nodes: [],
    toSign: null,
    base: null,
    command: 'weft apply -f FILE --dry-run',
    isDeletion: false,
    key: null,
    next: null,
  };
}
