/** GET /documents and /documents/{kind}/{ns}/{name}; POST /documents. @module */
import { stringify } from 'yaml';
import { z } from 'zod';
import { type DocumentKey, keyText } from '../../../gossip/documents/revision.ts';
import { type Answer, refusal } from '../../admin/routes.ts';
import { inForceAt } from '../../documents/service.ts';
import { signedRevision } from '../../documents/signed.ts';
import type { DocumentView, RevisionView } from '../../documents/views.ts';
import { publishProblem, seenNamespaces } from '../access/roles.ts';
import type { Viewer } from '../api.ts';
import { badBody } from '../http.ts';
import type { Source } from '../shapes/common.ts';
import type { DocumentDetail, DocumentRow, Documents } from '../shapes/mesh.ts';
import { documentLine } from '../views/lines.ts';
import type { ConsoleWorld } from '../world.ts';
import type { ImpactRoutes } from './impact.ts';

const writeBody = z.strictObject({ revision: signedRevision, isDryRun: z.boolean().default(false) });

export class DocumentRoutes {
  readonly #world: ConsoleWorld;
  readonly #impact: ImpactRoutes;

  constructor(world: ConsoleWorld, impact: ImpactRoutes) {
    this.#world = world;
    this.#impact = impact;
  }

  /** @param atMs an earlier moment */
  async list(namespaces: ReadonlySet<string> | undefined, atMs?: number): Promise<Documents> {
    const { service } = this.#world;
    const isShown = ({ namespace }: DocumentKey): boolean => namespaces === undefined || namespaces.has(namespace);
    if (atMs !== undefined) {
      return { documents: (await service.at(atMs)).filter(isShown).map(rowThen), coverage: this.#coverage() };
    }
    const shown = (await service.list({})).filter(isShown);
    const callers = await this.#impact.callers(shown, namespaces);
    const rows = shown.map((view) => this.#row(view, callers.get(keyText(view)) ?? []));
    return { documents: rows, coverage: this.#coverage() };
  }

  /** @returns undefined for a document that was never written, or not until then */
  async detail(
    key: DocumentKey,
    namespaces: ReadonlySet<string> | undefined,
    atMs?: number,
  ): Promise<DocumentDetail | undefined> {
    const { service } = this.#world;
    if (atMs !== undefined) {
      const revisions = (await service.history(key)).filter(({ hlc }) => hlc.ms <= atMs);
      const then = inForceAt(revisions, atMs);
      if (then === undefined) return undefined;
      const known = { revisions: revisions.map(signing), nodes: [], coverage: this.#coverage() };
      return { document: rowThen(then), yaml: then.resource === null ? '' : yamlOf(then.resource), ...known };
    }
    const [view] = await service.list(key);
    if (view === undefined) return undefined;
    const [revisions, callers] = await Promise.all([service.history(key), this.#impact.callers([key], namespaces)]);
    return {
      document: this.#row(view, callers.get(keyText(key)) ?? []),
      yaml: view.resource === null ? '' : yamlOf(view.resource),
      revisions: revisions.map(signing),
      nodes: service.nodes(view.revision).map(({ node, state, why }) => ({ node, state, why })),
      coverage: this.#coverage(),
    };
  }

  /** Takes what an operator's key signed in the browser, as `weft apply` sends it. */
  async write(body: unknown, viewer: Viewer): Promise<Answer> {
    const asked = writeBody.safeParse(body);
    if (!asked.success) return badBody(asked.error, body);
    const { revision, isDryRun } = asked.data;
    const problem = publishProblem(viewer, revision);
    if (problem !== undefined) return refusal(403, problem);
    const written = await this.#world.service.write(revision, isDryRun);
    if (written.outcome === 'refused')
      return { status: 422, body: { error: `${written.reason}: ${written.detail}`, ...written } };
    if (written.outcome === 'conflict') return { status: 409, body: { error: written.detail, ...written } };
    return { status: 200, body: written };
  }

  #row(view: DocumentView, callers: readonly string[]): DocumentRow {
    const nodes = this.#world.service.nodes(view.revision);
    return { ...rowOf(view, nodes), nodesTotal: nodes.length, callers: [...callers] };
  }

  /** The register is the same everywhere; who is not there has not said how it fares. */
  #coverage() {
    const members = this.#world.running.mesh.members().filter(({ state }) => state !== 'left');
    const missing = members
      .filter(({ state }) => state !== 'alive')
      .map(({ name, sinceMs, endpoints }) => ({
        node: name,
        reason: 'silent' as const,
        lastHeardMs: sinceMs,
        endpoints,
      }));
    return { asked: members.length, answered: members.length - missing.length, missing };
  }
}

/** Documents that name a service: as their target, as a backend, or by being it. @param atMs an earlier moment */
export async function policiesAbout(
  { service }: ConsoleWorld,
  id: string,
  atMs: number | undefined,
): Promise<readonly Source[]> {
  const [namespace = '', name = ''] = id.split('/');
  const all: readonly Omit<RevisionView, 'standing'>[] =
    atMs === undefined ? await service.list({}) : await service.at(atMs);
  const found = all.filter(
    (view) => !view.isDeleted && (view.namespace === namespace || view.namespace === '') && names(view, name),
  );
  return found.map((view) => ({
    kind: view.kind,
    namespace: view.namespace,
    name: view.name,
    rev: view.revision,
    line: documentLine(yamlOf(view.resource), 'spec'),
  }));
}

function names(view: Pick<RevisionView, 'kind' | 'name' | 'resource'>, service: string): boolean {
  return view.kind === 'MeshConfig' || view.name === service || JSON.stringify(view.resource).includes(`"${service}"`);
}

export function mayRead(viewer: Viewer, { namespace }: DocumentKey): boolean {
  const seen = seenNamespaces(viewer.grants);
  return seen === undefined || seen.has(namespace);
}

function rowOf(
  view: DocumentView,
  nodes: readonly { readonly state: string; readonly isFirst: boolean }[],
): Omit<DocumentRow, 'nodesTotal' | 'callers'> {
  const { kind, namespace, name, revision, author, hlc, isDeleted, state, advice } = view;
  const isHeldBack = state === 'pending' && view.why.startsWith('held back');
  const shown = isDeleted
    ? 'deleted'
    : isHeldBack
      ? 'held-back'
      : state === 'applied' || state === 'rejected'
        ? state
        : 'pending';
  return {
    kind,
    namespace,
    name,
    rev: revision,
    line: null,
    signer: author,
    signedMs: hlc.ms,
    state: shown,
    nodesApplied: nodes.filter((node) => node.state === 'applied').length,
    advice: [...advice],
  };
}

/** Of an earlier moment: which nodes had taken it is not kept, and so it is told of none. */
function rowThen({ kind, namespace, name, revision, author, hlc, isDeleted }: RevisionView): DocumentRow {
  const state = isDeleted ? 'deleted' : 'applied';
  const unknown = { nodesApplied: 0, nodesTotal: 0, advice: [], callers: [] };
  return { kind, namespace, name, rev: revision, line: null, signer: author, signedMs: hlc.ms, state, ...unknown };
}

function signing({ revision, author, hlc, resource }: RevisionView): DocumentDetail['revisions'][number] {
  return { rev: revision, signer: author, signedMs: hlc.ms, yaml: resource === null ? null : yamlOf(resource) };
}

export function yamlOf(resource: unknown): string {
  return stringify(resource, { lineWidth: 0 });
}

export function keyFrom(kind: string, namespace: string, name: string): DocumentKey {
  return { kind, namespace: namespace === '-' ? '' : namespace, name };
}
