/**
 * A node with a good certificate that says what it likes: a real libp2p node under none of our rules. It answers pings, so
 * that it counts as a member while it lies.
 * @module
 */
import type { Connection, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { NodeIdentity } from '../../../certs/node-bundle.ts';
import { NodeSigner } from '../../../gossip/edge/node-signer.ts';
import { Admission } from '../../../gossip/libp2p/admission.ts';
import { tcpCarrier } from '../../../gossip/libp2p/carrier.ts';
import { encodeFrame, FrameReader } from '../../../gossip/libp2p/frames.ts';
import { createNode, type MeshNode } from '../../../gossip/libp2p/node.ts';
import type { Accusation, AccusationSubject } from '../../../gossip/members/standing.ts';
import { accusationStatement, aliveStatement } from '../../../gossip/members/standing.ts';
import type { Endpoint } from '../../../gossip/records/endpoint.ts';
import { encodeEndpoint, endpointKey } from '../../../gossip/records/endpoint.ts';
import type { NodeRecord } from '../../../gossip/records/record.ts';
import { recordStatement } from '../../../gossip/records/record.ts';
import { decodeMessage, encodeMessage } from '../../../gossip/wire/codec.ts';
import type { Lane, Message, Page } from '../../../gossip/wire/messages.ts';
import { LIMITS, laneOf } from '../../../gossip/wire/messages.ts';
import { type Realm, TRUST_DOMAIN } from './mesh.ts';

const PROTOCOLS: Readonly<Record<Lane, string>> = { member: '/weft/member/1', bulk: '/weft/ae/1' };
export const DELTAS = `weft/${TRUST_DOMAIN}/ep`;
export const DOCUMENTS = `weft/${TRUST_DOMAIN}/doc`;

export class Hostile implements AsyncDisposable {
  readonly identity: NodeIdentity;
  readonly signer: NodeSigner;
  readonly node: MeshNode;
  connection: Connection;
  /** All that was said to it on streams, pings and acks left out. */
  readonly heard: Message[] = [];
  /** Messages it does not answer: pings are answered unless a test says otherwise. */
  isMute = false;
  readonly #port: number;
  readonly #lanes = new Map<Lane, Stream>();
  #waiting: (() => void)[] = [];

  private constructor(parts: { identity: NodeIdentity; signer: NodeSigner; node: MeshNode; port: number }) {
    this.identity = parts.identity;
    this.signer = parts.signer;
    this.node = parts.node;
    this.#port = parts.port;
    this.connection = undefined as unknown as Connection; // `start` connects before anybody sees it
  }

  static async start(realm: Realm, port: number, name = 'hostile'): Promise<Hostile> {
    const identity = realm.identity(name);
    const signer = new NodeSigner(identity);
    const admission = new Admission({ identity, signer, refused: () => undefined });
    const node = await createNode({
      listen: { host: '127.0.0.1', port: 0 },
      topics: [DELTAS, DOCUMENTS],
      transport: tcpCarrier().transport,
      admission,
      admissionTimeoutMs: 5_000,
      dialTimeoutMs: 5_000,
      refused: () => undefined,
    });
    const hostile = new Hostile({ identity, signer, node, port });
    for (const [lane, protocol] of Object.entries(PROTOCOLS)) {
      await node.handle(protocol, (stream) => hostile.#listen(lane as Lane, stream));
    }
    await node.start();
    hostile.connection = await hostile.connect();
    return hostile;
  }

  get name(): string {
    return this.identity.name;
  }

  get address(): string {
    return `127.0.0.1:${/tcp\/(\d+)/.exec(this.node.getMultiaddrs()[0]!.toString())![1]}`;
  }

  connect(): Promise<Connection> {
    return this.node.dial(multiaddr(`/ip4/127.0.0.1/tcp/${this.#port}`));
  }

  /** Says hello with a page of its own, so that it is a member. */
  async join(endpoints: readonly Endpoint[] = []): Promise<NodeRecord> {
    const page = this.page(this.record({ endpoints }));
    await this.say({ kind: 'hello', page });
    return page.record!;
  }

  async say(message: Message): Promise<void> {
    await this.sayBytes(laneOf(message.kind), encodeFrame(encodeMessage(message)));
  }

  async sayBytes(lane: Lane, bytes: Uint8Array): Promise<void> {
    let stream = this.#lanes.get(lane);
    if (stream === undefined) {
      stream = await this.connection.newStream(PROTOCOLS[lane]);
      this.#lanes.set(lane, stream);
    }
    if (!stream.send(bytes)) await stream.onDrain();
  }

  /** Resolves once the other side took all that was said on the member lane before: it answers in order. */
  async settled(): Promise<void> {
    const about = `round ${Math.random()}`;
    await this.say({ kind: 'ask', about });
    while (!this.heard.some((message) => message.kind === 'tell' && message.about === about)) await this.#next();
  }

  /** Publishes to a topic, once the other side takes part in it. */
  async broadcast(topic: string, bytes: Uint8Array): Promise<void> {
    const { pubsub } = this.node.services;
    pubsub.subscribe(topic);
    while (pubsub.getSubscribers(topic).length === 0 && this.connection.status === 'open') await turn();
    await pubsub.publish(topic, bytes).catch(() => undefined);
  }

  /** A record under its own hand, in whatever name. */
  record(options: { name?: string; epoch?: number; ver?: number; endpoints?: readonly Endpoint[] } = {}): NodeRecord {
    const { name = this.name, epoch = 1, ver = 1, endpoints = [] } = options;
    const chain = this.identity.chain.map((certificate) => certificate.raw);
    const entries = new Map(endpoints.map((one) => [endpointKey(one), { ver, value: encodeEndpoint(one) }]));
    const unsigned = { name, epoch, ver, gcVer: 0, meta: { schema: 1, address: this.address, chain }, entries };
    return { ...unsigned, signature: this.signer.sign(recordStatement(TRUST_DOMAIN, unsigned, this.signer)) };
  }

  page(record: NodeRecord): Page {
    const { name, epoch } = record;
    const signature = this.signer.sign(aliveStatement(TRUST_DOMAIN, name, epoch, 0));
    return { name, standing: { kind: 'alive', epoch, inc: 0, signature }, record, delta: null };
  }

  /** Signed by it, in whoever's name. */
  accuse(subject: AccusationSubject, by = this.name): Accusation {
    const statement = accusationStatement(TRUST_DOMAIN, subject, by, 'refused');
    return { by, cause: 'refused', signature: this.signer.sign(statement) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node.stop();
  }

  #listen(lane: Lane, stream: Stream): void {
    const reader = new FrameReader(lane === 'member' ? LIMITS.memberFrameBytes : LIMITS.bulkFrameBytes);
    stream.addEventListener('message', (event) => {
      for (const bytes of reader.push(event.data.subarray()) ?? []) this.#take(decodeMessage(bytes));
    });
  }

  #take(message: Message | undefined): void {
    if (message === undefined || message.kind === 'ack') return;
    if (message.kind === 'ping') {
      if (!this.isMute) this.say({ kind: 'ack', seq: message.seq }).catch(() => undefined);
      return;
    }
    this.heard.push(message);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #next(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    return promise;
  }
}

export function turn(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setImmediate(resolve);
  return promise;
}
