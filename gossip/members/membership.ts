/**
 * Who is in the mesh: takes standings, accusations and vetoes, keeps the member table, decides deaths, and defends
 * ourselves.
 *
 * Four rules keep the peace. News is passed on only by whoever it was new to. A death needs a quorum of signed
 * accusations, and one that shows too few is checked by a connect probe of our own. A dead standing found by
 * anti-entropy, not by gossip, is contested first: after a healed partition each half holds the other dead, and every
 * member gets a moment to refute before anybody believes it. What only a newcomer told us about others is hearsay: those
 * stay in probation until somebody who watches them says so.
 * @module
 */
import type { Context, Timer } from '../effects.ts';
import { arm, disarm, send } from '../effects.ts';
import type { Credential } from '../ports.ts';
import type { Message } from '../wire/messages.ts';
import type { Accusation, AccusationSubject, Cause, Standing, StandingLine } from './standing.ts';
import {
  accusationStatement,
  aliveStatement,
  compareLine,
  compareStanding,
  incarnation,
  leftStatement,
  lineOf,
  RANK,
} from './standing.ts';
import { isRefusedByEnough, quorumOf, Suspicion } from './suspicion.ts';
import type { TableEntry, TableState } from './table.ts';
import { isPresent, MemberTable } from './table.ts';

/** How news reached us: from the member itself; passed on by a neighbour; found while comparing tables. */
export type Via = 'contact' | 'flood' | 'repair';

/** `news` = applied; `old` = we knew as much; `pending` = to be confirmed; `refused` = not to be believed. */
export type Hearing = 'news' | 'old' | 'pending' | 'refused';

export interface MembershipHost {
  credentialOf(name: string): Credential | undefined;
  addressOf(name: string): string | undefined;
  /** The last life that this member itself told of, in its record. */
  epochOf(name: string): number | undefined;
  observersOf(name: string): ReadonlySet<string>;
  isLinked(name: string): boolean;
  /** Sends, making a link first where there is none. */
  deliver(to: string, message: Message): void;
  /** Passes on a standing that was news to us. */
  tell(name: string, standing: Standing, from: string | undefined): void;
  /** Asks a peer for the page of this member. */
  fetch(peer: string, line: StandingLine): void;
  /** Asks a member that somebody holds dead to refute it, by way of all peers. */
  ask(line: StandingLine, from: string | undefined): void;
  /** The table changed: `before` is undefined for a new member, `after` for one that was forgotten. */
  changed(name: string, before: TableEntry | undefined, after: TableEntry | undefined): void;
  /** Another observer accused a member, and the accusation counts. */
  doubted(name: string): void;
  /** A life of ours is over that others know of. */
  raiseEpoch(above: number, why: string): void;
  /** This peer speaks of a life of ours that we know nothing of: it shall show the record that we signed in it. */
  askProof(peer: string): void;
}

export const KNOWN_ELSEWHERE = 'a peer knew a newer life of this node; is its bundle used twice?';

/** A member's death that is in question. */
interface Contest {
  readonly line: StandingLine;
  /** What we believe unless it is refuted; undefined when we only pass the question on. */
  readonly standing?: Standing;
  /** A peer that has what proves it. */
  readonly shownBy?: string;
}

const CONTEST_MS = 1_500;
const PROBATION_MS = 30_000;
/** A member younger than this may vouch for itself, not for others, to one that is older. */
const NEWCOMER_MS = 30_000;

export class Membership {
  readonly table: MemberTable;
  readonly #context: Context;
  readonly #host: MembershipHost;
  readonly #suspicions = new Map<string, Suspicion>();
  /** Until when a member is exempt from suspicion because it accepts connections. */
  readonly #vetoes = new Map<string, number>();
  /** Deaths that wait for a refutation or for a probe of our own. */
  readonly #contested = new Map<string, Contest>();
  #self: Standing & { kind: 'alive' | 'left' };
  #startedMs = 0;

  /** @param known a table to begin with; it must not change any more */
  constructor(context: Context, host: MembershipHost, epoch: number, known?: MemberTable) {
    this.#context = context;
    this.#host = host;
    this.table = new MemberTable(known);
    this.table.delete(context.self);
    this.#self = this.#signAlive(epoch, 0);
  }

  get self(): Standing & { kind: 'alive' | 'left' } {
    return this.#self;
  }

  start(): void {
    this.#startedMs = this.#context.nowMs;
  }

  /** How many observers accuse this member right now. */
  accusersOf(name: string): number {
    return this.#suspicions.get(name)?.accusations().length ?? 0;
  }

  /** A new life of ours, above every epoch anybody knows. */
  beginEpoch(epoch: number): void {
    this.#self = this.#signAlive(epoch, 0);
    this.#announce();
  }

  /** Says goodbye. Final for this epoch: from here on nothing is refuted. */
  leave(): void {
    const { epoch } = this.#self;
    const statement = leftStatement(this.#context.trustDomain, this.#context.self, epoch);
    this.#self = { kind: 'left', epoch, signature: this.#context.signer.sign(statement) };
    this.#announce();
  }

  hear(name: string, standing: Standing, via: Via, from: string): Hearing {
    if (name === this.#context.self) return this.#hearOfSelf(lineOf(name, standing), from, standing);
    const known = this.table.get(name);
    if (known !== undefined && compareStanding(standing, known.standing) <= 0) {
      if (via === 'contact' && compareStanding(standing, known.standing) < 0) {
        send(this.#context, from, { kind: 'contest', lines: [lineOf(name, known.standing)] }); // let it refute what we hold
      }
      if (via === 'contact' || via === 'flood') this.#confirmHearsay(known, standing);
      return 'old';
    }
    if (standing.kind === 'dead') return this.#hearOfDeath(name, standing, known, via, from);
    if (!this.#isSignedByOwner(name, standing)) return 'refused';
    if (known === undefined && !this.#makeRoom()) return 'refused';
    const hearsay = known === undefined && via === 'repair' && this.#isNewcomer(from);
    this.#apply(name, standing, standing.kind === 'left' ? 'left' : hearsay ? 'probation' : 'alive', via);
    // Whoever has just joined learns what all others know, and would only echo it.
    const isEcho = via === 'repair' && this.#context.nowMs - this.#startedMs < NEWCOMER_MS;
    if (!hearsay && !isEcho) this.#host.tell(name, standing, from);
    return 'news';
  }

  /** Deaths that somebody else came upon: refute our own, answer those refuted already, pass the other questions on. */
  hearContest(lines: readonly StandingLine[], from: string): void {
    const refuted: StandingLine[] = [];
    for (const line of lines) {
      if (line.name === this.#context.self) {
        this.#hearOfSelf(line, from);
        continue;
      }
      const known = this.table.get(line.name);
      if (known === undefined || line.rank !== RANK.dead || !this.#isLifeKnown(line)) continue;
      // To answer with the very standing that is contested would be to vouch for it.
      const held = lineOf(line.name, known.standing);
      const newer = compareLine(line, held);
      if (newer < 0) refuted.push(held);
      if (newer > 0) this.#contest({ line }, from);
    }
    if (refuted.length > 0) send(this.#context, from, { kind: 'news', lines: refuted });
  }

  /**
   * Comparing tables showed a death of somebody we hold present. After a partition that is half the mesh and nearly all of
   * it refuted in a moment, so we ask first, and fetch what proves it only from silence. False when there is nothing to ask.
   */
  question(line: StandingLine, shownBy: string): boolean {
    const known = this.table.get(line.name);
    if (line.rank !== RANK.dead || known === undefined || !isPresent(known.state) || !this.#isLifeKnown(line))
      return false;
    this.#contest({ line, shownBy }, shownBy);
    return true;
  }

  /** Our own detector gave up on a member. */
  accuse(name: string, cause: Cause): void {
    const entry = this.table.get(name);
    if (entry === undefined || entry.standing.kind !== 'alive' || entry.state === 'probation') {
      if (entry?.state === 'probation') this.#forget(entry);
      return;
    }
    const subject = { name, epoch: entry.standing.epoch, inc: entry.standing.inc };
    const statement = accusationStatement(this.#context.trustDomain, subject, this.#context.self, cause);
    const accusation = { by: this.#context.self, cause, signature: this.#context.signer.sign(statement) };
    if (!this.#take(entry, subject, accusation)) return;
    const message: Message = { kind: 'suspect', about: name, epoch: subject.epoch, inc: subject.inc, accusation };
    for (const peer of this.#host.observersOf(name)) {
      if (peer !== this.#context.self) this.#host.deliver(peer, message);
    }
    if (this.#host.isLinked(name)) send(this.#context, name, message);
    this.#judge(name);
  }

  /** Another observer gave up on a member. */
  hearAccusation(message: Message & { kind: 'suspect' }, from: string): void {
    const { about: name, accusation } = message;
    const subject: AccusationSubject = { name, epoch: message.epoch, inc: message.inc };
    if (name === this.#context.self) {
      if (this.#isSignedAccusation(subject, accusation)) this.#refute(subject.epoch, subject.inc, from);
      return;
    }
    const entry = this.table.get(name);
    if (entry === undefined || entry.standing.kind !== 'alive') return;
    if (subject.epoch !== entry.standing.epoch || subject.inc !== entry.standing.inc) {
      if (compareStanding(entry.standing, { ...entry.standing, epoch: subject.epoch, inc: subject.inc }) > 0) {
        send(this.#context, from, { kind: 'standing', name, standing: entry.standing }); // refuted already
      }
      return;
    }
    if (this.#suspicions.get(name)?.has(accusation.by)) return;
    if (!this.#host.observersOf(name).has(accusation.by) || !this.#isSignedAccusation(subject, accusation)) {
      this.#context.stats.dropped['out-of-place']++;
      return;
    }
    if (this.#host.isLinked(name)) send(this.#context, name, message); // the accused shall know, whoever can reach it
    if (!this.#take(entry, subject, accusation)) return;
    this.#judge(name);
    this.#host.doubted(name);
  }

  /** It accepts connections but does not answer: tell the other observers to hold their fire. */
  unresponsive(name: string): void {
    const entry = this.table.get(name);
    if (entry === undefined || !isPresent(entry.state) || entry.state === 'probation') return;
    this.#context.stats.vetoes++;
    const forMs = this.#context.settings.vetoMs;
    for (const peer of this.#host.observersOf(name)) {
      if (peer === this.#context.self || !this.#host.isLinked(peer)) continue;
      send(this.#context, peer, { kind: 'veto', about: name, epoch: entry.standing.epoch, forMs });
    }
    this.#veto(entry, forMs);
  }

  hearVeto(message: Message & { kind: 'veto' }, from: string): void {
    const entry = this.table.get(message.about);
    if (entry === undefined || !isPresent(entry.state) || entry.state === 'probation') return;
    if (entry.standing.epoch !== message.epoch || !this.#host.observersOf(message.about).has(from)) return;
    this.#veto(entry, Math.min(message.forMs, this.#context.settings.vetoMs));
  }

  /** A member that we had doubted answered us. */
  recovered(name: string): void {
    const entry = this.table.get(name);
    if (entry === undefined) return;
    if (entry.state === 'probation') this.#confirm(entry);
    if (entry.state === 'unresponsive') this.#setState(entry, 'alive', 'answers again');
    this.#vetoes.delete(name);
  }

  /** A member known by hearsay answered us: it is real, and those we speak to should know. */
  reached(name: string): void {
    if (this.table.count('probation') === 0) return; // nearly always, and this is asked with every ack
    const entry = this.table.get(name);
    if (entry?.state === 'probation') this.#confirm(entry);
  }

  /** Our own probe of a member whose death certificate showed too few accusers. */
  confirmed(name: string, isGone: boolean): void {
    const standing = this.#contested.get(name)?.standing;
    this.#contested.delete(name);
    if (standing !== undefined && isGone) this.#believe(name, standing);
  }

  fired(timer: Timer): void {
    const entry = this.table.get(timer.about);
    if (timer.kind === 'verdict') this.#judge(timer.about);
    else if (timer.kind === 'veto') this.#vetoOver(timer.about);
    else if (timer.kind === 'contest') this.#unrefuted(timer.about);
    else if (timer.kind === 'probation' && entry?.state === 'probation') this.#forget(entry);
  }

  /** As if we had never heard of it. */
  forget(name: string): void {
    const entry = this.table.get(name);
    if (entry !== undefined) this.#forget(entry);
  }

  /** Nothing that a revoked node says counts, so its record goes, and nobody is a member without a record. */
  expelRevoked(): void {
    const { signer, out } = this.#context;
    for (const entry of [...this.table.entries()]) {
      const { name } = entry;
      const credential = this.#host.credentialOf(name);
      if (credential === undefined || !signer.isRevoked(credential)) continue;
      out.push({ kind: 'log', event: { kind: 'member', name, state: 'revoked', why: 'its certificate was revoked' } });
      this.#forget(entry);
    }
  }

  /** Drops tombstones that no valid record can outlive. */
  sweep(): void {
    const { nowMs, settings } = this.#context;
    for (const entry of [...this.table.tombstones()]) {
      if (nowMs - entry.sinceMs > settings.tombstoneMs) this.#forget(entry);
    }
  }

  /** @param standing what the line is of; without it there is nothing that proves the line */
  #hearOfSelf({ epoch, inc, rank }: StandingLine, from: string, standing?: Standing): Hearing {
    const isOtherLife = epoch > this.#self.epoch;
    const isOver = rank === RANK.left && epoch === this.#self.epoch;
    if (isOtherLife || isOver) {
      if (this.#self.kind !== 'alive') return 'old';
      // Anybody can name a number, and the highest there is would leave us none above it: only our own hand counts.
      if (standing !== undefined && standing.kind !== 'dead' && this.#isSignedByOwner(this.#context.self, standing)) {
        this.#host.raiseEpoch(epoch, KNOWN_ELSEWHERE);
      } else if (isOtherLife || standing === undefined) {
        this.#host.askProof(from);
      }
    } else if (rank === RANK.dead) {
      this.#refute(epoch, inc, from);
    }
    return 'old';
  }

  #refute(epoch: number, inc: number, from: string): void {
    if (this.#self.kind !== 'alive' || epoch !== this.#self.epoch) return;
    if (inc < this.#self.inc) {
      // Refuted before, and this one has not heard. Old accusations come in heaps after a cut: a flood for each is a storm.
      send(this.#context, from, { kind: 'standing', name: this.#context.self, standing: this.#self });
      return;
    }
    if (inc > this.#self.inc) {
      // A lie, for only we raise it; whoever follows it would soon be at the last number there is.
      this.#host.raiseEpoch(epoch, 'accused in an incarnation that it never had');
      return;
    }
    this.#self = this.#signAlive(epoch, inc + 1);
    this.#context.stats.refutations++;
    this.#context.out.push({ kind: 'log', event: { kind: 'refuted', inc: inc + 1 } });
    this.#announce();
  }

  #announce(): void {
    this.#host.changed(this.#context.self, undefined, undefined);
    this.#host.tell(this.#context.self, this.#self, undefined);
  }

  #signAlive(epoch: number, inc: number): Standing & { kind: 'alive' } {
    const { signer, trustDomain, self } = this.#context;
    return { kind: 'alive', epoch, inc, signature: signer.sign(aliveStatement(trustDomain, self, epoch, inc)) };
  }

  #hearOfDeath(
    name: string,
    standing: Standing & { kind: 'dead' },
    known: TableEntry | undefined,
    via: Via,
    from: string,
  ): Hearing {
    if (!this.#isLifeKnown(lineOf(name, standing))) return 'refused';
    if (known === undefined || !isPresent(known.state)) {
      // Nothing depends on it, and we may not know the accusers yet. If it lives, it will refute on first contact.
      if (known === undefined && !this.#makeRoom()) return 'refused';
      this.#apply(name, standing, 'dead', via);
      return 'news';
    }
    const subject: AccusationSubject = { name, epoch: standing.epoch, inc: standing.inc };
    if (via === 'repair') {
      if (!standing.accusations.some((accusation) => this.#isSignedAccusation(subject, accusation))) return 'refused';
      this.#contest({ line: lineOf(name, standing), standing }, from);
      return 'pending';
    }
    const valid = this.#validAccusations(subject, standing.accusations);
    const observers = this.#host.observersOf(name);
    // Observers by the rings as we see them: others may have had reason, but a conspiracy would look the same.
    const placed = valid.filter(({ by }) => by === this.#context.self || observers.has(by));
    const quorum = quorumOf(this.#candidates(name));
    if (placed.length >= quorum || isRefusedByEnough(placed, quorum)) {
      this.#believe(name, standing, from);
      return 'news';
    }
    if (valid.length === 0) return 'refused';
    const address = this.#host.addressOf(name);
    if (address === undefined || this.#contested.has(name)) return 'pending';
    this.#contested.set(name, { line: lineOf(name, standing), standing });
    this.#context.stats.probes++;
    this.#context.out.push({ kind: 'probe', about: name, address, purpose: 'confirm' });
    return 'pending';
  }

  /** Whoever signs accusations may name any number: of lives that the member never told of, nobody can have seen the end. */
  #isLifeKnown({ name, epoch }: AccusationSubject | StandingLine): boolean {
    return epoch <= (this.#host.epochOf(name) ?? 0);
  }

  #unrefuted(name: string): void {
    const contest = this.#contested.get(name);
    if (contest?.standing === undefined && contest?.shownBy !== undefined)
      this.#host.fetch(contest.shownBy, contest.line);
    this.confirmed(name, true);
  }

  #contest(contest: Contest, from: string): void {
    const { line } = contest;
    const pending = this.#contested.get(line.name);
    const newer = pending === undefined ? 1 : compareLine(line, pending.line);
    if (newer > 0) this.#contested.set(line.name, contest);
    if (newer === 0) this.#contested.set(line.name, { ...contest, ...pending });
    if (newer <= 0) return; // asked already
    arm(this.#context, 'contest', line.name, CONTEST_MS);
    if (this.#host.isLinked(line.name)) send(this.#context, line.name, { kind: 'contest', lines: [line] });
    else this.#host.ask(line, from);
  }

  #believe(name: string, standing: Standing, from?: string): void {
    const known = this.table.get(name);
    if (known === undefined || compareStanding(standing, known.standing) <= 0) return;
    this.#apply(name, standing, 'dead', 'flood');
    this.#host.tell(name, standing, from);
  }

  /** Adds an accusation; false when it is not news or a veto holds. */
  #take(entry: TableEntry, subject: AccusationSubject, accusation: Accusation): boolean {
    const vetoedUntilMs = this.#vetoes.get(entry.name) ?? 0;
    if (vetoedUntilMs > this.#context.nowMs && accusation.cause === 'silent') return false;
    let suspicion = this.#suspicions.get(entry.name);
    if (suspicion === undefined || suspicion.epoch !== subject.epoch || suspicion.inc !== subject.inc) {
      suspicion = new Suspicion(subject.epoch, subject.inc, this.#context.nowMs);
      this.#suspicions.set(entry.name, suspicion);
      this.#context.stats.suspicions++;
    }
    if (!suspicion.add(accusation)) return false;
    if (entry.state !== 'suspect') this.#setState(entry, 'suspect', `${accusation.cause} to ${accusation.by}`);
    return true;
  }

  #judge(name: string): void {
    const suspicion = this.#suspicions.get(name);
    const entry = this.table.get(name);
    if (suspicion === undefined || entry === undefined) return;
    const candidates = this.#candidatesAmongObservers(name);
    const { suspicionMinMs: minMs, suspicionMaxMs: maxMs } = this.#context.settings;
    const ruling = suspicion.rule(this.#context.nowMs, candidates, { minMs, maxMs });
    if (ruling.kind === 'wait') {
      arm(this.#context, 'verdict', name, ruling.atMs - this.#context.nowMs);
    } else if (ruling.kind === 'drop') {
      this.#setState(entry, 'alive', 'too few accusers');
    } else {
      const { epoch, inc } = suspicion;
      this.#believe(name, { kind: 'dead', epoch, inc, accusations: suspicion.accusations() });
    }
  }

  #judgeAll(): void {
    for (const name of [...this.#suspicions.keys()]) this.#judge(name);
  }

  #veto(entry: TableEntry, forMs: number): void {
    this.#vetoes.set(entry.name, this.#context.nowMs + forMs);
    arm(this.#context, 'veto', entry.name, forMs);
    if (entry.state !== 'unresponsive') this.#setState(entry, 'unresponsive', 'accepts connections, does not answer');
  }

  #vetoOver(name: string): void {
    const leftMs = (this.#vetoes.get(name) ?? 0) - this.#context.nowMs;
    if (leftMs >= 1) return; // it was renewed, and so was the timer; less than that is rounding
    this.#vetoes.delete(name);
    const entry = this.table.get(name);
    if (entry?.state === 'unresponsive') this.#setState(entry, 'alive', 'no longer unresponsive');
  }

  /** The member is known by hearsay, and now somebody who should know speaks of it. */
  #confirmHearsay(known: TableEntry, standing: Standing): void {
    if (known.state === 'probation' && compareStanding(standing, known.standing) === 0) this.#confirm(known);
  }

  #confirm(entry: TableEntry): void {
    this.#setState(entry, 'alive', 'confirmed');
    this.#host.tell(entry.name, entry.standing, undefined);
  }

  #apply(name: string, standing: Standing, state: TableState, why: string): void {
    const before = this.table.get(name);
    this.#contested.delete(name);
    disarm(this.#context, 'contest', name);
    if (state === 'dead' && before !== undefined && isPresent(before.state)) this.#context.stats.deaths++;
    if (state === 'probation') arm(this.#context, 'probation', name, PROBATION_MS);
    this.#store(before, { name, state, standing, sinceMs: this.#context.nowMs }, why);
  }

  #setState(entry: TableEntry, state: TableState, why: string): void {
    if (entry.state !== state) this.#store(entry, { ...entry, state, sinceMs: this.#context.nowMs }, why);
  }

  #store(before: TableEntry | undefined, after: TableEntry, why: string): void {
    const same = before?.state === after.state;
    this.table.set(same ? { ...after, sinceMs: before.sinceMs } : after);
    if (after.state !== 'suspect' && this.#suspicions.delete(after.name)) disarm(this.#context, 'verdict', after.name);
    this.#host.changed(after.name, before, after);
    if (same) return;
    const { name, state } = after;
    this.#context.out.push({ kind: 'log', event: { kind: 'member', name, state, why } });
    this.#judgeAll(); // fewer candidates may make another suspicion's quorum
  }

  #forget(entry: TableEntry): void {
    this.table.delete(entry.name);
    this.#suspicions.delete(entry.name);
    this.#contested.delete(entry.name);
    this.#host.changed(entry.name, entry, undefined);
  }

  #makeRoom(): boolean {
    if (this.table.size < this.#context.settings.maxMembers) return true;
    const oldest = this.table.oldestTombstone();
    if (oldest === undefined) {
      this.#context.stats.dropped.full++;
      return false;
    }
    this.#forget(oldest);
    return true;
  }

  #isNewcomer(name: string): boolean {
    const { nowMs } = this.#context;
    const entry = this.table.get(name);
    const weAreOld = nowMs - this.#startedMs > NEWCOMER_MS;
    return weAreOld && (entry === undefined || nowMs - entry.sinceMs < NEWCOMER_MS);
  }

  /** Members that could accuse this one as far as a bystander can tell. */
  #candidates(name: string): number {
    const others = this.table.count('alive') - (this.table.get(name)?.state === 'alive' ? 1 : 0);
    return Math.min(this.#context.settings.observers, others + 1);
  }

  #candidatesAmongObservers(name: string): number {
    let candidates = 0;
    for (const observer of this.#host.observersOf(name)) {
      if (observer === this.#context.self || this.table.get(observer)?.state === 'alive') candidates++;
    }
    return candidates;
  }

  #isSignedByOwner(name: string, standing: Standing & { kind: 'alive' | 'left' }): boolean {
    const { trustDomain, signer, stats } = this.#context;
    const credential = this.#host.credentialOf(name);
    const statement =
      standing.kind === 'left'
        ? leftStatement(trustDomain, name, standing.epoch)
        : aliveStatement(trustDomain, name, standing.epoch, incarnation(standing));
    if (credential !== undefined && signer.verify(credential, statement, standing.signature)) return true;
    stats.dropped.signature++;
    return false;
  }

  #isSignedAccusation(subject: AccusationSubject, accusation: Accusation): boolean {
    const credential = this.#host.credentialOf(accusation.by);
    if (credential === undefined || accusation.by === subject.name) return false;
    const statement = accusationStatement(this.#context.trustDomain, subject, accusation.by, accusation.cause);
    return this.#context.signer.verify(credential, statement, accusation.signature);
  }

  #validAccusations(subject: AccusationSubject, accusations: readonly Accusation[]): Accusation[] {
    const valid = new Map<string, Accusation>();
    for (const accusation of accusations) {
      if (!valid.has(accusation.by) && this.#isSignedAccusation(subject, accusation)) {
        valid.set(accusation.by, accusation);
      }
    }
    return [...valid.values()];
  }
}
