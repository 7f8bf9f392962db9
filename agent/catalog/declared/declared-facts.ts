/** What a component's document says of a service, as facts. Pure. @module */
import type { Fact } from '../../console/shapes/services.ts';
import type { Entity } from '../../documents/catalog-entities.ts';
import type { DeclaredEntity } from './entities.ts';
import { type EntityRef, refsIn, refText } from './entity-ref.ts';

/** Finds an entity by its reference. */
export type EntityLookup = (ref: string) => DeclaredEntity | undefined;

const HOSTS: Readonly<Record<string, string>> = {
  'github.com/project-slug': 'https://github.com/',
  'gitlab.com/project-slug': 'https://gitlab.com/',
  'bitbucket.org/project-slug': 'https://bitbucket.org/',
};
const TIERS = ['weft.dev/tier', 'backstage.io/tier', 'tier'];
const DOCS = /doc|guide|readme|handbook|wiki/i;
const RUNBOOK = /runbook|playbook/i;
const ON_CALL = /on.?call|pager|escalation/i;
/** What an export says where nobody has said anything: Backstage asks for a word. */
export const UNKNOWN = 'unknown';
/** More of one key are left out. */
const MAX_OF_A_KEY = 8;

export function declaredFacts(declared: DeclaredEntity, find: EntityLookup): readonly Fact[] {
  const { entity, writtenAtMs } = declared;
  const { metadata, spec = {} } = entity;
  const by = `${entity.kind} ${metadata.namespace ?? 'default'}/${metadata.name}`;
  const facts: Fact[] = [];
  const say = (key: string, value: unknown): void => {
    if (typeof value !== 'string' || value === '' || value === UNKNOWN) return;
    if (facts.filter((fact) => fact.key === key).length >= MAX_OF_A_KEY) return;
    facts.push({ key, value, source: 'declared', by, atMs: writtenAtMs === 0 ? null : writtenAtMs });
  };
  const { annotations = {}, labels = {}, links = [] } = metadata;
  say('owner', ownerOf(entity));
  say('description', metadata.description);
  say('lifecycle', spec.lifecycle);
  say('type', spec.type);
  say(
    'tier',
    TIERS.map((name) => annotations[name] ?? labels[name]).find((tier) => tier !== undefined),
  );
  const [system] = refsIn(entity, 'system', 'system');
  if (system !== undefined) {
    say('system', shortRef(system, entity));
    const [domain] = domainsOf(find(refText(system))?.entity);
    if (domain !== undefined) say('domain', shortRef(domain, entity));
  }
  say('repository', repositoryOf(annotations));
  const docs = annotations['backstage.io/techdocs-ref'];
  if (docs !== undefined) say('docs', docs.replace(/^url:/, ''));
  for (const { url, title = '', type = '', icon = '' } of links) {
    const words = `${title} ${type} ${icon}`;
    if (ON_CALL.test(words)) say('onCall', url);
    else if (RUNBOOK.test(words)) say('runbook', url);
    else if (DOCS.test(words)) say('docs', url);
    else say('link', title === '' ? url : `${title}: ${url}`);
  }
  for (const value of onCallOf(annotations)) say('onCall', value);
  for (const tag of metadata.tags ?? []) say('tag', tag);
  return facts;
}

const LABELS: Readonly<Record<string, string>> = {
  'weft.dev/owner': 'owner',
  'weft.dev/tier': 'tier',
  'app.kubernetes.io/part-of': 'system',
};

/** What labels of its workloads say; after its component, which is signed. */
export function labelFacts(
  endpoints: readonly { readonly workload: string; readonly labels: Readonly<Record<string, string>> }[],
): readonly Fact[] {
  const facts = new Map<string, Fact>();
  for (const { workload, labels } of endpoints) {
    for (const [label, key] of Object.entries(LABELS)) {
      const value = labels[label] ?? '';
      if (value === '' || facts.has(`${key} ${value}`)) continue;
      facts.set(`${key} ${value}`, { key, value, source: 'declared', by: `labels of ${workload}`, atMs: null });
    }
  }
  return [...facts.values()];
}

/** `team-a`, `pay/team-a` of another namespace, `user:jane`. */
export function ownerOf(entity: Pick<Entity, 'metadata' | 'spec'>): string | undefined {
  const [owner] = refsIn(entity, 'owner', 'group');
  return owner === undefined ? undefined : shortRef(owner, entity, 'group');
}

function domainsOf(system: Entity | undefined): readonly EntityRef[] {
  return system === undefined ? [] : refsIn(system, 'domain', 'domain');
}

function shortRef({ kind, namespace, name }: EntityRef, from: Pick<Entity, 'metadata'>, usual = kind): string {
  const place = namespace === (from.metadata.namespace ?? 'default') ? name : `${namespace}/${name}`;
  return kind === usual ? place : `${kind}:${place}`;
}

function repositoryOf(annotations: Readonly<Record<string, string>>): string | undefined {
  const location = annotations['backstage.io/source-location'];
  if (location !== undefined) return location.replace(/^url:/, '');
  for (const [name, host] of Object.entries(HOSTS)) {
    const slug = annotations[name];
    if (slug !== undefined) return `${host}${slug}`;
  }
  return undefined;
}

/** Keys of integrations are secrets, and are not shown: it is enough that there is one. */
function onCallOf(annotations: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(annotations).flatMap(([name, value]) => {
    if (name === 'pagerduty.com/service-id') return [`PagerDuty service ${value}`];
    if (name === 'pagerduty.com/integration-key') return ['PagerDuty'];
    if (name === 'opsgenie.com/team') return [`Opsgenie team ${value}`];
    if (name === 'opsgenie.com/component-selector') return [`Opsgenie ${value}`];
    if (/^(splunk|victorops)\.com\/on-call/.test(name)) return [`Splunk On-Call ${value}`];
    if (name === 'weft.dev/on-call') return [value];
    return [];
  });
}
