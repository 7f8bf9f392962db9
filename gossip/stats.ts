/**
 * What gossip counts, as plain numbers: `metrics.ts` names them for Prometheus, a simulation reads them directly.
 * @module
 */
import type { DocumentRefusal } from './documents/revision.ts';
import { emptyPropagation, type Propagation } from './edge/propagation.ts';
import type { MessageKind } from './wire/messages.ts';

/** Counted inside the core. Everything only rises. */
export interface CoreStats {
  /** Suspicions that we raised or heard of for the first time. */
  suspicions: number;
  /** Times we proved ourselves alive against an accusation. */
  refutations: number;
  /** Members we saw die, by a verdict of our own or of others. */
  deaths: number;
  /** Connect probes asked for. */
  probes: number;
  /** Times a member was found to accept connections without answering. */
  vetoes: number;
  /** Times we found that we ourselves had stood still. */
  stalls: number;
  /** Times our epoch rose while we ran: a peer knew a newer life of us, or we had been apart for too long. */
  epochRaises: number;
  antiEntropySessions: number;
  /** Pages that anti-entropy or a gap pull brought and that were news. */
  repairs: number;
  /** Deltas that did not fit what we hold. */
  gaps: number;
  /** Messages dropped by the core, by reason. */
  readonly dropped: Record<DropReason, number>;
  readonly documents: DocumentStats;
}

/** Of the documents; those held are set by the library, everything else only rises. */
export interface DocumentStats {
  held: number;
  revisions: number;
  bytes: number;
  /** Revisions taken in, from peers, operators and disk. */
  taken: number;
  /** Revisions older than all that is kept of their document: replays, or very late. */
  stale: number;
  /** Writes refused because their base was not the revision in force. */
  conflicts: number;
  readonly refused: Record<DocumentRefusal, number>;
}

export type DropReason =
  | 'certificate' // a record whose chain does not reach our root, or is another node's
  | 'signature' // a signed word that does not verify
  | 'too-large' // a record above its bounds
  | 'outside-grant' // an endpoint with an identity its node may not speak for
  | 'stranger' // about or from a member we do not know
  | 'pace' // deltas of one owner in too quick a row
  | 'full' // more members than maxMembers
  | 'out-of-place'; // well-formed, but not what this peer may say

export function emptyCoreStats(): CoreStats {
  return {
    suspicions: 0,
    refutations: 0,
    deaths: 0,
    probes: 0,
    vetoes: 0,
    stalls: 0,
    epochRaises: 0,
    antiEntropySessions: 0,
    repairs: 0,
    gaps: 0,
    dropped: {
      certificate: 0,
      signature: 0,
      'too-large': 0,
      'outside-grant': 0,
      stranger: 0,
      pace: 0,
      full: 0,
      'out-of-place': 0,
    },
    documents: {
      held: 0,
      revisions: 0,
      bytes: 0,
      taken: 0,
      stale: 0,
      conflicts: 0,
      refused: {
        malformed: 0,
        replayed: 0,
        'too-large': 0,
        future: 0,
        certificate: 0,
        author: 0,
        revoked: 0,
        scope: 0,
        signature: 0,
        full: 0,
      },
    },
  };
}

/** Counted at the edge. */
export interface TrafficStats {
  readonly messagesSent: Partial<Record<MessageKind, number>>;
  readonly messagesReceived: Partial<Record<MessageKind, number>>;
  readonly bytesSent: Partial<Record<MessageKind, number>>;
  readonly bytesReceived: Partial<Record<MessageKind, number>>;
  /** Frames from admitted peers that were dropped: malformed, oversized, above the rate, or no room to send. */
  readonly framesDropped: Record<FrameDrop, number>;
  /** Peers refused during admission, by reason: those of certs/verify.ts, and those of libp2p/admission.ts. */
  readonly refused: Record<string, number>;
  /** Links that this node cut, by reason. */
  readonly linksCut: Record<LinkCut, number>;
  /** How long changes of others took to come here. */
  readonly propagation: Propagation;
  /** Times libp2p was restarted because dials hung in it. */
  restarts: number;
  dials: number;
  dialFailures: number;
}

export type LinkCut = 'expired' | 'revoked' | 'silent' | 'flood';
export type FrameDrop = 'malformed' | 'oversized' | 'rate' | 'congested';

export function emptyTrafficStats(): TrafficStats {
  return {
    messagesSent: {},
    messagesReceived: {},
    bytesSent: {},
    bytesReceived: {},
    framesDropped: { malformed: 0, oversized: 0, rate: 0, congested: 0 },
    refused: {},
    linksCut: { expired: 0, revoked: 0, silent: 0, flood: 0 },
    propagation: emptyPropagation(),
    restarts: 0,
    dials: 0,
    dialFailures: 0,
  };
}

export function count(table: Record<string, number>, key: string, by = 1): void {
  table[key] = (table[key] ?? 0) + by;
}
