/**
 * Messages to everybody, by gossipsub: one topic for deltas of records, one for documents. Best effort: what is lost here
 * is found by the next delta's gap or by anti-entropy.
 *
 * gossipsub asks before it passes a message on, and the core has answered by then: only what verified and was news is
 * forwarded. Nothing is ever "rejected", because not to know a member yet is no fault of the neighbour that does.
 * @module
 */
import { type Message as PubsubMessage, TopicValidatorResult } from '@libp2p/gossipsub';
import type { PeerId } from '@libp2p/interface';
import type { Logger } from 'pino';
import type { TrafficStats } from '../stats.ts';
import { count } from '../stats.ts';
import { decodeMessage, encodeMessage } from '../wire/codec.ts';
import type { Message } from '../wire/messages.ts';
import { Allowance } from './allowance.ts';
import type { MeshNode } from './node.ts';
import { MAX_BROADCAST_BYTES } from './node.ts';

type Carried<K extends 'delta' | 'doc'> = Extract<Message, { kind: K }>;

export interface BroadcastOptions<K extends 'delta' | 'doc'> {
  readonly node: MeshNode;
  readonly topic: string;
  /** The one kind of message this topic carries. */
  readonly kind: K;
  readonly traffic: TrafficStats;
  readonly log: Logger;
  readonly nameOf: (peer: PeerId) => string | undefined;
  /** This neighbour sends far more than it may, and goes on. */
  readonly flooded: (name: string) => void;
  /** @returns whether the message is worth passing on */
  readonly received: (from: string, message: Carried<K>) => boolean;
}

/** Of all owners together, through one neighbour: a thousand nodes that change once a second each. */
const LIMITS_PER_PEER = { framesPerSecond: 1_000, frameBurst: 1_000 };
const MAX_RATED_PEERS = 1_024;

export class Broadcast<K extends 'delta' | 'doc'> {
  readonly #options: BroadcastOptions<K>;
  readonly #allowances = new Map<string, Allowance>();

  constructor(options: BroadcastOptions<K>) {
    this.#options = options;
  }

  /** Call once the node has started. */
  subscribe(): void {
    const { pubsub } = this.#options.node.services;
    pubsub.topicValidators.set(this.#options.topic, (peer, message) => this.#validate(peer, message));
    pubsub.subscribe(this.#options.topic);
  }

  publish(message: Carried<K>): void {
    const { node, topic, traffic, log, kind } = this.#options;
    const bytes = encodeMessage(message);
    count(traffic.messagesSent, kind);
    count(traffic.bytesSent, kind, bytes.length);
    node.services.pubsub.publish(topic, bytes).catch((err: unknown) => {
      log.warn({ err, bytes: bytes.length }, 'broadcast of own changes failed, anti-entropy will carry them');
    });
  }

  #validate(peer: PeerId, { data }: PubsubMessage): TopicValidatorResult {
    const { traffic, nameOf, received, kind } = this.#options;
    const from = nameOf(peer);
    if (from === undefined) return TopicValidatorResult.Ignore;
    const allowed = this.#allowanceOf(from).take(data.length, performance.now());
    if (allowed !== 'yes') {
      traffic.framesDropped.rate++;
      if (allowed === 'flood') this.#options.flooded(from);
      return TopicValidatorResult.Ignore;
    }
    const message = data.length > MAX_BROADCAST_BYTES ? undefined : decodeMessage(data);
    if (message?.kind !== kind) {
      traffic.framesDropped[data.length > MAX_BROADCAST_BYTES ? 'oversized' : 'malformed']++;
      return TopicValidatorResult.Ignore;
    }
    count(traffic.messagesReceived, kind);
    count(traffic.bytesReceived, kind, data.length);
    return received(from, message as Carried<K>) ? TopicValidatorResult.Accept : TopicValidatorResult.Ignore;
  }

  #allowanceOf(from: string): Allowance {
    let allowance = this.#allowances.get(from);
    if (allowance === undefined) {
      const oldest = this.#allowances.keys().next();
      if (this.#allowances.size >= MAX_RATED_PEERS && !oldest.done) this.#allowances.delete(oldest.value);
      allowance = new Allowance(LIMITS_PER_PEER, performance.now());
      this.#allowances.set(from, allowance);
    }
    return allowance;
  }
}
