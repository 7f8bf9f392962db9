/** A member that tells another of a whole mesh which does not run: it answers pulls from a table of pages. @module */
import type { Connection, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import { NodeSigner } from '../../gossip/edge/node-signer.ts';
import { Admission } from '../../gossip/libp2p/admission.ts';
import { tcpCarrier } from '../../gossip/libp2p/carrier.ts';
import { encodeFrame, FrameReader } from '../../gossip/libp2p/frames.ts';
import { createNode, type MeshNode } from '../../gossip/libp2p/node.ts';
import { aliveStatement } from '../../gossip/members/standing.ts';
import { recordStatement } from '../../gossip/records/record.ts';
import { decodeMessage, encodeMessage } from '../../gossip/wire/codec.ts';
import type { Lane, Message, Page } from '../../gossip/wire/messages.ts';
import { LIMITS, laneOf } from '../../gossip/wire/messages.ts';

const PROTOCOLS: Readonly<Record<Lane, string>> = { member: '/weft/member/1', bulk: '/weft/ae/1' };
/** Of one answer: what fits into a frame. */
const PAGES_AN_ANSWER = 20;

export class Teller implements AsyncDisposable {
  readonly #identity: NodeIdentity;
  readonly #node: MeshNode;
  readonly #lanes = new Map<Lane, Stream>();
  #connection: Connection | undefined;
  #pages: ReadonlyMap<string, Page> = new Map();

  private constructor(identity: NodeIdentity, node: MeshNode) {
    this.#identity = identity;
    this.#node = node;
  }

  static async start(identity: NodeIdentity, port: number): Promise<Teller> {
    const { trustDomain } = identity;
    const node = await createNode({
      listen: { host: '127.0.0.1', port: 0 },
      topics: [`weft/${trustDomain}/ep`, `weft/${trustDomain}/doc`],
      transport: tcpCarrier().transport,
      admission: new Admission({ identity, signer: new NodeSigner(identity), refused: () => undefined }),
      admissionTimeoutMs: 5_000,
      dialTimeoutMs: 5_000,
      refused: () => undefined,
    });
    const teller = new Teller(identity, node);
    for (const [lane, protocol] of Object.entries(PROTOCOLS)) {
      await node.handle(protocol, (stream) => teller.#listen(lane as Lane, stream));
    }
    await node.start();
    node.services.pubsub.subscribe(`weft/${trustDomain}/ep`); // a peer that takes no part in it would lose its link
    teller.#connection = await node.dial(multiaddr(`/ip4/127.0.0.1/tcp/${port}`));
    return teller;
  }

  /** Joins, and says of each that it lives: the other side then asks for the pages. */
  async tell(pages: readonly Page[]): Promise<void> {
    this.#pages = new Map(pages.map((page) => [page.name, page]));
    await this.#say({ kind: 'hello', page: this.#ownPage() });
    for (const { name, standing } of pages) await this.#say({ kind: 'standing', name, standing });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node.stop();
  }

  #ownPage(): Page {
    const { name, trustDomain, chain } = this.#identity;
    const signer = new NodeSigner(this.#identity);
    const port = /tcp\/(\d+)/.exec(this.#node.getMultiaddrs()[0]!.toString())![1];
    const meta = { schema: 1, address: `127.0.0.1:${port}`, chain: chain.map((certificate) => certificate.raw) };
    const unsigned = { name, epoch: 1, ver: 1, gcVer: 0, meta, entries: new Map() };
    const record = { ...unsigned, signature: signer.sign(recordStatement(trustDomain, unsigned, signer)) };
    const signature = signer.sign(aliveStatement(trustDomain, name, 1, 0));
    return { name, standing: { kind: 'alive', epoch: 1, inc: 0, signature }, record, delta: null };
  }

  async #say(message: Message): Promise<void> {
    const lane = laneOf(message.kind);
    let stream = this.#lanes.get(lane);
    if (stream === undefined) {
      stream = await this.#connection!.newStream(PROTOCOLS[lane]);
      this.#lanes.set(lane, stream);
    }
    if (!stream.send(encodeFrame(encodeMessage(message)))) await stream.onDrain();
  }

  #listen(lane: Lane, stream: Stream): void {
    const reader = new FrameReader(lane === 'member' ? LIMITS.memberFrameBytes : LIMITS.bulkFrameBytes);
    stream.addEventListener('message', (event) => {
      for (const bytes of reader.push(event.data.subarray()) ?? []) void this.#answer(decodeMessage(bytes));
    });
  }

  async #answer(message: Message | undefined): Promise<void> {
    if (message?.kind === 'ping') await this.#say({ kind: 'ack', seq: message.seq });
    if (message?.kind !== 'pull') return;
    const pages = message.items.flatMap(({ name }) => this.#pages.get(name) ?? []);
    await this.#say({ kind: 'pages', pages: pages.slice(0, PAGES_AN_ANSWER) });
  }
}
