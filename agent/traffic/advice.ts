/**
 * What documents about traffic say that is allowed and yet probably a mistake: told to whoever writes them, and to whoever
 * looks; refused by nobody. Pure.
 * @module
 */
import type { CallTarget, Fault, PolicySettings, RateLimit, TrafficPolicy } from '../../proxy/traffic/rules.ts';
import type { KnownService } from '../access/advice.ts';
import { nearest } from '../nearest.ts';
import type { Attached } from './attach.ts';
import { routeId } from './attach.ts';
import { conditionsText } from './conditions.ts';
import type { ActiveRoute } from './resolve.ts';
import type { ServiceLookup } from './service-facts.ts';
import { shadowsIn } from './shadows.ts';

export interface KnownEndpoint {
  readonly namespace: string;
  readonly service: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string;
}

/** What this node knows at the moment. */
export interface TrafficKnown {
  readonly attached: Attached;
  readonly policies: readonly TrafficPolicy[];
  readonly limits: readonly RateLimit[];
  readonly hasFaults: boolean;
  readonly service: ServiceLookup;
  readonly services: readonly KnownService[];
  readonly endpoints: readonly KnownEndpoint[];
  readonly nowMs: number;
}

/** Of one document; what is more is counted. */
const MAX_ADVICE = 10;

/** @param known with the route attached */
export function adviceOnRoute(route: ActiveRoute, known: TrafficKnown): readonly string[] {
  const parents = known.attached.statuses.get(routeId(route)) ?? [];
  const state = conditionsText(parents);
  const services = new Set(route.parents.map(({ namespace, name }) => `${namespace}/${name}`));
  const places = known.attached.routes.filter(({ service }) => services.has(service));
  const own = ({
    origin,
  }: {
    readonly origin: { readonly kind: string; readonly namespace: string; readonly name: string };
  }) => routeId(origin) === routeId(route);
  const shadowed = places.flatMap(({ http, port }) =>
    shadowsIn(http)
      .filter(({ rule }) => own(rule))
      .map(({ rule, match, by }) => {
        const what = match === 0 ? `rule ${rule.origin.rule}` : `match ${match} of rule ${rule.origin.rule}`;
        const winner = own(by) ? `rule ${by.origin.rule}` : `rule ${by.origin.rule} of ${routeId(by.origin)}`;
        return `${what} never wins on port ${port}: ${winner} says the same and goes before it`;
      }),
  );
  const rules = places.flatMap(({ http, streams }) => [...http, ...streams]).filter(own);
  const idle = rules
    .filter(
      ({ backends }) => backends.length === 1 && backends[0]!.service === '' && backends[0]!.problem !== undefined,
    )
    .map(({ origin, backends }) => `rule ${origin.rule} leads nowhere: ${backends[0]!.problem}`);
  const subsets = rules.flatMap(({ backends }) =>
    backends.flatMap(({ service, subset }) => (subset === undefined ? [] : subsetAdvice(service, subset, known))),
  );
  return bounded([
    ...(parents.length === 0 ? ['it takes no effect: no parentRef names a Service (group: "", kind: Service)'] : []),
    ...(parents.length === 0 || state === 'accepted' ? [] : [state]),
    ...shadowed,
    ...idle.filter((text) => !state.includes(text)),
    ...subsets,
    ...route.notes,
  ]);
}

export function adviceOnTrafficPolicy(policy: TrafficPolicy, known: TrafficKnown): readonly string[] {
  const { target, settings, origin } = policy;
  const others = known.policies.filter(
    (other) => sameTarget(other.target, target) && routeId(other.origin) !== routeId(origin),
  );
  const twice = others.flatMap((other) => {
    const fields = fieldsOf(settings).filter((field) => fieldsOf(other.settings).includes(field));
    return fields.length === 0
      ? []
      : [`${routeId(other.origin)} sets ${fields.join(', ')} for the same calls; keep one`];
  });
  const subsets = Object.entries(settings.subsets ?? {}).flatMap(([name, labels]) => {
    const behind = endpointsOf(target, known);
    if (behind.length === 0 || behind.some((endpoint) => hasLabels(endpoint, labels))) return [];
    return [`subset ${name} has no endpoint: none has the labels ${labelText(labels)}`];
  });
  const fallbacks = (settings.fallbacks ?? []).flatMap((fallback) =>
    fallback.kind !== 'service' || known.service(fallback.service)?.ports.some(({ port }) => port === fallback.port)
      ? []
      : [`fallback ${fallback.service}:${fallback.port} is not known now`],
  );
  return bounded([...targetAdvice(target, known), ...twice, ...subsets, ...fallbacks]);
}

export function adviceOnLimit(limit: RateLimit, known: TrafficKnown): readonly string[] {
  const others = known.limits.filter(
    (other) =>
      other.per === limit.per &&
      sameTarget(other.target, limit.target) &&
      routeId(other.origin) !== routeId(limit.origin),
  );
  return bounded([
    ...targetAdvice(limit.target, known),
    ...others.map((other) => `${routeId(other.origin)} limits the same calls per ${limit.per}; both hold`),
  ]);
}

export function adviceOnFault({ target, untilMs }: Fault, known: TrafficKnown): readonly string[] {
  return bounded([
    ...targetAdvice(target, known),
    ...(untilMs <= known.nowMs ? [`it takes no effect: it ended at ${new Date(untilMs).toISOString()}`] : []),
    ...(known.hasFaults ? [] : ['it takes no effect: spec.faults of the MeshConfig is off']),
  ]);
}

/** Services, ports and routes that a target names and nobody knows. */
function targetAdvice({ namespace, services, ports, routes }: CallTarget, known: TrafficKnown): readonly string[] {
  const advice: string[] = [];
  for (const name of services) {
    const inReach = known.services.filter((one) => namespace === undefined || one.namespace === namespace);
    const found = inReach.filter(({ service }) => service === name);
    if (found.length === 0 && (namespace === undefined || known.service(`${namespace}/${name}`) === undefined)) {
      const guess = nearest(
        name,
        inReach.map(({ service }) => service),
      );
      advice.push(
        `no service ${namespace ?? '*'}/${name} is known now${guess === undefined ? '' : `; did you mean ${guess}?`}`,
      );
      continue;
    }
    const facts = found.flatMap((one) => known.service(`${one.namespace}/${one.service}`) ?? []);
    const lacking = ports.filter(
      (port) => facts.length > 0 && !facts.some((fact) => fact.ports.some((one) => one.port === port)),
    );
    for (const port of lacking) advice.push(`service ${namespace ?? '*'}/${name} has no port ${port}`);
  }
  return [
    ...advice,
    ...routes.filter((route) => !known.attached.statuses.has(route)).map((route) => `no route ${route} is known now`),
  ];
}

/** A subset is one that a policy of the service describes, or a version. */
function subsetAdvice(service: string, subset: string, known: TrafficKnown): readonly string[] {
  const [namespace = '', name = ''] = service.split('/');
  const behind = known.endpoints.filter((one) => one.namespace === namespace && one.service === name);
  const described = known.policies.flatMap(({ target, settings }) => {
    const isAbout =
      (target.namespace ?? namespace) === namespace && (target.services.length === 0 || target.services.includes(name));
    const labels = isAbout ? settings.subsets?.[subset] : undefined;
    return labels === undefined ? [] : [labels];
  });
  const [labels] = described;
  const hasAny = behind.some((endpoint) =>
    labels === undefined
      ? endpoint.version === subset || endpoint.labels.version === subset
      : hasLabels(endpoint, labels),
  );
  if (hasAny) return [];
  const why =
    labels === undefined
      ? 'no TrafficPolicy describes it, and no endpoint is of that version'
      : `none has the labels ${labelText(labels)}`;
  return [`subset ${subset} of ${service} has no endpoint: ${why}`];
}

function endpointsOf({ namespace, services }: CallTarget, { endpoints }: TrafficKnown): readonly KnownEndpoint[] {
  return endpoints.filter(
    (one) =>
      (namespace === undefined || one.namespace === namespace) &&
      (services.length === 0 || services.includes(one.service)),
  );
}

function hasLabels({ labels }: KnownEndpoint, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}

function fieldsOf(settings: PolicySettings): readonly string[] {
  return Object.keys(settings);
}

function sameTarget(a: CallTarget, b: CallTarget): boolean {
  const text = ({ namespace = '', services, ports, routes, from }: CallTarget) =>
    JSON.stringify([
      namespace,
      [...services].sort(),
      [...ports].sort(),
      [...routes].sort(),
      from.map((one) => JSON.stringify(one)).sort(),
    ]);
  return text(a) === text(b);
}

function bounded(advice: readonly string[]): readonly string[] {
  const all = [...new Set(advice)];
  return all.length <= MAX_ADVICE ? all : [...all.slice(0, MAX_ADVICE), `and ${all.length - MAX_ADVICE} more`];
}
