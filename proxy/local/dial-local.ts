/**
 * Connecting a workload to another one of the same node, under the conditions that TLS would set between two nodes: both
 * SVIDs must be such that another agent would take them now.
 * @module
 */

import type { Issued } from '../../certs/revocation.ts';
import { type Verdict, verifyChain } from '../../certs/verify.ts';
import type { Call } from '../inbound/call.ts';
import { dialApp } from '../inbound/dial-app.ts';
import { countRefusal } from '../tls.ts';
import type { RouteContext } from '../upstream/context.ts';
import type { DialResult } from '../upstream/dial.ts';
import type { NamedTarget, Workload } from '../workload.ts';

export interface LocalCall {
  readonly caller: Workload;
  readonly callee: NamedTarget;
  readonly call: Call;
}

/** A connection, and whose certificates it stands on; or why there is none. */
export type LocalDialResult =
  | (Extract<DialResult, { ok: true }> & { readonly issued: readonly Issued[] })
  | Extract<DialResult, { ok: false }>;

/** Calls back exactly once, never before it returned. */
export function dialLocal(call: LocalCall, context: RouteContext, done: (result: LocalDialResult) => void): void {
  const before = judge(call, context);
  if (!before.ok) {
    process.nextTick(done, before);
    return;
  }
  const { revocations } = context.world;
  dialApp(call.call, context, (result) => {
    if (!result.ok) {
      done(result);
      return;
    }
    const now = context.world.revocations === revocations ? before : judge(call, context);
    if (now.ok) done({ ...result, issued: now.issued });
    else {
      result.socket.destroy();
      done(now);
    }
  });
}

type Judgement = { readonly ok: true; readonly issued: readonly Issued[] } | Extract<DialResult, { ok: false }>;

function judge({ caller, callee }: LocalCall, context: RouteContext): Judgement {
  const issued: Issued[] = [];
  for (const workload of [caller, callee.workload]) {
    const verdict = verdictOn(workload, context);
    if (!verdict.ok) {
      countRefusal(context.stats, verdict.reason);
      return { ok: false, reason: 'identity-refused', detail: verdict.reason };
    }
    issued.push(...verdict.issued);
  }
  return { ok: true, issued };
}

function verdictOn({ chain, data }: Workload, { world, memory }: RouteContext): Verdict {
  const { trust, revocations } = world;
  const options = { trust, revocations, memory, role: 'workload', expected: data.identity } as const;
  return verifyChain(chain, { ...options, nowMs: Date.now() });
}
