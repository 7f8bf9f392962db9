/**
 * An agent's gossip in the simulated world: the production core, and the effects it asks for carried out on simulated
 * links. It stands in for gossip/gossip.ts and libp2p/, and like them it holds no rule of the protocol.
 * @module
 */
import { Core, type CoreOptions } from '../../gossip/core.ts';
import type { WriteOutcome } from '../../gossip/documents/outcome.ts';
import type { Revision } from '../../gossip/documents/revision.ts';
import { keyText, revisionBytes } from '../../gossip/documents/revision.ts';
import type { Effect, Input, Timer, TimerKind } from '../../gossip/effects.ts';
import type { Endpoint } from '../../gossip/records/endpoint.ts';
import type { RecordDelta } from '../../gossip/records/record.ts';
import { decodeMessage, encodeMessage } from '../../gossip/wire/codec.ts';
import type { Message } from '../../gossip/wire/messages.ts';
import { HANDSHAKE_BYTES, handshakeMs, probe } from './connecting.ts';
import { workMs } from './cpu.ts';
import { DocumentUser } from './document-user.ts';
import { Happening } from './event-queue.ts';
import type { Formed } from './formed.ts';
import type { Host } from './host.ts';
import { Link } from './link.ts';
import type { Operators } from './operators.ts';
import type { PageVersion } from './pages.ts';
import { numberOf } from './pages.ts';
import type { Parcel, PubsubPacket } from './parcel.ts';
import type { Edge } from './process.ts';
import { Process } from './process.ts';
import { HEARTBEAT_MS, Pubsub } from './pubsub.ts';
import { randomFor } from './random.ts';
import type { Surroundings } from './surroundings.ts';
import { payloadBytes, wireBytes } from './wire-size.ts';

/** Breaks a node on purpose: what it does instead of what its core asks for; undefined = nothing. For tests of checkers. */
export type Tamper = (node: string, effect: Effect) => Effect | undefined;

export interface WeftProcessOptions {
  readonly host: Host;
  readonly world: Surroundings;
  readonly core: CoreOptions;
  /** A mesh that this process is part of from its start. */
  readonly formed: Formed | undefined;
  readonly edge: Edge;
  /** Encode and decode every message as production does; without, messages pass by reference. */
  readonly isEncoded: boolean;
  readonly tamper?: Tamper | undefined;
  /** Who writes documents; undefined in a scenario without any, and then nothing of them is there. */
  readonly operators?: Operators | undefined;
}

/** `maxConnections` of gossip/libp2p/node.ts. */
const MAX_LINKS = 300;
/** Said to a member while it is being dialled, as in gossip/libp2p/links.ts. */
const MAX_WAITING = 64;

export class WeftProcess extends Process {
  readonly core: Core;
  readonly #world: Surroundings;
  readonly #isEncoded: boolean;
  readonly #tamper: Tamper | undefined;
  readonly #pubsub: Pubsub<RecordDelta>;
  readonly #documentPubsub: Pubsub<Revision> | undefined;
  readonly #operators: Operators | undefined;
  /** What this node makes of documents. */
  readonly documentUser: DocumentUser | undefined;
  #written: WriteOutcome | undefined;
  readonly #links = new Map<string, Link>();
  readonly #dialling = new Map<string, Message[]>();
  /** Told every message that arrives: for liars, who replay them. */
  overheard: ((message: Message) => void) | undefined = undefined;
  /** Whether the broadcast in progress may be passed on. */
  #isForwarded = false;
  /** Whether the step in progress changed what this node believes or shows. */
  #isTouched = false;

  constructor(options: WeftProcessOptions) {
    const { formed } = options;
    super(options.host, options.world.queue, options.edge, formed?.shown);
    this.#world = options.world;
    this.#isEncoded = options.isEncoded;
    this.#tamper = options.tamper;
    this.#pubsub = new Pubsub(this.#recordTopic(), options.core.random);
    this.host.highestEpoch = Math.max(this.host.highestEpoch, options.core.epoch);
    this.core = new Core(formed === undefined ? options.core : { ...options.core, known: formed.core });
    this.#operators = options.operators;
    this.#documentPubsub =
      this.#operators && new Pubsub(this.#documentTopic(), randomFor(options.core.epoch, this.name));
    this.documentUser =
      this.#operators &&
      new DocumentUser({
        process: this,
        host: this.host,
        operators: this.#operators,
        members: () => this.core.members(),
        chain: (key) => this.core.documents?.library.get(key),
        report: (report) => this.take({ kind: 'report', report }),
      });
  }

  override start(): void {
    this.take({ kind: 'start' });
    this.queue.later(this.host.random() * HEARTBEAT_MS, () => this.#heartbeat());
  }

  override publish(page: PageVersion): void {
    this.whenAwake(() => this.take({ kind: 'publish', endpoints: page.endpoints }));
  }

  override leave(): void {
    this.whenAwake(() => this.take({ kind: 'leave' }));
  }

  /** Steps the core. Call only while the process runs. */
  take(input: Input): void {
    const effects = this.core.step(this.nowMs(), input);
    this.#world.trace(this, input.kind, effects.length);
    for (const effect of effects) {
      const performed = this.#tamper === undefined ? effect : this.#tamper(this.name, effect);
      if (performed !== undefined) this.#perform(performed);
    }
    if (!this.#isTouched) return;
    this.#isTouched = false;
    this.#world.settled(this);
  }

  receive(link: Link, parcel: Parcel): void {
    const atMs = this.work(workMs(parcel));
    if (atMs > this.queue.nowMs) this.queue.plan(atMs, new Turn(this, link, parcel));
    else this.read(link, parcel);
  }

  /** It is the parcel's turn. */
  read(link: Link, parcel: Parcel): void {
    if (this.state === 'running') this.#read(link, parcel);
    else this.whenAwake(() => this.#read(link, parcel));
  }

  /** An operator hands this node a revision. Undefined when nobody is there to take it. */
  write(revision: Revision): WriteOutcome | undefined {
    this.#written = undefined;
    if (this.state === 'running') this.take({ kind: 'document-write', revision, isDryRun: false });
    return this.#written;
  }

  /** Puts a revision on the way to others without asking its own core, as a node would that is not what it seems. */
  smuggle(revision: Revision): void {
    this.#documentPubsub?.publish(revision);
    for (const peer of this.peers()) {
      this.say(peer, { kind: 'doc-have', items: [[keyText(revision), 'f'.repeat(32)]] });
      this.say(peer, { kind: 'doc-pages', revisions: [revision], served: 1 });
    }
  }

  sendOn(link: Link, parcel: Parcel, kind: string, bytes: number): void {
    if (link.isClosed || this.state === 'ended') return;
    this.#world.sent(this, kind, bytes);
    link.send(this, parcel, bytes);
  }

  linkOpened(link: Link): void {
    const peer = link.otherThan(this).name;
    this.#links.set(peer, link);
    this.#pubsub.linkUp(link);
    this.#documentPubsub?.linkUp(link);
    this.whenAwake(() => this.take({ kind: 'link-up', peer, opened: link.opener === this }));
    const waiting = this.#dialling.get(peer) ?? [];
    for (const message of waiting.splice(0)) this.say(peer, message);
  }

  linkClosed(link: Link): void {
    const peer = link.otherThan(this).name;
    if (this.#links.get(peer) !== link) return;
    this.#links.delete(peer);
    this.#pubsub.linkDown(link);
    this.#documentPubsub?.linkDown(link);
    this.whenAwake(() => this.take({ kind: 'link-down', peer }));
  }

  get isFull(): boolean {
    return this.#links.size >= MAX_LINKS;
  }

  /** Whom it has a link to. */
  peers(): string[] {
    return [...this.#links.keys()];
  }

  protected override fired(kind: string, about: string): void {
    this.take({ kind: 'fired', timer: { kind: kind as TimerKind, about } });
  }

  protected override stalled(forMs: number): void {
    this.take({ kind: 'stalled', forMs });
  }

  protected override closed(isAbrupt: boolean): void {
    if (isAbrupt) return; // packets to a dark host go unanswered until its peers give the connection up
    for (const link of this.#links.values()) link.close(this);
  }

  #heartbeat(): void {
    if (this.state === 'ended') return;
    this.whenAwake(() => {
      this.#pubsub.heartbeat();
      this.#documentPubsub?.heartbeat();
    });
    this.queue.later(HEARTBEAT_MS, () => this.#heartbeat());
  }

  #read(link: Link, parcel: Parcel): void {
    if (link.isClosed && parcel.kind !== 'message') return;
    if (parcel.kind === 'message') {
      this.overheard?.(parcel.message);
      this.take({ kind: 'received', from: link.otherThan(this).name, message: parcel.message });
    } else if (parcel.kind === 'bytes') {
      const message = decodeMessage(parcel.bytes);
      if (message !== undefined) this.take({ kind: 'received', from: link.otherThan(this).name, message });
    } else if (parcel.kind === 'documents') {
      this.#documentPubsub?.received(link, parcel.packet);
    } else {
      this.#pubsub.received(link, parcel);
    }
  }

  #recordTopic() {
    return {
      queue: this.queue,
      idOf: ({ name, epoch, to }: RecordDelta) => `${name} ${epoch} ${to}`,
      bytesOf: (delta: RecordDelta) => payloadBytes({ kind: 'delta', delta }),
      validate: (link: Link, delta: RecordDelta) =>
        this.#isWorthIt({ kind: 'broadcast', from: link.otherThan(this).name, delta }),
      sendOn: (link: Link, packet: PubsubPacket<RecordDelta>, bytes: number) =>
        this.sendOn(link, packet, 'pubsub', bytes),
    };
  }

  #documentTopic() {
    return {
      queue: this.queue,
      idOf: (revision: Revision) => `${keyText(revision)} ${Buffer.from(revision.signature).toString('hex')}`,
      bytesOf: revisionBytes,
      validate: (_link: Link, revision: Revision) => this.#isWorthIt({ kind: 'document-broadcast', revision }),
      sendOn: (link: Link, packet: PubsubPacket<Revision>, bytes: number) =>
        this.sendOn(link, { kind: 'documents', packet }, 'pubsub', bytes),
    };
  }

  /** A broadcast arrived: whether it deserves to be passed on. */
  #isWorthIt(broadcast: Input): boolean {
    this.#isForwarded = false;
    this.take(broadcast);
    return this.#isForwarded;
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        this.say(effect.to, effect.message);
        break;
      case 'arm':
        this.arm(effect.timer.kind, effect.timer.about, effect.atMs);
        break;
      case 'disarm':
        this.#disarm(effect.timer);
        break;
      case 'dial':
        this.#dial(effect.to, effect.address);
        break;
      case 'hang-up':
        this.#links.get(effect.to)?.close(this);
        break;
      case 'join':
        this.#join(effect.seed);
        break;
      case 'probe':
        probe(this, this.#world.hostAt(effect.address), this.#world, (outcome) => {
          const { about, purpose } = effect;
          this.whenAwake(() => this.take({ kind: 'probed', about, purpose, outcome }));
        });
        break;
      case 'broadcast':
        this.#pubsub.publish(effect.delta);
        break;
      case 'validated':
        this.#isForwarded = effect.forward;
        break;
      case 'endpoints':
        this.#show(effect.delta);
        break;
      case 'keep-epoch':
        this.host.highestEpoch = Math.max(this.host.highestEpoch, effect.epoch);
        this.host.disk.write({ epoch: effect.epoch });
        break;
      case 'remember-peers':
        if (effect.addresses.length > 0) this.host.disk.write({ peers: effect.addresses });
        break;
      case 'log':
        if (effect.event.kind !== 'member') break;
        this.#isTouched = true;
        this.#world.sighted(this, effect.event.name, effect.event.state);
        break;
      case 'members-changed':
        this.documentUser?.membersChanged();
        break;
      case 'broadcast-document':
        this.#documentPubsub?.publish(effect.revision);
        break;
      case 'keep-revisions':
        this.#keepDocuments();
        break;
      case 'documents':
        this.documentUser?.heads(effect.heads);
        break;
      case 'report':
        this.documentUser?.reported(effect.node, effect.report);
        break;
      case 'document-written':
        this.#written = effect.outcome;
        break;
    }
  }

  /** The whole library, which is small here: a write that is under way when the next one begins holds less than that. */
  #keepDocuments(): void {
    const chains = [...(this.core.documents?.library.chains() ?? [])];
    const revisions = chains.flatMap(([, chain]) => chain.held.map((held) => held.revision));
    this.host.disk.write({ revisions });
  }

  #disarm(timer: Timer): void {
    this.disarm(timer.kind, timer.about);
  }

  /** Sends to a peer, or keeps it for a moment if it is being dialled. */
  say(to: string, message: Message): void {
    const link = this.#links.get(to);
    if (link === undefined) {
      const waiting = this.#dialling.get(to);
      if (waiting !== undefined && waiting.length < MAX_WAITING) waiting.push(message);
      return;
    }
    if (this.#isEncoded) {
      const bytes = encodeMessage(message);
      this.sendOn(link, { kind: 'bytes', bytes }, message.kind, wireBytes(bytes.length));
    } else {
      this.sendOn(link, { kind: 'message', message }, message.kind, wireBytes(payloadBytes(message)));
    }
  }

  #dial(to: string, address: string): void {
    if (this.#links.has(to) || this.#dialling.has(to)) return;
    this.#dialling.set(to, []);
    this.#connect(address, () => this.#dialling.delete(to));
  }

  #join(seed: string): void {
    const host = this.#world.hostAt(seed);
    if (host === this.host) {
      this.queue.later(1, () => this.#tellJoin({ kind: 'join-failed', seed, isSelf: true }));
      return;
    }
    this.#connect(seed, (peer) => {
      if (peer === undefined) this.#tellJoin({ kind: 'join-failed', seed, isSelf: false });
      else this.#tellJoin({ kind: 'joined', seed, peer });
    });
  }

  #tellJoin(input: Input): void {
    this.whenAwake(() => this.take(input));
  }

  #connect(address: string, done: (peer: string | undefined) => void): void {
    const host = this.#world.hostAt(address);
    if (host !== undefined && this.#links.has(host.name)) {
      this.queue.later(0, () => done(host.name));
      return;
    }
    handshakeMs(this, host, this.#world, (outcome) => {
      const target = host === undefined ? undefined : this.#world.processOn(host);
      const isFull = target instanceof WeftProcess && target.isFull && !target.#links.has(this.name);
      if (outcome !== 'connected' || this.state === 'ended' || !(target instanceof WeftProcess) || isFull) {
        done(undefined);
        return;
      }
      this.#world.sent(this, 'dial', HANDSHAKE_BYTES);
      this.#world.sent(target, 'dial', HANDSHAKE_BYTES);
      if (!this.#links.has(target.name)) {
        const link = new Link(this, target, this.#world.network);
        link.isUp = true;
        target.replaceLink(this.name);
        target.linkOpened(link);
        this.linkOpened(link);
        this.#world.linked(this, target);
      }
      done(target.name);
    });
  }

  /** A newer connection of a peer displaces what is left of an older one. */
  replaceLink(peer: string): void {
    const old = this.#links.get(peer);
    if (old === undefined) return;
    old.isClosed = true;
    this.linkClosed(old);
  }

  #show(delta: { readonly upsert: readonly Endpoint[]; readonly remove: readonly string[] }): void {
    const owner = delta.upsert[0]?.node ?? delta.remove[0]?.split('/')[0];
    if (owner === undefined) return;
    const before = this.shown.get(owner);
    const endpoints = new Map(before?.endpoints);
    for (const endpoint of delta.upsert) endpoints.set(endpoint.id, endpoint);
    for (const id of delta.remove) endpoints.delete(id);
    const page = endpoints.size === 0 ? undefined : { number: numberOf(endpoints, owner), endpoints };
    if (page === undefined) this.shown.delete(owner);
    else this.shown.set(owner, page);
    this.#isTouched = true;
    this.#world.showed(this, owner, page, before);
  }
}

/** A parcel that waits until the thread is free. */
class Turn extends Happening {
  readonly #process: WeftProcess;
  readonly #link: Link;
  readonly #parcel: Parcel;

  constructor(process: WeftProcess, link: Link, parcel: Parcel) {
    super();
    this.#process = process;
    this.#link = link;
    this.#parcel = parcel;
  }

  override run(): void {
    this.#process.read(this.#link, this.#parcel);
  }
}
