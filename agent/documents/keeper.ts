/**
 * Documents on this node: each revision in force is compiled off the data path, taken into use in its turn, and reported;
 * what is no good leaves the last good one in use.
 *
 * rollout.ts decides whose turn it is, compiler.ts contains what a document may do while it is compiled, last-good.ts
 * remembers across restarts. This file owns the state between them.
 * @module
 */
import type { Logger } from 'pino';
import { MAX_AHEAD_MS } from '../../gossip/documents/library.ts';
import type { DocumentQueries, DocumentQuery } from '../../gossip/documents/query.ts';
import type { DocumentState, Report, ReportLine } from '../../gossip/documents/report.ts';
import { decodeReport, encodeReport, headsSum } from '../../gossip/documents/report.ts';
import type { DocumentKey, Held } from '../../gossip/documents/revision.ts';
import { describeKey, keyText, shortId } from '../../gossip/documents/revision.ts';
import { messageOf } from '../errors.ts';
import type { Compiler } from './compiler.ts';
import type { DocumentConsumer } from './kind.ts';
import type { LastGood } from './last-good.ts';
import type { Said } from './rollout.ts';
import { decide } from './rollout.ts';

/** The mesh thread, as far as documents go. */
export interface DocumentMesh {
  documents<Q extends DocumentQuery>(query: Q, ask: DocumentQueries[Q]['ask']): Promise<DocumentQueries[Q]['answer']>;
  report(report: Uint8Array): void;
  members(): readonly { readonly name: string; readonly state: string }[];
}

export interface KeeperOptions {
  readonly node: string;
  readonly version: string;
  readonly consumers: readonly DocumentConsumer[];
  readonly compiler: Compiler;
  readonly lastGood: LastGood;
  readonly log: Logger;
  /** Longest to wait for those that take a revision first. */
  readonly patienceMs?: number;
}

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

interface Entry extends Outcome {
  readonly held: Held;
  readonly sinceMs: number;
}

const PATIENCE_MS = 10_000;
/** A process that ends this soon after it took a revision into use did so because of it, perhaps. */
const TRIAL_MS = 2_000;
const COLLECT_MS = 20;
/** Applied ones that a report spells out, for those whose other documents differ at the moment. */
const RECENT = 16;

export class DocumentKeeper implements AsyncDisposable {
  readonly #options: KeeperOptions;
  readonly #consumers: ReadonlyMap<string, DocumentConsumer>;
  readonly #entries = new Map<string, Entry>();
  readonly #reports = new Map<string, Report>();
  /** Keys whose turn has come to be looked at; one at a time, so that activations keep their order. */
  readonly #toLook = new Set<string>();
  readonly #early: (() => void)[] = [];
  #mesh: DocumentMesh | undefined;
  #looking: Promise<void> | undefined;
  #reportTimer: NodeJS.Timeout | undefined;
  #patienceTimer: NodeJS.Timeout | undefined;
  #trialTimer: NodeJS.Timeout | undefined;
  readonly #onTrial = new Map<string, string>();
  #again: NodeJS.Immediate | undefined;
  #isClosed = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#consumers = new Map(options.consumers.map((consumer) => [consumer.kind, consumer]));
  }

  /** Begins, once there is a mesh to ask and tell; what was heard before is taken in now. Resolves when all had a look. */
  async start(mesh: DocumentMesh): Promise<void> {
    this.#mesh = mesh;
    for (const take of this.#early.splice(0)) take();
    await this.#looking;
    this.#reportSoon();
  }

  /** From the mesh: these revisions are in force. */
  heads(heads: readonly Held[]): void {
    if (this.#mesh === undefined) {
      this.#early.push(() => this.heads(heads));
      return;
    }
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
        sinceMs: performance.now(),
      });
      this.#lookAt(key);
    }
  }

  /** From the mesh: what another node says. */
  reported(node: string, bytes: Uint8Array | undefined): void {
    const report = bytes === undefined ? undefined : decodeReport(bytes);
    if (report === undefined) this.#reports.delete(node);
    else this.#reports.set(node, report);
    this.#lookAgain();
  }

  /** From the mesh: members came, went or changed. */
  membersChanged(): void {
    this.#lookAgain();
  }

  outcome(key: string): Outcome | undefined {
    return this.#entries.get(key);
  }

  outcomes(): readonly Outcome[] {
    return [...this.#entries.values()];
  }

  /** What each node that is there says of a revision in force; undefined for one that has not said anything. */
  said(revision: string): ReadonlyMap<string, Said | undefined> {
    const own = [...this.#entries.values()].find((entry) => entry.head === revision);
    const sum = this.#sum();
    const all = new Map<string, Said | undefined>();
    for (const name of this.#present()) {
      all.set(name, name === this.#options.node ? own : saidOf(this.#reports.get(name), revision, sum));
    }
    return all;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#reportTimer);
    clearTimeout(this.#patienceTimer);
    clearTimeout(this.#trialTimer);
    clearImmediate(this.#again);
    await this.#looking;
    await this.#trialOver();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Something changed that a decision may hang on; a burst of changes is one look. */
  #lookAgain(): void {
    this.#again ??= setImmediate(() => {
      this.#again = undefined;
      const rejected = new Set<string>();
      for (const { lines } of this.#reports.values()) {
        for (const { id, state, isFirst } of lines) if (state === 'rejected' && isFirst) rejected.add(id);
      }
      for (const [key, entry] of this.#entries) {
        if (this.#isWaiting(entry) || (entry.state === 'applied' && rejected.has(entry.head))) this.#lookAt(key);
      }
    });
  }

  #lookAt(key: string): void {
    this.#toLook.add(key);
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
  }

  async #look(): Promise<void> {
    await Promise.resolve();
    for (const key of this.#toLook) {
      if (this.#isClosed || this.#mesh === undefined) return;
      this.#toLook.delete(key);
      const entry = this.#entries.get(key);
      if (entry === undefined) continue;
      try {
        await this.#judge(key, entry);
      } catch (err) {
        this.#options.log.error({ err, document: describeKey(entry.key) }, 'a document could not be taken into use');
        this.#settle(key, entry, { state: 'rejected', why: messageOf(err) });
      }
    }
  }

  async #judge(key: string, entry: Entry): Promise<void> {
    const consumer = this.#consumers.get(entry.key.kind);
    if (consumer === undefined) {
      const why = `no consumer for kind ${entry.key.kind} in version ${this.#options.version}`;
      this.#settle(key, entry, { state: 'pending', why });
      return;
    }
    if (entry.held.revision.body === null) {
      if (entry.state === 'applied') return;
      await consumer.deactivate(entry.key);
      await this.#options.lastGood.forget(key);
      this.#settle(key, entry, { state: 'applied', why: '', active: entry.head });
      return;
    }
    if (entry.active === '') await this.#beginWithLastGood(key, entry, consumer);
    await this.#roll(key, this.#entries.get(key)!, consumer);
  }

  /** At start: what was in use before is in use again before anything new is weighed. */
  async #beginWithLastGood(key: string, entry: Entry, consumer: DocumentConsumer): Promise<void> {
    const { lastGood } = this.#options;
    for (const id of lastGood.of(key)) {
      if (lastGood.isFatal(id)) continue;
      const held = id === entry.head ? entry.held : await this.#find(id);
      if (held === undefined || !(await this.#activate(held, consumer)).ok) continue;
      this.#settle(key, entry, id === entry.head ? { state: 'applied', why: '', active: id } : { active: id });
      return;
    }
  }

  async #roll(key: string, entry: Entry, consumer: DocumentConsumer): Promise<void> {
    const said = new Map<string, Said>();
    for (const [name, word] of this.said(entry.head)) if (word !== undefined) said.set(name, word);
    if (entry.state === 'applied' && ![...said.values()].some((word) => word.state === 'rejected')) return;
    const decision = decide({
      revision: entry.head,
      self: this.#options.node,
      members: this.#present(),
      said,
      ageMs: ageMs(entry),
      patienceMs: this.#patienceMs,
    });
    switch (decision.kind) {
      case 'hold':
        await this.#holdBack(key, entry, consumer, decision);
        break;
      case 'wait':
        if (entry.state === 'applied') break;
        this.#settle(key, entry, { state: 'pending', why: `waiting for ${decision.for.join(', ')} to take it first` });
        this.#wakeLater();
        break;
      case 'take':
        if (entry.state !== 'applied') await this.#take(key, entry, consumer, decision.isFirst);
        break;
    }
  }

  async #take(key: string, entry: Entry, consumer: DocumentConsumer, isFirst: boolean): Promise<void> {
    const { lastGood, log } = this.#options;
    const document = { document: describeKey(entry.key), revision: shortId(entry.head) };
    if (lastGood.isFatal(entry.head)) {
      const why = 'the agent ended each time it took this into use';
      this.#settle(key, entry, { state: 'rejected', why, isFirst });
      return;
    }
    await lastGood.trying(entry.head);
    const done = await this.#activate(entry.held, consumer);
    if (this.#entries.get(key)?.head !== entry.head) return; // replaced meanwhile: its turn comes next
    if (!done.ok) {
      await lastGood.tried(entry.head);
      log.warn({ ...document, why: done.problem }, 'document rejected, the last good revision stays in use');
      this.#settle(key, entry, { state: 'rejected', why: done.problem, isFirst });
      return;
    }
    log.info({ ...document, isFirst }, 'document taken into use');
    this.#settle(key, entry, { state: 'applied', why: '', isFirst, active: entry.head });
    this.#onTrial.set(key, entry.head);
    this.#trialTimer ??= setTimeout(() => void this.#trialOver(), TRIAL_MS);
  }

  async #activate(
    { revision }: Held,
    consumer: DocumentConsumer,
  ): Promise<{ ok: true } | { ok: false; problem: string }> {
    const compiled = await this.#options.compiler.compile(revision.kind, revision.body ?? new Uint8Array());
    if (!compiled.ok) return compiled;
    try {
      await consumer.activate(revision, compiled.value);
      return { ok: true };
    } catch (err) {
      return { ok: false, problem: `it could not be taken into use: ${messageOf(err)}` };
    }
  }

  /** A first taker found it unusable: here it is not taken into use, or no longer. */
  async #holdBack(
    key: string,
    entry: Entry,
    consumer: DocumentConsumer,
    { by, why }: { readonly by: string; readonly why: string },
  ): Promise<void> {
    if (entry.heldBy !== '') return;
    const { lastGood, log } = this.#options;
    log.warn({ document: describeKey(entry.key), revision: shortId(entry.head), by, why }, 'document held back');
    let { active } = entry;
    if (active === entry.head) {
      this.#onTrial.delete(key);
      await lastGood.tried(entry.head);
      await lastGood.isNoGood(key, entry.head);
      active = await this.#fallBack(key, entry, consumer);
    }
    this.#settle(key, entry, { state: 'pending', why: `held back, rejected by ${by}: ${why}`, heldBy: by, active });
  }

  async #fallBack(key: string, entry: Entry, consumer: DocumentConsumer): Promise<string> {
    for (const id of this.#options.lastGood.of(key)) {
      const held = await this.#find(id);
      if (held !== undefined && (await this.#activate(held, consumer)).ok) return id;
    }
    await consumer.deactivate(entry.key);
    return '';
  }

  async #find(id: string): Promise<Held | undefined> {
    const [found] = (await this.#mesh?.documents('find', { idPrefix: id })) ?? [];
    return found?.held;
  }

  async #trialOver(): Promise<void> {
    clearTimeout(this.#trialTimer);
    this.#trialTimer = undefined;
    const { lastGood, log } = this.#options;
    try {
      for (const [key, revision] of this.#onTrial) {
        this.#onTrial.delete(key);
        await lastGood.isGood(key, revision);
        await lastGood.tried(revision);
      }
    } catch (err) {
      log.error({ err }, 'what was last good could not be written down');
    }
  }

  #settle(key: string, entry: Entry, change: Partial<Entry>): void {
    const now = this.#entries.get(key);
    if (now?.head !== entry.head) return;
    const next = { ...now, ...change };
    const isSame = next.state === now.state && next.why === now.why && next.isFirst === now.isFirst;
    this.#entries.set(key, next);
    if (!isSame) this.#reportSoon();
  }

  #reportSoon(): void {
    if (this.#isClosed) return;
    this.#reportTimer ??= setTimeout(() => {
      this.#reportTimer = undefined;
      this.#mesh?.report(encodeReport(this.#report()));
    }, COLLECT_MS);
  }

  #report(): Report {
    const all = [...this.#entries.values()];
    const open = all.filter((entry) => entry.state !== 'applied').sort(byUrgency);
    const recent = all
      .filter((entry) => entry.state === 'applied')
      .sort((a, b) => b.sinceMs - a.sinceMs)
      .slice(0, RECENT);
    const line = ({ head, state, isFirst, why }: Entry): ReportLine => ({ id: head, state, isFirst, why });
    return { heads: this.#sum(), omitted: 0, lines: [...open, ...recent].map(line) };
  }

  #sum(): string {
    return headsSum([...this.#entries.values()].map((entry) => entry.head));
  }

  /** Looks again when the patience with the first takers of some document is at its end. */
  #wakeLater(): void {
    this.#patienceTimer ??= setTimeout(() => {
      this.#patienceTimer = undefined;
      this.#lookAgain();
      if ([...this.#entries.values()].some((entry) => this.#isWaiting(entry))) this.#wakeLater();
    }, this.#patienceMs / 10);
  }

  #isWaiting({ state, heldBy, key }: Entry): boolean {
    return state === 'pending' && heldBy === '' && this.#consumers.has(key.kind);
  }

  #present(): string[] {
    const others = this.#mesh?.members() ?? [];
    const names = others.filter(({ state }) => state === 'alive' || state === 'suspect').map(({ name }) => name);
    return names.includes(this.#options.node) ? names : [this.#options.node, ...names];
  }

  get #patienceMs(): number {
    return this.#options.patienceMs ?? PATIENCE_MS;
  }
}

/**
 * How long a revision has been on its way: an agent that joins takes what the mesh has long had in use without waiting. The
 * writer's clock may be off by as much as is tolerated at all.
 */
function ageMs({ sinceMs, held }: Entry): number {
  return Math.max(performance.now() - sinceMs, Date.now() - held.revision.hlc.ms - MAX_AHEAD_MS);
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
