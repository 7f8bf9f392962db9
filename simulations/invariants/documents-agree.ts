/**
 * Once faults have stopped for a while, every running node holds the same revision of each document: the latest of all
 * that were written and are held by anybody. Whoever wrote at the same time and lost finds its revision in the history,
 * as superseded. What is in use is that revision, or, where it is poisonous, none that is poisonous.
 * @module
 */
import type { WriteOutcome } from '../../gossip/documents/outcome.ts';
import type { Held } from '../../gossip/documents/revision.ts';
import { keyText } from '../../gossip/documents/revision.ts';
import type { DocumentWatcher } from '../world/operators.ts';
import type { Process } from '../world/process.ts';
import { WeftProcess } from '../world/weft-process.ts';
import type { World } from '../world/world.ts';
import type { Invariant, Report } from './invariant.ts';

const RULE = 'documents-agree';
/** As many as a chain certainly keeps. */
const KEPT = 10;

export class DocumentsAgree implements Invariant, DocumentWatcher {
  readonly #world: World;
  readonly #report: Report;
  /** Accepted writes, by document. */
  readonly #written = new Map<string, { readonly held: Held; readonly writer: Process }[]>();
  /** Revisions that a first taker rejected. */
  readonly #rejected = new Set<string>();
  readonly #inUse = new WeakMap<Process, Map<string, string>>();

  constructor(world: World, report: Report) {
    this.#world = world;
    this.#report = report;
  }

  documentWritten(writer: Process, held: Held, outcome: WriteOutcome): void {
    if (outcome.kind !== 'written') return;
    const key = keyText(held.revision);
    this.#written.set(key, [...(this.#written.get(key) ?? []), { held, writer }]);
  }

  documentRejected(_viewer: Process, held: Held, isFirst: boolean): void {
    if (isFirst) this.#rejected.add(held.id);
  }

  documentUsed(viewer: Process, key: string, revision: string): void {
    const inUse = this.#inUse.get(viewer) ?? new Map<string, string>();
    this.#inUse.set(viewer, inUse.set(key, revision));
  }

  finish(): void {
    const nodes = this.#world.running().filter((process) => process instanceof WeftProcess);
    for (const [key, writes] of this.#written) {
      const held = writes.filter(({ held: { id } }) =>
        nodes.some((node) => chainOf(node, key).some((h) => h.id === id)),
      );
      const [latest, ...others] = held.sort((a, b) => compare(b.held, a.held));
      if (latest === undefined) {
        this.#report(RULE, `nobody holds any revision of ${key}`);
        continue;
      }
      for (const node of nodes) this.#lookAt(node, key, latest.held);
      for (const { held: one, writer } of others.slice(0, KEPT - 1)) this.#lookForLoser(key, one, latest.held, writer);
    }
  }

  #lookAt(node: WeftProcess, key: string, latest: Held): void {
    const head = chainOf(node, key)[0];
    if (head?.id !== latest.id) {
      this.#report(RULE, `${node.name} holds ${head?.id ?? 'nothing'} in force of ${key} instead of ${latest.id}`);
    }
    const used = this.#inUse.get(node)?.get(key) ?? '';
    if (this.#rejected.has(used)) this.#report(RULE, `${node.name} uses ${used} of ${key}, which was rejected`);
    const wanted = latest.revision.body === null ? '' : latest.id;
    const isHeldBack = this.#rejected.has(latest.id);
    if (!isHeldBack && used !== wanted)
      this.#report(RULE, `${node.name} uses '${used}' of ${key} instead of '${wanted}'`);
    const isBereft = isHeldBack && used === '' && this.#hasGoodOne(key, latest);
    if (isBereft) this.#report(RULE, `${node.name} uses nothing of ${key}, although there was a good revision`);
  }

  /** Whether something was in use before the latest revision. */
  #hasGoodOne(key: string, latest: Held): boolean {
    const before = (this.#written.get(key) ?? []).find(({ held }) => held.id === latest.revision.base);
    return before !== undefined && before.held.revision.body !== null && !this.#rejected.has(before.held.id);
  }

  #lookForLoser(key: string, loser: Held, latest: Held, writer: Process): void {
    if (!(writer instanceof WeftProcess) || writer.state !== 'running') return;
    const found = writer.core.documents?.library
      .get(key)
      ?.standings()
      .find(({ held }) => held.id === loser.id);
    const wanted = this.#isAncestor(key, loser, latest) ? 'replaced' : 'superseded';
    if (found?.standing === wanted) return;
    this.#report(
      RULE,
      `${writer.name} wrote ${loser.id} of ${key}, ${wanted}, and sees it as ${found?.standing ?? 'gone'}`,
    );
  }

  #isAncestor(key: string, older: Held, latest: Held): boolean {
    const byId = new Map((this.#written.get(key) ?? []).map(({ held }) => [held.id, held]));
    for (let at: Held | undefined = latest; at !== undefined; at = byId.get(at.revision.base)) {
      if (at.id === older.id) return true;
    }
    return false;
  }
}

function chainOf(node: WeftProcess, key: string): readonly Held[] {
  return node.core.documents?.library.get(key)?.held ?? [];
}

/** Above 0 when `a` is later: by the writers' clocks, then by id. */
function compare(a: Held, b: Held): number {
  const [x, y] = [a.revision.hlc, b.revision.hlc];
  return x.ms - y.ms || x.count - y.count || (a.id < b.id ? -1 : 1);
}
