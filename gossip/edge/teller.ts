/**
 * Tells the owner of gossip what changed: all changes of members and endpoints of one turn of the event loop as one call,
 * because a mesh that heals changes thousands at once.
 * @module
 */
import type { Logger } from 'pino';
import type { RevocationEntry } from '../../certs/revocation.ts';
import type { DocumentNote } from '../documents/note.ts';
import type { DocumentKey, Held } from '../documents/revision.ts';
import type { Effect, EndpointDelta, LogEvent } from '../effects.ts';
import type { Endpoint } from '../records/endpoint.ts';
import type { Member } from '../view.ts';

export interface GossipEvents {
  /** The member list changed. At most one call a turn of the event loop. */
  members(members: readonly Member[]): void;
  /** What may be routed to changed, own endpoints included. Those of dead, departed and unconfirmed members are gone. */
  endpoints(delta: EndpointDelta): void;
  /** Something new is known of these documents; each comes with the revision now in force, perhaps the same as before. */
  documents?(heads: readonly Held[]): void;
  /** Nothing is left in force of these documents. */
  documentsGone?(keys: readonly DocumentKey[]): void;
  /** All that is revoked from now on. Comes before the documents that say so. */
  revocations?(entries: readonly RevocationEntry[]): void;
  /** Revisions came and were taken in or refused, and why. */
  noted?(notes: readonly DocumentNote[]): void;
  /** What another node says of its documents, as it put it; undefined when that node is gone. */
  report?(node: string, report: Uint8Array | undefined): void;
  /** Endpoints that another node has ejected, as it put it; undefined for none, or when that node does not answer any more. */
  evidence?(node: string, evidence: Uint8Array | undefined): void;
}

/** The effects that are news for the owner, or for the log. */
export type News = Extract<
  Effect,
  {
    kind:
      | 'documents'
      | 'documents-gone'
      | 'revocations'
      | 'document-notes'
      | 'report'
      | 'evidence'
      | 'endpoints'
      | 'members-changed'
      | 'log';
  }
>;

export interface TellerOptions {
  readonly events: GossipEvents;
  readonly log: Logger;
  readonly members: () => readonly Member[];
}

export class Teller {
  readonly #options: TellerOptions;
  #endpoints: Map<string, Endpoint | undefined> | undefined;
  #isMembersChanged = false;
  #isTelling = false;

  constructor(options: TellerOptions) {
    this.#options = options;
  }

  perform(news: News): void {
    const { events, log } = this.#options;
    switch (news.kind) {
      case 'documents':
        events.documents?.(news.heads);
        break;
      case 'documents-gone':
        events.documentsGone?.(news.keys);
        break;
      case 'revocations':
        events.revocations?.(news.entries);
        break;
      case 'document-notes':
        events.noted?.(news.notes);
        break;
      case 'report':
        events.report?.(news.node, news.report);
        break;
      case 'evidence':
        events.evidence?.(news.node, news.evidence);
        break;
      case 'endpoints':
        this.#collect(news.delta);
        break;
      case 'members-changed':
        this.#isMembersChanged = true;
        this.#tellSoon();
        break;
      case 'log':
        write(log, news.event);
        break;
    }
  }

  #collect(delta: EndpointDelta): void {
    this.#endpoints ??= new Map();
    for (const endpoint of delta.upsert) this.#endpoints.set(endpoint.id, endpoint);
    for (const id of delta.remove) this.#endpoints.set(id, undefined);
    this.#tellSoon();
  }

  #tellSoon(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    setImmediate(() => this.#tell());
  }

  #tell(): void {
    this.#isTelling = false;
    const { events, members } = this.#options;
    if (this.#isMembersChanged) {
      this.#isMembersChanged = false;
      events.members(members());
    }
    const changed = this.#endpoints;
    if (changed === undefined) return;
    this.#endpoints = undefined;
    const upsert = [...changed.values()].filter((endpoint) => endpoint !== undefined);
    const remove = [...changed].filter(([, endpoint]) => endpoint === undefined).map(([id]) => id);
    events.endpoints({ upsert, remove });
  }
}

function write(log: Logger, event: LogEvent): void {
  if (event.kind === 'member') {
    const { name, state, why } = event;
    const level = state === 'alive' || state === 'left' ? 'info' : 'warn';
    log[level]({ member: name, state, why }, 'member changed state');
  } else if (event.kind === 'refuted') {
    log.warn({ incarnation: event.inc }, 'refuted a rumour of our own death');
  } else {
    log.warn({ epoch: event.epoch, why: event.why }, 'began a new life without a restart');
  }
}
