/**
 * What the outside is told of the mesh: who its members are, the endpoints that may be routed to, and what each node says
 * of its documents and of endpoints that it has ejected. All of that is told as it changes; of members only that something
 * changed.
 * @module
 */
import type { Context } from './effects.ts';
import type { Standing } from './members/standing.ts';
import type { MemberTable, TableEntry } from './members/table.ts';
import { isRoutable } from './members/table.ts';
import type { Directory, Routing } from './records/directory.ts';
import type { OwnPage } from './records/own-page.ts';
import type { NodeRecord } from './records/record.ts';
import { EVIDENCE_KEY, ISSUER_KEY, REPORT_KEY } from './records/record.ts';
import { isSameBytes, type Register } from './records/register.ts';

/** A member as the outside sees it. */
export interface MemberView {
  readonly name: string;
  readonly state: TableEntry['state'];
  readonly address: string;
  readonly epoch: number;
  /** Deaths it refuted in this epoch. */
  readonly incarnation: number;
  /** Observers that accuse it right now. */
  readonly accusers: number;
  readonly endpoints: number;
  readonly sinceMs: number;
  readonly isSelf: boolean;
  /** What it says of itself as an issuer, as it put it and unchecked; absent when it does not claim to be one. */
  readonly issuer?: Uint8Array;
}

export interface OutsideHost {
  readonly own: OwnPage;
  readonly register: Register;
  readonly directory: Directory;
  readonly members: {
    /** Our own standing. */
    readonly self: Standing & { kind: 'alive' | 'left' };
    readonly table: MemberTable;
    accusersOf(name: string): number;
  };
  /** Whether anybody wants to know how others fare with their documents. */
  readonly wantsReports: boolean;
}

const MAX_ISSUER_NOTE_BYTES = 4_096;

export class Outside {
  readonly #context: Context;
  readonly #host: OutsideHost;
  /** The reports of others that were last told. */
  readonly #reports = new Map<string, Uint8Array>();
  /** The same for what they have ejected. */
  readonly #evidence = new Map<string, Uint8Array>();
  #startedAtMs = 0;
  #areMembersChanged = false;

  constructor(context: Context, host: OutsideHost) {
    this.#context = context;
    this.#host = host;
  }

  start(): void {
    this.#startedAtMs = this.#context.nowMs;
    this.#areMembersChanged = true;
  }

  /** The state or the record of a member changed, or our own did. */
  changed(name: string): void {
    if (this.#host.wantsReports) this.#tellReport(name);
    this.#tellEvidence(name);
    this.#show(name);
    this.#areMembersChanged = true; // the number of its endpoints may be another
  }

  /** Call at the end of every step. Whether anything changed. */
  tellMembers(): boolean {
    if (!this.#areMembersChanged) return false;
    this.#areMembersChanged = false;
    this.#context.out.push({ kind: 'members-changed' });
    return true;
  }

  /** Everybody we know, ourselves first. */
  members(): MemberView[] {
    const { own, register, directory, members } = this.#host;
    const standing = members.self;
    const self: MemberView = {
      name: this.#context.self,
      state: standing.kind,
      address: own.record.meta.address,
      epoch: standing.epoch,
      incarnation: standing.kind === 'left' ? 0 : standing.inc,
      accusers: 0,
      endpoints: directory.countOf(this.#context.self),
      sinceMs: this.#startedAtMs,
      isSelf: true,
      ...issuerNote(own.record),
    };
    const others = [...members.table.entries()].map((entry) => ({
      name: entry.name,
      state: entry.state,
      address: register.addressOf(entry.name) ?? '',
      epoch: entry.standing.epoch,
      incarnation: entry.standing.kind === 'left' ? 0 : entry.standing.inc,
      accusers: members.accusersOf(entry.name),
      endpoints: directory.countOf(entry.name),
      sinceMs: entry.sinceMs,
      isSelf: false,
      ...issuerNote(register.get(entry.name)?.record),
    }));
    return [self, ...others];
  }

  #show(name: string): void {
    const { own, register, directory, members } = this.#host;
    const isSelf = name === this.#context.self;
    const endpoints = isSelf ? own.endpoints : register.get(name)?.endpoints;
    const routing = isSelf ? 'full' : routingOf(members.table.get(name));
    const delta = directory.show(name, endpoints ?? new Map(), routing);
    if (delta !== undefined) this.#context.out.push({ kind: 'endpoints', delta });
  }

  #tellReport(name: string): void {
    if (name === this.#context.self) return;
    const report = this.#host.register.get(name)?.record.entries.get(REPORT_KEY)?.value ?? undefined;
    if (report === this.#reports.get(name)) return;
    if (report === undefined) this.#reports.delete(name);
    else this.#reports.set(name, report);
    this.#context.out.push({ kind: 'report', node: name, report });
  }

  /** One that does not answer cannot withdraw what it said, so its word ends. */
  #tellEvidence(name: string): void {
    if (name === this.#context.self) return;
    const { register, members } = this.#host;
    const said = register.get(name)?.record.entries.get(EVIDENCE_KEY)?.value ?? undefined;
    const before = this.#evidence.get(name);
    if (said === undefined && before === undefined) return;
    const evidence = routingOf(members.table.get(name)) === 'full' ? said : undefined;
    if (evidence === before || (evidence !== undefined && before !== undefined && isSameBytes(evidence, before)))
      return;
    if (evidence === undefined) this.#evidence.delete(name);
    else this.#evidence.set(name, evidence);
    this.#context.out.push({ kind: 'evidence', node: name, evidence });
  }
}

function routingOf(entry: TableEntry | undefined): Routing {
  if (entry === undefined || !isRoutable(entry.state)) return 'none';
  return entry.state === 'unresponsive' ? 'last-choice' : 'full';
}

function issuerNote(record: NodeRecord | undefined): { readonly issuer?: Uint8Array } {
  const note = record?.entries.get(ISSUER_KEY)?.value ?? undefined;
  return note === undefined || note.length > MAX_ISSUER_NOTE_BYTES ? {} : { issuer: note };
}
