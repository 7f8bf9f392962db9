/**
 * The front door of gossip: one node's view of the mesh, kept up to date over libp2p.
 *
 * Everything that decides is in core.ts; edge/ gives it time and disk, libp2p/ gives it a network, and the rest of the agent
 * is told what changed. Meant for a thread of its own: a busy neighbour on the same event loop looks like a slow node.
 * @module
 */
import type { X509Certificate } from 'node:crypto';
import type { Logger } from 'pino';
import type { NodeIdentity } from '../certs/node-bundle.ts';
import type { RevocationEntry } from '../certs/revocation.ts';
import { Revocations } from '../certs/revocation.ts';
import type { GossipConfig } from './config.ts';
import type { CoreOptions } from './core.ts';
import { Disk } from './edge/disk.ts';
import { DocumentDesk } from './edge/document-desk.ts';
import type { OutwardEffect } from './edge/driver.ts';
import { Driver } from './edge/driver.ts';
import { NodeSigner } from './edge/node-signer.ts';
import { OperatorAuthority } from './edge/operator-authority.ts';
import type { GossipEvents } from './edge/teller.ts';
import { Teller } from './edge/teller.ts';
import { GossipError } from './errors.ts';
import type { AnswerCall } from './libp2p/calls.ts';
import { type Carrier, tcpCarrier } from './libp2p/carrier.ts';
import { Network } from './libp2p/network.ts';
import type { Endpoint } from './records/endpoint.ts';
import { endpointProblem } from './records/endpoint.ts';
import type { TrafficStats } from './stats.ts';
import { emptyTrafficStats } from './stats.ts';
import type { GossipStats, Member } from './view.ts';
import { viewMembers, viewStats } from './view.ts';

export interface GossipDeps {
  readonly identity: NodeIdentity;
  readonly events: GossipEvents;
  readonly log: Logger;
  /** Answers what other members ask this node; without it they are hung up on. */
  readonly answer?: AnswerCall;
  /** How long what was admitted under a root that is trusted no more may stay. Default: 30 s. */
  readonly rootGraceMs?: number;
  /** Default: TCP. */
  readonly carrier?: Carrier;
  /** What a predecessor that shares the port offered, and this node goes on offering. */
  readonly succeeds?: { readonly endpoints: readonly Endpoint[] };
}

interface Parts {
  readonly config: GossipConfig;
  readonly deps: GossipDeps;
  readonly signer: NodeSigner;
  readonly traffic: TrafficStats;
  readonly disk: Disk;
  readonly network: Network;
  readonly authority: OperatorAuthority;
}

/** News of new certificates and documents take seconds at most; news that a root was retired may overtake them. */
const ROOT_GRACE_MS = 30_000;

const noAnswers: AnswerCall = () => Promise.reject(new Error('this node answers no calls'));

export class Gossip implements AsyncDisposable {
  readonly documents: DocumentDesk;
  readonly #config: GossipConfig;
  readonly #signer: NodeSigner;
  readonly #authority: OperatorAuthority;
  readonly #traffic: TrafficStats;
  readonly #disk: Disk;
  readonly #network: Network;
  readonly #teller: Teller;
  readonly #driver: Driver;
  readonly #rootGraceMs: number;
  #rootTimer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  #left: Promise<void> | undefined;

  /** Resolves when the port is open and the seeds are being dialled; it does not wait for any of them. */
  static async start(config: GossipConfig, deps: GossipDeps, signal: AbortSignal): Promise<Gossip> {
    const { identity, log, answer = noAnswers, carrier = tcpCarrier() } = deps;
    signal.throwIfAborted();
    const signer = new NodeSigner(identity);
    const authority = new OperatorAuthority(identity.trust);
    const traffic = emptyTrafficStats();
    let started: Gossip | undefined;
    const kept = () => started?.documents.kept() ?? [];
    const disk = await Disk.open({ dataDirectory: config.dataDirectory, identity, log, kept });
    try {
      const network = await Network.listen({
        config,
        identity,
        signer,
        traffic,
        answer,
        carrier,
        mayShare: deps.succeeds !== undefined,
        log,
      });
      started = new Gossip({ config, deps, signer, traffic, disk, network, authority });
    } catch (err) {
      await disk.close();
      throw err;
    }
    if (!signal.aborted) return started;
    await started.close();
    throw signal.reason;
  }

  private constructor(parts: Parts) {
    const { config, deps, signer, traffic, disk, network, authority } = parts;
    const { identity, log, events, rootGraceMs = ROOT_GRACE_MS } = deps;
    this.#config = config;
    this.#rootGraceMs = rootGraceMs;
    this.#signer = signer;
    this.#authority = authority;
    this.#traffic = traffic;
    this.#disk = disk;
    this.#network = network;
    this.#teller = new Teller({ events, log, members: () => this.members() });
    const perform = (effect: OutwardEffect): void => this.#perform(effect);
    this.#driver = new Driver({ ...coreOptions({ config, identity, signer, disk, network, authority }), perform, log });
    this.documents = new DocumentDesk(this.#driver, disk);
    network.serve(this.#driver);
    this.#driver.take({ kind: 'start', endpoints: deps.succeeds?.endpoints ?? [] });
  }

  /** Replaces what this node offers. A no-op when nothing changed. @throws GossipError naming what cannot be published */
  publish(endpoints: readonly Endpoint[]): void {
    const problem = endpointProblem(this.#signer.identity.name, endpoints);
    if (problem !== undefined) throw new GossipError(problem.code, problem.subject);
    this.#driver.take({ kind: 'publish', endpoints });
  }

  /** Tells all nodes how this one fares with its documents. */
  report(report: Uint8Array): void {
    this.#driver.take({ kind: 'report', report });
  }

  /** Tells all nodes which endpoints this one has ejected; see records/evidence.ts. */
  accuse(evidence: Uint8Array | undefined): void {
    this.#driver.take({ kind: 'evidence', evidence });
  }

  /** A renewed bundle of this node: its chain goes to all others, and links are made and prolonged with it. */
  identityChanged(identity: NodeIdentity): void {
    const before = this.#signer.identity;
    const isNewKey = !identity.chain[0]!.publicKey.equals(before.chain[0]!.publicKey);
    this.#signer.replace(identity);
    this.#authority.trustRoots(identity.trust);
    this.#driver.take({ kind: 'renewed', chain: identity.chain.map(({ raw }) => raw), isNewKey });
    const isTrusted = (root: X509Certificate): boolean => identity.trust.roots.some(({ raw }) => raw.equals(root.raw));
    if (!before.trust.roots.every(isTrusted)) this.#dropRootsLater();
  }

  /** Tells all nodes that this one is an issuer. */
  declareIssuer(note: Uint8Array): void {
    this.#driver.take({ kind: 'issuer', note });
  }

  /** Asks another member something that its `answer` knows. Rejects when no answer comes. */
  call(name: string, question: Uint8Array): Promise<Uint8Array> {
    return this.#network.call(name, question);
  }

  /** Every node known, this one first; those known by hearsay only are left out until somebody reached them. */
  members(): readonly Member[] {
    return viewMembers(this.#driver.core, this.#driver.toWallMs);
  }

  stats(): GossipStats {
    return viewStats(this.#driver.core, this.#network.links, this.#traffic);
  }

  /** `ip:port` that this node tells others. */
  get address(): string {
    return this.#driver.core.members()[0]!.address;
  }

  /** Stops the network library and starts it again; all links go and come back. Rejects when it cannot be. */
  restartNetwork(): Promise<void> {
    return this.#network.restart();
  }

  /** Says goodbye: others drop this node's endpoints at once. Resolves when the word had time to spread. */
  leave(): Promise<void> {
    this.#left ??= this.#leave();
    return this.#left;
  }

  /**
   * Leaves and stops. May be called twice.
   *
   * @param isSucceeded a successor of this node listens already: nobody is told that it leaves
   */
  close(isSucceeded = false): Promise<void> {
    this.#closing ??= this.#close(isSucceeded);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #leave(): Promise<void> {
    this.#driver.take({ kind: 'leave' });
    const lingerMs = this.#driver.core.linkCount === 0 ? 0 : this.#config.leaveLingerMs;
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, lingerMs);
    await promise;
  }

  async #close(isSucceeded: boolean): Promise<void> {
    clearTimeout(this.#rootTimer);
    if (!isSucceeded) await this.leave();
    this.#driver.stop();
    await this.#network.close();
    await this.#disk.close();
  }

  #perform(effect: OutwardEffect): void {
    switch (effect.kind) {
      case 'send':
      case 'dial':
      case 'hang-up':
      case 'join':
      case 'probe':
      case 'broadcast':
      case 'broadcast-document':
        this.#network.perform(effect);
        break;
      case 'keep-epoch':
      case 'remember-peers':
      case 'keep-revisions':
        this.#disk.perform(effect);
        break;
      case 'revocations':
        this.#revoke(effect.entries);
        this.#teller.perform(effect);
        break;
      default:
        this.#teller.perform(effect);
    }
  }

  #dropRootsLater(): void {
    clearTimeout(this.#rootTimer);
    this.#rootTimer = setTimeout(() => {
      this.#signer.dropRoots();
      this.#network.links.revocationsChanged();
      this.#driver.take({ kind: 'root-dropped' });
    }, this.#rootGraceMs);
  }

  #revoke(entries: readonly RevocationEntry[]): void {
    this.#signer.revoke(new Revocations(entries));
    this.#network.links.revocationsChanged();
    queueMicrotask(() => this.#driver.take({ kind: 'revoked' })); // after the step in progress
  }
}

function coreOptions(parts: Omit<Parts, 'deps' | 'traffic'> & { readonly identity: NodeIdentity }): CoreOptions {
  const { config, identity, signer, disk, network, authority } = parts;
  return {
    self: identity.name,
    trustDomain: identity.trustDomain,
    address: config.advertise ?? network.address,
    chain: identity.chain.map((certificate) => certificate.raw),
    epoch: disk.store.epoch,
    seeds: config.seeds,
    rememberedPeers: disk.store.peers,
    settings: config,
    signer,
    random: Math.random,
    documents: {
      authority,
      initial: disk.revisions,
      maxDocuments: config.maxDocuments,
    },
  };
}
