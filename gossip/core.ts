/**
 * Gossip as one pure state machine: overlay, detector, membership, records, anti-entropy and documents, put together.
 *
 * The parts decide; this file only says who is told of what comes in, inbox.ts the same of messages, and parts.ts who asks
 * whom. Time and chance come in, effects go out; the edge (edge/driver.ts and libp2p/, or a simulation's event queue)
 * carries them out and holds no rule of the protocol.
 * @module
 */
import type { Documents } from './documents/documents.ts';
import type { Effect, Input, Timer } from './effects.ts';
import { arm, send } from './effects.ts';
import { receive } from './inbox.ts';
import type { MemberView } from './outside.ts';
import type { PartsOptions } from './parts.ts';
import { Parts } from './parts.ts';
import type { Credential } from './ports.ts';
import type { Endpoint } from './records/endpoint.ts';
import type { CoreStats } from './stats.ts';

export interface CoreOptions extends PartsOptions {
  readonly seeds: readonly string[];
  readonly rememberedPeers: readonly string[];
  /**
   * A core that already holds what this one is to begin with, ourselves included; it must not be stepped any more. For
   * simulations of a mesh that has long formed: they share one copy of it instead of holding one a node.
   */
  readonly known?: Core;
}

const SWEEP_MS = 60_000;

export class Core {
  readonly #parts: Parts;
  readonly #seeds: readonly string[];
  readonly #rememberedPeers: readonly string[];
  /** Undefined in a node that takes no part in documents. */
  readonly documents: Documents | undefined;

  constructor(options: CoreOptions) {
    this.#parts = new Parts(options, options.known === undefined ? undefined : options.known.#parts.holdings());
    this.#seeds = options.seeds;
    this.#rememberedPeers = options.rememberedPeers;
    this.documents = this.#parts.documents;
  }

  get stats(): CoreStats {
    return this.#parts.context.stats;
  }

  get endpointCount(): number {
    return this.#parts.directory.size;
  }

  get linkCount(): number {
    return this.#parts.peers.links.size;
  }

  /** Same state, same `nowMs`, same input, same chance: same effects. Throws on our bugs, never on what a peer sent. */
  step(nowMs: number, input: Input): readonly Effect[] {
    const { context, topology, outside } = this.#parts;
    context.nowMs = nowMs;
    context.out = [];
    this.#take(input);
    topology.settle();
    if (outside.tellMembers()) topology.rememberLater();
    return context.out;
  }

  /** Everybody we know, ourselves first. */
  members(): MemberView[] {
    return this.#parts.outside.members();
  }

  /** The certificate in the newest record of this node. */
  credentialOf(name: string): Credential | undefined {
    return this.#parts.credentialOf(name);
  }

  /** A short digest of all that this node holds: two nodes with equal ones agree. */
  root(): Uint8Array {
    return this.#parts.buckets.root();
  }

  #take(input: Input): void {
    const parts = this.#parts;
    switch (input.kind) {
      case 'start':
        this.#start(input.endpoints ?? []);
        break;
      case 'fired':
        this.#fired(input.timer);
        break;
      case 'received':
        receive(this.#parts, input.from, input.message);
        break;
      case 'broadcast':
        parts.context.out.push({ kind: 'validated', forward: parts.intake.delta(input.from, input.delta, false) });
        break;
      case 'link-up':
        this.#linkUp(input.peer, input.opened);
        break;
      case 'link-down':
        this.#linkDown(input.peer);
        break;
      case 'joined':
        parts.bootstrap.joined(input.seed, input.peer);
        break;
      case 'join-failed':
        parts.bootstrap.failed(input.seed, input.isSelf);
        break;
      case 'probed':
        if (input.purpose === 'detect') parts.detector.probed(input.about, input.outcome);
        else parts.membership.confirmed(input.about, input.outcome !== 'connected');
        break;
      case 'stalled':
        this.#stalled(input.forMs);
        break;
      case 'publish':
        parts.publisher.collect(input.endpoints);
        break;
      case 'document-broadcast':
        parts.context.out.push({ kind: 'validated', forward: this.documents?.broadcast(input.revision) ?? false });
        break;
      case 'document-write':
        if (this.documents === undefined) break;
        parts.context.out.push({
          kind: 'document-written',
          outcome: this.documents.write(input.revision, input.isDryRun),
        });
        break;
      case 'documents-restore':
        if (this.documents === undefined) break;
        parts.context.out.push({ kind: 'documents-restored', outcome: this.documents.restore(input.revisions) });
        break;
      case 'report':
        parts.publisher.report(input.report);
        break;
      case 'evidence':
        parts.publisher.evidence(input.evidence);
        break;
      case 'issuer':
        parts.publisher.issuer(input.note);
        break;
      case 'renewed':
        parts.publisher.renewed(input.chain, input.isNewKey);
        break;
      case 'revoked':
        parts.membership.expelRevoked();
        break;
      case 'root-dropped':
        parts.membership.expelRevoked();
        this.documents?.rootDropped();
        break;
      case 'leave':
        parts.membership.leave();
        break;
    }
  }

  #start(endpoints: readonly Endpoint[]): void {
    const { membership, bootstrap, antiEntropy, topology, context, outside, publisher } = this.#parts;
    membership.start();
    bootstrap.start(this.#seeds, this.#rememberedPeers);
    antiEntropy.start();
    this.documents?.start();
    topology.start();
    arm(context, 'sweep', '', SWEEP_MS);
    outside.start();
    if (endpoints.length > 0) publisher.begin(endpoints);
  }

  #fired(timer: Timer): void {
    const parts = this.#parts;
    switch (timer.kind) {
      case 'ping':
      case 'ack':
      case 'ask':
      case 'again':
        parts.detector.fired(timer);
        break;
      case 'verdict':
      case 'veto':
      case 'contest':
      case 'probation':
        parts.membership.fired(timer);
        break;
      case 'news':
        parts.news.fired();
        break;
      case 'publish':
      case 'report':
      case 'evidence':
        parts.publisher.fired(timer);
        break;
      case 'pull':
        parts.puller.drop(timer.about);
        break;
      case 'ae':
        parts.antiEntropy.firedPeriod();
        break;
      case 'ae-session':
        parts.antiEntropy.close(timer.about);
        break;
      case 'seed':
        parts.bootstrap.fired(timer.about);
        break;
      case 'redial':
      case 'rewatch':
      case 'remember':
        parts.topology.fired(timer);
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

  #linkUp(peer: string, opened: boolean): void {
    const { peers, context, pages, detector, antiEntropy } = this.#parts;
    if (peers.links.size === 0) this.#beginAnewIfApart();
    peers.up(peer);
    send(context, peer, { kind: 'hello', page: pages.own() });
    detector.linkUp(peer);
    if (opened) antiEntropy.open(peer);
    this.documents?.linkUp(peer, opened);
  }

  #linkDown(peer: string): void {
    const { peers, puller, antiEntropy, detector, bootstrap } = this.#parts;
    if (!peers.down(peer)) return;
    puller.drop(peer);
    antiEntropy.drop(peer);
    this.documents?.linkDown(peer);
    detector.linkDown(peer);
    if (peers.links.size === 0) bootstrap.lonely();
  }

  #stalled(forMs: number): void {
    const { context, absence, detector, antiEntropy } = this.#parts;
    context.stats.stalls++;
    absence.stoodStill(forMs);
    this.#beginAnewIfApart();
    detector.stalled();
    if (forMs > 1_000) antiEntropy.firedPeriod();
  }

  #sweep(): void {
    const { context, membership, topology } = this.#parts;
    arm(context, 'sweep', '', SWEEP_MS);
    this.#beginAnewIfApart();
    membership.sweep();
    topology.sweep();
  }

  /** Documents stay: their deletions are kept for good, so an old copy brings nothing back. */
  #beginAnewIfApart(): void {
    const { membership, absence, context, peers, publisher, own } = this.#parts;
    const { table } = membership;
    if (table.size === 0 || !absence.isTooLong(context.nowMs)) return;
    peers.hangUpAll();
    for (const { name } of [...table.entries()]) membership.forget(name);
    absence.heard(context.nowMs);
    publisher.raiseEpoch(own.record.epoch, 'apart from the mesh for longer than it remembers its dead');
  }
}
