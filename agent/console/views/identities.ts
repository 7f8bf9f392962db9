/** Who speaks to whom as whom: by which rule, how often, how often not; who comes in plaintext; and whose certificates end. Pure. @module */
import type { AccessRules } from '../../../proxy/access/policy.ts';
import type { Figures, FiguresRow } from '../../history/figures.ts';
import type { MeshAnswers } from '../../mesh-query/shapes.ts';
import type { NodeSummary } from '../node-summary.ts';
import type { AccessVerdict } from '../replay/access-replay.ts';
import type { ObservedCall } from '../replay/observed.ts';
import type { Source } from '../shapes/common.ts';
import type { Identities } from '../shapes/mesh.ts';
import { callOf } from './calls.ts';
import { hasIdentity, OUTSIDE, type Register, serviceOf } from './register.ts';
import { isSeen } from './service.ts';

export interface IdentitiesParts {
  readonly register: Register;
  readonly answers: MeshAnswers<NodeSummary>;
  /** inbound, by source, destination, protocol, method, route; one step. */
  readonly calls: Figures;
  /** inbound, by source, destination; in steps. */
  readonly seen: Figures;
  readonly access: AccessRules;
  /** By the rules in use. */
  readonly judge: (call: ObservedCall) => AccessVerdict;
  readonly namespaces: ReadonlySet<string> | undefined;
}

type Edge = Identities['edges'][number];
const REFUSED = ['access-denied', 'plaintext-refused'] as const;
const MAX_RULES = 3;

export function identitiesView(parts: IdentitiesParts): Identities {
  const { answers, namespaces } = parts;
  const isOurs = ({ services }: { readonly services: readonly string[] }): boolean =>
    services.some((service) => isSeen(service, namespaces));
  return {
    identities: identitiesOf(parts).filter(isOurs),
    edges: edgesOf(parts),
    plaintext: plaintextOf(parts),
    coverage: answers.coverage,
  };
}

/** Of one identity on several nodes the certificate that ends first counts. */
function identitiesOf({ register, answers }: IdentitiesParts): Identities['identities'] {
  const found = new Map<
    string,
    { services: Set<string>; nodes: Set<string>; first?: NodeSummary['workloads'][number] }
  >();
  const note = (id: string, service: string, node: string) => {
    const one = found.get(id) ?? { services: new Set(), nodes: new Set() };
    one.services.add(service);
    one.nodes.add(node);
    found.set(id, one);
    return one;
  };
  for (const endpoint of register.endpoints) note(endpoint.identity, serviceOf(endpoint), endpoint.node);
  for (const [node, { workloads }] of answers.answers) {
    for (const workload of workloads) {
      const one = note(workload.identity, workload.service, node);
      const endsMs = workload.certificateExpiresMs ?? Number.POSITIVE_INFINITY;
      if (endsMs < (one.first?.certificateExpiresMs ?? Number.POSITIVE_INFINITY)) one.first = workload;
    }
  }
  return [...found].sort().map(([id, { services, nodes, first }]) => ({
    id,
    services: [...services].sort(),
    nodes: [...nodes].sort(),
    expiresMs: first?.certificateExpiresMs ?? null,
    lifeMs: first?.certificateLifeMs ?? null,
  }));
}

/** One for each rule that decides about calls of one to another. */
function edgesOf({ register, answers, calls, seen, access, judge, namespaces }: IdentitiesParts): Edge[] {
  const hits = hitsOf(answers);
  const lastMs = new Map(seen.rows.map((row) => [partiesOf(row), lastSeenMs(row, seen, register.nowMs)]));
  const edges = new Map<string, Edge>();
  for (const row of calls.rows) {
    const call = callOf(row, register);
    const denied = REFUSED.reduce((sum, reason) => sum + (row.reasons[reason] ?? 0), 0);
    if ((call.count === 0 && denied === 0) || !isSeen(call.destination, namespaces)) continue;
    const verdict = judge(call);
    const rule = ruleText(verdict);
    const key = `${call.source} ${call.destination} ${rule}`;
    let edge = edges.get(key);
    if (edge === undefined) {
      const isPlain = !hasIdentity(call.source);
      const hit = verdict.rules.length === 1 ? hits.get(hitKey(verdict.rules[0]!)) : undefined;
      edge = {
        from: isPlain ? OUTSIDE : call.source,
        to: call.destination,
        tls: isPlain ? 'plaintext' : 'mutual',
        rule,
        document: documentOf(verdict, access),
        ruleHits: hit ?? null,
        allowed: 0,
        denied: 0,
        lastMs: lastMs.get(partiesOf(row)) ?? null,
        plaintextUntilMs: isPlain ? openUntilMs(access, call.destination) : null,
      };
      edges.set(key, edge);
    }
    edge.allowed += Math.max(0, call.count - denied);
    edge.denied += denied;
  }
  return [...edges.values()].sort((a, b) => b.denied - a.denied || b.allowed - a.allowed);
}

/** By address, as the nodes that let them in counted them since they began. */
function plaintextOf({ answers, access, namespaces }: IdentitiesParts): Identities['plaintext'] {
  const found = new Map<string, Identities['plaintext'][number]>();
  for (const { plaintext } of answers.answers.values()) {
    for (const { source, destination, port, count, lastMs } of plaintext) {
      if (!isSeen(destination, namespaces)) continue;
      const key = `${source} ${destination} ${port}`;
      const known = found.get(key);
      found.set(key, {
        address: source,
        to: destination,
        port,
        count: (known?.count ?? 0) + count,
        lastMs: Math.max(known?.lastMs ?? 0, lastMs),
        untilMs: openUntilMs(access, destination, port),
      });
    }
  }
  return [...found.values()].sort((a, b) => b.lastMs - a.lastMs);
}

/** The end of the last step in which anything was counted; null where none was in the range. */
function lastSeenMs(
  { requests, connectionsOpened }: FiguresRow,
  { startMs, stepMs }: Figures,
  nowMs: number,
): number | null {
  const last = requests.findLastIndex((count, i) => (count ?? 0) + (connectionsOpened[i] ?? 0) > 0);
  return last < 0 ? null : Math.min(nowMs, startMs + (last + 1) * stepMs);
}

function partiesOf({ labels }: FiguresRow): string {
  return `${labels.source} ${labels.destination}`;
}

/** `shop/cart web-may-read`; of several that may decide all; where no rule does, why. */
function ruleText({ rules }: AccessVerdict): string {
  const names = rules.map(({ policy, rule }) => (policy === '' ? rule : `${policy} ${rule}`));
  if (names.length === 0) return 'unknown';
  return names.length > MAX_RULES ? `one of ${names.length}` : names.join(' or ');
}

function documentOf({ rules }: AccessVerdict, { policies }: AccessRules): Source | null {
  const [first, ...others] = new Set(rules.map(({ policy }) => policy));
  const policy = others.length > 0 ? undefined : policies.find(({ id }) => id === first);
  if (policy === undefined) return null;
  const [namespace = '', name = ''] = policy.id.split('/');
  return { kind: 'AccessPolicy', namespace, name, rev: policy.revision, line: null };
}

function hitsOf({ answers }: MeshAnswers<NodeSummary>): ReadonlyMap<string, number> {
  const hits = new Map<string, number>();
  for (const { access } of answers.values()) {
    for (const one of access) {
      if (!one.isDryRun) hits.set(hitKey(one), (hits.get(hitKey(one)) ?? 0) + one.count);
    }
  }
  return hits;
}

function hitKey({ policy, rule }: { readonly policy: string; readonly rule: string }): string {
  return `${policy} ${rule}`;
}

/** Of several ports the one that stays open longest. */
function openUntilMs({ permissive }: AccessRules, destination: string, at?: number): number | null {
  const open = permissive.filter(
    (one) => `${one.namespace}/${one.service}` === destination && (at === undefined || one.port === at),
  );
  return open.length === 0 ? null : Math.max(...open.map(({ untilMs }) => untilMs));
}
