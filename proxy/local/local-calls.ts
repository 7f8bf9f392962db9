/**
 * Calls between two workloads of one node: no tunnel and no second pass, but the same rules, reasons and statistics.
 *
 * What the agent of the destination would do happens where the call begins: its access rules are asked with the caller's
 * identity, which the listener tells, and its row is counted beside the caller's. A port may be bound by another worker;
 * that is of no account, as every worker knows all workloads of the node and reaches their applications.
 * @module
 */

import type { Arrival, RawEnd, StreamPool, UpstreamStream, Waiter } from '../http/streams.ts';
import { connectionKey, forwardedLines } from '../inbound/app-connection.ts';
import { type Call, inboundParties } from '../inbound/call.ts';
import { Guard } from '../inbound/guard.ts';
import type { ReasonCode } from '../reasons.ts';
import type { Attempt } from '../tcp/connect.ts';
import { countRefused } from '../tcp/refused.ts';
import { reset } from '../tcp/reset.ts';
import type { RequestRows } from '../telemetry/request-rows.ts';
import { CallAdmission } from '../traffic/admission.ts';
import type { UpstreamEndpoint } from '../upstream/cluster.ts';
import type { RouteContext } from '../upstream/context.ts';
import type { Dialer } from '../upstream/dial.ts';
import { localPool } from '../upstream/local-pools.ts';
import type { LocalTarget } from '../upstream/local-target.ts';
import type { NamedTarget, Workload } from '../workload.ts';
import { dialLocal } from './dial-local.ts';

/** The calls of one downstream connection. */
export class LocalCalls {
  readonly #caller: Workload;
  readonly #clientAddress: string;
  readonly #context: RouteContext;
  /** Made when they are needed, and few: ports of this node that this connection has called. */
  #hops: Map<LocalTarget, LocalHop> | undefined = undefined;

  /** @param clientAddress of the connection; used where it is not known where the workload's connections come from */
  constructor(caller: Workload, clientAddress: string, context: RouteContext) {
    this.#caller = caller;
    this.#clientAddress = clientAddress;
    this.#context = context;
  }

  /** Requests to an endpoint that is here. */
  streams(endpoint: UpstreamEndpoint, callee: NamedTarget): StreamPool {
    const known = this.#hops?.get(callee.target);
    if (known?.endpoint === endpoint) return known;
    this.#hops ??= new Map();
    for (const target of this.#hops.keys()) if (target.isRetired) this.#hops.delete(target);
    const hop = new LocalHop(
      { endpoint, callee, caller: this.#caller, call: this.#callTo(callee.target) },
      this.#context,
    );
    this.#hops.set(callee.target, hop);
    return hop;
  }

  /** Bytes to an endpoint that is here, or why they may not go there. */
  bytes(endpoint: UpstreamEndpoint, callee: NamedTarget, client: RawEnd): Attempt | ReasonCode {
    const context = this.#context;
    const { guarded, sessions } = context;
    const call = this.#callTo(callee.target);
    const guard = new Guard(call, context);
    const parties = inboundParties(call, serviceOf(this.#caller));
    const row = context.stats.connections(parties, 'tcp');
    const refused = (reason: ReasonCode): ReasonCode => {
      countRefused({ row, parties, reason }, context);
      return reason;
    };
    const denial = guard.judgeOpaque();
    if (denial !== undefined) return refused(denial.reason);
    const { socket, transport } = client;
    return {
      endpoint,
      row,
      parties,
      dial: (done) =>
        dialLocal({ caller: this.#caller, callee, call }, context, (result) => {
          const changed = result.ok ? guard.judgeAgain() : undefined; // rules may have, since it was dialled
          if (result.ok && changed !== undefined) {
            result.socket.destroy();
            refused(changed.reason);
            done({ ok: false, reason: changed.reason, detail: changed.detail });
            return;
          }
          if (result.ok) {
            guarded.add({ guard, socket, transport, row, drain: undefined });
            sessions.add({ socket, transport }, result.issued);
          } else refused(result.reason);
          done(result);
        }),
    };
  }

  #callTo(target: LocalTarget): Call {
    const { identity, address = this.#clientAddress } = this.#caller.data;
    return { identity, address, target };
  }
}

interface LocalHopOptions {
  readonly endpoint: UpstreamEndpoint;
  readonly caller: Workload;
  readonly callee: NamedTarget;
  readonly call: Call;
}

/** One downstream connection's way to one port of this node: streams to the application, and what its agent would do. */
class LocalHop implements StreamPool, Arrival {
  readonly endpoint: UpstreamEndpoint;
  readonly requests: RequestRows;
  readonly guard: Guard;
  readonly admission: CallAdmission;
  /** Of its connections to the application, which calls of the same workload share. */
  readonly key: string;
  readonly lines: string;
  readonly #options: LocalHopOptions;
  readonly #context: RouteContext;

  constructor(options: LocalHopOptions, context: RouteContext) {
    const { endpoint, call, caller } = options;
    this.endpoint = endpoint;
    this.requests = context.stats.requests(inboundParties(call, serviceOf(caller)));
    this.guard = new Guard(call, context);
    this.admission = new CallAdmission(call, context);
    this.key = connectionKey(`workload ${caller.data.id}`, call, context);
    this.lines = forwardedLines(call, context);
    this.#options = options;
    this.#context = context;
  }

  /** Not kept: the table gives it to somebody else when it was not used for long. */
  get row(): number {
    return this.requests.connections;
  }

  get version(): string {
    return this.#options.call.target.version;
  }

  get arrival(): Arrival {
    return this;
  }

  take(isOnce?: boolean): UpstreamStream | undefined {
    return this.#pool().take(isOnce);
  }

  wait(waiter: Waiter): boolean {
    return this.#pool().wait(waiter);
  }

  cancel(waiter: Waiter): void {
    this.#pool().cancel(waiter);
  }

  dropIdle(): void {
    this.#pool().dropIdle();
  }

  switched({ socket, transport }: RawEnd): void {
    const { guarded, stats } = this.#context;
    const denial = this.guard.judgeAgain(); // rules may have changed since the request was let in
    if (denial === undefined) guarded.add({ guard: this.guard, socket, transport, row: this.row, drain: undefined });
    else {
      stats.failure(this.row, denial.reason);
      reset({ socket, transport });
    }
  }

  dialer(): Dialer {
    const { stats, sessions } = this.#context;
    return {
      dial: (done) =>
        dialLocal(this.#options, this.#context, (result) => {
          if (result.ok) {
            const { socket, transport, issued } = result;
            sessions.add({ socket, transport }, issued);
            const { row } = this;
            stats.opened(row);
            socket.once('close', () => stats.closed(row));
          }
          done(result);
        }),
    };
  }

  #pool(): StreamPool {
    return localPool(this.#options.callee.target, this, this.#context);
  }
}

function serviceOf({ data }: Workload): string {
  return `${data.namespace}/${data.service}`;
}
