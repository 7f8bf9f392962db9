/**
 * Gossip as one pure state machine: overlay, detector, membership, register and anti-entropy, put together.
 *
 * The parts decide; this file only says who tells whom. Time and chance come in, effects go out; the edge (edge/driver.ts and
 * libp2p/, or a simulation's event queue) carries them out and holds no rule of the protocol.
 * @module
 */
import { Buckets } from './anti-entropy/buckets.ts';
import { AntiEntropy, isNewer } from './anti-entropy/session.ts';
import type { DocumentOptions } from './documents/documents.ts';
import { Documents } from './documents/documents.ts';
import type { Context, Effect, Input, Settings, Timer } from './effects.ts';
import { arm, sample, send } from './effects.ts';
import { Detector } from './members/detector.ts';
import type { Via } from './members/membership.ts';
import { KNOWN_ELSEWHERE, Membership } from './members/membership.ts';
import { News } from './members/news.ts';
import type { StandingLine } from './members/standing.ts';
import { incarnation, lineOf, RANK } from './members/standing.ts';
import type { MemberTable, TableEntry } from './members/table.ts';
import { isPresent, isRoutable } from './members/table.ts';
import { Absence } from './overlay/absence.ts';
import { Bootstrap } from './overlay/bootstrap.ts';
import { RingOrder, Rings } from './overlay/rings.ts';
import type { Credential, Random, Signer } from './ports.ts';
import type { Routing } from './records/directory.ts';
import { Directory } from './records/directory.ts';
import type { Endpoint } from './records/endpoint.ts';
import { OwnPage } from './records/own-page.ts';
import { Pace } from './records/pace.ts';
import { Puller } from './records/puller.ts';
import type { NodeRecord, RecordDelta } from './records/record.ts';
import { deltaSince, recordStatement } from './records/record.ts';
import { contentBytes, Register } from './records/register.ts';
import type { CoreStats } from './stats.ts';
import { emptyCoreStats } from './stats.ts';
import type { DigestItem, Message, Page, PullItem } from './wire/messages.ts';

export interface CoreOptions {
  readonly self: string;
  readonly trustDomain: string;
  /** `ip:port` others reach us at. */
  readonly address: string;
  /** Our certificate chain, leaf first, DER. */
  readonly chain: readonly Uint8Array[];
  /** Above every epoch this node ever had. */
  readonly epoch: number;
  readonly seeds: readonly string[];
  readonly rememberedPeers: readonly string[];
  readonly settings: Settings;
  readonly signer: Signer;
  readonly random: Random;
  /** Without them this node takes no part in documents. */
  readonly documents?: DocumentOptions;
  /**
   * A core that already holds what this one is to begin with, ourselves included; it must not be stepped any more. For
   * simulations of a mesh that has long formed: they share one copy of it instead of holding one a node.
   */
  readonly known?: Core;
}

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

interface Held {
  readonly table: MemberTable;
  readonly order: RingOrder;
  readonly register: Register;
  readonly directory: Directory;
  readonly buckets: Buckets;
}

/** Changes are collected this long, and deltas keep this distance: ten a second a node. */
const COLLECT_MS = 20;
const BETWEEN_DELTAS_MS = 100;
/**
 * Reports of all nodes on one document keep this distance on average: reading one costs a mesh thread two to four
 * milliseconds with its duplicates. At most for so long, because a rollout waits for the first of them.
 */
const REPORTS_APART_MS = 5;
const REPORTS_MAX_MS = 5_000;
/** Longest that gossipsub may take to carry messages over a link: identify, subscribe, and a few heartbeats. */
const UNGRAFTED_MS = 5_000;
const REDIAL_MS = 1_000;
const REWATCH_MS = 50;
/** How many of the whole mesh dial a dead member each second: enough to find it soon, few enough not to trample it. */
const REDIALS_PER_DEAD = 3;
const SWEEP_MS = 60_000;
const REMEMBER_MS = 5_000;
const REMEMBERED = 32;
/** Up to so many members are all looked at when some are to be chosen; of more, this many are drawn for each wanted. */
const DRAWN_FROM = 128;
const DRAWS = 4;
/** Links beyond those the rings ask for: they shorten paths when the rings are still forming. */
const LONG_LINKS = 2;
/** News goes over so many links that the rings do not ask for. */
const NEWEST_LINKS = 4;
/** A link that no ring asks for is closed after this. */
const IDLE_LINK_MS = 60_000;
/** With more links than this, those that no ring asks for go after a shorter time: enough to learn the mesh from us. */
const MANY_LINKS = 64;
const BRIEF_LINK_MS = 5_000;
/** Pages of one answer, in bytes, with room for the frame around them. */
const PAGES_BYTES = 256 * 1024;
/** The entry of a node's record that says how it fares with the documents. */
const REPORT_KEY = 'documents';
/** The entry of an issuer's record that says that it is one. */
const ISSUER_KEY = 'issuer';
const MAX_ISSUER_NOTE_BYTES = 4_096;

export class Core {
  readonly #context: Context;
  readonly #options: CoreOptions;
  readonly #rings: Rings;
  readonly #detector: Detector;
  readonly #membership: Membership;
  readonly #news: News;
  readonly #register: Register;
  readonly #own: OwnPage;
  readonly #directory: Directory;
  readonly #buckets: Buckets;
  readonly #antiEntropy: AntiEntropy;
  readonly #puller: Puller;
  readonly #bootstrap: Bootstrap;
  readonly #absence: Absence;
  readonly #pace = new Pace();
  /** Undefined in a node that takes no part in documents. */
  readonly documents: Documents | undefined;
  /** The reports of others that were last told. */
  readonly #reports = new Map<string, Uint8Array>();
  /** Peers that we can send to, and since when. */
  readonly #links = new Map<string, number>();
  #longLinks: ReadonlySet<string> = new Set();
  #credential: Credential | undefined;
  #pending: readonly Endpoint[] | undefined;
  #publishedAtMs = Number.NEGATIVE_INFINITY;
  #isReportArmed = false;
  #startedAtMs = 0;
  #ringsChanged = false;
  #isRewatchArmed = false;
  #membersChanged = false;
  /** Members that died in this step and that we are linked to. */
  readonly #buried = new Set<string>();
  /** Somebody came, went or changed state since the peers to remember were last chosen. */
  #isRosterChanged = false;
  #isRememberArmed = false;
  #shared: Held | undefined;

  constructor(options: CoreOptions) {
    const { self, trustDomain, settings, signer, random, epoch } = options;
    const known = options.known === undefined ? undefined : options.known.#held();
    this.#options = options;
    const stats = emptyCoreStats();
    this.#context = { self, trustDomain, settings, signer, random, stats, nowMs: 0, out: [] };
    this.#rings = new Rings(self, settings.observers, known?.order);
    this.#register = new Register(this.#context, known?.register);
    this.#register.forget(self);
    this.#directory = new Directory(known?.directory);
    this.#directory.show(self, new Map(), 'none');
    this.#buckets = new Buckets(known?.buckets);
    const meta = { schema: 1, address: options.address, chain: options.chain };
    this.#own = new OwnPage(this.#context, meta, epoch);
    this.#credential = signer.admit(options.chain);
    this.#puller = new Puller(this.#context, {
      known: (name) => this.#pullItem(name),
      isNews: (item) => this.#isNews(item),
    });
    this.#antiEntropy = new AntiEntropy(this.#context, this.#buckets, {
      pull: (peer, items, via) => {
        const wanted = items.filter((item) => !this.#membership.question(item, peer));
        if (wanted.length > 0) this.#puller.pull(peer, wanted, via);
      },
      partner: () => sample([...this.#links.keys()], 1, random)[0],
    });
    this.documents =
      options.documents &&
      new Documents(this.#context, options.documents, {
        links: () => this.#links,
        partner: () => sample([...this.#links.keys()], 1, random)[0],
      });
    this.#absence = new Absence(settings.tombstoneMs);
    this.#bootstrap = new Bootstrap(
      this.#context,
      (name) => this.#isPresent(name),
      () => this.#links.size > 0,
    );
    this.#news = new News(this.#context, {
      peers: () => this.#audience(),
      standingOf: (name) => (name === self ? this.#membership.self : this.#membership.table.get(name)?.standing),
    });
    this.#membership = new Membership(
      this.#context,
      {
        credentialOf: (name) => this.credentialOf(name),
        addressOf: (name) => this.#addressOf(name),
        epochOf: (name) => this.#register.get(name)?.record.epoch,
        observersOf: (name) => this.#rings.observersOf(name),
        isLinked: (name) => this.#links.has(name),
        deliver: (to, message) => this.#deliver(to, message),
        tell: (name, standing, from) => this.#news.tell(name, standing, from),
        ask: (line, from) => this.#news.ask(line, from),
        fetch: (peer, line) => this.#puller.pull(peer, [{ ...line, ver: 0 }], 'repair'),
        changed: (name, before, after) => this.#memberChanged(name, before, after),
        doubted: (name) => this.#detector.doubt(name),
        raiseEpoch: (above, why) => this.#raiseEpoch(above, why),
        askProof: (peer) => this.#puller.pull(peer, [{ name: self, epoch: 0, ver: 0, inc: 0, rank: 0 }], 'repair'),
      },
      epoch,
      known?.table,
    );
    this.#detector = new Detector(this.#context, {
      isLinked: (name) => this.#links.has(name),
      addressOf: (name) => this.#addressOf(name),
      coObservers: (name) => this.#coObservers(name),
      accuse: (name, cause) => this.#membership.accuse(name, cause),
      unresponsive: (name) => this.#membership.unresponsive(name),
      recovered: (name) => this.#membership.recovered(name),
    });
    this.#stamp(self);
    this.#ringsChanged = known !== undefined;
  }

  get stats(): CoreStats {
    return this.#context.stats;
  }

  get endpointCount(): number {
    return this.#directory.size;
  }

  get linkCount(): number {
    return this.#links.size;
  }

  /** Same state, same `nowMs`, same input, same chance: same effects. Throws on our bugs, never on what a peer sent. */
  step(nowMs: number, input: Input): readonly Effect[] {
    this.#context.nowMs = nowMs;
    this.#context.out = [];
    this.#take(input);
    if (this.#ringsChanged) this.#rewatchSoon();
    if (this.#buried.size > 0) this.#hangUpBuried();
    if (this.#membersChanged) this.#tellMembers();
    return this.#context.out;
  }

  /** Everybody we know, ourselves first. */
  members(): MemberView[] {
    const own = this.#membership.self;
    const self: MemberView = {
      name: this.#context.self,
      state: own.kind,
      address: this.#options.address,
      epoch: own.epoch,
      incarnation: own.kind === 'left' ? 0 : own.inc,
      accusers: 0,
      endpoints: this.#directory.countOf(this.#context.self),
      sinceMs: this.#startedAtMs,
      isSelf: true,
      ...issuerNote(this.#own.record),
    };
    const others = [...this.#membership.table.entries()].map((entry) => ({
      name: entry.name,
      state: entry.state,
      address: this.#addressOf(entry.name) ?? '',
      epoch: entry.standing.epoch,
      incarnation: entry.standing.kind === 'left' ? 0 : entry.standing.inc,
      accusers: this.#membership.accusersOf(entry.name),
      endpoints: this.#directory.countOf(entry.name),
      sinceMs: entry.sinceMs,
      isSelf: false,
      ...issuerNote(this.#register.get(entry.name)?.record),
    }));
    return [self, ...others];
  }

  /** The certificate in the newest record of this node. */
  credentialOf(name: string): Credential | undefined {
    return name === this.#context.self ? this.#credential : this.#register.get(name)?.credential;
  }

  /** A short digest of all that this node holds: two nodes with equal ones agree. */
  root(): Uint8Array {
    return this.#buckets.root();
  }

  #take(input: Input): void {
    switch (input.kind) {
      case 'start':
        this.#start();
        break;
      case 'fired':
        this.#fired(input.timer);
        break;
      case 'received':
        this.#received(input.from, input.message);
        break;
      case 'broadcast':
        this.#context.out.push({
          kind: 'validated',
          forward: this.#takeDelta(input.from, input.delta, false),
        });
        break;
      case 'link-up':
        this.#linkUp(input.peer, input.opened);
        break;
      case 'link-down':
        this.#linkDown(input.peer);
        break;
      case 'joined':
        this.#bootstrap.joined(input.seed, input.peer);
        break;
      case 'join-failed':
        this.#bootstrap.failed(input.seed, input.isSelf);
        break;
      case 'probed':
        if (input.purpose === 'detect') this.#detector.probed(input.about, input.outcome);
        else this.#membership.confirmed(input.about, input.outcome !== 'connected');
        break;
      case 'stalled':
        this.#stalled(input.forMs);
        break;
      case 'publish':
        this.#collect(input.endpoints);
        break;
      case 'document-broadcast':
        this.#context.out.push({ kind: 'validated', forward: this.documents?.broadcast(input.revision) ?? false });
        break;
      case 'document-write':
        if (this.documents === undefined) break;
        this.#context.out.push({
          kind: 'document-written',
          outcome: this.documents.write(input.revision, input.isDryRun),
        });
        break;
      case 'documents-restore':
        if (this.documents === undefined) break;
        this.#context.out.push({ kind: 'documents-restored', outcome: this.documents.restore(input.revisions) });
        break;
      case 'report':
        this.#own.note(REPORT_KEY, input.report);
        this.#reportLater();
        break;
      case 'issuer':
        this.#own.note(ISSUER_KEY, input.note);
        this.#collect(this.#pending ?? [...this.#own.endpoints.values()]);
        break;
      case 'renewed':
        this.#renewed(input.chain, input.isNewKey);
        break;
      case 'revoked':
        this.#expelRevoked();
        break;
      case 'root-dropped':
        this.#expelRevoked();
        this.documents?.rootDropped();
        break;
      case 'leave':
        this.#membership.leave();
        break;
    }
  }

  #start(): void {
    this.#startedAtMs = this.#context.nowMs;
    this.#membership.start();
    this.#bootstrap.start(this.#options.seeds, this.#options.rememberedPeers);
    this.#antiEntropy.start();
    this.documents?.start();
    arm(this.#context, 'redial', '', REDIAL_MS);
    arm(this.#context, 'sweep', '', SWEEP_MS);
    this.#membersChanged = true;
  }

  #fired(timer: Timer): void {
    switch (timer.kind) {
      case 'ping':
      case 'ack':
      case 'ask':
      case 'again':
        this.#detector.fired(timer);
        break;
      case 'verdict':
      case 'veto':
      case 'contest':
      case 'probation':
        this.#membership.fired(timer);
        break;
      case 'news':
        this.#news.fired();
        break;
      case 'publish':
        this.#publish();
        break;
      case 'report':
        this.#isReportArmed = false;
        this.#collect(this.#pending ?? [...this.#own.endpoints.values()]);
        break;
      case 'pull':
        this.#puller.drop(timer.about);
        break;
      case 'ae':
        this.#antiEntropy.firedPeriod();
        break;
      case 'ae-session':
        this.#antiEntropy.close(timer.about);
        break;
      case 'seed':
        this.#bootstrap.fired(timer.about);
        break;
      case 'redial':
        this.#redial();
        break;
      case 'rewatch':
        this.#rewatch();
        break;
      case 'remember':
        this.#remember();
        break;
      case 'sweep':
        this.#sweep();
        break;
      case 'doc-ae':
        this.documents?.firedPeriod();
        break;
      case 'doc-session':
        this.documents?.firedSession(timer.about);
        break;
      case 'doc-pull':
        this.documents?.firedPull(timer.about);
        break;
    }
  }

  #received(from: string, message: Message): void {
    this.#absence.heard(this.#context.nowMs);
    this.#detector.heard(from, message.kind === 'ack');
    switch (message.kind) {
      case 'ping':
        send(this.#context, from, { kind: 'ack', seq: message.seq });
        break;
      case 'ack':
        this.#membership.reached(from);
        break;
      case 'ask':
        this.#tell(from, message.about);
        break;
      case 'tell':
        this.#detector.told(message.about, message.ageMs);
        break;
      case 'suspect':
        this.#membership.hearAccusation(message, from);
        break;
      case 'veto':
        this.#membership.hearVeto(message, from);
        break;
      case 'standing':
        this.#hearStanding(from, message);
        break;
      case 'news':
        this.#hearNews(from, message.lines);
        break;
      case 'contest':
        this.#membership.hearContest(message.lines, from);
        break;
      case 'hello':
        this.#hello(from, message.page);
        break;
      case 'delta':
        this.#takeDelta(from, message.delta, true);
        break;
      case 'pull':
        this.#answerPull(from, message.items);
        break;
      case 'pages':
        this.#takePages(from, message.pages);
        break;
      case 'ae-root':
      case 'ae-equal':
      case 'ae-sums':
      case 'ae-digest':
        this.#antiEntropy.received(from, message);
        break;
      default:
        this.documents?.received(from, message);
    }
  }

  #tell(from: string, about: string): void {
    const ageMs = this.#detector.ageMs(about);
    send(this.#context, from, { kind: 'tell', about, ageMs: ageMs === undefined ? null : Math.round(ageMs) });
  }

  #hearStanding(from: string, message: Message & { kind: 'standing' }): void {
    const { name, standing } = message;
    const line = lineOf(name, standing);
    this.#news.heard(from, line);
    // A member we do not know, or a new life of one: whoever told us has its record, without which we cannot verify.
    const recordEpoch = this.#register.get(name)?.record.epoch ?? 0;
    if (name !== this.#context.self && standing.epoch > recordEpoch) {
      this.#puller.pull(from, [{ ...line, ver: 0 }], 'flood');
    } else {
      this.#membership.hear(name, standing, 'flood', from);
    }
  }

  /** Others hold these: pull what we lack. */
  #hearNews(from: string, lines: readonly StandingLine[]): void {
    const wanted: DigestItem[] = [];
    for (const line of lines) {
      if (line.name === this.#context.self) {
        this.#membership.hearContest([line], from);
        continue;
      }
      this.#news.heard(from, line);
      const item = { ...line, ver: 0 };
      if (this.#isNews(item)) wanted.push(item);
    }
    if (wanted.length > 0) this.#puller.pull(from, wanted, 'flood');
  }

  #isNews(item: DigestItem): boolean {
    return isNewer(item, this.#buckets.get(item.name));
  }

  #hello(from: string, page: Page): void {
    if (page.name === from && page.record !== null) this.#merge(page, 'contact', from);
    else this.#dropOutOfPlace();
  }

  #merge(page: Page, via: Via, from: string): boolean {
    const { name } = page;
    if (name === this.#context.self) {
      if (page.record !== null && this.#isOwnLaterLife(page.record)) {
        this.#raiseEpoch(page.record.epoch, KNOWN_ELSEWHERE);
      }
      this.#membership.hear(name, page.standing, via, from);
      return false;
    }
    let offer = page.record === null ? 'old' : this.#register.offer(page.record);
    if (page.delta !== null) offer = this.#register.offerDelta(page.delta);
    if (offer === 'refused') return false;
    if (this.#register.get(name) === undefined) {
      this.#context.stats.dropped.stranger++;
      return false;
    }
    const hearing = this.#membership.hear(name, page.standing, via, from);
    if (this.#membership.table.get(name) === undefined) this.#register.forget(name); // the standing was not believed
    if (offer === 'news') this.#recordChanged(name);
    return offer === 'news' || hearing === 'news';
  }

  /** Signed by us, in a life that we forgot: with the disk, or because our bundle is used twice. */
  #isOwnLaterLife(record: NodeRecord): boolean {
    if (record.epoch <= this.#own.record.epoch) return false;
    const { signer, trustDomain, self } = this.#context;
    const credential = signer.admit(record.meta.chain);
    if (credential?.name !== self) return false;
    return signer.verify(credential, recordStatement(trustDomain, record, signer), record.signature);
  }

  /** @param isDirect it came over a link instead of by broadcast, so it goes on over links */
  #takeDelta(from: string, delta: RecordDelta, isDirect: boolean): boolean {
    if (delta.name === this.#context.self) return false;
    if (this.#pace.isExceeded(delta.name, this.#context.nowMs)) {
      this.#context.stats.dropped.pace++;
      return false;
    }
    const offer = this.#register.offerDelta(delta);
    if (offer === 'gap') {
      this.#context.stats.gaps++;
      const { name, epoch, to: ver } = delta;
      this.#puller.pull(from, [{ name, epoch, ver, inc: 0, rank: 0 }], 'repair');
    }
    if (offer !== 'news') return false; // over a gap there is nothing to verify it with: whoever holds the page passes it on
    this.#pace.took(delta.name, this.#context.nowMs);
    this.#recordChanged(delta.name);
    if (isDirect) this.#flood({ kind: 'delta', delta }, from);
    return true;
  }

  #linkUp(peer: string, opened: boolean): void {
    if (this.#links.size === 0) this.#beginAnewIfApart();
    this.#links.set(peer, this.#context.nowMs);
    send(this.#context, peer, { kind: 'hello', page: this.#ownPage() });
    this.#detector.linkUp(peer);
    if (opened) this.#antiEntropy.open(peer);
    this.documents?.linkUp(peer, opened);
  }

  #linkDown(peer: string): void {
    if (!this.#links.delete(peer)) return;
    this.#puller.drop(peer);
    this.#antiEntropy.drop(peer);
    this.documents?.linkDown(peer);
    this.#detector.linkDown(peer);
    if (this.#links.size === 0) this.#bootstrap.lonely();
  }

  #stalled(forMs: number): void {
    this.#context.stats.stalls++;
    this.#absence.stoodStill(forMs);
    this.#beginAnewIfApart();
    this.#detector.stalled();
    if (forMs > 1_000) this.#antiEntropy.firedPeriod();
  }

  #collect(endpoints: readonly Endpoint[]): void {
    const isArmed = this.#pending !== undefined;
    this.#pending = endpoints;
    if (isArmed) return;
    const sinceLastMs = this.#context.nowMs - this.#publishedAtMs;
    arm(this.#context, 'publish', '', Math.max(COLLECT_MS, BETWEEN_DELTAS_MS - sinceLastMs));
  }

  /** A document makes every node report at once: each picks a moment, so that none has to read them all in one. */
  #reportLater(): void {
    if (this.#isReportArmed) return;
    this.#isReportArmed = true;
    const spreadMs = Math.min(REPORTS_MAX_MS, REPORTS_APART_MS * this.#membership.table.size);
    arm(this.#context, 'report', '', this.#context.random() * spreadMs);
  }

  #publish(): void {
    if (this.#pending === undefined) return;
    const delta = this.#own.publish(this.#pending);
    this.#pending = undefined;
    if (delta === undefined) return;
    this.#publishedAtMs = this.#context.nowMs;
    this.#recordChanged(this.#context.self);
    this.#context.out.push({ kind: 'broadcast', delta });
    // gossipsub loses what is said before a new link was grafted, so those who are new to us hear it directly.
    for (const [peer, sinceMs] of this.#links) {
      if (this.#context.nowMs - sinceMs < UNGRAFTED_MS) send(this.#context, peer, { kind: 'delta', delta });
    }
  }

  #answerPull(from: string, items: readonly PullItem[]): void {
    const pages: Page[] = [];
    let bytes = 0;
    for (const item of items) {
      const page = this.#pageFor(item);
      if (page === undefined) continue;
      bytes += page.record === null ? 2_000 : contentBytes(page.record);
      if (bytes > PAGES_BYTES && pages.length > 0) break;
      pages.push(page);
    }
    send(this.#context, from, { kind: 'pages', pages });
  }

  /** What the asker lacks of one page: nothing but the standing, a delta, or the whole record. */
  #pageFor(item: PullItem): Page | undefined {
    if (item.name === this.#context.self) return this.#ownPage();
    const entry = this.#membership.table.get(item.name);
    const replica = this.#register.get(item.name);
    if (entry === undefined || replica === undefined || entry.state === 'probation') return undefined;
    const { record } = replica;
    const page = { name: item.name, standing: entry.standing };
    if (item.epoch === record.epoch && item.ver >= record.ver) return { ...page, record: null, delta: null };
    const delta = item.epoch === record.epoch ? deltaSince(record, item.ver) : undefined;
    return delta === undefined ? { ...page, record, delta: null } : { ...page, record: null, delta };
  }

  #takePages(from: string, pages: readonly Page[]): void {
    const asked = this.#puller.answered(
      from,
      pages.map((page) => page.name),
    );
    for (const page of pages) {
      const via = asked.get(page.name);
      if (via === undefined) this.#dropOutOfPlace();
      else if (this.#merge(page, via, from)) this.#context.stats.repairs++;
    }
    this.#puller.resume(from);
  }

  #dropOutOfPlace(): void {
    this.#context.stats.dropped['out-of-place']++;
  }

  #redial(): void {
    arm(this.#context, 'redial', '', REDIAL_MS);
    this.#thinOut();
    const { table } = this.#membership;
    const chance = (REDIALS_PER_DEAD * table.count('dead')) / Math.max(1, table.count('alive'));
    if (this.#context.random() >= chance) return;
    const dead = [...table.tombstones()].filter((entry) => entry.state === 'dead');
    const [chosen] = sample(dead, 1, this.#context.random);
    const address = chosen === undefined ? undefined : this.#addressOf(chosen.name);
    if (address !== undefined) this.#context.out.push({ kind: 'dial', to: chosen!.name, address });
  }

  /**
   * Everybody dials the seeds, and the edge takes a limited number of links: if they all stayed, those who watch a seed
   * would find no room, and take it for stalled.
   */
  #thinOut(): void {
    if (this.#links.size <= MANY_LINKS) return;
    const wanted = this.#wantedPeers();
    for (const [peer, sinceMs] of this.#links) {
      const isBrief = this.#context.nowMs - sinceMs <= BRIEF_LINK_MS;
      if (!isBrief && !wanted.has(peer)) this.#context.out.push({ kind: 'hang-up', to: peer });
    }
  }

  /**
   * Whom we tell the news of others: our neighbours on the rings, which alone join all members, and those we were linked to
   * last, through whom a part of the mesh may be met that our rings do not show yet.
   */
  #audience(): string[] {
    const wanted = this.#wantedPeers();
    const audience: string[] = [];
    const others: string[] = [];
    for (const peer of this.#links.keys()) (wanted.has(peer) ? audience : others).push(peer);
    return [...audience, ...others.slice(-NEWEST_LINKS)];
  }

  #wantedPeers(): Set<string> {
    return new Set([...this.#rings.subjects(), ...this.#rings.observers(), ...this.#longLinks]);
  }

  #remember(): void {
    this.#isRememberArmed = false;
    const addresses = this.#draw(REMEMBERED, ({ state }) => isRoutable(state)).map((name) => this.#addressOf(name));
    const known = addresses.filter((one) => one !== undefined);
    this.#bootstrap.remember(known);
    this.#context.out.push({ kind: 'remember-peers', addresses: known });
  }

  #sweep(): void {
    arm(this.#context, 'sweep', '', SWEEP_MS);
    this.#beginAnewIfApart();
    this.#membership.sweep();
    const wanted = new Set([...this.#rings.subjects(), ...this.#rings.observers()]);
    this.#longLinks = new Set(this.#draw(LONG_LINKS, ({ name, state }) => state === 'alive' && !wanted.has(name)));
    for (const name of this.#longLinks) {
      if (!this.#links.has(name)) this.#context.out.push({ kind: 'dial', to: name, address: this.#addressOf(name)! });
    }
    for (const [peer, sinceMs] of this.#links) {
      const isIdle = this.#context.nowMs - sinceMs > IDLE_LINK_MS;
      if (isIdle && !wanted.has(peer) && !this.#longLinks.has(peer))
        this.#context.out.push({ kind: 'hang-up', to: peer });
    }
  }

  /** Some members at random, `count` if there are as many. Of a large mesh a sample is looked at, not the whole table. */
  #draw(count: number, isFit: (entry: TableEntry) => boolean): string[] {
    const { table } = this.#membership;
    const { random } = this.#context;
    if (table.size <= DRAWN_FROM) {
      const fit = [...table.entries()].filter(isFit);
      return sample(fit, count, random).map(({ name }) => name);
    }
    const drawn = new Set<string>();
    for (let draw = 0; draw < DRAWS * count && drawn.size < count; draw++) {
      const name = this.#rings.random(random);
      const entry = name === undefined ? undefined : table.get(name);
      if (entry !== undefined && isFit(entry)) drawn.add(entry.name);
    }
    return [...drawn];
  }

  #deliver(to: string, message: Message): void {
    const address = this.#links.has(to) ? undefined : this.#addressOf(to);
    if (address !== undefined) this.#context.out.push({ kind: 'dial', to, address });
    send(this.#context, to, message);
  }

  #flood(message: Message, except: string | undefined): void {
    for (const peer of this.#links.keys()) if (peer !== except) send(this.#context, peer, message);
  }

  /** Documents stay: their deletions are kept for good, so an old copy brings nothing back. */
  #beginAnewIfApart(): void {
    const { table } = this.#membership;
    if (table.size === 0 || !this.#absence.isTooLong(this.#context.nowMs)) return;
    for (const peer of this.#links.keys()) this.#context.out.push({ kind: 'hang-up', to: peer });
    for (const { name } of [...table.entries()]) this.#membership.forget(name);
    this.#absence.heard(this.#context.nowMs);
    this.#raiseEpoch(this.#own.record.epoch, 'apart from the mesh for longer than it remembers its dead');
  }

  #raiseEpoch(above: number, why: string): void {
    const epoch = above + 1;
    this.#context.stats.epochRaises++;
    this.#context.out.push({ kind: 'log', event: { kind: 'epoch-raised', epoch, why } });
    this.#beginEpoch(epoch);
  }

  #beginEpoch(epoch: number): void {
    this.#context.out.push({ kind: 'keep-epoch', epoch });
    this.#own.beginEpoch(epoch);
    this.#membership.beginEpoch(epoch);
  }

  /** What we signed with a key that is no longer ours would not be believed: that takes a new life. */
  /** Nothing that a revoked node says counts, so its record goes, and nobody is a member without a record. */
  #expelRevoked(): void {
    const { signer, self, out } = this.#context;
    for (const { name } of [...this.#membership.table.entries()]) {
      const credential = this.credentialOf(name);
      if (credential === undefined || name === self || !signer.isRevoked(credential)) continue;
      out.push({ kind: 'log', event: { kind: 'member', name, state: 'revoked', why: 'its certificate was revoked' } });
      this.#membership.expel(name);
    }
  }

  #renewed(chain: readonly Uint8Array[], isNewKey: boolean): void {
    this.#own.renew(chain);
    this.#credential = this.#context.signer.admit(chain);
    if (isNewKey) this.#beginEpoch(this.#own.record.epoch + 1);
    else this.#collect(this.#pending ?? [...this.#own.endpoints.values()]);
  }

  #memberChanged(name: string, before: TableEntry | undefined, after: TableEntry | undefined): void {
    const wasPresent = before !== undefined && isPresent(before.state);
    const isPresentNow = after !== undefined && isPresent(after.state);
    if (wasPresent !== isPresentNow) {
      if (isPresentNow) this.#rings.add(name);
      else this.#rings.remove(name);
      this.#ringsChanged = true;
    }
    if (after === undefined && name !== this.#context.self) {
      this.#register.forget(name);
      this.#pace.forget(name);
    }
    this.#tellReport(name);
    this.#membersChanged = true;
    this.#isRosterChanged = true;
    if (after?.state === 'dead' && this.#links.has(name)) this.#buried.add(name);
    this.#stamp(name);
    this.#show(name);
  }

  #recordChanged(name: string): void {
    this.#tellReport(name);
    this.#stamp(name);
    this.#show(name);
    this.#membersChanged = true; // the number of its endpoints may be another
  }

  /** Keeps the sums for anti-entropy in step with what we hold. Hearsay is not passed on, so it is not counted. */
  #stamp(name: string): void {
    const isSelf = name === this.#context.self;
    const entry = this.#membership.table.get(name);
    const standing = isSelf ? this.#membership.self : entry?.standing;
    const record = isSelf ? this.#own.record : this.#register.get(name)?.record;
    if (standing === undefined || record === undefined || entry?.state === 'probation') {
      this.#buckets.remove(name);
      return;
    }
    this.#buckets.put({
      name,
      epoch: Math.max(standing.epoch, record.epoch),
      ver: record.epoch === standing.epoch ? record.ver : 0,
      inc: incarnation(standing),
      rank: RANK[standing.kind],
    });
  }

  #show(name: string): void {
    const isSelf = name === this.#context.self;
    const endpoints = isSelf ? this.#own.endpoints : this.#register.get(name)?.endpoints;
    const routing = isSelf ? 'full' : routingOf(this.#membership.table.get(name));
    const delta = this.#directory.show(name, endpoints ?? new Map(), routing);
    if (delta !== undefined) this.#context.out.push({ kind: 'endpoints', delta });
  }

  #tellReport(name: string): void {
    if (this.documents === undefined || name === this.#context.self) return;
    const report = this.#register.get(name)?.record.entries.get(REPORT_KEY)?.value ?? undefined;
    if (report === this.#reports.get(name)) return;
    if (report === undefined) this.#reports.delete(name);
    else this.#reports.set(name, report);
    this.#context.out.push({ kind: 'report', node: name, report });
  }

  /**
   * TCP waits longer with every packet that is not answered, a minute in the end, and nobody would dial as long as there
   * is a link. What was said to them in this step is still sent: a member that lives should hear that it is held dead.
   */
  #hangUpBuried(): void {
    for (const name of this.#buried) this.#context.out.push({ kind: 'hang-up', to: name });
    this.#buried.clear();
  }

  /** Members come in heaps, and each may be our neighbour until the next one comes: whoever dials them all floods them all. */
  #rewatchSoon(): void {
    this.#ringsChanged = false;
    if (this.#isRewatchArmed) return;
    this.#isRewatchArmed = true;
    arm(this.#context, 'rewatch', '', REWATCH_MS);
  }

  #rewatch(): void {
    this.#isRewatchArmed = false;
    this.#detector.watch(this.#rings.subjects());
  }

  #tellMembers(): void {
    this.#membersChanged = false;
    this.#context.out.push({ kind: 'members-changed' });
    if (this.#isRememberArmed || !this.#isRosterChanged) return;
    this.#isRosterChanged = false;
    this.#isRememberArmed = true;
    arm(this.#context, 'remember', '', REMEMBER_MS);
  }

  #ownPage(): Page {
    return { name: this.#context.self, standing: this.#membership.self, record: this.#own.record, delta: null };
  }

  #pullItem(name: string): PullItem {
    const record = this.#register.get(name)?.record;
    return { name, epoch: record?.epoch ?? 0, ver: record?.ver ?? 0 };
  }

  /** What we hold of others, for cores that begin with it. */
  #held(): Held {
    if (this.#shared === undefined) this.#buckets.remove(this.#context.self);
    this.#shared ??= {
      table: this.#membership.table,
      order: new RingOrder(this.#presentNames(), this.#options.settings.observers),
      register: this.#register,
      directory: this.#directory,
      buckets: this.#buckets,
    };
    return this.#shared;
  }

  #presentNames(): string[] {
    return [...this.#membership.table.entries()].filter(({ state }) => isPresent(state)).map(({ name }) => name);
  }

  #addressOf(name: string): string | undefined {
    return this.#register.get(name)?.record.meta.address;
  }

  #isPresent(name: string): boolean {
    const entry = this.#membership.table.get(name);
    return entry !== undefined && isPresent(entry.state);
  }

  #coObservers(name: string): string[] {
    return [...this.#rings.observersOf(name)].filter((peer) => {
      return (
        peer !== this.#context.self && this.#links.has(peer) && this.#membership.table.get(peer)?.state === 'alive'
      );
    });
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
