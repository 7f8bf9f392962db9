/**
 * What this node says of itself, and when: changes are collected for a moment, deltas keep their distance, and a life of
 * ours that others know more of is followed by a new one.
 * @module
 */
import type { Context, Timer } from '../effects.ts';
import { arm, send } from '../effects.ts';
import type { Credential } from '../ports.ts';
import type { Endpoint } from './endpoint.ts';
import type { OwnPage } from './own-page.ts';
import { EVIDENCE_KEY, ISSUER_KEY, REPORT_KEY } from './record.ts';

export interface PublisherHost {
  readonly own: OwnPage;
  /** Peers and since when. */
  readonly peers: { readonly links: ReadonlyMap<string, number> };
  readonly members: {
    readonly table: { readonly size: number };
    beginEpoch(epoch: number): void;
  };
  /** Our own record is not what it was. */
  recordChanged(name: string): void;
}

/** Changes are collected this long, and deltas keep this distance: ten a second a node. */
const COLLECT_MS = 20;
const BETWEEN_DELTAS_MS = 100;
/**
 * Reports of all nodes on one document keep this distance on average: reading one costs a mesh thread two to four
 * milliseconds with its duplicates. At most for so long, because a rollout waits for the first of them.
 */
const REPORTS_APART_MS = 5;
const REPORTS_MAX_MS = 5_000;
/** What a node says of ejected endpoints changes no more often than this. */
const BETWEEN_EVIDENCE_MS = 1_000;
/** An endpoint that fails everybody is ejected everywhere at once: the first few to say so spare the others the word. */
const EVIDENCE_MAX_MS = 1_000;
/** Longest that gossipsub may take to carry messages over a link: identify, subscribe, and a few heartbeats. */
const UNGRAFTED_MS = 5_000;

export class Publisher {
  readonly #context: Context;
  readonly #host: PublisherHost;
  #credential: Credential | undefined;
  /** What the next delta says; undefined when none is due. */
  #pending: readonly Endpoint[] | undefined;
  #publishedAtMs = Number.NEGATIVE_INFINITY;
  #isReportArmed = false;
  #evidence: Uint8Array | undefined;
  #isEvidenceArmed = false;
  #saidEvidenceAtMs = Number.NEGATIVE_INFINITY;

  constructor(context: Context, host: PublisherHost) {
    this.#context = context;
    this.#host = host;
    this.#credential = context.signer.admit(host.own.record.meta.chain);
  }

  /** Our own; undefined when our chain does not reach our root. */
  get credential(): Credential | undefined {
    return this.#credential;
  }

  /** These are our endpoints from the start, when nobody is there yet to be told. */
  begin(endpoints: readonly Endpoint[]): void {
    if (this.#host.own.publish(endpoints) !== undefined) this.#host.recordChanged(this.#context.self);
  }

  /** These are our endpoints from now on. */
  collect(endpoints: readonly Endpoint[]): void {
    const isArmed = this.#pending !== undefined;
    this.#pending = endpoints;
    if (isArmed) return;
    const sinceLastMs = this.#context.nowMs - this.#publishedAtMs;
    arm(this.#context, 'publish', '', Math.max(COLLECT_MS, BETWEEN_DELTAS_MS - sinceLastMs));
  }

  /** A document makes every node report at once: each picks a moment, so that none has to read them all in one. */
  report(report: Uint8Array): void {
    this.#host.own.note(REPORT_KEY, report);
    if (this.#isReportArmed) return;
    this.#isReportArmed = true;
    const spreadMs = Math.min(REPORTS_MAX_MS, REPORTS_APART_MS * this.#host.members.table.size);
    arm(this.#context, 'report', '', this.#context.random() * spreadMs);
  }

  /**
   * Endpoints of others that this node has ejected, from soon on; undefined for none. Only the last word is said, at most one
   * a second.
   */
  evidence(evidence: Uint8Array | undefined): void {
    this.#evidence = evidence;
    if (this.#isEvidenceArmed) return;
    this.#isEvidenceArmed = true;
    const spreadMs = Math.min(EVIDENCE_MAX_MS, REPORTS_APART_MS * this.#host.members.table.size);
    const restMs = this.#saidEvidenceAtMs + BETWEEN_EVIDENCE_MS - this.#context.nowMs;
    arm(this.#context, 'evidence', '', Math.max(restMs, this.#context.random() * spreadMs));
  }

  /** What we say of ourselves as an issuer. */
  issuer(note: Uint8Array): void {
    this.#host.own.note(ISSUER_KEY, note);
    this.#collectAgain();
  }

  /** What we signed with a key that is no longer ours would not be believed: that takes a new life. */
  renewed(chain: readonly Uint8Array[], isNewKey: boolean): void {
    const { own } = this.#host;
    own.renew(chain);
    this.#credential = this.#context.signer.admit(chain);
    if (isNewKey) this.#beginEpoch(own.record.epoch + 1);
    else this.#collectAgain();
  }

  fired(timer: Timer): void {
    if (timer.kind === 'publish') {
      this.#publish();
    } else if (timer.kind === 'report') {
      this.#isReportArmed = false;
      this.#collectAgain();
    } else if (timer.kind === 'evidence') {
      this.#isEvidenceArmed = false;
      this.#saidEvidenceAtMs = this.#context.nowMs;
      this.#host.own.noteIfRoom(EVIDENCE_KEY, this.#evidence);
      this.#collectAgain();
    }
  }

  /** A life of ours is over that others know of: begins the next one. */
  raiseEpoch(above: number, why: string): void {
    const epoch = above + 1;
    this.#context.stats.epochRaises++;
    this.#context.out.push({ kind: 'log', event: { kind: 'epoch-raised', epoch, why } });
    this.#beginEpoch(epoch);
  }

  #beginEpoch(epoch: number): void {
    this.#context.out.push({ kind: 'keep-epoch', epoch });
    this.#host.own.beginEpoch(epoch);
    this.#host.members.beginEpoch(epoch);
  }

  /** The same endpoints, because something beside them changed. */
  #collectAgain(): void {
    this.collect(this.#pending ?? [...this.#host.own.endpoints.values()]);
  }

  #publish(): void {
    if (this.#pending === undefined) return;
    const { own, peers } = this.#host;
    const delta = own.publish(this.#pending);
    this.#pending = undefined;
    if (delta === undefined) return;
    this.#publishedAtMs = this.#context.nowMs;
    this.#host.recordChanged(this.#context.self);
    this.#context.out.push({ kind: 'broadcast', delta });
    // gossipsub loses what is said before a new link was grafted, so those who are new to us hear it directly.
    for (const [peer, sinceMs] of peers.links) {
      if (this.#context.nowMs - sinceMs < UNGRAFTED_MS) send(this.#context, peer, { kind: 'delta', delta });
    }
  }
}
