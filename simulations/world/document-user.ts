/**
 * What a simulated node makes of documents: the production rules of agent/documents/ledger.ts and rollout.ts, with a
 * compiler that takes a while and a consumer that only remembers. It stands in for agent/documents/keeper.ts, in the same
 * order: one document at a time, last good first, a rejection reported before anybody else follows.
 * @module
 */
import type { Entry } from '../../agent/documents/ledger.ts';
import { Ledger, presentNames } from '../../agent/documents/ledger.ts';
import type { Chain } from '../../gossip/documents/chain.ts';
import { encodeReport } from '../../gossip/documents/report.ts';
import type { Held } from '../../gossip/documents/revision.ts';
import type { Host } from './host.ts';
import type { Operators } from './operators.ts';
import { isUsableBy } from './operators.ts';
import type { Process } from './process.ts';

export interface DocumentUserOptions {
  readonly process: Process;
  readonly host: Host;
  readonly operators: Operators;
  readonly members: () => readonly { readonly name: string; readonly state: string }[];
  readonly chain: (key: string) => Chain | undefined;
  readonly report: (report: Uint8Array) => void;
}

/** As agent/documents/keeper.ts has them. */
const PATIENCE_MS = 10_000;
const TRIAL_MS = 2_000;
const COLLECT_MS = 20;
/** From the mesh thread to the control thread and back, and the turn in which a burst of changes is one look. */
const LOOK_MS = 1;
/** A document that is in order, and one that trips the watchdog of agent/documents/compiler.ts. */
const COMPILE_MS = 20;
const WATCHDOG_MS = 2_000;

export class DocumentUser {
  readonly #options: DocumentUserOptions;
  readonly #ledger: Ledger;
  readonly #toLook = new Set<string>();
  #good: Readonly<Record<string, readonly string[]>>;
  /** Until members change. */
  #present: readonly string[] | undefined;
  #isCompiling = false;
  #isLookPlanned = false;
  #isReportPlanned = false;
  #isWakePlanned = false;

  constructor(options: DocumentUserOptions) {
    this.#options = options;
    const { process, host } = options;
    this.#good = host.disk.contents?.good ?? {};
    this.#ledger = new Ledger({ node: process.name, consumes: () => true, patienceMs: PATIENCE_MS });
  }

  /** Id of the revision in use; '' for none. */
  inUse(key: string): string {
    const entry = this.#ledger.get(key);
    return entry === undefined || (entry.held.revision.body === null && entry.state === 'applied') ? '' : entry.active;
  }

  heads(heads: readonly Held[]): void {
    for (const head of heads) {
      for (const watcher of this.#options.operators.watchers) watcher.documentHeld?.(this.#options.process, head);
    }
    for (const key of this.#ledger.heads(heads, this.#options.process.nowMs())) this.#toLook.add(key);
    this.#lookSoon();
  }

  reported(node: string, report: Uint8Array | undefined): void {
    this.#ledger.reported(node, report);
    this.#lookSoon();
  }

  membersChanged(): void {
    this.#present = undefined;
    if (this.#ledger.isWaiting) this.#lookSoon();
  }

  #lookSoon(): void {
    if (this.#isLookPlanned) return;
    this.#isLookPlanned = true;
    this.#later(LOOK_MS, () => {
      this.#isLookPlanned = false;
      for (const key of this.#ledger.undecided()) this.#toLook.add(key);
      this.#look();
    });
  }

  #look(): void {
    for (const key of this.#toLook) {
      if (this.#isCompiling) return;
      this.#toLook.delete(key);
      const entry = this.#ledger.get(key);
      if (entry !== undefined) this.#judge(key, entry);
    }
  }

  #judge(key: string, entry: Entry): void {
    if (entry.held.revision.body === null) {
      if (entry.state === 'applied') return;
      this.#remember(key, []);
      this.#use(key, '');
      this.#settle(key, entry, { state: 'applied', why: '', active: entry.head });
      return;
    }
    if (entry.active === '') this.#beginWithLastGood(key, entry);
    this.#roll(key, this.#ledger.get(key)!);
  }

  #beginWithLastGood(key: string, entry: Entry): void {
    const id = this.#lastGood(key, '');
    if (id === '') return;
    this.#use(key, id);
    this.#settle(key, entry, id === entry.head ? { state: 'applied', why: '', active: id } : { active: id });
  }

  #roll(key: string, entry: Entry): void {
    const { process, host, members } = this.#options;
    this.#present ??= presentNames(members(), process.name);
    const moment = { nowMs: process.nowMs(), wallMs: host.wallMs(), present: this.#present };
    const decision = this.#ledger.decide(entry, moment);
    switch (decision?.kind) {
      case 'hold':
        if (entry.heldBy === '') this.#holdBack(key, entry, decision);
        break;
      case 'wait':
        if (entry.state === 'applied') break;
        this.#settle(key, entry, { state: 'pending', why: `waiting for ${decision.for.join(', ')} to take it first` });
        this.#wakeLater();
        break;
      case 'take':
        if (entry.state !== 'applied') this.#take(key, entry, decision.isFirst);
        break;
    }
  }

  #take(key: string, entry: Entry, isFirst: boolean): void {
    const { process, operators } = this.#options;
    const isUsable = isUsableBy(process.name, entry.held);
    for (const watcher of operators.watchers) watcher.documentTried?.(process, entry.held, isFirst);
    this.#isCompiling = true;
    this.#later(isUsable ? COMPILE_MS : WATCHDOG_MS, () => {
      this.#isCompiling = false;
      if (this.#ledger.get(key)?.head === entry.head) this.#took(key, entry, isFirst, isUsable);
      this.#look();
    });
  }

  #took(key: string, entry: Entry, isFirst: boolean, isUsable: boolean): void {
    const { process, operators } = this.#options;
    if (!isUsable) {
      for (const watcher of operators.watchers) watcher.documentRejected?.(process, entry.held, isFirst);
      this.#settle(key, entry, { state: 'rejected', why: 'it was not compiled in time', isFirst });
      return;
    }
    this.#use(key, entry.head);
    this.#settle(key, entry, { state: 'applied', why: '', isFirst, active: entry.head });
    this.#later(TRIAL_MS, () => {
      const now = this.#ledger.get(key);
      if (now?.active !== entry.head) return;
      const others = (this.#good[key] ?? []).filter((id) => id !== entry.head);
      this.#remember(key, [entry.head, ...others.slice(0, 1)]);
    });
  }

  #holdBack(key: string, entry: Entry, { by, why }: { readonly by: string; readonly why: string }): void {
    let { active } = entry;
    if (active === entry.head) {
      active = this.#lastGood(key, entry.head);
      this.#remember(
        key,
        (this.#good[key] ?? []).filter((id) => id !== entry.head),
      );
      this.#use(key, active);
    }
    this.#settle(key, entry, { state: 'pending', why: `held back, rejected by ${by}: ${why}`, heldBy: by, active });
  }

  /** The latest that was in use, is still held and works here; '' for none. */
  #lastGood(key: string, except: string): string {
    const { process, chain } = this.#options;
    for (const id of this.#good[key] ?? []) {
      const held = chain(key)?.held.find((one) => one.id === id);
      if (id !== except && held !== undefined && isUsableBy(process.name, held)) return id;
    }
    return '';
  }

  #use(key: string, revision: string): void {
    const { process, operators } = this.#options;
    for (const watcher of operators.watchers) watcher.documentUsed?.(process, key, revision);
  }

  #remember(key: string, good: readonly string[]): void {
    this.#good = { ...this.#good, [key]: good };
    this.#options.host.disk.write({ good: this.#good });
  }

  #settle(key: string, entry: Entry, change: Partial<Entry>): void {
    if (!this.#ledger.settle(key, entry, change) || this.#isReportPlanned) return;
    this.#isReportPlanned = true;
    this.#later(COLLECT_MS, () => {
      this.#isReportPlanned = false;
      this.#options.report(encodeReport(this.#ledger.report()));
    });
  }

  #wakeLater(): void {
    if (this.#isWakePlanned) return;
    this.#isWakePlanned = true;
    this.#later(PATIENCE_MS / 10, () => {
      this.#isWakePlanned = false;
      this.#lookSoon();
      if (this.#ledger.isWaiting) this.#wakeLater();
    });
  }

  #later(ms: number, what: () => void): void {
    const { process } = this.#options;
    process.queue.later(ms, () => process.whenAwake(what));
  }
}
