/**
 * What a node knows of each revision in force: how it fares here, what others report, and what follows from both. Rules
 * and state only, without time, disk or compiler; keeper.ts acts on it, and so does a simulated node.
 * @module
 */
import { MAX_AHEAD_MS } from '../../gossip/documents/library.ts';
import type { DocumentState, Report, ReportLine } from '../../gossip/documents/report.ts';
import { decodeReport, headsSum } from '../../gossip/documents/report.ts';
import type { DocumentKey, Held } from '../../gossip/documents/revision.ts';
import { keyText } from '../../gossip/documents/revision.ts';
import type { Decision, Said } from './rollout.ts';
import { decide } from './rollout.ts';

/** How this node fares with the revision in force of one document. */
export interface Outcome {
  readonly key: DocumentKey;
  readonly head: string;
  readonly state: DocumentState;
  readonly isFirst: boolean;
  /** Why it is not applied; empty when it is. */
  readonly why: string;
  /** Who rejected it first, when that is why it is held back. */
  readonly heldBy: string;
  /** Id of the revision in use here; '' for none. */
  readonly active: string;
}

export interface Entry extends Outcome {
  readonly held: Held;
  readonly sinceMs: number;
}

export interface LedgerOptions {
  readonly node: string;
  /** Whether documents of this kind are taken into use here. */
  readonly consumes: (kind: string) => boolean;
  /** Longest to wait for those that take a revision first. */
  readonly patienceMs: number;
}

/** The moment in which a decision is made. */
export interface Moment {
  /** On the clock of `heads`. */
  readonly nowMs: number;
  readonly wallMs: number;
  /** Names of the members that are there, this node among them. */
  readonly present: readonly string[];
}

/** Applied ones that a report spells out, for those whose other documents differ at the moment. */
const RECENT = 16;

export class Ledger {
  readonly #options: LedgerOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #reports = new Map<string, Report>();
  /** Revisions that a first taker rejects, and how many do. */
  readonly #rejections = new Map<string, number>();

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /** These revisions are in force. @returns the keys of those that are news */
  heads(heads: readonly Held[], nowMs: number): string[] {
    const news: string[] = [];
    for (const held of heads) {
      const key = keyText(held.revision);
      const before = this.#entries.get(key);
      if (before?.head === held.id) continue;
      const { kind, namespace, name } = held.revision;
      this.#entries.set(key, {
        key: { kind, namespace, name },
        held,
        head: held.id,
        state: 'pending',
        isFirst: false,
        why: 'not looked at yet',
        heldBy: '',
        active: before?.active ?? '',
        sinceMs: nowMs,
      });
      news.push(key);
    }
    return news;
  }

  /** Nothing is in force of this document any more. @returns what was */
  drop(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    return entry;
  }

  /** What another node says; undefined when it is gone. */
  reported(node: string, bytes: Uint8Array | undefined): void {
    const report = bytes === undefined ? undefined : decodeReport(bytes);
    this.#countRejections(this.#reports.get(node), -1);
    this.#countRejections(report, 1);
    if (report === undefined) this.#reports.delete(node);
    else this.#reports.set(node, report);
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  entries(): readonly Entry[] {
    return [...this.#entries.values()];
  }

  /** Keys whose decision may be another one, after members or their reports changed. */
  undecided(): string[] {
    const isOpen = (entry: Entry): boolean =>
      this.#isWaiting(entry) || (entry.state === 'applied' && this.#rejections.has(entry.head));
    return [...this.#entries].filter(([, entry]) => isOpen(entry)).map(([key]) => key);
  }

  /** Whether some revision waits for those that take it first. */
  get isWaiting(): boolean {
    return this.entries().some((entry) => this.#isWaiting(entry));
  }

  /** Whose turn it is with this revision; undefined when it is in use and nobody has anything against it. */
  decide(entry: Entry, { nowMs, wallMs, present }: Moment): Decision | undefined {
    const said = new Map<string, Said>();
    for (const [name, word] of this.said(entry.head, present)) if (word !== undefined) said.set(name, word);
    if (entry.state === 'applied' && ![...said.values()].some((word) => word.state === 'rejected')) return undefined;
    const { node, patienceMs } = this.#options;
    const ageMs = ageOf(entry, nowMs, wallMs);
    return decide({ revision: entry.head, self: node, members: present, said, ageMs, patienceMs });
  }

  /** What each node that is there says of a revision in force; undefined for one that has not said anything. */
  said(revision: string, present: readonly string[]): ReadonlyMap<string, Said | undefined> {
    const own = this.entries().find((entry) => entry.head === revision);
    const sum = this.#sum();
    const all = new Map<string, Said | undefined>();
    for (const name of present) {
      all.set(name, name === this.#options.node ? own : saidOf(this.#reports.get(name), revision, sum));
    }
    return all;
  }

  /** How it went, unless another revision is in force by now. @returns whether others should hear of it */
  settle(key: string, entry: Entry, change: Partial<Entry>): boolean {
    const now = this.#entries.get(key);
    if (now?.head !== entry.head) return false;
    const next = { ...now, ...change };
    this.#entries.set(key, next);
    return next.state !== now.state || next.why !== now.why || next.isFirst !== now.isFirst;
  }

  report(): Report {
    const all = this.entries();
    const open = all.filter((entry) => entry.state !== 'applied').sort(byUrgency);
    const recent = all
      .filter((entry) => entry.state === 'applied')
      .sort((a, b) => b.sinceMs - a.sinceMs)
      .slice(0, RECENT);
    const line = ({ head, state, isFirst, why }: Entry): ReportLine => ({ id: head, state, isFirst, why });
    return { heads: this.#sum(), omitted: 0, lines: [...open, ...recent].map(line) };
  }

  #countRejections(report: Report | undefined, by: 1 | -1): void {
    for (const { id, state, isFirst } of report?.lines ?? []) {
      if (state !== 'rejected' || !isFirst) continue;
      const count = (this.#rejections.get(id) ?? 0) + by;
      if (count === 0) this.#rejections.delete(id);
      else this.#rejections.set(id, count);
    }
  }

  #sum(): string {
    return headsSum(this.entries().map((entry) => entry.head));
  }

  #isWaiting({ state, heldBy, key }: Entry): boolean {
    return state === 'pending' && heldBy === '' && this.#options.consumes(key.kind);
  }
}

/** The names of the members that count as there, `self` among them. */
export function presentNames(
  members: readonly { readonly name: string; readonly state: string }[],
  self: string,
): string[] {
  const names = members.filter(({ state }) => state === 'alive' || state === 'suspect').map(({ name }) => name);
  return names.includes(self) ? names : [self, ...names];
}

/**
 * How long a revision has been on its way: an agent that joins takes what the mesh has long had in use without waiting. The
 * writer's clock may be off by as much as is tolerated at all.
 */
function ageOf({ sinceMs, held }: Entry, nowMs: number, wallMs: number): number {
  return Math.max(nowMs - sinceMs, wallMs - held.revision.hlc.ms - MAX_AHEAD_MS);
}

/** What a node's report says of a revision that is in force here. */
function saidOf(report: Report | undefined, revision: string, sum: string): Said | undefined {
  if (report === undefined) return undefined;
  const line = report.lines.find((one) => one.id === revision);
  if (line !== undefined) return line;
  // It has judged exactly what we have, and this is not among what it has trouble with.
  if (report.heads === sum && report.omitted === 0) return { state: 'applied', isFirst: false, why: '' };
  return undefined;
}

/** Rejections before what waits: when there is no room for all, these are what others must hear. */
function byUrgency(a: Entry, b: Entry): number {
  const rank = (entry: Entry): number => (entry.state === 'rejected' ? 0 : entry.heldBy !== '' ? 1 : 2);
  return rank(a) - rank(b) || b.sinceMs - a.sinceMs;
}
