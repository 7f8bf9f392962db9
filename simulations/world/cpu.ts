/**
 * What a node's one gossip thread has to work for: handshakes, signatures, gossipsub. Work waits for its turn, so a node
 * that everybody joins at once answers late. Orders of magnitude, from measurements of libp2p 3 and node:crypto on one
 * shared core.
 * @module
 */
import type { Parcel } from './parcel.ts';

/** One end of noise, the exchange of certificates, and identify. */
export const HANDSHAKE_CPU_MS = 7;
/** Reading, decrypting and answering a small message. */
const MESSAGE_MS = 0.05;
/** A P-256 verification, and the decoding around it. */
export const VERIFY_CPU_MS = 0.1;
/** A gossipsub message or control frame, duplicates included. */
const PUBSUB_MS = 0.4;

/** How long the thread is busy with this, signatures aside. */
export function workMs(parcel: Parcel): number {
  return parcel.kind === 'message' || parcel.kind === 'bytes' ? MESSAGE_MS : PUBSUB_MS;
}
