/** Where rules lead: backends as written become services that are there, or a reason why not. Pure. @module */
import type { Backend, HttpActions, HttpRule, Mirror, StreamRule } from '../../proxy/traffic/rules.ts';
import type { BackendRef, CompiledGrant, CompiledRoute, HttpDraft, StreamDraft } from './compiled.ts';
import type { Problem } from './conditions.ts';
import type { ServiceLookup } from './service-facts.ts';

export type ActiveRoute = CompiledRoute & { readonly revision: string };

export interface ResolveContext {
  readonly services: ServiceLookup;
  readonly grants: readonly CompiledGrant[];
}

/** A route at one of its parents. */
export interface Place extends ResolveContext {
  readonly route: ActiveRoute;
  /** Callers dial into it anyhow: what is there needs no grant. */
  readonly parentNamespace: string;
}

const ROUTE_GROUP = 'gateway.networking.k8s.io';

export function resolveHttp(draft: HttpDraft, position: number, place: Place): { rule: HttpRule; refs: Problem[] } {
  const refs: Problem[] = [];
  const { matches, timeouts, retry, affinity } = draft;
  const mirrors = draft.mirrors.flatMap(({ backend, percent }): Mirror[] => {
    const problem = backendProblem(backend, place);
    if (problem === undefined) return [{ backend: toBackend(backend), percent }];
    refs.push(problem);
    return [];
  });
  const answers = draft.actions.redirect !== undefined || draft.actions.respond !== undefined;
  const backends = answers ? [] : resolveBackends(draft.backends, place, refs);
  const actions: HttpActions = draft.problem === undefined ? { ...draft.actions, mirrors } : { mirrors: [] };
  return {
    rule: {
      ...headOf(draft.name, position, place),
      matches,
      actions,
      backends: draft.problem === undefined ? backends : [nowhere(draft.problem)],
      timeouts,
      ...(retry === undefined ? {} : { retry }),
      ...(affinity === undefined ? {} : { affinity }),
    },
    refs,
  };
}

export function resolveStream(
  draft: StreamDraft,
  position: number,
  place: Place,
): { rule: StreamRule; refs: Problem[] } {
  const refs: Problem[] = [];
  const { serverNames } = draft;
  const backends = resolveBackends(draft.backends, place, refs);
  return { rule: { ...headOf(draft.name, position, place), serverNames, backends }, refs };
}

/** Why a backend cannot be used; undefined when it can. */
export function backendProblem(
  ref: BackendRef,
  { route, parentNamespace, services, grants }: Place,
): Problem | undefined {
  const { group, kind, namespace, name, port = 0 } = ref;
  const id = `${namespace}/${name}`;
  if (kind !== 'Service' || (group !== '' && group !== 'core')) {
    return {
      reason: 'InvalidKind',
      message: `backend ${id} is a ${kind}${group === '' ? '' : ` of ${group}`}; use a Service`,
    };
  }
  if (namespace !== route.namespace && namespace !== parentNamespace && !isGranted(ref, route, grants)) {
    const message = `no ReferenceGrant in ${namespace} lets a ${route.kind} of ${route.namespace} lead to Service ${name}`;
    return { reason: 'RefNotPermitted', message };
  }
  const service = services(id);
  if (service === undefined) return { reason: 'BackendNotFound', message: `there is no service ${id}` };
  if (service.ports.some((one) => one.port === port)) return undefined;
  const ports = service.ports.map((one) => one.port).join(', ');
  const has = ports === '' ? 'it has none' : `it has ${ports}`;
  return { reason: 'BackendNotFound', message: `service ${id} has no port ${port}; ${has}` };
}

function isGranted(
  { group, kind, namespace, name }: BackendRef,
  route: ActiveRoute,
  grants: readonly CompiledGrant[],
): boolean {
  return grants.some(
    (grant) =>
      grant.namespace === namespace &&
      grant.from.some(
        (from) => from.group === ROUTE_GROUP && from.kind === route.kind && from.namespace === route.namespace,
      ) &&
      grant.to.some((to) => to.group === group && to.kind === kind && (to.name ?? name) === name),
  );
}

/** What gets nothing is no trouble when it is not there. */
function resolveBackends(written: readonly BackendRef[], place: Place, refs: Problem[]): readonly Backend[] {
  const backends = written.flatMap((ref): Backend[] => {
    const problem = backendProblem(ref, place);
    if (problem === undefined) return [toBackend(ref)];
    if (ref.weight === 0) return [];
    refs.push(problem);
    return [{ ...toBackend(ref), problem: problem.message }];
  });
  if (backends.some(({ weight }) => weight > 0)) return backends;
  return [nowhere(written.length === 0 ? 'the rule names no backend' : 'all weights of the rule are 0')];
}

/** All of it gets a 500. */
function nowhere(problem: string): Backend {
  return { service: '', port: 0, weight: 1, problem };
}

function toBackend({
  namespace,
  name,
  port = 0,
  weight,
  subset,
  requestHeaders,
  responseHeaders,
}: BackendRef): Backend {
  return {
    service: `${namespace}/${name}`,
    port,
    weight,
    ...(subset === undefined ? {} : { subset }),
    ...(requestHeaders === undefined ? {} : { requestHeaders }),
    ...(responseHeaders === undefined ? {} : { responseHeaders }),
  };
}

function headOf(rule: string, position: number, { route }: Place) {
  const { kind, namespace, name, revision, createdAtMs } = route;
  return { origin: { kind, namespace, name, revision, rule }, createdAtMs, position };
}
