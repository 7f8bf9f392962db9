/**
 * The parts of one core, made and put together: each is handed what it needs of the others, by the interface that it
 * declares itself. What comes in from outside is for core.ts to pass to them; here is only who asks whom.
 * @module
 */
import { Buckets } from './anti-entropy/buckets.ts';
import { AntiEntropy } from './anti-entropy/session.ts';
import type { DocumentOptions } from './documents/documents.ts';
import { Documents } from './documents/documents.ts';
import type { Context, Settings } from './effects.ts';
import { Detector } from './members/detector.ts';
import type { MembershipHost } from './members/membership.ts';
import { Membership } from './members/membership.ts';
import { News } from './members/news.ts';
import type { MemberTable, TableEntry } from './members/table.ts';
import { isPresent } from './members/table.ts';
import { Outside } from './outside.ts';
import { Absence } from './overlay/absence.ts';
import { Bootstrap } from './overlay/bootstrap.ts';
import { Peers } from './overlay/peers.ts';
import { RingOrder, Rings } from './overlay/rings.ts';
import { Topology } from './overlay/topology.ts';
import type { Credential, Random, Signer } from './ports.ts';
import { Directory } from './records/directory.ts';
import { Intake } from './records/intake.ts';
import { OwnPage } from './records/own-page.ts';
import { Pages } from './records/pages.ts';
import { Publisher } from './records/publisher.ts';
import { Puller } from './records/puller.ts';
import { Register } from './records/register.ts';
import { emptyCoreStats } from './stats.ts';

export interface PartsOptions {
  readonly self: string;
  readonly trustDomain: string;
  /** `ip:port` others reach us at. */
  readonly address: string;
  /** Our certificate chain, leaf first, DER. */
  readonly chain: readonly Uint8Array[];
  /** Above every epoch this node ever had. */
  readonly epoch: number;
  readonly settings: Settings;
  readonly signer: Signer;
  readonly random: Random;
  /** Without them this node takes no part in documents. */
  readonly documents?: DocumentOptions;
}

/** What a core holds of others; it must not change once another core begins with it. */
export interface Holdings {
  readonly table: MemberTable;
  readonly order: RingOrder;
  readonly register: Register;
  readonly directory: Directory;
  readonly buckets: Buckets;
}

export class Parts {
  readonly context: Context;
  readonly register: Register;
  readonly directory: Directory;
  readonly buckets: Buckets;
  readonly own: OwnPage;
  readonly peers: Peers;
  readonly membership: Membership;
  readonly detector: Detector;
  readonly news: News;
  readonly absence: Absence;
  readonly bootstrap: Bootstrap;
  readonly topology: Topology;
  readonly pages: Pages;
  readonly puller: Puller;
  readonly publisher: Publisher;
  readonly intake: Intake;
  readonly antiEntropy: AntiEntropy;
  readonly outside: Outside;
  /** Undefined in a node that takes no part in documents. */
  readonly documents: Documents | undefined;
  readonly #rings: Rings;
  #holdings: Holdings | undefined;

  /** @param known what to hold of others to begin with, ourselves included */
  constructor(options: PartsOptions, known: Holdings | undefined) {
    const { self, trustDomain, settings, signer, random, epoch } = options;
    const context: Context = {
      self,
      trustDomain,
      settings,
      signer,
      random,
      stats: emptyCoreStats(),
      nowMs: 0,
      out: [],
    };
    this.context = context;
    const register = new Register(context, known?.register);
    register.forget(self);
    const directory = new Directory(known?.directory);
    directory.show(self, new Map(), 'none');
    const buckets = new Buckets(known?.buckets);
    const own = new OwnPage(context, { schema: 1, address: options.address, chain: options.chain }, epoch);
    const rings = new Rings(self, settings.observers, known?.order);
    const peers = new Peers(context, register);
    const membership = new Membership(context, this.#membershipHost(), epoch, known?.table);
    this.register = register;
    this.directory = directory;
    this.buckets = buckets;
    this.own = own;
    this.#rings = rings;
    this.peers = peers;
    this.membership = membership;

    const { table } = membership;
    const recordChanged = (name: string): void => this.#recordChanged(name);
    this.pages = new Pages(context, { own, register, buckets, members: membership });
    this.puller = new Puller(context, this.pages);
    this.publisher = new Publisher(context, { own, peers, members: membership, recordChanged });
    this.news = new News(context, {
      peers: () => this.topology.audience(),
      standingOf: (name) => (name === self ? membership.self : table.get(name)?.standing),
    });
    this.detector = new Detector(context, {
      isLinked: (name) => peers.isLinked(name),
      addressOf: (name) => register.addressOf(name),
      coObservers: (name) => this.topology.coObservers(name),
      accuse: (name, cause) => membership.accuse(name, cause),
      unresponsive: (name) => membership.unresponsive(name),
      recovered: (name) => membership.recovered(name),
    });
    this.bootstrap = new Bootstrap(
      context,
      (name) => this.#isPresent(name),
      () => peers.links.size > 0,
    );
    this.absence = new Absence(settings.tombstoneMs);
    this.topology = new Topology(context, {
      rings,
      peers,
      table,
      addresses: register,
      detector: this.detector,
      bootstrap: this.bootstrap,
    });
    this.intake = new Intake(context, {
      own,
      register,
      pages: this.pages,
      puller: this.puller,
      members: membership,
      news: this.news,
      peers,
      publisher: this.publisher,
      recordChanged,
    });
    this.antiEntropy = new AntiEntropy(context, buckets, {
      pull: (peer, items, via) => {
        const wanted = items.filter((item) => !membership.question(item, peer));
        if (wanted.length > 0) this.puller.pull(peer, wanted, via);
      },
      partner: () => peers.random(),
    });
    this.documents =
      options.documents &&
      new Documents(context, options.documents, { links: () => peers.links, partner: () => peers.random() });
    const wantsReports = this.documents !== undefined;
    this.outside = new Outside(context, { own, register, directory, members: membership, wantsReports });
    this.pages.stamp(self);
  }

  /** The certificate in the newest record of this node. */
  credentialOf(name: string): Credential | undefined {
    return name === this.context.self ? this.publisher.credential : this.register.get(name)?.credential;
  }

  /** What we hold of others, for cores that begin with it. */
  holdings(): Holdings {
    if (this.#holdings === undefined) this.buckets.remove(this.context.self);
    this.#holdings ??= {
      table: this.membership.table,
      order: new RingOrder(this.#presentNames(), this.context.settings.observers),
      register: this.register,
      directory: this.directory,
      buckets: this.buckets,
    };
    return this.#holdings;
  }

  /** What membership needs of the parts that are made after it. */
  #membershipHost(): MembershipHost {
    const { self } = this.context;
    return {
      credentialOf: (name) => this.credentialOf(name),
      addressOf: (name) => this.register.addressOf(name),
      epochOf: (name) => this.register.get(name)?.record.epoch,
      observersOf: (name) => this.#rings.observersOf(name),
      isLinked: (name) => this.peers.isLinked(name),
      deliver: (to, message) => this.peers.deliver(to, message),
      tell: (name, standing, from) => this.news.tell(name, standing, from),
      ask: (line, from) => this.news.ask(line, from),
      fetch: (peer, line) => this.puller.pull(peer, [{ ...line, ver: 0 }], 'repair'),
      changed: (name, before, after) => this.#memberChanged(name, before, after),
      doubted: (name) => this.detector.doubt(name),
      raiseEpoch: (above, why) => this.publisher.raiseEpoch(above, why),
      askProof: (peer) => this.puller.pull(peer, [{ name: self, epoch: 0, ver: 0, inc: 0, rank: 0 }], 'repair'),
    };
  }

  #memberChanged(name: string, before: TableEntry | undefined, after: TableEntry | undefined): void {
    this.topology.memberChanged(name, before, after);
    if (after === undefined && name !== this.context.self) this.intake.forget(name);
    this.#recordChanged(name);
  }

  #recordChanged(name: string): void {
    this.pages.stamp(name);
    this.outside.changed(name);
  }

  #presentNames(): string[] {
    return [...this.membership.table.entries()].filter(({ state }) => isPresent(state)).map(({ name }) => name);
  }

  #isPresent(name: string): boolean {
    const entry = this.membership.table.get(name);
    return entry !== undefined && isPresent(entry.state);
  }
}
