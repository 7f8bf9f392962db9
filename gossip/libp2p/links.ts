/**
 * Links: for every peer we are connected to, two streams to send on, and whatever it sends us.
 *
 * Each side opens the streams it sends on, so there is nothing to agree about when both dial at once. The member lane
 * opens with the connection and says "the link is up"; the bulk lane opens when it is first needed. A link is down when
 * its last connection closed.
 * @module
 */
import type { Connection, PeerId, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Logger } from 'pino';
import type { HostPort } from '../edge/address.ts';
import { toMultiaddrText } from '../edge/address.ts';
import type { NodeCredential } from '../edge/node-signer.ts';
import { type Pulse, RoundTrip } from '../edge/round-trip.ts';
import type { TrafficStats } from '../stats.ts';
import { count } from '../stats.ts';
import { decodeMessage, encodeMessage } from '../wire/codec.ts';
import type { Lane, Message } from '../wire/messages.ts';
import { LIMITS, laneOf } from '../wire/messages.ts';
import type { Admission } from './admission.ts';
import { Allowance } from './allowance.ts';
import { encodeFrame, FrameReader } from './frames.ts';
import type { MeshNode } from './node.ts';
import type { Ending } from './tenure.ts';
import { Tenure } from './tenure.ts';

export interface LinkEvents {
  up(peer: string, opened: boolean): void;
  down(peer: string): void;
  received(peer: string, message: Message): void;
}

export interface LinksOptions {
  readonly node: MeshNode;
  readonly admission: Admission;
  readonly traffic: TrafficStats;
  readonly dialTimeoutMs: number;
  readonly events: LinkEvents;
  /** The newest certificate that this node has shown in its record. */
  readonly credentialOf: (name: string) => NodeCredential | undefined;
  readonly isRevoked: (credential: NodeCredential) => boolean;
  readonly log: Logger;
}

const PROTOCOLS: Readonly<Record<Lane, string>> = { member: '/weft/member/1', bulk: '/weft/ae/1' };
const LANES: readonly Lane[] = ['member', 'bulk'];
const MAX_FRAME: Readonly<Record<Lane, number>> = { member: LIMITS.memberFrameBytes, bulk: LIMITS.bulkFrameBytes };

/** Messages that wait for a lane to open, and bytes that wait in an open one; beyond that a message is dropped. */
const MAX_QUEUED = 64;
const MAX_BUFFERED_BYTES = 2 * 1024 * 1024;
/** What a peer may send: far above a busy mesh, far below what could keep this thread from its own pings. */
const LIMITS_PER_PEER = { framesPerSecond: 1_000, frameBurst: 10_000 };
/** A node that flooded us gets no link for this long; of so many we keep it in mind. */
const EMBARGO_MS = 30_000;
const MAX_EMBARGOES = 1_024;
const STREAM_TIMEOUT_MS = 5_000;
const MAX_DIALS = 64;
const MAX_WAITING = 32;

class Peer {
  readonly name: string;
  readonly connections = new Set<Connection>();
  readonly lanes: Record<Lane, OutgoingLane>;
  readonly allowance: Allowance;
  readonly roundTrip = new RoundTrip();
  isUp = false;

  constructor(name: string) {
    this.name = name;
    this.lanes = { member: new OutgoingLane(), bulk: new OutgoingLane() };
    this.allowance = new Allowance(LIMITS_PER_PEER, performance.now());
  }
}

class OutgoingLane {
  stream: Stream | undefined = undefined;
  isOpening = false;
  queued: Uint8Array[] = [];
}

export class Links {
  readonly #options: LinksOptions;
  readonly #peers = new Map<string, Peer>();
  /** Whose connection it is, for as long as libp2p talks of it. */
  readonly #owners = new WeakMap<Connection, Peer>();
  /** Members being dialled, with what is to be said to them. */
  readonly #dialling = new Map<string, Message[]>();
  /** Until when nodes that flooded us get no link. */
  readonly #embargoes = new Map<string, number>();
  readonly #tenure: Tenure<Connection>;
  #isClosed = false;

  constructor(options: LinksOptions) {
    this.#options = options;
    this.#tenure = new Tenure({
      newest: options.credentialOf,
      isRevoked: options.isRevoked,
      ended: (connection, credential, why) => this.#cut(connection, credential, why),
    });
  }

  /** Call before the node starts. */
  async register(): Promise<void> {
    const { node } = this.#options;
    for (const lane of LANES) {
      await node.handle(PROTOCOLS[lane], (stream, connection) => this.#accept(lane, stream, connection), {
        maxInboundStreams: 2,
        maxOutboundStreams: 2,
      });
    }
    node.addEventListener('connection:open', (event) => this.#opened(event.detail));
    node.addEventListener('connection:close', (event) => this.#closed(event.detail));
  }

  get size(): number {
    return this.#peers.size;
  }

  send(to: string, message: Message): void {
    const peer = this.#peers.get(to);
    if (peer !== undefined) {
      this.#sendOn(peer, laneOf(message.kind), message);
      return;
    }
    const waiting = this.#dialling.get(to);
    if (waiting !== undefined && waiting.length < MAX_WAITING) waiting.push(message);
    else this.#options.traffic.framesDropped.congested++;
  }

  /** Makes a link to a member, unless there is one or it is being made. Failures are the detector's to notice. */
  dial(name: string, target: HostPort): void {
    if (
      this.#isClosed ||
      this.#isEmbargoed(name) ||
      this.#peers.has(name) ||
      this.#dialling.has(name) ||
      this.#dialling.size >= MAX_DIALS
    )
      return;
    this.#dialling.set(name, []);
    this.connect(target)
      .then(
        (reached) => {
          if (reached !== name) this.#options.log.warn({ name, reached }, 'another node answered at a member address');
        },
        (err: unknown) => this.#options.log.debug({ err, name }, 'dial failed'),
      )
      .finally(() => {
        const waiting = this.#dialling.get(name) ?? [];
        this.#dialling.delete(name);
        if (this.#peers.has(name)) for (const message of waiting) this.send(name, message);
      });
  }

  /** Connects to whoever listens there. @returns its name; rejects when nobody does or it is not admitted */
  async connect({ host, port }: HostPort): Promise<string> {
    const { node, traffic, admission, dialTimeoutMs } = this.#options;
    traffic.dials++;
    const linked = new Set([...this.#peers.values()].filter(({ isUp }) => isUp).map((peer) => peer.name));
    try {
      const target = multiaddr(toMultiaddrText({ host, port }));
      const connection = await node.dial(target, { signal: AbortSignal.timeout(dialTimeoutMs) });
      const admitted = admission.who(connection.remotePeer);
      if (admitted === undefined) throw new Error('connection closed again');
      if (linked.has(admitted.name)) this.#spare(connection, admitted.name);
      return admitted.name;
    } catch (err) {
      traffic.dialFailures++;
      throw err;
    }
  }

  /** An open connection to a member, if there is one. */
  connectionTo(name: string): Connection | undefined {
    return [...(this.#peers.get(name)?.connections ?? [])].find(({ status }) => status === 'open');
  }

  hangUp(name: string): void {
    for (const connection of this.#peers.get(name)?.connections ?? []) closeSoon(connection);
  }

  /** Cuts the links of nodes whose certificates were called back. */
  revocationsChanged(): void {
    this.#tenure.check();
  }

  /** A connection that carries no broadcasts: whoever needs the link makes it anew. */
  drop(connection: Connection): void {
    count(this.#options.traffic.linksCut, 'silent');
    const member = this.nameOf(connection.remotePeer);
    this.#options.log.warn({ member }, 'link cut because its other end takes no part in broadcasts');
    connection.abort(new Error('weft: no broadcasts on this connection'));
  }

  /** It sends more than any mesh has to say, and goes on: its links are cut, and it gets none for a while. */
  flooded(name: string): void {
    const peer = this.#peers.get(name);
    if (peer === undefined) return;
    count(this.#options.traffic.linksCut, 'flood');
    this.#options.log.warn({ member: name, forMs: EMBARGO_MS }, 'link cut because its other end floods this node');
    const oldest = this.#embargoes.keys().next();
    if (this.#embargoes.size >= MAX_EMBARGOES && !oldest.done) this.#embargoes.delete(oldest.value);
    this.#embargoes.set(name, performance.now() + EMBARGO_MS);
    for (const connection of peer.connections) connection.abort(new Error('weft: flood'));
  }

  /** From here on nothing new is opened; the node's stop closes what is open. */
  close(): void {
    this.#isClosed = true;
    this.#tenure.stop();
  }

  /** What pings told of a peer. Undefined when there is no link, or nobody pinged over it. */
  pulseOf(name: string): Pulse | undefined {
    return this.#peers.get(name)?.roundTrip.pulse;
  }

  names(): IterableIterator<string> {
    return this.#peers.keys();
  }

  nameOf(peer: PeerId): string | undefined {
    return this.#options.admission.who(peer)?.name;
  }

  #opened(connection: Connection): void {
    const credential = this.#options.admission.who(connection.remotePeer);
    if (credential === undefined || this.#isClosed) {
      connection.abort(new Error('weft: not admitted'));
      return;
    }
    const { name } = credential;
    if (this.#isEmbargoed(name)) {
      connection.abort(new Error('weft: flooded us'));
      return;
    }
    this.#tenure.begin(connection, credential);
    let peer = this.#peers.get(name);
    if (peer === undefined) {
      peer = new Peer(name);
      this.#peers.set(name, peer);
    }
    this.#displace(peer, connection);
    peer.connections.add(connection);
    this.#owners.set(connection, peer);
    this.#openLane(peer, 'member');
  }

  /** A member that we had a link to answered at another address of its: one connection is enough. */
  #spare(connection: Connection, name: string): void {
    const others = [...(this.#peers.get(name)?.connections ?? [])].filter((one) => one !== connection);
    const isDouble = others.some((one) => one.status === 'open' && one.remotePeer.equals(connection.remotePeer));
    if (isDouble) closeSoon(connection);
  }

  /** The node was started again, under a new peer id: connections of its former process are dead or soon will be. */
  #displace(peer: Peer, newest: Connection): void {
    for (const connection of peer.connections) {
      if (connection.remotePeer.equals(newest.remotePeer)) continue;
      peer.connections.delete(connection);
      this.#options.admission.forget(connection.remotePeer);
      connection.abort(new Error('weft: displaced by a newer process of the same node'));
      for (const lane of LANES) peer.lanes[lane] = new OutgoingLane();
    }
  }

  #cut(connection: Connection, { name, serial }: NodeCredential, why: Ending): void {
    count(this.#options.traffic.linksCut, why);
    this.#options.log.warn({ member: name, serial, why }, 'link cut because its certificate no longer holds');
    connection.abort(new Error(`weft: certificate ${why}`));
  }

  #isEmbargoed(name: string): boolean {
    const untilMs = this.#embargoes.get(name);
    if (untilMs === undefined) return false;
    if (performance.now() < untilMs) return true;
    this.#embargoes.delete(name);
    return false;
  }

  #closed(connection: Connection): void {
    this.#tenure.end(connection);
    const peer = this.#owners.get(connection);
    if (peer === undefined || !peer.connections.delete(connection) || peer.connections.size > 0) return;
    this.#options.admission.forget(connection.remotePeer);
    this.#peers.delete(peer.name);
    if (peer.isUp) this.#options.events.down(peer.name);
  }

  #openLane(peer: Peer, lane: Lane): void {
    const outgoing = peer.lanes[lane];
    const connection = this.connectionTo(peer.name);
    if (outgoing.isOpening || outgoing.stream !== undefined || connection === undefined || this.#isClosed) return;
    outgoing.isOpening = true;
    connection.newStream(PROTOCOLS[lane], { signal: AbortSignal.timeout(STREAM_TIMEOUT_MS) }).then(
      (stream) => this.#laneOpen(peer, lane, outgoing, stream, connection),
      (err: Error) => {
        outgoing.isOpening = false;
        // A peer that cannot take our stream is of no use as a link, and the next dial may do better.
        connection.abort(err);
      },
    );
  }

  #laneOpen(peer: Peer, lane: Lane, outgoing: OutgoingLane, stream: Stream, connection: Connection): void {
    outgoing.isOpening = false;
    if (peer.lanes[lane] !== outgoing) {
      stream.abort(new Error('weft: displaced'));
      return;
    }
    if (stream.status !== 'open') {
      connection.abort(new Error('weft: stream closed while it was opened'));
      return;
    }
    outgoing.stream = stream;
    stream.addEventListener('close', () => {
      if (outgoing.stream !== stream) return;
      outgoing.stream = undefined;
      if (lane === 'member') this.#openLane(peer, lane);
    });
    for (const frame of outgoing.queued.splice(0)) if (stream.writeStatus === 'writable') stream.send(frame);
    if (lane === 'bulk' || peer.isUp) return;
    peer.isUp = true;
    this.#options.events.up(peer.name, connection.direction === 'outbound');
  }

  #sendOn(peer: Peer, lane: Lane, message: Message): void {
    const { traffic } = this.#options;
    const outgoing = peer.lanes[lane];
    const frame = encodeFrame(encodeMessage(stamped(peer, message)));
    if (outgoing.stream === undefined) {
      if (outgoing.queued.length >= MAX_QUEUED) {
        traffic.framesDropped.congested++;
        return;
      }
      outgoing.queued.push(frame);
      this.#openLane(peer, lane);
    } else if (outgoing.stream.writeStatus !== 'writable' || outgoing.stream.writeBufferLength > MAX_BUFFERED_BYTES) {
      traffic.framesDropped.congested++;
      return;
    } else {
      outgoing.stream.send(frame);
    }
    count(traffic.messagesSent, message.kind);
    count(traffic.bytesSent, message.kind, frame.length);
  }

  #accept(lane: Lane, stream: Stream, connection: Connection): void {
    const name = this.nameOf(connection.remotePeer);
    const reader = new FrameReader(MAX_FRAME[lane]);
    stream.addEventListener('message', (event) => {
      const peer = name === undefined ? undefined : this.#peers.get(name);
      const messages = reader.push(event.data.subarray());
      if (messages === undefined || peer === undefined) {
        this.#options.traffic.framesDropped.oversized++;
        connection.abort(new Error('weft: frame too long'));
        return;
      }
      for (const bytes of messages) if (connection.status === 'open') this.#read(peer, bytes);
    });
    // We never write on a stream the peer opened.
    stream.close({ signal: AbortSignal.timeout(STREAM_TIMEOUT_MS) }).catch((err: Error) => stream.abort(err));
  }

  #read(peer: Peer, bytes: Uint8Array): void {
    const { traffic, events } = this.#options;
    const allowed = peer.allowance.take(bytes.length, performance.now());
    if (allowed !== 'yes') {
      traffic.framesDropped.rate++;
      if (allowed === 'flood') this.flooded(peer.name);
      return;
    }
    const message = decodeMessage(bytes);
    if (message === undefined) {
      traffic.framesDropped.malformed++;
      if (peer.allowance.wasted(bytes.length, performance.now()) === 'flood') this.flooded(peer.name);
      return;
    }
    if (message.kind === 'ack') peer.roundTrip.acked(message.seq, performance.now(), message.wallMs);
    if (message.kind === 'ping') peer.roundTrip.wasPinged(message, performance.now(), Date.now());
    count(traffic.messagesReceived, message.kind);
    count(traffic.bytesReceived, message.kind, bytes.length);
    events.received(peer.name, message);
  }
}

function closeSoon(connection: Connection): void {
  connection.close({ signal: AbortSignal.timeout(STREAM_TIMEOUT_MS) }).catch((err: Error) => connection.abort(err));
}

/** Pings and acks with the time, which the core that sends them does not know. */
function stamped({ roundTrip }: Peer, message: Message): Message {
  const wallMs = Date.now();
  if (message.kind === 'ack') return { ...message, wallMs };
  if (message.kind !== 'ping') return message;
  roundTrip.pinged(message.seq, performance.now(), wallMs);
  const { pulse } = roundTrip;
  return pulse === undefined ? { ...message, wallMs } : { ...message, wallMs, rttMs: Math.round(pulse.rttMs) };
}
