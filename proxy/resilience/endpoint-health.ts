/**
 * How one endpoint does, as all workers of the node see it, and whether it is ejected: left out of balancing for a while.
 *
 * When its time is over, one request is let through to it, one over all workers (half-open). If it is answered the endpoint
 * is back, if not it is ejected for longer. A worker may die with that request: after the shortest ejection another
 * one may try. While other nodes are sure, it is left out here too.
 *
 * Instants are on the clock of the shared table, in whole milliseconds that wrap after 49 days.
 * @module
 */

import type { Outliers } from '../traffic/rules.ts';
import type { Outcome } from './outcome.ts';
import { RECENT_CELLS, RecentCounts } from './recent-counts.ts';
import type { SharedSlot } from './shared-slot.ts';
import type { SharedTable } from './shared-table.ts';

/** So many other nodes that eject an endpoint are believed. */
export const BELIEVED_NODES = 2;

/** Cells. Of instants, 0 is none. */
const UNTIL = 0;
/** When the request was let through that decides; 0 while there is none. */
const PROBE = 1;
const FAILURES_IN_A_ROW = 2;
const EJECTIONS_IN_A_ROW = 3;
const BACK_AT = 4;
/** How many other nodes eject it. */
const SUSPECTED_BY = 5;
/** When it was first seen; `GROWN` for one that is not new. */
const SINCE = 6;
/** Since when it is the process that it is; 0 where it was never another. */
const RENEWED_AT = 7;
const GOOD = 8;
const BAD = GOOD + RECENT_CELLS;
const GROWN = -1;

/** Where there is traffic, the request that decides is let through and answered within this. */
export const UNDECIDED_MS = 2_000;

export function healthKey(endpointId: string): string {
  return `endpoint ${endpointId}`;
}

export class EndpointHealth {
  readonly #table: SharedTable;
  readonly #key: string;
  readonly #slot: SharedSlot;
  readonly #good: RecentCounts;
  readonly #bad: RecentCounts;

  constructor(table: SharedTable, endpointId: string) {
    this.#table = table;
    this.#key = healthKey(endpointId);
    this.#slot = table.claim(this.#key);
    const { cells, first } = this.#slot;
    this.#good = new RecentCounts(cells, first + GOOD);
    this.#bad = new RecentCounts(cells, first + BAD);
  }

  /** Whether it takes part in balancing. */
  get isUsable(): boolean {
    return this.#get(UNTIL) === 0 && this.#get(SUSPECTED_BY) < BELIEVED_NODES;
  }

  /** When a request may be let through, on the shared clock; Infinity where it is not ejected by this node. */
  probeAtMs(nowMs: number): number {
    const until = this.#get(UNTIL);
    return until === 0 ? Number.POSITIVE_INFINITY : nowMs + Math.max(0, (until - (nowMs | 0)) | 0);
  }

  /** Takes the one request that is let through; true for one caller over all workers. */
  tryProbe(nowMs: number, { ejectMs }: Outliers): boolean {
    const until = this.#get(UNTIL);
    if (until === 0 || ((until - (nowMs | 0)) | 0) > 0) return false;
    if (!this.#exchange(UNTIL, until, instant(nowMs + ejectMs))) return false;
    this.#set(PROBE, instant(nowMs));
    return true;
  }

  /**
   * @param startedAtMs when the request was sent: those from before an ejection do not end it
   * @param peers all endpoints of the cluster, this one among them; read where it may have to be ejected
   * @returns whether that ejected it, or ejected it again
   */
  observe(
    outcome: Outcome,
    startedAtMs: number,
    nowMs: number,
    limits: Outliers,
    peers: readonly EndpointHealth[],
  ): boolean {
    const renewedAt = this.#get(RENEWED_AT);
    if (renewedAt !== 0 && (((startedAtMs | 0) - renewedAt) | 0) < 0) return false; // about the process before
    if (this.#get(UNTIL) !== 0) return this.#judgeProbe(outcome, startedAtMs, nowMs, limits);
    if (outcome === 'good') {
      if (this.#get(FAILURES_IN_A_ROW) !== 0) this.#set(FAILURES_IN_A_ROW, 0);
      this.#good.add(nowMs, limits.windowMs);
    } else if (outcome === 'failed') {
      const inARow = Atomics.add(this.#slot.cells, this.#slot.first + FAILURES_IN_A_ROW, 1) + 1;
      this.#bad.add(nowMs, limits.windowMs);
      if (inARow >= limits.consecutive || this.#failsOften(nowMs, limits)) return this.#eject(nowMs, limits, peers);
    }
    return false;
  }

  /** How many other nodes eject it. Of the control thread. */
  suspectedBy(nodes: number): void {
    if (this.#get(SUSPECTED_BY) === nodes) return;
    this.#set(SUSPECTED_BY, nodes);
    this.#table.healthChanged();
  }

  /** It is another process by now: what the one before did is not held against it. */
  renew(nowMs: number): void {
    this.#set(RENEWED_AT, instant(nowMs));
    this.#set(EJECTIONS_IN_A_ROW, 0);
    this.#forget();
    if (this.#get(UNTIL) === 0) return;
    this.#set(PROBE, 0);
    this.#set(UNTIL, 0);
    this.#table.healthChanged();
  }

  /** Says when it was first seen. Only the first word counts, whichever worker says it. */
  firstSeen(nowMs: number, isNew: boolean): void {
    this.#exchange(SINCE, 0, isNew ? instant(nowMs) : GROWN);
  }

  /** How long ago it was first seen; Infinity where it was not new, or is new no more. */
  ageMs(nowMs: number, newForMs: number): number {
    const since = this.#get(SINCE);
    if (since === 0 || since === GROWN) return Number.POSITIVE_INFINITY;
    const ageMs = ((nowMs | 0) - since) | 0;
    if (ageMs >= 0 && ageMs < newForMs) return ageMs;
    if (ageMs < 0 || ageMs > MAX_NEW_MS) this.#exchange(SINCE, since, GROWN); // before the clock comes round
    return Number.POSITIVE_INFINITY;
  }

  close(): void {
    this.#table.release(this.#key);
  }

  #failsOften(nowMs: number, { windowMs, minRequests, successRatio }: Outliers): boolean {
    const good = this.#good.total(nowMs, windowMs);
    const all = good + this.#bad.total(nowMs, windowMs);
    return all >= minRequests && good < all * successRatio;
  }

  #eject(nowMs: number, limits: Outliers, peers: readonly EndpointHealth[]): boolean {
    const most = maxEjected(peers.length, limits.maxEjectedRatio);
    if (unusable(peers) >= most) return false;
    const longMs = ejectionMs(this.#get(EJECTIONS_IN_A_ROW), limits);
    // One that was well for as long as it was last ejected begins anew.
    const wellMs = ((nowMs | 0) - this.#get(BACK_AT)) | 0;
    const isRepeated = this.#get(EJECTIONS_IN_A_ROW) > 0 && wellMs >= 0 && wellMs <= Math.max(longMs, limits.windowMs);
    const inARow = isRepeated ? this.#get(EJECTIONS_IN_A_ROW) + 1 : 1;
    const until = instant(nowMs + ejectionMs(inARow, limits));
    if (!this.#exchange(UNTIL, 0, until)) return false;
    if (unusable(peers) > most) {
      this.#exchange(UNTIL, until, 0); // several workers ejected at the same time
      return false;
    }
    this.#set(PROBE, 0);
    this.#set(EJECTIONS_IN_A_ROW, inARow);
    this.#forget();
    this.#table.healthChanged();
    return true;
  }

  #judgeProbe(outcome: Outcome, startedAtMs: number, nowMs: number, limits: Outliers): boolean {
    const probe = this.#get(PROBE);
    if (probe === 0 || (((startedAtMs | 0) - probe) | 0) < 0) return false;
    if (!this.#exchange(PROBE, probe, 0)) return false;
    if (outcome === 'failed') {
      const inARow = Math.min(this.#get(EJECTIONS_IN_A_ROW) + 1, 1_000);
      this.#set(EJECTIONS_IN_A_ROW, inARow);
      this.#set(UNTIL, instant(nowMs + ejectionMs(inARow, limits)));
    } else if (outcome === 'none') {
      this.#set(UNTIL, instant(nowMs)); // it was given up before it was answered: the next one decides
    } else {
      this.#forget();
      this.#set(BACK_AT, nowMs | 0);
      this.#set(UNTIL, 0);
    }
    this.#table.healthChanged();
    return outcome === 'failed';
  }

  #forget(): void {
    this.#set(FAILURES_IN_A_ROW, 0);
    this.#good.clear();
    this.#bad.clear();
  }

  #get(cell: number): number {
    return Atomics.load(this.#slot.cells, this.#slot.first + cell);
  }

  #set(cell: number, value: number): void {
    Atomics.store(this.#slot.cells, this.#slot.first + cell, value);
  }

  #exchange(cell: number, from: number, to: number): boolean {
    return Atomics.compareExchange(this.#slot.cells, this.#slot.first + cell, from, to) === from;
  }
}

/** No warm-up is longer than a day. */
const MAX_NEW_MS = 86_400_000;

/**
 * When an endpoint that this node has ejected may be tried again; undefined where it is not ejected, or its time has been over
 * for `UNDECIDED_MS` and nobody has tried it.
 */
export function ejectedUntilMs(slot: SharedSlot, nowMs: number): number | undefined {
  const until = Atomics.load(slot.cells, slot.first + UNTIL);
  const leftMs = (until - (nowMs | 0)) | 0;
  return until === 0 || leftMs <= -UNDECIDED_MS ? undefined : nowMs + leftMs;
}

/** How an endpoint does in the eyes of this node, for people. */
export interface Standing {
  /** Left out of balancing, by this node or on the word of others. */
  readonly isEjected: boolean;
  /** Until one request is let through; 0 where it is not this node that ejects it, or the time is over. */
  readonly ejectedForMs: number;
  /** How many other nodes eject it. */
  readonly suspectedBy: number;
}

export function standingOf(slot: SharedSlot, nowMs: number): Standing {
  const [until, suspectedBy] = [UNTIL, SUSPECTED_BY].map((cell) => Atomics.load(slot.cells, slot.first + cell));
  return {
    isEjected: until !== 0 || suspectedBy! >= BELIEVED_NODES,
    ejectedForMs: (ejectedUntilMs(slot, nowMs) ?? nowMs) - nowMs,
    suspectedBy: suspectedBy!,
  };
}

/** Of so many; one that is alone never, one of two even where the share is small. */
export function maxEjected(endpoints: number, ratio: number): number {
  if (ratio <= 0) return 0;
  return Math.min(endpoints - 1, Math.max(1, Math.floor(endpoints * ratio)));
}

/** Twice as long each time in a row. */
export function ejectionMs(inARow: number, { ejectMs, maxEjectMs }: Outliers): number {
  return Math.min(maxEjectMs, ejectMs * 2 ** Math.max(0, inARow - 1));
}

function unusable(peers: readonly EndpointHealth[]): number {
  let count = 0;
  for (const peer of peers) if (!peer.isUsable) count++;
  return count;
}

/** 0 means none, so the instant 0 is taken for the next. */
function instant(ms: number): number {
  return ms | 0 || 1;
}
