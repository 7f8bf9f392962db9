/**
 * Every message between nodes, as the cores see it. Numbers on the wire are the table `KIND`; a number is never reused.
 * Pings and membership travel on the member lane, bulk on its own, so that a large page never delays an ack.
 * @module
 */

import type { Revision } from '../documents/revision.ts';
import type { Accusation, Cause, Standing, StandingLine } from '../members/standing.ts';
import type { NodeRecord, RecordDelta } from '../records/record.ts';

/** What one node tells another about a third (or itself): the newest standing, and the record if the asker lacks it. */
export interface Page {
  readonly name: string;
  readonly standing: Standing;
  readonly record: NodeRecord | null;
  readonly delta: RecordDelta | null;
}

/** A line of a digest: the version of one node's page, without the page. */
export interface DigestItem extends StandingLine {
  readonly ver: number;
}

/** What a puller already has: (0, 0) = nothing. */
export interface PullItem {
  readonly name: string;
  readonly epoch: number;
  readonly ver: number;
}

/** A line of a digest of documents: the instant of the head, and a hash and the number of the revisions kept. */
export interface DocumentDigest {
  readonly key: string;
  readonly ms: number;
  readonly count: number;
  readonly set: number;
  readonly size: number;
}

/** A document wanted, and the ids of the revisions of it that the puller holds. */
export interface DocumentPull {
  readonly key: string;
  readonly known: readonly string[];
}

export type Message =
  /**
   * Are you there? `seq` pairs it with its ack. For measuring only, in both: `wallMs`, the time by the sender's clock, and
   * `rttMs`, the last round trip it measured on this link.
   */
  | { readonly kind: 'ping'; readonly seq: number; readonly wallMs?: number; readonly rttMs?: number }
  | { readonly kind: 'ack'; readonly seq: number; readonly wallMs?: number }
  /** When did `about` last answer you? */
  | { readonly kind: 'ask'; readonly about: string }
  /** `ageMs` since the last answer; null = I do not watch it. */
  | { readonly kind: 'tell'; readonly about: string; readonly ageMs: number | null }
  /** One observer's signed accusation, for the other observers and for the accused. */
  | {
      readonly kind: 'suspect';
      readonly about: string;
      readonly epoch: number;
      readonly inc: number;
      readonly accusation: Accusation;
    }
  /** `about` accepts connections but does not answer: leave it alone for `forMs`. The sender speaks for itself. */
  | { readonly kind: 'veto'; readonly about: string; readonly epoch: number; readonly forMs: number }
  /** News of a standing, passed on over every link by whoever it was new to. */
  | { readonly kind: 'standing'; readonly name: string; readonly standing: Standing }
  /** The same where there is much of it: I hold these, pull what you lack. */
  | { readonly kind: 'news'; readonly lines: readonly StandingLine[] }
  /** Somebody holds these, of members that others hold alive: may those refute them before anybody believes it. */
  | { readonly kind: 'contest'; readonly lines: readonly StandingLine[] }
  /** First on every link: who I am. */
  | { readonly kind: 'hello'; readonly page: Page }
  /** `sentAtMs`: when its owner sent it, by the owner's clock, unsigned and for measuring only. */
  | { readonly kind: 'delta'; readonly delta: RecordDelta; readonly sentAtMs?: number }
  | { readonly kind: 'pull'; readonly items: readonly PullItem[] }
  /** The answer to a pull, in full: what is asked for and not in it, the sender does not have. */
  | { readonly kind: 'pages'; readonly pages: readonly Page[] }
  /** Opens an anti-entropy session: the sum of all buckets, and how many members they hold. */
  | { readonly kind: 'ae-root'; readonly root: Uint8Array; readonly count: number }
  | { readonly kind: 'ae-equal' }
  | { readonly kind: 'ae-sums'; readonly sums: Uint8Array; readonly count: number }
  /** All the sender holds in `buckets`. With `answer` = true, the receiver replies with what it holds newer. */
  | {
      readonly kind: 'ae-digest';
      readonly buckets: readonly number[];
      readonly items: readonly DigestItem[];
      readonly answer: boolean;
    }
  /** One revision of a document to everybody, by gossipsub. */
  | { readonly kind: 'doc'; readonly revision: Revision }
  /** I hold these revisions now: pull what you lack. */
  | { readonly kind: 'doc-have'; readonly items: readonly (readonly [key: string, id: string])[] }
  /** Opens a comparison of documents, as `ae-root` does for members' pages. */
  | { readonly kind: 'doc-root'; readonly root: Uint8Array; readonly count: number }
  | { readonly kind: 'doc-equal' }
  | { readonly kind: 'doc-sums'; readonly sums: Uint8Array; readonly count: number }
  | {
      readonly kind: 'doc-digest';
      readonly buckets: readonly number[];
      readonly items: readonly DocumentDigest[];
      readonly answer: boolean;
    }
  | { readonly kind: 'doc-pull'; readonly items: readonly DocumentPull[] }
  /** The first `served` items of the pull are answered in full, and of the next one perhaps a part. */
  | { readonly kind: 'doc-pages'; readonly revisions: readonly Revision[]; readonly served: number };

export type MessageKind = Message['kind'];

export const KIND: Readonly<Record<MessageKind, number>> = {
  ping: 1,
  ack: 2,
  ask: 3,
  tell: 4,
  suspect: 5,
  veto: 6,
  standing: 7,
  contest: 8,
  hello: 9,
  delta: 11,
  pull: 12,
  pages: 13,
  news: 14,
  'ae-root': 20,
  'ae-sums': 21,
  'ae-digest': 22,
  'ae-equal': 23,
  doc: 30,
  'doc-have': 31,
  'doc-root': 32,
  'doc-equal': 33,
  'doc-sums': 34,
  'doc-digest': 35,
  'doc-pull': 36,
  'doc-pages': 37,
};

/** Which stream carries a message. Deltas and fresh documents go by gossipsub, not by either. */
export type Lane = 'member' | 'bulk';

export function laneOf(kind: MessageKind): Lane {
  return kind === 'pull' || kind === 'pages' || kind.startsWith('ae-') || kind.startsWith('doc') ? 'bulk' : 'member';
}

export const CAUSES: readonly Cause[] = ['refused', 'silent', 'stalled'];

/** Bounds that hold for every message, checked before a core sees it. */
export const LIMITS = {
  nameLength: 253,
  signatureBytes: 128,
  chainLength: 4,
  certificateBytes: 8 * 1024,
  accusations: 8,
  /** A line is about 30 bytes, 270 with the longest name. */
  lines: 256,
  pullItems: 64,
  pages: 64,
  /** A digest line is about 30 bytes, so a full digest is about 64 kB. */
  digestItems: 2_000,
  /** Lines of about 60 bytes. */
  documentDigests: 2_000,
  documentPulls: 64,
  documentsInPages: 1_024,
  /** Frames longer than this are refused before they are read: a hello holds one record of 64 KiB. */
  memberFrameBytes: 96 * 1024,
  bulkFrameBytes: 320 * 1024,
} as const;
