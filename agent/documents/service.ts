/** Answers about documents, for the admin API: what the mesh thread holds joined with how the nodes fare. @module */
import type { HistoryItem } from '../../gossip/documents/query.ts';
import type { DocumentKey, Held } from '../../gossip/documents/revision.ts';
import { keyText } from '../../gossip/documents/revision.ts';
import type { DocumentAudit } from '../audit/document-records.ts';
import type { Compiler } from './compiler.ts';
import type { DocumentKeeper, DocumentMesh } from './keeper.ts';
import type { Compiled } from './kind.ts';
import { KINDS } from './kinds.ts';
import type { Outcome } from './ledger.ts';
import { decodeResource, encodeResource, keyProblem, type Resource } from './resource.ts';
import { fromSigned, toSigned } from './signed.ts';
import type {
  CheckView,
  DocumentView,
  NodeStateView,
  RestoreView,
  RevisionStatusView,
  RevisionView,
  SignedRevision,
  SnapshotPageView,
  WriteView,
} from './views.ts';

export interface ServiceParts {
  readonly mesh: DocumentMesh;
  readonly keeper: DocumentKeeper;
  readonly compiler: Compiler;
  readonly audit: Pick<DocumentAudit, 'invalid'>;
  /** What is probably a mistake in a compiled document, though nobody refuses it. */
  readonly advise: (key: DocumentKey, value: unknown) => readonly string[];
  /** Whose calls a compiled document is about. */
  readonly affected: (key: DocumentKey, value: unknown) => readonly string[];
  /** What can be said of a document in use here. */
  readonly about: (key: DocumentKey) => Pick<DocumentView, 'status' | 'advice'>;
  readonly version: string;
}

type Checked =
  | {
      readonly ok: true;
      readonly advice: readonly string[];
      readonly affected: readonly string[];
      /** What it compiles to; undefined for a deletion, and for kinds that are not known. */
      readonly value: unknown;
    }
  | { readonly ok: false; readonly problem: string };

export class DocumentService {
  readonly #parts: ServiceParts;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
  }

  /** Fields left out match any. Deleted documents are left out, unless one was asked for by name. */
  async list(wanted: Partial<DocumentKey>): Promise<readonly DocumentView[]> {
    const heads = await this.#parts.mesh.documents('list', wanted);
    const shown = heads.filter(({ revision }) => revision.body !== null || wanted.name !== undefined);
    return shown.map((held) => this.#documentView(held)).sort((a, b) => (order(a) < order(b) ? -1 : 1));
  }

  async history(key: DocumentKey): Promise<readonly RevisionView[]> {
    return (await this.#parts.mesh.documents('history', key)).map(revisionView);
  }

  /** What was in force at an earlier moment, as far as its revisions are still held. Asks for each document there ever was. */
  async at(atMs: number): Promise<readonly RevisionView[]> {
    const heads = await this.#parts.mesh.documents('list', {});
    const known = await Promise.all(heads.map(({ revision }) => this.history(revision)));
    return known.flatMap((revisions) => {
      const then = inForceAt(revisions, atMs);
      return then === undefined || then.isDeleted ? [] : [then];
    });
  }

  /** Documents that were there at an earlier moment, but whose revision of then is not held any more. */
  async cutOffAt(atMs: number): Promise<readonly DocumentKey[]> {
    const heads = await this.#parts.mesh.documents('list', {});
    const known = await Promise.all(heads.map(({ revision }) => this.history(revision)));
    return known.flatMap((revisions) => (isCutOffAt(revisions, atMs) ? [revisions[0]!] : []));
  }

  /** What a revision comes to, in this version of the agent. */
  compiled(revision: RevisionView): Promise<Compiled> {
    const body = revision.resource === null ? new Uint8Array() : encodeResource(revision.resource as Resource); // decoded by us
    return this.#parts.compiler.compile(revision, body);
  }

  /** Of every revision whose id begins like this: none, one, or several when the beginning is too short. */
  async status(idPrefix: string): Promise<readonly RevisionStatusView[]> {
    const found = await this.#parts.mesh.documents('find', { idPrefix });
    return found.map((item) => this.#statusView(item, item.head.id));
  }

  /** What each node that is there says of a revision in force. */
  nodes(revision: string): NodeStateView[] {
    return [...this.#parts.keeper.said(revision)].map(([node, said]) => ({
      node,
      state: said?.state ?? 'pending',
      why: said === undefined ? 'has not said anything of it yet' : said.why,
      isFirst: said?.isFirst ?? false,
    }));
  }

  /** How this node fares with what is in force. */
  outcomes(): readonly Outcome[] {
    return this.#parts.keeper.outcomes();
  }

  async write(signed: SignedRevision, isDryRun: boolean): Promise<WriteView> {
    const revision = fromSigned(signed);
    const checked = await this.#check(revision, revision.body);
    if (!checked.ok) {
      if (!isDryRun) this.#parts.audit.invalid(revision, checked.problem);
      return refusal('invalid', checked.problem);
    }
    const outcome = await this.#parts.mesh.documents('write', { revision, isDryRun });
    switch (outcome.kind) {
      case 'written':
      case 'known':
        return {
          outcome: outcome.kind,
          reason: '',
          detail: '',
          revision: outcome.id,
          warning: [...checked.advice, this.#warning(signed), notOnDisk(outcome.notOnDisk)]
            .filter((text) => text !== '')
            .join('; '),
          affected: checked.affected,
        };
      case 'conflict':
        return {
          outcome: 'conflict',
          reason: 'conflict',
          detail: outcome.detail,
          revision: '',
          warning: '',
          affected: [],
        };
      case 'refused':
        return refusal(outcome.reason, outcome.detail);
    }
  }

  /**
   * What of `write` needs no signature: compiled here, and held against what this node knows. Writes nothing.
   *
   * @returns also what the document compiles to; undefined where it does not
   */
  async checked(key: DocumentKey, body: Uint8Array): Promise<{ readonly view: CheckView; readonly value: unknown }> {
    const checked = await this.#check(key, body);
    if (!checked.ok) return { view: { problem: checked.problem, warning: '', affected: [] }, value: undefined };
    const warning = [...checked.advice, this.#warning(key)].filter((text) => text !== '').join('; ');
    return { view: { problem: '', warning, affected: checked.affected }, value: checked.value };
  }

  async snapshot(after: string): Promise<SnapshotPageView> {
    const { revisions, next } = await this.#parts.mesh.documents('snapshot', { after });
    return { revisions: revisions.map(toSigned), next: next ?? null };
  }

  restore(signed: readonly SignedRevision[]): Promise<RestoreView> {
    return this.#parts.mesh.documents('restore', { revisions: signed.map(fromSigned) });
  }

  /** What this node would reject is not even written through it. */
  async #check(key: DocumentKey, body: Uint8Array | null): Promise<Checked> {
    if (body === null) return { ok: true, advice: [], affected: [], value: undefined };
    const resource = decodeResource(body);
    if (resource === undefined) {
      return { ok: false, problem: 'its body is no resource with apiVersion, kind, metadata and spec' };
    }
    const problem = keyProblem(key, resource);
    if (problem !== undefined) return { ok: false, problem };
    if (!KINDS.has(key.kind)) return { ok: true, advice: [], affected: [], value: undefined };
    const compiled = await this.#parts.compiler.compile(key, body);
    if (!compiled.ok) return compiled;
    const { advise, affected } = this.#parts;
    const { value } = compiled;
    return { ok: true, advice: advise(key, value), affected: affected(key, value), value };
  }

  #warning({ kind }: Pick<DocumentKey, 'kind'>): string {
    if (KINDS.has(kind)) return '';
    return `this agent (${this.#parts.version}) knows no kind ${kind}: it is stored and passed on, and takes no effect here`;
  }

  #documentView(held: Held): DocumentView {
    const outcome = this.#parts.keeper.outcome(keyText(held.revision));
    const isJudged = outcome?.head === held.id;
    return {
      ...contentOf(held),
      state: isJudged ? outcome.state : 'pending',
      why: isJudged ? outcome.why : 'not looked at yet',
      ...this.#parts.about(held.revision),
    };
  }

  #statusView(item: HistoryItem, current: string): RevisionStatusView {
    const { resource: _resource, ...view } = revisionView(item);
    const nodes = item.held.id === current ? this.nodes(current) : [];
    const count = (state: string): number => nodes.filter((node) => node.state === state).length;
    const outcome = this.#parts.keeper.outcome(keyText(item.held.revision));
    const rejecting = nodes.find((node) => node.state === 'rejected' && node.isFirst);
    const heldBy = (outcome?.head === item.held.id ? outcome.heldBy : '') || (rejecting?.node ?? '');
    return {
      ...view,
      current,
      nodes,
      applied: count('applied'),
      pending: count('pending'),
      rejected: count('rejected'),
      of: nodes.length,
      heldBack: heldBy === '' ? null : { by: heldBy, why: nodes.find(({ node }) => node === heldBy)?.why ?? '' },
    };
  }
}

/** @param revisions latest first */
export function inForceAt(revisions: readonly RevisionView[], atMs: number): RevisionView | undefined {
  return revisions.find(({ hlc, standing }) => hlc.ms <= atMs && standing !== 'superseded');
}

/** Whether there was one between what is held of before and of after that moment: of some authors older ones are kept than of others. */
function isCutOffAt(revisions: readonly RevisionView[], atMs: number): boolean {
  const line = revisions.filter(({ standing }) => standing !== 'superseded');
  const next = line.findLast(({ hlc }) => hlc.ms > atMs);
  return next !== undefined && next.base !== (inForceAt(line, atMs)?.revision ?? '');
}

function revisionView({ held, standing }: HistoryItem): RevisionView {
  return { ...contentOf(held), standing };
}

function contentOf({ id, revision }: Held): Omit<RevisionView, 'standing'> {
  const { kind, namespace, name, number, base, author, hlc, body } = revision;
  return {
    kind,
    namespace,
    name,
    revision: id,
    number,
    base,
    author,
    writtenAt: new Date(hlc.ms).toISOString(),
    hlc: { ms: hlc.ms, count: hlc.count },
    isDeleted: body === null,
    resource: body === null ? null : (decodeResource(body) ?? null),
  };
}

function order({ kind, namespace, name }: DocumentKey): string {
  return `${kind} ${namespace} ${name}`;
}

function notOnDisk(why: string | undefined): string {
  return why === undefined ? '' : `it is published, but not on the disk of this node: ${why}`;
}

function refusal(reason: string, detail: string): WriteView {
  return { outcome: 'refused', reason, detail, revision: '', warning: '', affected: [] };
}
