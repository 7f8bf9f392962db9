/**
 * Who calls on one inbound connection, and whether it may: judged when the connection is made, for each request as far as
 * rules ask about requests, and again once rules have changed.
 * @module
 */

import type { AccessBoard } from '../access/board.ts';
import type { CallerAccess, Decision, DestinationAccess } from '../access/destination.ts';
import { peerOf } from '../access/peer.ts';
import { type AccessRequest, type DescribedRequest, HeadRequest } from '../access/request.ts';
import type { Denial, RequestGuard } from '../http/request-guard.ts';
import type { Head } from '../http1/grammar/head.ts';
import type { AccessRecorder } from './access-recorder.ts';
import type { Call } from './call.ts';

export interface GuardContext {
  readonly access: AccessBoard;
  readonly recorder: AccessRecorder;
}

const PLAINTEXT_DENIED: Denial = {
  reason: 'access-denied',
  detail: 'plaintext is not taken on this port any more',
  policy: 'strict',
};

export class Guard implements RequestGuard {
  readonly call: Call;
  readonly #context: GuardContext;
  readonly #request: HeadRequest;
  /** The request that turned the connection into bytes. */
  #upgraded: DescribedRequest | undefined = undefined;
  // What is left of the rules for this caller, and what it was concluded from.
  #caller: CallerAccess | undefined = undefined;
  #access: DestinationAccess | undefined = undefined;
  #labelsVersion = -1;

  constructor(call: Call, context: GuardContext) {
    this.call = call;
    this.#context = context;
    this.#request = new HeadRequest(call.target.authority);
  }

  judge(head: Head, added = ''): Denial | undefined {
    if (head.upgrade) this.#upgraded = this.#request.of(head, added).described();
    if (this.#isPlaintextRefused) return PLAINTEXT_DENIED;
    const caller = this.#current();
    if (caller === undefined) return undefined;
    const request = this.#request.of(head, added);
    return this.#conclude(caller.constant ?? caller.judge(request), request);
  }

  /** For bytes that are not HTTP. */
  judgeOpaque(): Denial | undefined {
    if (this.#isPlaintextRefused) return PLAINTEXT_DENIED;
    const caller = this.#current();
    return caller === undefined ? undefined : this.#conclude(caller.opaque, undefined);
  }

  /** For an open connection that has become bytes. What is still let in is not counted a second time. */
  judgeAgain(): Denial | undefined {
    const { target } = this.call;
    if (target.isRetired) this.#context.access.tell(target); // nobody else does any more
    if (this.#isPlaintextRefused) return PLAINTEXT_DENIED;
    const caller = this.#current();
    if (caller === undefined) return undefined;
    const decision = this.#upgraded === undefined ? caller.opaque : caller.judge(this.#upgraded);
    return decision.isAllowed ? undefined : this.#conclude(decision, this.#upgraded);
  }

  /** Whether no request at all would be let in. */
  get isShut(): boolean {
    return this.#isPlaintextRefused || this.#current()?.settled?.isAllowed === false;
  }

  get #isPlaintextRefused(): boolean {
    return this.call.identity === undefined && !this.call.target.isPermissive;
  }

  #current(): CallerAccess | undefined {
    const { access } = this.call.target;
    if (access === undefined) return undefined;
    const { callerLabels } = this.#context.access;
    if (access === this.#access && callerLabels.version === this.#labelsVersion) return this.#caller;
    const { identity, address } = this.call;
    const labels = identity === undefined ? [] : callerLabels.of(identity, address);
    this.#access = access;
    this.#labelsVersion = callerLabels.version;
    this.#caller = access.caller(peerOf({ identity, address, labels }));
    return this.#caller;
  }

  #conclude(decision: Decision, request: AccessRequest | undefined): Denial | undefined {
    this.#context.recorder.record(decision, this.call, request);
    return decision.isAllowed ? undefined : denialOf(decision, request);
  }
}

function denialOf({ cause, labels }: Decision, request: AccessRequest | undefined): Denial {
  const unreadable = request?.unreadable;
  const about = unreadable === undefined ? '' : `; its path cannot be read one way only: ${unreadable}`;
  const reason = 'access-denied';
  if (cause === 'deny')
    return { reason, detail: `${labels.policy}/${labels.rule}${about}`, policy: `${labels.policy}/${labels.rule}` };
  const why = cause === 'no-allow' ? 'no ALLOW policy lets it in' : 'the default of the mesh is DENY';
  return { reason, detail: `${why}${about}`, policy: labels.rule };
}
