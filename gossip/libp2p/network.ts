/**
 * Everything that reaches other nodes, as one thing: links, broadcasts, seeds, connect probes, and the node of libp2p under
 * them, which is watched and started again when it hangs.
 * @module
 */
import type { PeerId } from '@libp2p/interface';
import type { Logger } from 'pino';
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import type { GossipConfig } from '../config.ts';
import type { HostPort } from '../edge/address.ts';
import { formatHostPort, ownAddress, parseHostPort } from '../edge/address.ts';
import type { Driver } from '../edge/driver.ts';
import type { NodeCredential, NodeSigner } from '../edge/node-signer.ts';
import { observeDelay } from '../edge/propagation.ts';
import { isNamed, parseSeed, SeedDialler } from '../edge/seeds.ts';
import type { Effect, Input } from '../effects.ts';
import { GossipError } from '../errors.ts';
import type { TrafficStats } from '../stats.ts';
import { count } from '../stats.ts';
import type { Message } from '../wire/messages.ts';
import { Admission, SELF_DIALLED } from './admission.ts';
import { Broadcast } from './broadcast.ts';
import { type AnswerCall, Calls } from './calls.ts';
import type { Carrier } from './carrier.ts';
import { Links } from './links.ts';
import type { MeshNode } from './node.ts';
import { createNode } from './node.ts';
import { Watchdog } from './watchdog.ts';

/** The effects that go to other nodes. */
export type Sending = Extract<
  Effect,
  { kind: 'send' | 'dial' | 'hang-up' | 'join' | 'probe' | 'broadcast' | 'broadcast-document' }
>;

export interface NetworkOptions {
  readonly config: GossipConfig;
  readonly identity: NodeIdentity;
  readonly signer: NodeSigner;
  readonly traffic: TrafficStats;
  readonly answer: AnswerCall;
  readonly carrier: Carrier;
  /** Whether another process of ours may listen on the port already. */
  readonly mayShare: boolean;
  readonly log: Logger;
}

interface Parts extends NetworkOptions {
  readonly node: MeshNode;
  readonly admission: Admission;
  readonly topics: { readonly ep: string; readonly doc: string };
}

const STOP_MS = 2_000;

export class Network {
  readonly links: Links;
  readonly #calls: Calls;
  readonly #options: NetworkOptions;
  readonly #node: MeshNode;
  readonly #broadcast: Broadcast<'delta'>;
  readonly #documentBroadcast: Broadcast<'doc'>;
  readonly #seeds: SeedDialler;
  readonly #watchdog: Watchdog;
  readonly #aborted = new AbortController();
  /** Peers may connect as soon as the port is open, a moment before there is a core to tell. */
  readonly #ready = Promise.withResolvers<Driver>();
  #driver: Driver | undefined;

  /** Resolves when the port is open. Nothing is lost of what peers say before `serve`. */
  static async listen(options: NetworkOptions): Promise<Network> {
    const { config, identity, signer, traffic, carrier, mayShare, log } = options;
    if (!mayShare) await refuseUnlessFree(config.listen, carrier);
    const admission = new Admission({
      identity,
      signer,
      refused: (reason, detail) => {
        count(traffic.refused, reason);
        log.warn({ reason, detail }, 'peer refused');
      },
    });
    const topics = { ep: `weft/${identity.trustDomain}/ep`, doc: `weft/${identity.trustDomain}/doc` };
    const node = await createNode({
      listen: mustParse(config.listen),
      topics: Object.values(topics),
      transport: carrier.transport,
      admission,
      admissionTimeoutMs: config.admissionTimeoutMs,
      dialTimeoutMs: config.dialTimeoutMs,
      refused: (reason) => count(traffic.refused, reason),
    });
    const network = new Network({ ...options, node, admission, topics });
    await network.links.register();
    await network.#calls.register();
    try {
      await node.start();
    } catch (err) {
      await network.close();
      throw new GossipError('WEFT_GOSSIP_LISTEN_FAILED', config.listen, { cause: err });
    }
    return network;
  }

  private constructor(parts: Parts) {
    const { config, node, admission, traffic, signer, log, topics } = parts;
    this.#options = parts;
    this.#node = node;
    this.links = new Links({
      node,
      admission,
      traffic,
      dialTimeoutMs: config.dialTimeoutMs,
      credentialOf: (name) => this.#driver?.core.credentialOf(name) as NodeCredential | undefined, // our signer made it
      isRevoked: (credential) => signer.isRevoked(credential),
      log,
      events: {
        up: (peer, opened) => this.#take({ kind: 'link-up', peer, opened }),
        down: (peer) => this.#take({ kind: 'link-down', peer }),
        received: (from, message) => this.#take({ kind: 'received', from, message }),
      },
    });
    this.#calls = new Calls({ node, admitted: (peer) => admission.who(peer), answer: parts.answer, log });
    const shared = {
      node,
      traffic,
      log,
      nameOf: (peer: PeerId) => this.links.nameOf(peer),
      flooded: (name: string) => this.links.flooded(name),
    };
    this.#broadcast = new Broadcast({
      ...shared,
      topic: topics.ep,
      kind: 'delta',
      received: (from, message) => this.#hearDelta(from, message),
    });
    this.#documentBroadcast = new Broadcast({
      ...shared,
      topic: topics.doc,
      kind: 'doc',
      received: (_from, { revision }) => this.#driver!.judge({ kind: 'document-broadcast', revision }),
    });
    this.#seeds = new SeedDialler({
      connect: (address) => this.links.connect(address),
      known: () =>
        this.#driver?.core.members().flatMap(({ address, state }) => (state === 'dead' ? [] : [address])) ?? [],
      log,
    });
    this.#watchdog = new Watchdog({
      node,
      stuck: (dials) => {
        log.error({ dials }, 'dials hang in the network library, restarting it');
        void this.restart();
      },
      silent: (connection) => this.links.drop(connection),
    });
  }

  /** From here on everything that peers say goes to this driver, and broadcasts are taken part in. Call it once. */
  serve(driver: Driver): void {
    this.#driver = driver;
    this.#ready.resolve(driver);
    this.#subscribe();
  }

  /** `ip:port` for others, unless the operator chose one. */
  get address(): string {
    const { host, port } = mustParse(this.#options.config.listen);
    return formatHostPort({ host: ownAddress(host), port: boundPort(this.#node) ?? port });
  }

  /** Asks a member something, over the link there is or one made for it. Rejects when no answer comes. */
  async call(name: string, question: Uint8Array): Promise<Uint8Array> {
    const address = this.#driver?.core.members().find((member) => member.name === name)?.address;
    const target = address === undefined ? undefined : parseHostPort(address);
    if (this.links.connectionTo(name) === undefined && target !== undefined) await this.links.connect(target);
    const connection = this.links.connectionTo(name);
    if (connection === undefined) throw new GossipError('WEFT_GOSSIP_NO_ANSWER', name);
    return this.#calls.ask(connection, question);
  }

  perform(effect: Sending): void {
    switch (effect.kind) {
      case 'send':
        this.links.send(effect.to, effect.message);
        break;
      case 'dial':
        this.#dial(effect.to, effect.address);
        break;
      case 'hang-up':
        this.links.hangUp(effect.to);
        break;
      case 'join':
        void this.#join(effect.seed);
        break;
      case 'probe':
        void this.#probe(effect);
        break;
      case 'broadcast':
        this.#broadcast.publish({ kind: 'delta', delta: effect.delta, sentAtMs: Date.now() });
        break;
      case 'broadcast-document':
        this.#documentBroadcast.publish({ kind: 'doc', revision: effect.revision });
        break;
    }
  }

  /**
   * Stops the network library and starts it again; all links go and come back. For when dials hang in it.
   *
   * Rejects when it cannot be stopped or started: without a network there is nothing left to do here.
   */
  async restart(): Promise<void> {
    this.#options.traffic.restarts++;
    await this.#stopNode();
    if (this.#aborted.signal.aborted) return;
    if (this.#node.status !== 'stopped') throw new GossipError('WEFT_GOSSIP_STUCK', this.#options.config.listen);
    await this.#node.start();
    this.#subscribe();
  }

  async close(): Promise<void> {
    this.#aborted.abort();
    this.#seeds.stop();
    this.#watchdog.stop();
    this.links.close();
    await this.#stopNode();
  }

  #take(input: Input): void {
    void this.#ready.promise.then((driver) => driver.take(input));
  }

  #subscribe(): void {
    this.#broadcast.subscribe();
    this.#documentBroadcast.subscribe();
  }

  #hearDelta(from: string, { delta, sentAtMs }: Extract<Message, { kind: 'delta' }>): boolean {
    const isNews = this.#driver!.judge({ kind: 'broadcast', from, delta });
    if (isNews && sentAtMs !== undefined) {
      const skewMs = this.links.pulseOf(delta.name)?.skewMs;
      observeDelay(this.#options.traffic.propagation, sentAtMs, skewMs, Date.now());
    }
    return isNews;
  }

  #dial(to: string, address: string): void {
    const target = parseHostPort(address);
    if (target !== undefined) this.links.dial(to, target);
  }

  async #join(seed: string): Promise<void> {
    try {
      const peer = await this.#seeds.join(seed);
      this.#take({ kind: 'joined', seed, peer });
    } catch (err) {
      const isOurs = err instanceof Error && err.message.includes(SELF_DIALLED);
      // A name that stands for us today may stand for others tomorrow.
      const isSelf = isOurs && !isNamed(parseSeed(seed)!);
      if (!isSelf) this.#options.log.info({ err, seed }, 'seed not reached, will try again');
      this.#take({ kind: 'join-failed', seed, isSelf });
    }
  }

  async #probe({ about, address, purpose }: Effect & { kind: 'probe' }): Promise<void> {
    const target = parseHostPort(address);
    const outcome = target === undefined ? 'silent' : await this.#options.carrier.probe(target, this.#aborted.signal);
    this.#take({ kind: 'probed', about, purpose, outcome });
  }

  async #stopNode(): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const deadline = setTimeout(resolve, STOP_MS);
    await Promise.race([Promise.resolve(this.#node.stop()), late]);
    clearTimeout(deadline);
  }
}

/** The port is open to a successor. Without this, it would be to a second agent that was started by mistake. */
async function refuseUnlessFree(listen: string, carrier: Carrier): Promise<void> {
  try {
    await carrier.checkFree?.(mustParse(listen));
  } catch (err) {
    if (err instanceof GossipError) throw err;
    throw new GossipError('WEFT_GOSSIP_LISTEN_FAILED', listen, { cause: err });
  }
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
