/**
 * The front door of gossip: one node's view of the mesh, kept up to date over libp2p.
 *
 * Everything that decides is in core.ts; this is the edge that gives it time, disk and network, and tells the rest of the
 * agent what changed. Meant for a thread of its own: a busy neighbour on the same event loop looks like a slow node.
 * @module
 */
import type { PeerId } from '@libp2p/interface';
import type { Logger } from 'pino';
import type { NodeIdentity } from '../certs/node-bundle.ts';
import type { GossipConfig } from './config.ts';
import { Core } from './core.ts';
import type { Chain } from './documents/chain.ts';
import type { RestoreOutcome, WriteOutcome } from './documents/outcome.ts';
import type { DocumentQueries, DocumentQuery } from './documents/query.ts';
import { findRevisions, listHeads, snapshotPage } from './documents/query.ts';
import type { Held, Revision } from './documents/revision.ts';
import { keyText } from './documents/revision.ts';
import type { HostPort } from './edge/address.ts';
import { formatHostPort, ownAddress, parseHostPort } from './edge/address.ts';
import { DocumentStore, type OpenedStore } from './edge/document-store.ts';
import { FairClock } from './edge/fair-clock.ts';
import type { NodeCredential } from './edge/node-signer.ts';
import { NodeSigner } from './edge/node-signer.ts';
import { OperatorAuthority } from './edge/operator-authority.ts';
import { probe } from './edge/probe.ts';
import { observeDelay } from './edge/propagation.ts';
import { isNamed, parseSeed, SeedDialler } from './edge/seeds.ts';
import { GossipStore } from './edge/store.ts';
import { Timers } from './edge/timers.ts';
import type { Effect, EndpointDelta, Input, LogEvent } from './effects.ts';
import { GossipError } from './errors.ts';
import { Admission, SELF_DIALLED } from './libp2p/admission.ts';
import { Broadcast } from './libp2p/broadcast.ts';
import { Links } from './libp2p/links.ts';
import type { MeshNode } from './libp2p/node.ts';
import { createNode } from './libp2p/node.ts';
import { Watchdog } from './libp2p/watchdog.ts';
import type { Endpoint } from './records/endpoint.ts';
import { endpointProblem } from './records/endpoint.ts';
import type { CoreStats, TrafficStats } from './stats.ts';
import { count, emptyTrafficStats } from './stats.ts';

export type { EndpointDelta } from './effects.ts';

export type MemberState = 'alive' | 'suspect' | 'unresponsive' | 'dead' | 'left';

export interface Member {
  readonly name: string;
  readonly state: MemberState;
  /** `ip:port` of its gossip. */
  readonly address: string;
  readonly epoch: number;
  /** Deaths it refuted since it started. */
  readonly incarnation: number;
  /** Endpoints of it that may be routed to. */
  readonly endpoints: number;
  /** When it came into this state, as this node saw it; Unix time. */
  readonly sinceMs: number;
  readonly isSelf: boolean;
}

export interface GossipEvents {
  /** The member list changed. At most one call a turn of the event loop. */
  members(members: readonly Member[]): void;
  /** What may be routed to changed, own endpoints included. Those of dead, departed and unconfirmed members are gone. */
  endpoints(delta: EndpointDelta): void;
  /** Something new is known of these documents; each comes with the revision now in force, perhaps the same as before. */
  documents?(heads: readonly Held[]): void;
  /** What another node says of its documents, as it put it; undefined when that node is gone. */
  report?(node: string, report: Uint8Array | undefined): void;
}

export interface GossipDeps {
  readonly identity: NodeIdentity;
  readonly events: GossipEvents;
  readonly log: Logger;
  /** Whether this certificate of that node was called back. Call `revocationsChanged` when an answer changes. */
  readonly isRevoked?: (name: string, serial: string) => boolean;
}

/** What this node knows of another by looking itself; fields are absent where it did not look. */
export interface PeerHealth {
  readonly name: string;
  /** Observers that accuse it right now. */
  readonly accusers: number;
  readonly rttMs?: number;
  /** Time since a ping or an ack of it came. */
  readonly heardAgoMs?: number;
  /** Its wall clock less ours. */
  readonly skewMs?: number;
}

export interface GossipStats extends CoreStats, TrafficStats {
  /** 48 bits of the sum over all that this node holds: equal where nodes agree. */
  readonly registerDigest: number;
  /** Those that are linked to this node, or accused. */
  readonly peers: readonly PeerHealth[];
  readonly members: Readonly<Record<MemberState, number>>;
  readonly links: number;
  readonly endpoints: number;
}

const STOP_MS = 2_000;

export class Gossip implements AsyncDisposable {
  readonly #config: GossipConfig;
  readonly #deps: GossipDeps;
  readonly #traffic = emptyTrafficStats();
  readonly #aborted = new AbortController();
  readonly #store: GossipStore;
  readonly #node: MeshNode;
  readonly #links: Links;
  readonly #broadcast: Broadcast<'delta'>;
  readonly #documentBroadcast: Broadcast<'doc'>;
  readonly #documents: DocumentStore;
  /** The last write to the documents' store, done or not. */
  #kept: Promise<void> = Promise.resolve();
  #outcome: WriteOutcome | RestoreOutcome | undefined;
  readonly #clock: FairClock;
  readonly #timers: Timers;
  readonly #seeds: SeedDialler;
  readonly #watchdog: Watchdog;
  readonly #core: Core;
  #closing: Promise<void> | undefined;
  #left: Promise<void> | undefined;
  /** The answer to the broadcast in progress: gossipsub waits for it within the step. */
  #isForwarded = false;
  #endpointsChanged: Map<string, Endpoint | undefined> | undefined;
  #isMembersChanged = false;
  #isTelling = false;

  /** Resolves when the port is open and the seeds are being dialled; it does not wait for any of them. */
  static async start(config: GossipConfig, deps: GossipDeps, signal: AbortSignal): Promise<Gossip> {
    const { identity, log } = deps;
    signal.throwIfAborted();
    const owner = { trustDomain: identity.trustDomain, name: identity.name };
    const { store, damage } = await GossipStore.open(config.dataDirectory, owner, Date.now());
    if (damage !== undefined) log.warn({ err: damage }, 'gossip state was damaged and set aside, starting without it');
    const signer = new NodeSigner(identity);
    const traffic = emptyTrafficStats();
    const admission = new Admission({
      identity,
      signer,
      isRevoked: deps.isRevoked ?? noneRevoked,
      refused: (reason, detail) => {
        count(traffic.refused, reason);
        log.warn({ reason, detail }, 'peer refused');
      },
    });
    const listen = mustParse(config.listen);
    const topics = { ep: `weft/${identity.trustDomain}/ep`, doc: `weft/${identity.trustDomain}/doc` };
    const node = await createNode({
      listen,
      topics: Object.values(topics),
      admission,
      admissionTimeoutMs: config.admissionTimeoutMs,
      dialTimeoutMs: config.dialTimeoutMs,
      refused: (reason) => count(traffic.refused, reason),
    });
    const parts = { config, deps, store, signer, traffic, admission, node, listen, topics };
    // The log is written anew from what the core holds by then.
    let held: () => Iterable<[string, Chain]> = () => [];
    const documents = await DocumentStore.open(config.dataDirectory, identity.trustDomain, () => allRevisions(held()));
    if (documents.damage !== undefined) log.warn({ damage: documents.damage }, 'documents on disk were damaged');
    const gossip = await Gossip.#listen({ ...parts, documents }, signal).catch(async (err: unknown) => {
      await documents.store.close();
      throw err;
    });
    held = () => gossip.#core.documents?.library.chains() ?? [];
    return gossip;
  }

  static async #listen(parts: Parts, signal: AbortSignal): Promise<Gossip> {
    const { config, node, listen } = parts;
    const { promise: ready, resolve } = Promise.withResolvers<Gossip>();
    let started: Gossip | undefined;
    const links = new Links({
      node,
      admission: parts.admission,
      traffic: parts.traffic,
      dialTimeoutMs: config.dialTimeoutMs,
      credentialOf: (name) => (started === undefined ? undefined : started.#credentialOf(name)),
      isRevoked: parts.deps.isRevoked ?? noneRevoked,
      log: parts.deps.log,
      // Peers may connect as soon as the port is open, a moment before there is a core to tell.
      events: {
        up: (peer, opened) => void ready.then((gossip) => gossip.#take({ kind: 'link-up', peer, opened })),
        down: (peer) => void ready.then((gossip) => gossip.#take({ kind: 'link-down', peer })),
        received: (from, message) => void ready.then((gossip) => gossip.#take({ kind: 'received', from, message })),
      },
    });
    await links.register();
    try {
      await node.start();
    } catch (err) {
      await node.stop();
      throw new GossipError('WEFT_GOSSIP_LISTEN_FAILED', config.listen, { cause: err });
    }
    const gossip = new Gossip(parts, links, boundPort(node) ?? listen.port);
    started = gossip;
    resolve(gossip);
    gossip.#subscribe();
    gossip.#take({ kind: 'start' });
    if (!signal.aborted) return gossip;
    await gossip.close();
    throw signal.reason;
  }

  private constructor(parts: Parts, links: Links, port: number) {
    const { config, deps, store, signer, node, traffic } = parts;
    this.#config = config;
    this.#deps = deps;
    this.#store = store;
    this.#node = node;
    this.#links = links;
    this.#traffic = traffic;
    const carrier = {
      node,
      traffic,
      log: deps.log,
      nameOf: (peer: PeerId) => links.nameOf(peer),
      flooded: (name: string) => links.flooded(name),
    };
    const isWorthIt = (input: Input): boolean => {
      this.#isForwarded = false;
      this.#take(input);
      return this.#isForwarded;
    };
    this.#broadcast = new Broadcast({
      ...carrier,
      topic: parts.topics.ep,
      kind: 'delta',
      received: (from, { delta, sentAtMs }) => {
        const { gaps } = this.#core.stats;
        const isNews = isWorthIt({ kind: 'broadcast', from, delta });
        const isApplied = isNews && this.#core.stats.gaps === gaps;
        if (isApplied && sentAtMs !== undefined) {
          observeDelay(traffic.propagation, sentAtMs, links.pulseOf(delta.name)?.skewMs, Date.now());
        }
        return isNews;
      },
    });
    this.#documentBroadcast = new Broadcast({
      ...carrier,
      topic: parts.topics.doc,
      kind: 'doc',
      received: (_from, { revision }) => isWorthIt({ kind: 'document-broadcast', revision }),
    });
    this.#documents = parts.documents.store;
    this.#seeds = new SeedDialler({
      connect: (address) => links.connect(address),
      known: () => this.#core.members().flatMap(({ address, state }) => (state === 'dead' ? [] : [address])),
      log: deps.log,
    });
    this.#clock = new FairClock((forMs) => {
      deps.log.warn({ forMs: Math.round(forMs) }, 'the gossip thread stood still');
      queueMicrotask(() => this.#take({ kind: 'stalled', forMs }));
    });
    this.#watchdog = new Watchdog({
      node,
      stuck: (dials) => {
        deps.log.error({ dials }, 'dials hang in the network library, restarting it');
        void this.restartNetwork();
      },
      silent: (connection) => links.drop(connection),
    });
    this.#timers = new Timers(
      () => this.#clock.nowMs(),
      (timer) => this.#take({ kind: 'fired', timer }),
    );
    this.#core = new Core({
      self: deps.identity.name,
      trustDomain: deps.identity.trustDomain,
      address: config.advertise ?? formatHostPort({ host: ownAddress(parts.listen.host), port }),
      chain: deps.identity.chain.map((certificate) => certificate.raw),
      epoch: store.epoch,
      seeds: config.seeds,
      rememberedPeers: store.peers,
      settings: config,
      signer,
      random: Math.random,
      documents: {
        authority: new OperatorAuthority(deps.identity.trust),
        initial: parts.documents.revisions,
        maxDocuments: config.maxDocuments,
      },
    });
  }

  /** Replaces what this node offers. A no-op when nothing changed. @throws GossipError naming what cannot be published */
  publish(endpoints: readonly Endpoint[]): void {
    const { name } = this.#deps.identity;
    const problem = endpointProblem(name, endpoints);
    if (problem !== undefined) throw new GossipError(problem.code, problem.subject);
    this.#take({ kind: 'publish', endpoints });
  }

  /** Every node known, this one first; those known by hearsay only are left out until somebody reached them. */
  members(): readonly Member[] {
    const toWallMs = Date.now() - this.#clock.nowMs();
    return this.#core
      .members()
      .filter((member): member is typeof member & { state: MemberState } => member.state !== 'probation')
      .map(({ accusers: _, ...member }) => ({ ...member, sinceMs: Math.round(member.sinceMs + toWallMs) }));
  }

  stats(): GossipStats {
    const members = { alive: 0, suspect: 0, unresponsive: 0, dead: 0, left: 0 };
    for (const { state } of this.members()) members[state]++;
    return {
      ...structuredClone(this.#core.stats),
      ...structuredClone(this.#traffic),
      registerDigest: Buffer.from(this.#core.root()).readUIntLE(0, 6),
      peers: this.#peerHealth(),
      members,
      links: this.#core.linkCount,
      endpoints: this.#core.endpointCount,
    };
  }

  #peerHealth(): PeerHealth[] {
    const accused = this.#core.members().filter(({ accusers }) => accusers > 0);
    const accusers = new Map(accused.map((member) => [member.name, member.accusers]));
    return [...new Set([...this.#links.names(), ...accusers.keys()])].map((name) => ({
      name,
      accusers: accusers.get(name) ?? 0,
      ...this.#pulse(name),
    }));
  }

  #pulse(name: string): Omit<PeerHealth, 'name' | 'accusers'> {
    const pulse = this.#links.pulseOf(name);
    if (pulse === undefined) return {};
    const { rttMs, skewMs, heardAtMs } = pulse;
    return { rttMs, heardAgoMs: performance.now() - heardAtMs, ...(skewMs === undefined ? {} : { skewMs }) };
  }

  /**
   * Takes an operator's signed revision; it is on disk here and on its way to the others when this resolves.
   *
   * @param options.isDryRun judge only
   */
  async writeDocument(revision: Revision, { isDryRun = false } = {}): Promise<WriteOutcome> {
    const outcome = this.#ask<WriteOutcome>({ kind: 'document-write', revision, isDryRun });
    try {
      await this.#kept;
      return outcome;
    } catch (err) {
      return outcome.kind === 'written' ? { ...outcome, notOnDisk: err instanceof Error ? err.message : '' } : outcome;
    }
  }

  /** Takes the revisions of a snapshot, as far as they are news; nothing goes back to an older revision. */
  async restoreDocuments(revisions: readonly Revision[]): Promise<RestoreOutcome> {
    const outcome = this.#ask<RestoreOutcome>({ kind: 'documents-restore', revisions });
    await this.#kept;
    return outcome;
  }

  /** All documents with the revisions kept of each, by key. */
  documents(): Iterable<[string, Chain]> {
    return this.#core.documents?.library.chains() ?? [];
  }

  document(key: string): Chain | undefined {
    return this.#core.documents?.library.get(key);
  }

  /** Answers a question about documents; see documents/query.ts for what is asked and answered. */
  async query<Q extends DocumentQuery>(
    query: Q,
    ask: DocumentQueries[Q]['ask'],
  ): Promise<DocumentQueries[Q]['answer']> {
    const answers: { readonly [K in DocumentQuery]: (ask: DocumentQueries[K]['ask']) => unknown } = {
      write: ({ revision, isDryRun }) => this.writeDocument(revision, { isDryRun }),
      restore: ({ revisions }) => this.restoreDocuments(revisions),
      list: (wanted) => listHeads(this.documents(), wanted),
      history: (key) => this.document(keyText(key))?.standings() ?? [],
      find: ({ idPrefix }) => findRevisions(this.documents(), idPrefix),
      snapshot: ({ after }) => snapshotPage(this.documents(), after),
    };
    return (await answers[query](ask)) as DocumentQueries[Q]['answer'];
  }

  /** Cuts links to nodes whose certificates are now called back. */
  revocationsChanged(): void {
    this.#links.revocationsChanged();
  }

  /** Tells all nodes how this one fares with its documents. */
  report(report: Uint8Array): void {
    this.#take({ kind: 'report', report });
  }

  #ask<T extends WriteOutcome | RestoreOutcome>(input: Input): T {
    this.#outcome = undefined;
    this.#take(input);
    if (this.#outcome === undefined) throw new GossipError('WEFT_GOSSIP_CLOSED', input.kind);
    return this.#outcome as T;
  }

  /** `ip:port` that this node tells others. */
  get address(): string {
    return this.#core.members()[0]!.address;
  }

  /**
   * Stops the network library and starts it again; all links go and come back. For when dials hang in it.
   *
   * Rejects when it cannot be stopped or started: without a network there is nothing left to do here.
   */
  async restartNetwork(): Promise<void> {
    this.#traffic.restarts++;
    await this.#stopNode();
    if (this.#aborted.signal.aborted) return;
    if (this.#node.status !== 'stopped') throw new GossipError('WEFT_GOSSIP_STUCK', this.#config.listen);
    await this.#node.start();
    this.#subscribe();
  }

  /** Says goodbye: others drop this node's endpoints at once. Resolves when the word had time to spread. */
  leave(): Promise<void> {
    this.#left ??= this.#leave();
    return this.#left;
  }

  /** Leaves and stops. May be called twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #leave(): Promise<void> {
    this.#take({ kind: 'leave' });
    const lingerMs = this.#core.linkCount === 0 ? 0 : this.#config.leaveLingerMs;
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, lingerMs);
    await promise;
  }

  async #close(): Promise<void> {
    await this.leave();
    this.#aborted.abort();
    this.#timers.stop();
    this.#clock.stop();
    this.#seeds.stop();
    this.#watchdog.stop();
    this.#links.close();
    await this.#stopNode();
    await this.#documents.close();
  }

  async #stopNode(): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const deadline = setTimeout(resolve, STOP_MS);
    await Promise.race([Promise.resolve(this.#node.stop()), late]);
    clearTimeout(deadline);
  }

  #subscribe(): void {
    this.#broadcast.subscribe();
    this.#documentBroadcast.subscribe();
  }

  #credentialOf(name: string): NodeCredential | undefined {
    return this.#core.credentialOf(name) as NodeCredential | undefined; // only our signer makes them
  }

  #take(input: Input): void {
    if (this.#aborted.signal.aborted) return;
    for (const effect of this.#core.step(this.#clock.nowMs(), input)) this.#perform(effect);
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        this.#links.send(effect.to, effect.message);
        break;
      case 'dial':
        this.#dial(effect.to, effect.address);
        break;
      case 'hang-up':
        this.#links.hangUp(effect.to);
        break;
      case 'join':
        this.#join(effect.seed);
        break;
      case 'probe':
        this.#probe(effect);
        break;
      case 'arm':
        this.#timers.arm(effect.timer, effect.atMs);
        break;
      case 'disarm':
        this.#timers.disarm(effect.timer);
        break;
      case 'broadcast':
        this.#broadcast.publish({ kind: 'delta', delta: effect.delta, sentAtMs: Date.now() });
        break;
      case 'broadcast-document':
        this.#documentBroadcast.publish({ kind: 'doc', revision: effect.revision });
        break;
      case 'keep-revisions':
        this.#kept = this.#documents.keep(effect.revisions);
        this.#keep(this.#kept);
        break;
      case 'document-written':
      case 'documents-restored':
        this.#outcome = effect.outcome;
        break;
      case 'documents':
        this.#deps.events.documents?.(effect.heads);
        break;
      case 'report':
        this.#deps.events.report?.(effect.node, effect.report);
        break;
      case 'validated':
        this.#isForwarded = effect.forward;
        return;
      case 'endpoints':
        this.#endpointsDiffer(effect.delta);
        break;
      case 'members-changed':
        this.#isMembersChanged = true;
        this.#tellSoon();
        break;
      case 'keep-epoch':
        this.#keep(this.#store.keepEpoch(effect.epoch));
        break;
      case 'remember-peers':
        this.#keep(this.#store.rememberPeers(effect.addresses));
        break;
      case 'log':
        this.#log(effect.event);
        break;
    }
  }

  #dial(to: string, address: string): void {
    const target = parseHostPort(address);
    if (target !== undefined) this.#links.dial(to, target);
  }

  async #join(seed: string): Promise<void> {
    try {
      const peer = await this.#seeds.join(seed);
      this.#take({ kind: 'joined', seed, peer });
    } catch (err) {
      const isOurs = err instanceof Error && err.message.includes(SELF_DIALLED);
      // A name that stands for us today may stand for others tomorrow.
      const isSelf = isOurs && !isNamed(parseSeed(seed)!);
      if (!isSelf) this.#deps.log.info({ err, seed }, 'seed not reached, will try again');
      this.#take({ kind: 'join-failed', seed, isSelf });
    }
  }

  async #probe({ about, address, purpose }: Effect & { kind: 'probe' }): Promise<void> {
    const target = parseHostPort(address);
    const outcome = target === undefined ? 'silent' : await probe(target, this.#aborted.signal);
    this.#take({ kind: 'probed', about, purpose, outcome });
  }

  #keep(writing: Promise<void>): void {
    writing.catch((err: unknown) => this.#deps.log.error({ err }, 'gossip state could not be written'));
  }

  #log(event: LogEvent): void {
    const { log } = this.#deps;
    if (event.kind === 'member') {
      const { name, state, why } = event;
      log[state === 'alive' || state === 'left' ? 'info' : 'warn'](
        { member: name, state, why },
        'member changed state',
      );
    } else if (event.kind === 'refuted') {
      log.warn({ incarnation: event.inc }, 'refuted a rumour of our own death');
    } else {
      log.warn({ epoch: event.epoch }, 'a peer knew a newer life of this node; is its bundle used twice?');
    }
  }

  #endpointsDiffer(delta: EndpointDelta): void {
    this.#endpointsChanged ??= new Map();
    for (const endpoint of delta.upsert) this.#endpointsChanged.set(endpoint.id, endpoint);
    for (const id of delta.remove) this.#endpointsChanged.set(id, undefined);
    this.#tellSoon();
  }

  /** All changes of one turn are told as one. */
  #tellSoon(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    setImmediate(() => this.#tell());
  }

  #tell(): void {
    this.#isTelling = false;
    const { events } = this.#deps;
    if (this.#isMembersChanged) {
      this.#isMembersChanged = false;
      events.members(this.members());
    }
    const changed = this.#endpointsChanged;
    if (changed === undefined) return;
    this.#endpointsChanged = undefined;
    const upsert = [...changed.values()].filter((endpoint) => endpoint !== undefined);
    const remove = [...changed].filter(([, endpoint]) => endpoint === undefined).map(([id]) => id);
    events.endpoints({ upsert, remove });
  }
}

interface Parts {
  readonly config: GossipConfig;
  readonly deps: GossipDeps;
  readonly store: GossipStore;
  readonly signer: NodeSigner;
  readonly traffic: TrafficStats;
  readonly admission: Admission;
  readonly node: MeshNode;
  readonly listen: HostPort;
  readonly topics: { readonly ep: string; readonly doc: string };
  readonly documents: OpenedStore;
}

const noneRevoked = (): boolean => false;

function* allRevisions(chains: Iterable<[string, Chain]>): Iterable<Revision> {
  for (const [, chain] of chains) for (const held of chain.held) yield held.revision;
}

function mustParse(address: string): HostPort {
  const parsed = parseHostPort(address);
  if (parsed === undefined) throw new GossipError('WEFT_GOSSIP_BAD_ADDRESS', address);
  return parsed;
}

function boundPort(node: MeshNode): number | undefined {
  for (const address of node.getMultiaddrs()) {
    const port = address.getComponents().find((component) => component.name === 'tcp')?.value;
    if (port !== undefined) return Number(port);
  }
  return undefined;
}
