/**
 * What a destination says about requests: how often they may come, and how many it has at a time. One port of this node has a
 * gate for each of its callers; whichever way they come, they pass the same.
 *
 * Nobody waits here: what is over is refused at once, and the caller may try elsewhere.
 * @module
 */

import { performance } from 'node:perf_hooks';
import { type AccessPeer, peerOf } from '../access/peer.ts';
import type { Denial, Place } from '../http/request-guard.ts';
import type { Head } from '../http1/grammar/head.ts';
import { AdaptiveLimit, CallerShare } from '../resilience/adaptive.ts';
import { priorityOf } from '../resilience/priority.ts';
import type { SharedTable } from '../resilience/shared-table.ts';
import type { TargetedCall } from '../resilience/targets.ts';
import { HeadRouteRequest } from '../routing/request.ts';
import type { StatsWriter } from '../telemetry/stats-writer.ts';
import type { TrafficBoard } from './board.ts';
import { CallLimits } from './limits.ts';
import type { Concurrency } from './rules.ts';

export interface AdmissionContext {
  readonly world: { readonly traffic: TrafficBoard };
  readonly access: { readonly callerLabels: CallerLabels };
  readonly shared: SharedTable;
  readonly stats: StatsWriter;
}

/** A caller, and the port of this node that it calls. */
export interface GateCall {
  /** SPIFFE id; undefined for plaintext. */
  readonly identity: string | undefined;
  readonly address: string;
  readonly target: {
    /** Id of the workload. */
    readonly workload: string;
    /** 'namespace/service'. */
    readonly service: string;
    readonly servicePort: number;
    /** Where the application listens. */
    readonly port: number;
  };
}

interface CallerLabels {
  readonly version: number;
  of(identity: string, address: string): AccessPeer['labels'];
}

/** How many callers of a port are remembered. More only while each of them has a request open. */
const MAX_CALLERS = 1_024;
/** What stands for callers in plaintext, who have one share together: an address costs nothing. */
const PLAINTEXT = 'plaintext';
const OVERLOADED: Denial = { reason: 'overloaded', detail: '', policy: '' };

/** All callers of one port of this node, each with what holds for it. Its target closes it. */
export class Gates {
  /** By identity and address: rules may name either. Those least lately made first. */
  #gates = new Map<string, Gate>();
  #version = 0;
  #isClosed = false;

  /** @returns undefined where nobody has said anything about this caller here */
  of(call: GateCall, context: AdmissionContext): Gate | undefined {
    const { traffic } = context.world;
    if (this.#isClosed) return undefined;
    const outdated: Gate[] = [];
    if (traffic.version !== this.#version) {
      outdated.push(...this.#gates.values());
      this.#gates.clear();
      this.#version = traffic.version;
    }
    const gate = traffic.hasAdmission ? this.#current(call, context, outdated) : undefined;
    for (const old of outdated) old.retire(); // after the new one has taken over what was learned
    return gate;
  }

  close(): void {
    this.#isClosed = true;
    for (const gate of this.#gates.values()) gate.retire();
    this.#gates.clear();
  }

  #current(call: GateCall, context: AdmissionContext, outdated: Gate[]): Gate | undefined {
    const { identity, address } = call;
    const { callerLabels } = context.access;
    const key = `${identity ?? PLAINTEXT} ${address}`;
    const known = this.#gates.get(key);
    if (known !== undefined && known.labelsVersion === callerLabels.version) return known;
    if (known !== undefined) outdated.push(known);
    this.#gates.delete(key);
    const made = Gate.of(call, context);
    if (made === undefined) return undefined;
    if (this.#gates.size >= MAX_CALLERS) this.#forgetIdle(outdated);
    this.#gates.set(key, made);
    return made;
  }

  #forgetIdle(outdated: Gate[]): void {
    for (const [key, gate] of this.#gates) {
      if (gate.open > 0) continue;
      this.#gates.delete(key);
      outdated.push(gate);
      return;
    }
  }
}

/** What holds for one caller at one port, and what it has open there. Each of its requests that is open has it as its place. */
export class Gate implements Place {
  readonly labelsVersion: number;
  /** Retired: nobody enters any more, and what it holds is given back when the last has left. */
  isClosed = false;
  open = 0;
  readonly #context: AdmissionContext;
  readonly #limits: CallLimits | undefined;
  readonly #room: Room | undefined;
  readonly #request = new HeadRouteRequest();

  private constructor(limits: CallLimits | undefined, room: Room | undefined, context: AdmissionContext) {
    this.labelsVersion = context.access.callerLabels.version;
    this.#context = context;
    this.#limits = limits;
    this.#room = room;
  }

  static of(call: GateCall, context: AdmissionContext): Gate | undefined {
    const { world, shared } = context;
    const { traffic } = world;
    const targeted = targetedCall(call, context);
    const { concurrency } = traffic.effective(targeted).settings;
    const limits = CallLimits.at(traffic, targeted, shared, call.target.workload);
    if (concurrency === 'off' && limits === undefined) return undefined;
    return new Gate(limits, concurrency === 'off' ? undefined : roomOf(call, concurrency, shared), context);
  }

  enter(head: Head): Place | Denial | undefined {
    const { shared, stats } = this.#context;
    const nowMs = performance.now();
    const limited = this.#limits?.take(nowMs, undefined, this.#shadowed);
    if (limited !== undefined) {
      const { namespace, name } = limited.limit.origin;
      stats.count('rateLimited');
      return { reason: 'rate-limited', detail: `${namespace}/${name}`, policy: '', lines: limited.lines };
    }
    const room = this.#room;
    if (room === undefined) return undefined;
    const priority = priorityOf(this.#request.of(head).header(room.header), room.defaultPriority);
    if (!room.limit.tryAcquire(room.share, priority, shared.sharedMs(nowMs))) {
      stats.count('overloadRefused');
      return OVERLOADED;
    }
    this.open++;
    return this;
  }

  leave(tookMs: number, status: number): void {
    const { limit, share } = this.#room!;
    limit.release(share, tookMs, isServed(status), this.#context.shared.nowMs());
    this.open--;
    if (this.isClosed && this.open === 0) this.#close();
  }

  retire(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (this.open === 0) this.#close();
  }

  #close(): void {
    this.#limits?.close();
    this.#room?.limit.close();
    this.#room?.share.close();
  }

  readonly #shadowed = (): void => this.#context.stats.count('rateLimitedShadow');
}

/** How many requests at a time, and how many of them are this caller's. */
interface Room {
  readonly limit: AdaptiveLimit;
  readonly share: CallerShare;
  /** Says how much a request matters; in lower case. */
  readonly header: string;
  readonly defaultPriority: number;
}

function roomOf({ identity = PLAINTEXT, target }: GateCall, concurrency: Concurrency, shared: SharedTable): Room {
  const port = `${target.workload} ${target.port}`;
  return {
    limit: new AdaptiveLimit(shared, port, concurrency),
    share: new CallerShare(shared, port, identity),
    header: concurrency.priorityHeader.toLowerCase(),
    defaultPriority: concurrency.defaultPriority,
  };
}

/** Only then the time says how long the application takes. */
function isServed(status: number): boolean {
  return status >= 200 && status < 500 && status !== 429;
}

/** Which route a request took is known where it began, and not here. */
function targetedCall({ identity, address, target }: GateCall, { access }: AdmissionContext): TargetedCall {
  const [namespace, service] = target.service.split('/') as [string, string];
  const labels = identity === undefined ? [] : access.callerLabels.of(identity, address);
  return { namespace, service, port: target.servicePort, caller: peerOf({ identity, address, labels }) };
}
