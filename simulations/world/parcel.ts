/** What travels on a link: a message between cores, its bytes, or a packet of gossipsub. @module */
import type { Revision } from '../../gossip/documents/revision.ts';
import type { RecordDelta } from '../../gossip/records/record.ts';
import type { Message } from '../../gossip/wire/messages.ts';

export type Parcel =
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | PubsubPacket<RecordDelta>
  /** On the topic of documents. */
  | { readonly kind: 'documents'; readonly packet: PubsubPacket<Revision> };

/** A packet of gossipsub, on a topic that carries `T`. */
export type PubsubPacket<T> =
  | { readonly kind: 'pubsub'; readonly id: string; readonly news: T }
  | { readonly kind: 'ihave'; readonly ids: readonly string[] }
  | { readonly kind: 'iwant'; readonly ids: readonly string[] }
  | { readonly kind: 'subscribe' }
  | { readonly kind: 'graft' }
  | { readonly kind: 'prune' };
