/** What rules would be with a document that is not written yet, and which calls it is about. @module */
import { type DocumentKey, keyText } from '../../../gossip/documents/revision.ts';
import type { AccessTarget } from '../../../proxy/access/policy.ts';
import type { CallTarget, Fault } from '../../../proxy/traffic/rules.ts';
import type { CompiledAccessPolicy } from '../../documents/access-policy.ts';
import type { AgentDocuments } from '../../documents/agent-documents.ts';
import { meshAccessOf, OPEN_MESH } from '../../documents/mesh-config.ts';
import { type CompiledFault, type CompiledRoute, ROUTE_KINDS } from '../../traffic/compiled.ts';
import { splitId } from '../views/register.ts';
import type { ReplayedRules } from './replay.ts';

export interface Candidate {
  readonly before: ReplayedRules;
  /** Undefined: it changes how calls go, and how they would end cannot be told from what was kept. */
  readonly after: ReplayedRules | undefined;
  readonly isAbout: (service: string) => boolean;
}

type Documents = Pick<AgentDocuments, 'access' | 'traffic' | 'advisor'>;

/** @param value what the document compiles to @returns undefined for kinds that are about no calls */
export function candidateOf(key: DocumentKey, value: unknown, documents: Documents): Candidate | undefined {
  const { access, traffic, advisor } = documents;
  const before = { access: access.rules, routes: traffic.attached.routes, faults: traffic.rules.faults };
  if (key.kind === 'AccessPolicy') {
    // As it will be once it is in force, though that may begin later.
    const { validFromMs: _, ...policy } = value as CompiledAccessPolicy;
    const others = before.access.policies.filter(({ id }) => id !== policy.id);
    const policies = [...others, { ...policy, revision: '' }];
    return { before, after: { ...before, access: { ...before.access, policies } }, isAbout: isTarget(policy.target) };
  }
  if (key.kind === 'MeshConfig') {
    const after = { ...before, access: { ...before.access, ...meshAccessOf(value) } };
    return { before, after, isAbout: () => false };
  }
  const targets = new Set(advisor.targets(key, value));
  const isAbout = (service: string): boolean => targets.has(service);
  if (key.kind === 'FaultInjection') {
    const { ttlMs, ...fault } = value as CompiledFault;
    const made = { ...fault, origin: { ...key, revision: '', rule: '' }, untilMs: Date.now() + ttlMs };
    const isSame = ({ origin }: Fault): boolean => keyText(origin) === keyText(key);
    const isNew = !before.faults.some(isSame);
    const faults = isNew ? [...before.faults, made] : before.faults.map((one) => (isSame(one) ? made : one));
    return { before, after: { ...before, faults: traffic.hasFaults ? faults : before.faults }, isAbout };
  }
  if (!(ROUTE_KINDS as readonly string[]).includes(key.kind))
    return targets.size === 0 ? undefined : { before, after: undefined, isAbout };
  return { before, after: { ...before, routes: traffic.attachedWith(value as CompiledRoute).routes }, isAbout };
}

/** What rules would be without a document that is in use. @returns undefined for what is not, and for kinds that are about no calls */
export function candidateWithout(key: DocumentKey, documents: Documents): Candidate | undefined {
  const { access, traffic } = documents;
  const before = { access: access.rules, routes: traffic.attached.routes, faults: traffic.rules.faults };
  if (key.kind === 'MeshConfig') {
    return { before, after: { ...before, access: { ...before.access, ...OPEN_MESH } }, isAbout: () => false };
  }
  const about = aboutInUse(key, documents);
  if (about === undefined) return undefined;
  const { isAbout } = about;
  if (key.kind === 'AccessPolicy') {
    const policies = before.access.policies.filter(({ id }) => id !== `${key.namespace}/${key.name}`);
    return { before, after: { ...before, access: { ...before.access, policies } }, isAbout };
  }
  if (key.kind === 'FaultInjection') {
    const faults = before.faults.filter(({ origin }) => keyText(origin) !== keyText(key));
    return { before, after: { ...before, faults }, isAbout };
  }
  if (!(ROUTE_KINDS as readonly string[]).includes(key.kind)) return { before, after: undefined, isAbout };
  return { before, after: { ...before, routes: traffic.attachedWithout(key).routes }, isAbout };
}

/** Calls that a document in use is about: to which services, and whose if not everybody's. */
export interface About {
  readonly isAbout: (service: string) => boolean;
  readonly from: CallTarget['from'];
}

/** @returns undefined for what is not in use here, and for kinds that are about no calls */
export function aboutInUse(key: DocumentKey, { access, traffic, advisor }: Documents): About | undefined {
  if (key.kind === 'AccessPolicy') {
    const policy = access.rules.policies.find(({ id }) => id === `${key.namespace}/${key.name}`);
    return policy && { isAbout: isTarget(policy.target), from: [] };
  }
  const value = traffic.inUse(key);
  if (value === undefined) return undefined;
  const targets = new Set(advisor.targets(key, value));
  return { isAbout: (service) => targets.has(service), from: 'target' in value ? value.target.from : [] };
}

/** Labels of workloads are left out: who calls the service may call those. */
function isTarget({ namespace, services }: AccessTarget): (service: string) => boolean {
  return (service) => {
    const [own, name] = splitId(service);
    return (namespace === undefined || namespace === own) && (services.length === 0 || services.includes(name));
  };
}
