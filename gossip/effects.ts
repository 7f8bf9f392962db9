/**
 * What goes into the core and what comes out of it, and the context its parts share during one step.
 * @module
 */

import type { RevocationEntry } from '../certs/revocation.ts';
import type { DocumentNote } from './documents/note.ts';
import type { RestoreOutcome, WriteOutcome } from './documents/outcome.ts';
import type { DocumentKey, Held, Revision } from './documents/revision.ts';
import type { Random, Signer } from './ports.ts';
import type { Endpoint } from './records/endpoint.ts';
import type { RecordDelta } from './records/record.ts';
import type { CoreStats } from './stats.ts';
import type { Message } from './wire/messages.ts';

/** A timer is known by kind and subject: arming it again moves it. */
export interface Timer {
  readonly kind: TimerKind;
  readonly about: string;
}

export type TimerKind =
  | 'ping' // time to ping a member we watch
  | 'ack' // its ack is overdue
  | 'ask' // the co-observers had their time
  | 'again' // time for another connect probe
  | 'verdict' // a suspicion's deadline
  | 'veto' // an unresponsive member's time of grace is over
  | 'contest' // a dead standing that could have been refuted by now
  | 'probation' // hearsay that nobody confirmed
  | 'news' // news of standings collected long enough
  | 'publish' // own changes collected long enough
  | 'report' // time to say how this node fares with its documents
  | 'evidence' // time to say which endpoints this node has ejected
  | 'pull' // a peer owes us pages
  | 'ae' // next anti-entropy session
  | 'ae-session' // a session took too long
  | 'seed' // dial or check a seed
  | 'redial' // try a dead member again
  | 'rewatch' // the rings changed a moment ago: watch who is next to us now
  | 'remember' // write the last peers to disk
  | 'sweep' // forget what is old
  | 'doc-ae' // next comparison of documents
  | 'doc-session' // a comparison took too long
  | 'doc-pull'; // a peer owes us documents

/** What a connect probe found: the port refused; it accepted; nothing answered. */
export type ProbeOutcome = 'refused' | 'connected' | 'silent';
export type ProbePurpose = 'detect' | 'confirm';

export type Input =
  /** With what this node offers already: whoever it meets first learns it, and not that there is nothing. */
  | { readonly kind: 'start'; readonly endpoints?: readonly Endpoint[] }
  | { readonly kind: 'fired'; readonly timer: Timer }
  | { readonly kind: 'received'; readonly from: string; readonly message: Message }
  /** A delta came by broadcast; `from` is the neighbour that passed it on. Answered by a `validated` effect. */
  | { readonly kind: 'broadcast'; readonly from: string; readonly delta: RecordDelta }
  /** We can send to this peer now. `opened` = we dialled. */
  | { readonly kind: 'link-up'; readonly peer: string; readonly opened: boolean }
  | { readonly kind: 'link-down'; readonly peer: string }
  | { readonly kind: 'joined'; readonly seed: string; readonly peer: string }
  | { readonly kind: 'join-failed'; readonly seed: string; readonly isSelf: boolean }
  | {
      readonly kind: 'probed';
      readonly about: string;
      readonly purpose: ProbePurpose;
      readonly outcome: ProbeOutcome;
    }
  /** We ourselves stood still for this long: nobody else is to blame for what we missed. */
  | { readonly kind: 'stalled'; readonly forMs: number }
  | { readonly kind: 'publish'; readonly endpoints: readonly Endpoint[] }
  /** A document came by broadcast. Answered by a `validated` effect. */
  | { readonly kind: 'document-broadcast'; readonly revision: Revision }
  /** An operator writes a document. Answered by a `document-written` effect. */
  | { readonly kind: 'document-write'; readonly revision: Revision; readonly isDryRun: boolean }
  /** Revisions of a snapshot. Answered by a `documents-restored` effect. */
  | { readonly kind: 'documents-restore'; readonly revisions: readonly Revision[] }
  /** What this node says of its documents, for its own record: opaque here, see documents/report.ts. */
  | { readonly kind: 'report'; readonly report: Uint8Array }
  /** Endpoints of others that this node has ejected, for its own record, undefined for none; see records/evidence.ts. */
  | { readonly kind: 'evidence'; readonly evidence: Uint8Array | undefined }
  /** What this node says of itself as an issuer of certificates, for its own record: opaque here. */
  | { readonly kind: 'issuer'; readonly note: Uint8Array }
  /** Our certificate was renewed; the signer has it already. */
  | { readonly kind: 'renewed'; readonly chain: readonly Uint8Array[]; readonly isNewKey: boolean }
  /** Certificates that held may be revoked by now. */
  | { readonly kind: 'revoked' }
  /** A root that was trusted is no more: signer and authority have it already. */
  | { readonly kind: 'root-dropped' }
  | { readonly kind: 'leave' };

export interface EndpointDelta {
  readonly upsert: readonly Endpoint[];
  readonly remove: readonly string[];
}

export type Effect =
  | { readonly kind: 'send'; readonly to: string; readonly message: Message }
  /** Make a link to a member; the answer is `link-up`, or nothing. Asked again as long as it is wanted. */
  | { readonly kind: 'dial'; readonly to: string; readonly address: string }
  | { readonly kind: 'hang-up'; readonly to: string }
  /** Dial a seed, whoever answers; the answer is `joined` or `join-failed`. */
  | { readonly kind: 'join'; readonly seed: string }
  | { readonly kind: 'probe'; readonly about: string; readonly address: string; readonly purpose: ProbePurpose }
  | { readonly kind: 'arm'; readonly timer: Timer; readonly atMs: number }
  | { readonly kind: 'disarm'; readonly timer: Timer }
  | { readonly kind: 'broadcast'; readonly delta: RecordDelta }
  /** Whether the broadcast input of this step deserves to be passed on. */
  | { readonly kind: 'validated'; readonly forward: boolean }
  | { readonly kind: 'endpoints'; readonly delta: EndpointDelta }
  | { readonly kind: 'members-changed' }
  /** Our epoch rose because somebody knew a newer one of us: keep it, so that the next start rises above it. */
  | { readonly kind: 'keep-epoch'; readonly epoch: number }
  | { readonly kind: 'remember-peers'; readonly addresses: readonly string[] }
  | { readonly kind: 'broadcast-document'; readonly revision: Revision }
  | { readonly kind: 'document-written'; readonly outcome: WriteOutcome }
  | { readonly kind: 'documents-restored'; readonly outcome: RestoreOutcome }
  /** Revisions that are news and must survive a restart. */
  | { readonly kind: 'keep-revisions'; readonly revisions: readonly Revision[] }
  /** The revisions now in force of documents that something new is known of; perhaps the same as before. */
  | { readonly kind: 'documents'; readonly heads: readonly Held[] }
  /** Revisions that were taken in, or refused. */
  | { readonly kind: 'document-notes'; readonly notes: readonly DocumentNote[] }
  /** Nothing is left of these documents: whoever wrote them was revoked, or they were deleted so long ago. */
  | { readonly kind: 'documents-gone'; readonly keys: readonly DocumentKey[] }
  /** All that is revoked from now on. Answer it with a `revoked` input. */
  | { readonly kind: 'revocations'; readonly entries: readonly RevocationEntry[] }
  /** What another node says of its documents; undefined when it is gone. */
  | { readonly kind: 'report'; readonly node: string; readonly report: Uint8Array | undefined }
  /** Endpoints that another node has ejected, as it put it; undefined when there are none, or it does not answer any more. */
  | { readonly kind: 'evidence'; readonly node: string; readonly evidence: Uint8Array | undefined }
  | { readonly kind: 'log'; readonly event: LogEvent };

/** Changes an operator wants to read about. The edge has the sentences. */
export type LogEvent =
  | { readonly kind: 'member'; readonly name: string; readonly state: string; readonly why: string }
  | { readonly kind: 'refuted'; readonly inc: number }
  | { readonly kind: 'epoch-raised'; readonly epoch: number; readonly why: string };

/** Every duration of the protocol; config.ts has the defaults and says what each costs. */
export interface Settings {
  readonly observers: number;
  readonly pingIntervalMs: number;
  readonly ackTimeoutMs: number;
  readonly askTimeoutMs: number;
  readonly freshMs: number;
  readonly suspicionMinMs: number;
  readonly suspicionMaxMs: number;
  readonly vetoMs: number;
  readonly stallMaxMs: number;
  readonly antiEntropyIntervalMs: number;
  readonly tombstoneMs: number;
  readonly maxMembers: number;
}

/** Shared by the parts of one core. `nowMs` and `out` belong to the step in progress. */
export interface Context {
  readonly self: string;
  readonly trustDomain: string;
  readonly settings: Settings;
  readonly signer: Signer;
  readonly random: Random;
  readonly stats: CoreStats;
  nowMs: number;
  out: Effect[];
}

export function arm(context: Context, kind: TimerKind, about: string, delayMs: number): void {
  context.out.push({ kind: 'arm', timer: { kind, about }, atMs: context.nowMs + delayMs });
}

export function disarm(context: Context, kind: TimerKind, about: string): void {
  context.out.push({ kind: 'disarm', timer: { kind, about } });
}

export function send(context: Context, to: string, message: Message): void {
  context.out.push({ kind: 'send', to, message });
}

/** Up to `count` of the list, chosen at random. */
export function sample<T>(list: readonly T[], count: number, random: Random): T[] {
  const pool = [...list];
  const chosen: T[] = [];
  while (chosen.length < count && pool.length > 0) {
    chosen.push(...pool.splice(Math.floor(random() * pool.length), 1));
  }
  return chosen;
}
