/** What travels on a link: a message between cores, its bytes, or a packet of gossipsub. @module */
import type { RecordDelta } from '../../gossip/records/record.ts';
import type { Message } from '../../gossip/wire/messages.ts';

export type Parcel =
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | PubsubPacket;

export type PubsubPacket =
  | { readonly kind: 'pubsub'; readonly id: string; readonly delta: RecordDelta }
  | { readonly kind: 'ihave'; readonly ids: readonly string[] }
  | { readonly kind: 'iwant'; readonly ids: readonly string[] }
  | { readonly kind: 'subscribe' }
  | { readonly kind: 'graft' }
  | { readonly kind: 'prune' };
