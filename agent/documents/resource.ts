/** A resource as people write it and as documents carry it: apiVersion, kind, metadata, spec. @module */
import { z } from 'zod';
import type { DocumentKey } from '../../gossip/documents/revision.ts';
import { describeKey, keyText } from '../../gossip/documents/revision.ts';

export const dnsLabel = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'use at most 63 lower-case letters, digits and -');
export const dnsName = z
  .string()
  .max(253)
  .regex(
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
    'use lower-case letters, digits, - and . only',
  );
/** Entities of a catalog (Backstage): names in either case and with `_`, and a namespace that may be left out. */
const CATALOG_API = /^backstage\.io\//;
const DEFAULT_NAMESPACE = 'default';
export const entityName = z
  .string()
  .max(63)
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*$/,
    'use at most 63 letters, digits, -, _ and . between them',
  );
const text = z.record(z.string().max(317), z.string().max(4_096));

const named = z.object({ apiVersion: z.string().optional(), metadata: z.object({ name: z.string() }) });

function nameProblem({ apiVersion = '', metadata: { name } }: z.output<typeof named>): string | undefined {
  const allowed = (CATALOG_API.test(apiVersion) ? entityName : dnsName).safeParse(name);
  return allowed.success
    ? undefined
    : `"${name}" is no name; ${allowed.error.issues.map(({ message }) => message).join('; ')}`;
}

/** What every kind has in common. What a kind's own schema says of `spec` comes on top, where this version knows it. */
export const resourceSchema = z
  .looseObject({
    apiVersion: z.string().min(1).max(253).describe('Group and version of the kind, such as weft.dev/v1alpha1.'),
    kind: z
      .string()
      .regex(/^[A-Z][A-Za-z0-9]{0,62}$/, 'use a word in CamelCase, such as AccessPolicy')
      .describe('What it is.'),
    metadata: z
      .looseObject({
        name: z.string().describe('Unique within kind and namespace.'),
        namespace: dnsLabel.optional().describe('Left out for what concerns the mesh as a whole.'),
        labels: text.optional(),
        annotations: text.optional(),
        revision: z
          .string()
          .regex(/^[0-9a-f]{8,32}$/, 'use a revision as weft get -o yaml prints it, or leave it out')
          .optional()
          .describe('The revision this was made from: a write is refused when another is in force by then.'),
      })
      .describe('Who it is.'),
  })
  .refine((resource) => nameProblem(resource) === undefined, {
    path: ['metadata', 'name'],
    when: ({ value }) => named.safeParse(value).success, // whatever else is wrong with it
    error: ({ input }) => nameProblem(named.parse(input)),
  });

export type Resource = z.output<typeof resourceSchema>;

/**
 * MeshConfig and the like have no namespace; every kind we do not know may have one. Names of a catalog that differ in case
 * only are one.
 */
export function keyOf({ apiVersion, kind, metadata }: Pick<Resource, 'apiVersion' | 'kind' | 'metadata'>): DocumentKey {
  if (CATALOG_API.test(apiVersion)) {
    return { kind, namespace: metadata.namespace ?? DEFAULT_NAMESPACE, name: metadata.name.toLowerCase() };
  }
  return { kind, namespace: metadata.namespace ?? '', name: metadata.name };
}

/**
 * A scope is held against the key that a document was signed as, and consumers go by what the resource says of itself: so
 * these must be one, or an operator of one namespace could write the policy of another.
 *
 * @returns what is wrong; undefined when they are the same
 */
export function keyProblem(key: DocumentKey, resource: Resource): string | undefined {
  const inside = keyOf(resource);
  if (keyText(key) === keyText(inside)) return undefined;
  return `it is signed as ${describeKey(key)} and says that it is ${describeKey(inside)}`;
}

/**
 * The bytes of a resource: JSON with sorted keys, so that the same resource is the same document whoever writes it. The
 * revision a file was made from is no part of what it says, nor is what `weft get` printed of its status.
 */
export function encodeResource(resource: Resource): Uint8Array {
  const { revision: _revision, ...metadata } = resource.metadata;
  const { status: _status, ...said } = resource;
  return new TextEncoder().encode(JSON.stringify(sorted({ ...said, metadata })));
}

/** @returns undefined for bytes that are no resource */
export function decodeResource(body: Uint8Array): Resource | undefined {
  try {
    const result = resourceSchema.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)));
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
