/**
 * A rule as a worker carries it out: everything about it that does not depend on the request is worked out beforehand.
 *
 * For a request: `rewriteTarget` once, then for each attempt `applyRequest`, and for its response `responseLines`.
 * @module
 */

import type { Head } from '../http1/grammar/head.ts';
import type { Decided } from '../telemetry/parties.ts';
import { type Backend, type HttpMatch, type HttpRule, type Mirror, subjectOf } from '../traffic/rules.ts';
import { type CompiledCors, compileCors } from './cors.ts';
import { applyEdits, type CompiledEdits, compileEdits } from './edits.ts';
import { type CompiledRedirect, compileRedirect } from './redirect.ts';
import { type CompiledRewrite, compileRewrite, rewriteTarget as rewriteHead } from './rewrite.ts';
import { Split } from './split.ts';

export interface CompiledBackend {
  readonly backend: Backend;
  /** What cookies call it: 'namespace/service:port', with '/subset' where there is one. */
  readonly id: string;
  readonly weight: number;
  /** Of rule and backend, in this order. */
  readonly request: CompiledEdits;
  /** Of backend and rule, in this order. */
  readonly response: CompiledEdits;
}

export interface CompiledMirror {
  readonly mirror: Mirror;
  readonly backend: CompiledBackend;
}

export class CompiledRule {
  readonly rule: HttpRule;
  /** 'Kind/namespace/name' of the route it is of. */
  readonly route: string;
  /** As records tell it. */
  readonly decided: Decided;
  readonly backends: readonly CompiledBackend[];
  readonly mirrors: readonly CompiledMirror[];
  readonly rewrite: CompiledRewrite | undefined;
  readonly redirect: CompiledRedirect | undefined;
  readonly cors: CompiledCors | undefined;
  /** Of the rule alone: for answers of its own and for backends that are none of its own. */
  readonly request: CompiledEdits;
  readonly response: CompiledEdits;
  /** What of the rule is left out because it would break messages, for people. */
  readonly ignored: readonly string[];
  readonly split: Split<CompiledBackend>;

  /** @param match the one that leads to it, where the rule replaces the prefix that matched */
  constructor(rule: HttpRule, match: HttpMatch | undefined) {
    const { actions } = rule;
    const notes = new Set<string>();
    const ignored = (what: string) => {
      notes.add(what);
    };
    const compileBackend = (backend: Backend): CompiledBackend => ({
      backend,
      id: backendId(backend),
      weight: backend.weight,
      request: compileEdits([actions.requestHeaders, backend.requestHeaders], ignored),
      response: compileEdits([backend.responseHeaders, actions.responseHeaders], ignored),
    });
    const { kind, namespace, name } = rule.origin;
    this.rule = rule;
    this.route = `${kind}/${namespace}/${name}`;
    this.decided = { kind: 'route', subject: subjectOf(rule.origin) };
    this.backends = rule.backends.map(compileBackend);
    this.mirrors = actions.mirrors.map((mirror) => ({ mirror, backend: compileBackend(mirror.backend) }));
    this.rewrite = compileRewrite(actions.rewrite, match, ignored);
    this.redirect = compileRedirect(actions.redirect, match, ignored);
    this.cors = actions.cors === undefined ? undefined : compileCors(actions.cors, ignored);
    this.request = compileEdits([actions.requestHeaders], ignored);
    this.response = compileEdits([actions.responseHeaders], ignored);
    this.split = new Split(this.backends);
    this.ignored = [...notes];
  }

  /**
   * @param random from 0 up to but not including 1
   * @param keptId of the backend that a session was at; kept while that one still gets any traffic
   * @returns undefined where no backend may get anything: answered with 500, as one with a `problem` is
   */
  pickBackend(random: () => number, keptId?: string): CompiledBackend | undefined {
    if (keptId !== undefined) {
      const kept = this.backends.find((backend) => backend.id === keptId && backend.backend.problem === undefined);
      if (kept !== undefined && this.split.has(kept)) return kept;
    }
    return this.split.pick(random);
  }
}

export function backendId({ service, port, subset }: Backend): string {
  return subset === undefined ? `${service}:${port}` : `${service}:${port}/${subset}`;
}

/** Changes path and Host as the rule says. Once a request, before Host is looked at and before the destination judges. */
export function rewriteTarget(head: Head, { rewrite }: CompiledRule): void {
  if (rewrite !== undefined) rewriteHead(head, rewrite);
}

/**
 * Edits the fields of a request for an attempt; what an attempt before it edited is undone.
 *
 * @param backend undefined: one that is none of the rule's, such as a fallback
 * @returns complete lines to add
 */
export function applyRequest(head: Head, rule: CompiledRule, backend: CompiledBackend | undefined): string {
  head.restore();
  return applyEdits(head, (backend ?? rule).request);
}

/** What a preflight is answered with: complete lines for a 204; undefined where the request is to go its way. */
export function preflight(head: Head, { cors }: CompiledRule): string | undefined {
  return cors?.preflight(head);
}

/**
 * Edits the fields of a final response, CORS included.
 *
 * @param request the head it answers
 * @param backend undefined: an answer of the mesh, or of a backend that is none of the rule's
 * @returns complete lines to add
 */
export function responseLines(
  head: Head,
  rule: CompiledRule,
  backend: CompiledBackend | undefined,
  request: Head,
): string {
  const lines = applyEdits(head, (backend ?? rule).response);
  return rule.cors === undefined ? lines : lines + rule.cors.applyResponse(head, request);
}
