/** Rules that a service is held against: what is met, and what to do about the rest. Pure. @module */
import type { AccessRules } from '../../proxy/access/policy.ts';
import type { CallTarget, ServiceRoutes, TrafficPolicy } from '../../proxy/traffic/rules.ts';
import type { ApiDrift, Fact, ScoredRule } from '../console/shapes/services.ts';
import type { Certificate } from './mesh-catalog.ts';

/** What is known of one service. */
export interface ScoredService {
  /** 'namespace/service'. */
  readonly id: string;
  readonly facts: readonly Fact[];
  readonly endpoints: readonly {
    readonly state: string;
    readonly version: string;
    readonly labels: Readonly<Record<string, string>>;
  }[];
  readonly access: AccessRules;
  readonly policies: readonly TrafficPolicy[];
  readonly routes: readonly ServiceRoutes[];
  readonly plaintextCallers: readonly string[];
  readonly certificates: readonly Certificate[];
  /** Null: there is no OpenAPI document, and the rule is left out. */
  readonly api: ApiDrift | null;
  /** Null: this agent has no objectives, and the rule is left out. */
  readonly hasObjective: boolean | null;
  readonly nowMs: number;
}

const WANTED_READY = 2;
const MAX_NAMED = 3;
/** A certificate is renewed at about half of its life; with less than this share left, renewing does not work. */
const LEAST_LIFE_RATIO = 0.25;

export function scorecard(service: ScoredService): readonly ScoredRule[] {
  const { id, facts, endpoints, certificates, plaintextCallers, api, hasObjective, nowMs } = service;
  const has = (key: string): boolean => facts.some((fact) => fact.key === key);
  const [namespace, name] = splitId(id);
  const component = `the Component of ${id}`;
  const ready = endpoints.filter(({ state }) => state === 'ready').length;
  const open = permissivePorts(service);
  const nameless = endpoints.filter(({ version }) => version === '').length;
  const ending = certificates.filter(({ expiresMs, lifeMs }) => expiresMs - nowMs < LEAST_LIFE_RATIO * lifeMs);
  const rule = (ruleId: string, title: string, isMet: boolean, fix: string): ScoredRule => ({
    id: ruleId,
    title,
    isMet,
    fix: isMet ? '' : fix,
  });
  return [
    rule('owner', 'An owner is named', has('owner'), `set spec.owner in ${component}`),
    rule('description', 'It is described', has('description'), `set metadata.description in ${component}`),
    rule(
      'docs',
      'Documentation is linked',
      has('docs'),
      `add backstage.io/techdocs-ref, or a link titled Docs, to ${component}`,
    ),
    rule(
      'on-call',
      'Somebody is on call',
      has('onCall'),
      `add pagerduty.com/service-id, opsgenie.com/team or weft.dev/on-call to the annotations of ${component}`,
    ),
    rule(
      'replicas',
      `At least ${WANTED_READY} endpoints are ready`,
      ready >= WANTED_READY,
      `${ready} ${ready === 1 ? 'is' : 'are'} ready; run more workloads of ${name}, on more than one node`,
    ),
    rule(
      'mtls-strict',
      'No port lets plaintext in',
      open.length === 0,
      `take port ${open.join(', ')} of ${name} out of spec.mtls.permissive of MeshConfig default`,
    ),
    rule(
      'timeout',
      'A timeout is set for its requests',
      hasTimeout(service),
      `set spec.timeouts.request in a TrafficPolicy of ${namespace} about ${name}, or timeouts.request in its routes`,
    ),
    rule(
      'access',
      'Who may call it is said',
      hasAccessPolicy(service),
      `apply an AccessPolicy with action ALLOW about ${name}; weft catalog SERVICE shows who calls it`,
    ),
    rule(
      'version',
      'Every endpoint names its version',
      endpoints.length > 0 && nameless === 0,
      `set spec.version of the workloads of ${name}: ${nameless} of ${endpoints.length} endpoints have none`,
    ),
    rule(
      'plaintext',
      'Nobody calls it in plaintext',
      plaintextCallers.length === 0,
      `bring ${some(plaintextCallers)} into the mesh`,
    ),
    ...(api === null
      ? []
      : [
          rule(
            'openapi',
            'Its routes are those of its OpenAPI document',
            api.undeclared.length === 0 && api.problems.length === 0,
            openApiFix(api),
          ),
        ]),
    ...(hasObjective === null
      ? []
      : [
          rule(
            'slo',
            'An objective is set',
            hasObjective,
            `apply a ServiceLevelObjective about ${name} in ${namespace}: docs/history.md`,
          ),
        ]),
    rule(
      'certificate',
      'Its certificates are renewed in time',
      ending.length === 0,
      `look at weft check on ${[...new Set(ending.map(({ node }) => node))].join(', ')}: certificates end within a quarter of their life`,
    ),
  ];
}

function openApiFix({ definedBy, problems, undeclared }: ApiDrift): string {
  if (problems.length > 0) return some(problems);
  const routes = undeclared.map(({ method, template }) => `${method} ${template}`);
  return `describe ${some(routes)} in ${some(definedBy)}`;
}

function some(names: readonly string[]): string {
  return `${names.slice(0, MAX_NAMED).join(', ')}${names.length > MAX_NAMED ? ' and others' : ''}`;
}

function permissivePorts({ id, access, nowMs }: ScoredService): readonly number[] {
  const ports = access.permissive.filter(
    ({ namespace, service, untilMs }) => `${namespace}/${service}` === id && untilMs > nowMs,
  );
  return ports.map(({ port }) => port);
}

/** For whoever calls: one that holds for some callers, or some routes of several, leaves the others to wait for ever. */
function hasTimeout({ id, policies, routes }: ScoredService): boolean {
  const isByPolicy = policies.some(
    ({ target, settings }) => (settings.timeouts?.requestMs ?? 0) > 0 && isAbout(target, id) && isForAll(target),
  );
  const rules = routes.filter(({ service }) => service === id).flatMap(({ http }) => http);
  return isByPolicy || (rules.length > 0 && rules.every(({ timeouts }) => (timeouts.requestMs ?? 0) > 0));
}

function isForAll({ ports, routes, from }: CallTarget): boolean {
  return ports.length === 0 && routes.length === 0 && from.length === 0;
}

function isAbout({ namespace, services }: Pick<CallTarget, 'namespace' | 'services'>, id: string): boolean {
  const [own, name] = splitId(id);
  return (namespace === undefined || namespace === own) && (services.length === 0 || services.includes(name));
}

/** A default of deny says it for all: what no policy lets in stays out. */
function hasAccessPolicy({ id, access, endpoints, nowMs }: ScoredService): boolean {
  if (access.defaultAction === 'DENY') return true;
  return access.policies.some(
    ({ action, isDryRun, target, validFromMs = 0, validUntilMs = Number.POSITIVE_INFINITY }) =>
      action === 'ALLOW' &&
      !isDryRun &&
      validFromMs <= nowMs &&
      nowMs < validUntilMs &&
      isAbout(target, id) &&
      endpoints.every(({ labels }) => Object.entries(target.labels).every(([key, value]) => labels[key] === value)),
  );
}

export function splitId(id: string): readonly [namespace: string, name: string] {
  const slash = id.indexOf('/');
  return [id.slice(0, slash), id.slice(slash + 1)];
}
