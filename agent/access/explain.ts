/**
 * Whether a call would be let in, and which rule says so: the question of `weft explain`, answered on any node from the
 * rules and the register it holds. The rules are weighed by the data plane's own code (proxy/access/); what is added here is
 * who and what is meant, and the mode of the port.
 * @module
 */
import { type AccessQuery, explainAccess } from '../../proxy/access/explain.ts';
import type { AccessRules } from '../../proxy/access/policy.ts';
import { type Caller, type Port, type Register, type Resolved, resolveCaller, resolveDestination } from './resolve.ts';
import type { ExplainAnswer, ExplainView } from './views.ts';

export interface ExplainQuestion {
  readonly from: string;
  readonly to: string;
  /** Undefined for what can be said without a request. */
  readonly request: ExplainRequest | undefined;
}

export interface ExplainRequest {
  readonly method: string;
  readonly path: string;
  /** Left out: the name of the service. */
  readonly host: string | undefined;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface ExplainWorld {
  readonly node: string;
  readonly register: Register;
  readonly rules: AccessRules;
  /** How far the clock of this node is off, where that is too far for time rules. */
  readonly clockSkewMs: number | undefined;
  readonly nowMs: number;
}

export function explainCall({ from, to, request }: ExplainQuestion, world: ExplainWorld): Resolved<ExplainView> {
  const caller = resolveCaller(from, world.register);
  if (!caller.ok) return { ok: false, problem: `from: ${caller.problem}` };
  const ports = resolveDestination(to, world.register, caller.value.namespace);
  if (!ports.ok) return { ok: false, problem: `to: ${ports.problem}` };
  const { identity, address, labels, note } = caller.value;
  const answers = alike(ports.value).map((group) => answer(caller.value, group, request, world));
  return {
    ok: true,
    value: {
      node: world.node,
      at: new Date(world.nowMs).toISOString(),
      from: { asked: from, identity: identity ?? null, address: address ?? null, labels, note },
      to,
      outcome: common(answers.map(({ outcome }) => outcome)),
      clockSkewMs: world.clockSkewMs ?? null,
      answers,
    },
  };
}

/** Ports that no rule can tell apart, together. */
function alike(ports: readonly Port[]): readonly (readonly Port[])[] {
  const sorted = ports.toSorted((a, b) => a.servicePort - b.servicePort || (a.id < b.id ? -1 : 1));
  const key = ({ namespace, service, port, servicePort, protocol, labels }: Port): string =>
    JSON.stringify([namespace, service, port, servicePort, protocol, Object.entries(labels).sort()]);
  return [...Map.groupBy(sorted, key).values()];
}

function answer(
  caller: Caller,
  group: readonly Port[],
  request: ExplainRequest | undefined,
  { rules, nowMs }: ExplainWorld,
): ExplainAnswer {
  const { namespace, service, port, servicePort, protocol, labels } = group[0]!;
  const destination = { namespace, service, labels, port };
  const asked = requestOf(group[0]!, request);
  const explained = explainAccess(rules, { caller, destination, request: asked, nowMs });
  const shown = {
    destination: { ...destination, servicePort, protocol, endpoints: group.map(({ id }) => id) },
    seen: typeof asked === 'string' ? asked : ('http' as const),
    notes: notesOf(protocol, request, explained.unreadablePath),
    policies: explained.policies,
  };
  if (caller.identity === undefined && !isPermissive(group[0]!, rules, nowMs)) {
    return { ...shown, outcome: 'denied', cause: 'strict', decidedBy: null };
  }
  const { outcome, cause, decidedBy } = explained;
  const decisive = decidedBy && {
    policy: decidedBy.policy,
    rule: decidedBy.rule,
    action: decidedBy.action,
    revision: explained.policies.find(({ policy }) => policy === decidedBy.policy)?.revision ?? '',
  };
  return { ...shown, outcome, cause: cause ?? null, decidedBy: decisive ?? null };
}

function requestOf(
  { namespace, service, servicePort, protocol }: Port,
  request?: ExplainRequest,
): AccessQuery['request'] {
  if (protocol === 'tcp') return 'opaque';
  if (request === undefined) return 'any';
  const {
    method,
    path,
    host = `${service}.${namespace}.weft${servicePort === 80 ? '' : `:${servicePort}`}`,
    headers,
  } = request;
  return { method, path, host, headers };
}

function notesOf(
  protocol: Port['protocol'],
  request: ExplainRequest | undefined,
  unreadable?: string,
): readonly string[] {
  const notes: string[] = [];
  if (protocol === 'tcp' && request !== undefined) {
    notes.push('this port is declared as tcp: rules see no requests there, only the connection');
  }
  if (protocol === 'auto') notes.push('the first bytes decide what is spoken here; this is the answer for HTTP');
  if (unreadable !== undefined) notes.push(`no rule about paths can be held against this path: ${unreadable}`);
  return notes;
}

function isPermissive({ namespace, service, port }: Port, { permissive }: AccessRules, nowMs: number): boolean {
  return permissive.some(
    (open) => open.namespace === namespace && open.service === service && open.port === port && open.untilMs > nowMs,
  );
}

/** Of nothing: `differs`. */
export function common(outcomes: readonly ExplainAnswer['outcome'][]): ExplainView['outcome'] {
  const [first] = outcomes;
  return first !== undefined && outcomes.every((outcome) => outcome === first) ? first : 'differs';
}
