/**
 * Documents on this node: each revision in force is compiled off the data path, taken into use in its turn, and reported;
 * what is no good leaves the last good one in use.
 *
 * ledger.ts and rollout.ts decide whose turn it is, compiler.ts contains what a document may do while it is compiled,
 * last-good.ts remembers across restarts. This file carries out what they say.
 * @module
 */
import type { Logger } from 'pino';
import type { DocumentQueries, DocumentQuery } from '../../gossip/documents/query.ts';
import { encodeReport } from '../../gossip/documents/report.ts';
import type { DocumentKey, Held } from '../../gossip/documents/revision.ts';
import { describeKey, keyText, shortId } from '../../gossip/documents/revision.ts';
import type { DocumentAudit } from '../audit/document-records.ts';
import { messageOf } from '../errors.ts';
import type { Compiler } from './compiler.ts';
import type { DocumentConsumer } from './kind.ts';
import { KINDS } from './kinds.ts';
import type { LastGood } from './last-good.ts';
import type { Entry, Outcome } from './ledger.ts';
import { Ledger, presentNames } from './ledger.ts';
import type { Decision, Said } from './rollout.ts';

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
  readonly audit: Pick<DocumentAudit, 'judged'>;
  readonly log: Logger;
  /** A revision is in use. @param writtenAtMs on the clock of its author */
  readonly applied?: (revision: string, writtenAtMs: number) => void;
  /** Longest to wait for those that take a revision first. */
  readonly patienceMs?: number;
}

const PATIENCE_MS = 10_000;
/** A process that ends this soon after it took a revision into use did so because of it, perhaps. */
const TRIAL_MS = 2_000;
const COLLECT_MS = 20;

export class DocumentKeeper implements AsyncDisposable {
  readonly #options: KeeperOptions;
  readonly #consumers: ReadonlyMap<string, DocumentConsumer>;
  readonly #ledger: Ledger;
  readonly #patienceMs: number;
  /** Keys whose turn has come to be looked at; one at a time, so that activations keep their order. */
  readonly #toLook = new Set<string>();
  /** Documents of which nothing is in force any more, until they are taken out of use. */
  readonly #gone = new Map<string, Entry>();
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
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS;
    const consumes = (kind: string): boolean => this.#consumers.has(kind);
    this.#ledger = new Ledger({ node: options.node, consumes, patienceMs: this.#patienceMs });
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
    for (const key of this.#ledger.heads(heads, performance.now())) this.#lookAt(key);
  }

  /** From the mesh: nothing is left of these documents; whoever wrote them was revoked, or their deletion is forgotten. */
  gone(keys: readonly DocumentKey[]): void {
    if (this.#mesh === undefined) {
      this.#early.push(() => this.gone(keys));
      return;
    }
    for (const key of keys.map(keyText)) {
      const entry = this.#ledger.drop(key);
      if (entry === undefined) continue;
      if (entry.held.revision.body === null && entry.state === 'applied') {
        this.#reportSoon(); // it has long been out of use
        continue;
      }
      this.#gone.set(key, entry);
      this.#lookAt(key);
    }
  }

  /** From the mesh: what another node says. */
  reported(node: string, bytes: Uint8Array | undefined): void {
    this.#ledger.reported(node, bytes);
    this.#lookAgain();
  }

  /** From the mesh: members came, went or changed. */
  membersChanged(): void {
    this.#lookAgain();
  }

  outcome(key: string): Outcome | undefined {
    return this.#ledger.get(key);
  }

  outcomes(): readonly Outcome[] {
    return this.#ledger.entries();
  }

  /** What each node that is there says of a revision in force; undefined for one that has not said anything. */
  said(revision: string): ReadonlyMap<string, Said | undefined> {
    return this.#ledger.said(revision, this.#present());
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
      for (const key of this.#ledger.undecided()) this.#lookAt(key);
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
      const entry = this.#ledger.get(key);
      if (entry === undefined) {
        await this.#remove(key);
        continue;
      }
      try {
        await this.#judge(key, entry);
      } catch (err) {
        this.#options.log.error({ err, document: describeKey(entry.key) }, 'a document could not be taken into use');
        this.#settle(key, entry, { state: 'rejected', why: messageOf(err) });
      }
    }
  }

  async #remove(key: string): Promise<void> {
    const entry = this.#gone.get(key);
    if (entry === undefined) return;
    this.#gone.delete(key);
    this.#onTrial.delete(key);
    const { audit, lastGood, log } = this.#options;
    try {
      await this.#consumers.get(entry.key.kind)?.deactivate(entry.key);
      if (entry.active !== '') audit.judged('removed', entry.held, 'its author was revoked');
      await lastGood.forget(key);
      log.warn({ document: describeKey(entry.key) }, 'document taken out of use, its author was revoked');
    } catch (err) {
      log.error({ err, document: describeKey(entry.key) }, 'a document could not be taken out of use');
    }
    this.#reportSoon();
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
      const { audit, lastGood } = this.#options;
      await consumer.deactivate(entry.key);
      // Deletions are looked at again at every start; what was in use until now is removed once.
      if (entry.active !== '' || lastGood.of(key).length > 0) audit.judged('removed', entry.held);
      await lastGood.forget(key);
      this.#settle(key, entry, { state: 'applied', why: '', active: entry.head });
      return;
    }
    if (entry.active === '') await this.#beginWithLastGood(key, entry, consumer);
    await this.#roll(key, this.#ledger.get(key)!, consumer);
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
    const decision = this.#decide(entry);
    if (decision === undefined) return;
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

  #decide(entry: Entry): Decision | undefined {
    const isUrgent = KINDS.get(entry.key.kind)?.isUrgent === true;
    if (isUrgent) return entry.state === 'applied' ? undefined : { kind: 'take', isFirst: false };
    const moment = { nowMs: performance.now(), wallMs: Date.now(), present: this.#present() };
    return this.#ledger.decide(entry, moment);
  }

  async #take(key: string, entry: Entry, consumer: DocumentConsumer, isFirst: boolean): Promise<void> {
    const { audit, lastGood, log } = this.#options;
    const document = { document: describeKey(entry.key), revision: shortId(entry.head) };
    if (lastGood.isFatal(entry.head)) {
      const why = 'the agent ended each time it took this into use';
      audit.judged('rejected', entry.held, why);
      this.#settle(key, entry, { state: 'rejected', why, isFirst });
      return;
    }
    await lastGood.trying(entry.head);
    const done = await this.#activate(entry.held, consumer);
    if (this.#ledger.get(key)?.head !== entry.head) return; // replaced meanwhile: its turn comes next
    if (!done.ok) {
      await lastGood.tried(entry.head);
      log.warn({ ...document, why: done.problem }, 'document rejected, the last good revision stays in use');
      audit.judged('rejected', entry.held, done.problem);
      this.#settle(key, entry, { state: 'rejected', why: done.problem, isFirst });
      return;
    }
    log.info({ ...document, isFirst }, 'document taken into use');
    audit.judged('applied', entry.held);
    this.#settle(key, entry, { state: 'applied', why: '', isFirst, active: entry.head });
    this.#onTrial.set(key, entry.head);
    this.#trialTimer ??= setTimeout(() => void this.#trialOver(), TRIAL_MS);
  }

  async #activate(
    { id, revision }: Held,
    consumer: DocumentConsumer,
  ): Promise<{ ok: true } | { ok: false; problem: string }> {
    const compiled = await this.#options.compiler.compile(revision, revision.body ?? new Uint8Array());
    if (!compiled.ok) return compiled;
    try {
      await consumer.activate(revision, compiled.value, id, revision.hlc.ms);
      this.#options.applied?.(id, revision.hlc.ms);
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
    const { audit, lastGood, log } = this.#options;
    audit.judged('held-back', entry.held, `rejected by ${by}: ${why}`);
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
    if (this.#ledger.settle(key, entry, change)) this.#reportSoon();
  }

  #reportSoon(): void {
    if (this.#isClosed) return;
    this.#reportTimer ??= setTimeout(() => {
      this.#reportTimer = undefined;
      this.#mesh?.report(encodeReport(this.#ledger.report()));
    }, COLLECT_MS);
  }

  /** Looks again when the patience with the first takers of some document is at its end. */
  #wakeLater(): void {
    this.#patienceTimer ??= setTimeout(() => {
      this.#patienceTimer = undefined;
      this.#lookAgain();
      if (this.#ledger.isWaiting) this.#wakeLater();
    }, this.#patienceMs / 10);
  }

  #present(): string[] {
    return presentNames(this.#mesh?.members() ?? [], this.#options.node);
  }
}
