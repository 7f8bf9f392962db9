/**
 * Entities of a software catalog as Backstage's catalog-info.yaml has them (backstage.io, "Descriptor Format of Catalog
 * Entities"). What Backstage asks for is asked for; fields that it does not know are kept as they are.
 * @module
 */
import { z } from 'zod';
import { type Compiled, compileBySchema, type DocumentKind } from './kind.ts';
import { dnsLabel, entityName } from './resource.ts';

const MAX_REFS = 1_000;
const MAX_LINKS = 100;

/** `[kind:][namespace/]name`. */
export const entityRef = z
  .string()
  .max(200)
  .regex(/^([^:/\s]+:)?([^:/\s]+\/)?[^:/\s]+$/, 'is no reference to an entity; write [kind:][namespace/]name');
const refs = z.array(entityRef).max(MAX_REFS).optional();
const word = z.string().min(1).max(1_024);
const text = z.string().max(65_536).optional();

const lifecycle = word.describe('experimental, production, deprecated ...');
const owner = entityRef.describe('A group, or user:NAME.');
const system = entityRef.optional().describe('What it is a part of.');
const dependsOn = refs.describe('Components and resources that it needs.');
const dependencyOf = refs.describe('Those that need it.');

const link = z.looseObject({
  url: word.describe('Where it leads.'),
  title: text.describe('What people call it.'),
  icon: text.describe('For Backstage.'),
  type: text.describe('docs, runbook, dashboard ...'),
});

const metadata = z.looseObject({
  name: entityName.describe('Unique within kind and namespace, whatever the case.'),
  namespace: dnsLabel.optional().describe('Default: default.'),
  title: text.describe('What people call it.'),
  description: text.describe('What it is there for.'),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  tags: z.array(word).max(MAX_REFS).optional().describe('Words to find it by.'),
  links: z.array(link).max(MAX_LINKS).optional().describe('Dashboards, documentation, runbooks.'),
});

/** Of every kind what Backstage's own schema requires, and the fields that relations follow from. */
const SPECS = {
  Component: z.looseObject({
    type: word.describe('service, website, library ...'),
    lifecycle,
    owner,
    system,
    subcomponentOf: entityRef.optional().describe('The component that it is a part of.'),
    providesApis: refs.describe('Of kind API.'),
    consumesApis: refs.describe('Of kind API.'),
    dependsOn,
    dependencyOf,
  }),
  API: z.looseObject({
    type: word.describe('openapi, asyncapi, graphql, grpc ...'),
    lifecycle,
    owner,
    system,
    definition: z
      .union([z.string(), z.looseObject({})])
      .describe('Its text, or where it is to be read from ($text); that is not followed here.'),
  }),
  Resource: z.looseObject({
    type: word.describe('database, s3-bucket ...'),
    owner,
    system,
    dependsOn,
    dependencyOf,
  }),
  System: z.looseObject({ owner, domain: entityRef.optional().describe('What it is a part of.') }),
  Domain: z.looseObject({ owner, subdomainOf: entityRef.optional().describe('What it is a part of.') }),
  Group: z.looseObject({
    type: word.describe('team, business-unit ...'),
    children: z.array(entityRef).max(MAX_REFS).describe('Groups within it; may be empty.'),
    parent: entityRef.optional().describe('The group that it is within.'),
    members: refs.describe('Users.'),
  }),
  User: z.looseObject({ memberOf: refs.describe('Groups.') }),
  Location: z.looseObject({
    type: word.optional().describe('url, file ...'),
    target: word.optional().describe('Where more entities are; that is not followed here.'),
    targets: z.array(word).max(MAX_REFS).optional().describe('The same, several.'),
  }),
} as const;

export type EntityKind = keyof typeof SPECS;
export const ENTITY_KINDS = Object.keys(SPECS) as readonly EntityKind[];

/** An entity as it was written. What relations and facts are read from has a type; all else is there as well. */
export interface Entity {
  readonly apiVersion: string;
  readonly kind: EntityKind;
  readonly metadata: z.output<typeof metadata>;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

function kindOf(kind: EntityKind): DocumentKind {
  const spec: z.ZodType = SPECS[kind];
  const schema = z.looseObject({
    apiVersion: z.enum(['backstage.io/v1alpha1', 'backstage.io/v1beta1']).describe('As Backstage has it.'),
    kind: z.literal(kind),
    metadata,
    spec: kind === 'User' ? spec.optional() : spec,
  });
  return { kind, schema, compile: (resource): Compiled => compileBySchema(schema, resource) };
}

export const catalogKinds: readonly DocumentKind[] = ENTITY_KINDS.map(kindOf);
