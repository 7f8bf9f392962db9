/** Who may see and do what in the console: roles for namespaces. Pure. @module */
import type { z } from 'zod';
import { scopeCovers } from '../../../certs/scope.ts';
import type { role } from '../shapes/common.ts';

export type Role = z.infer<typeof role>;

export interface Grant {
  readonly role: Role;
  /** `*` is every namespace, and the mesh as a whole. */
  readonly namespaces: readonly string[];
}

/** Kinds that say who may do what; all others are about traffic. */
export const SECURE_KINDS: ReadonlySet<string> = new Set(['AccessPolicy', 'MeshConfig', 'TrustBundle', 'Revocation']);

const INCLUDES: Readonly<Record<Role, readonly Role[]>> = {
  view: ['view', 'operate', 'secure'],
  operate: ['operate', 'secure'],
  secure: ['secure'],
};

/** @param namespace '' for the mesh as a whole */
export function hasRole(grants: readonly Grant[], wanted: Role, namespace: string): boolean {
  return grants.some(
    ({ role, namespaces }) =>
      INCLUDES[wanted].includes(role) &&
      (namespaces.includes('*') || (namespace !== '' && namespaces.includes(namespace))),
  );
}

export function roleFor(kind: string): Role {
  return SECURE_KINDS.has(kind) ? 'secure' : 'operate';
}

/** Namespaces that may be looked at; undefined for all. */
export function seenNamespaces(grants: readonly Grant[]): ReadonlySet<string> | undefined {
  const all = grants.flatMap(({ namespaces }) => namespaces);
  return all.includes('*') ? undefined : new Set(all);
}

/**
 * What an operator's certificate comes to: they may look everywhere, and publish what its scope covers. The agents check each
 * document against the scope itself; this only tells the console what to offer.
 */
export function grantsOfScope(scope: readonly string[]): readonly Grant[] {
  const places = [...new Set(scope.map((pattern) => pattern.split('/')[1] ?? ''))];
  const covered = (role: Role, kinds: readonly string[]): readonly Grant[] => {
    const namespaces = places
      .filter((place) =>
        kinds.every((kind) => scopeCovers(scope, kind, place === '-' ? '' : place === '*' ? 'any' : place)),
      )
      .filter((place) => place !== '-');
    return namespaces.length === 0 ? [] : [{ role, namespaces }];
  };
  return [
    { role: 'view', namespaces: ['*'] },
    ...covered('operate', ['HTTPRoute', 'TrafficPolicy']),
    ...covered('secure', ['AccessPolicy']),
  ];
}

/** @returns why somebody may not publish such a document; undefined when they may, as far as the console is concerned */
export function publishProblem(
  { name, grants }: { readonly name: string | null; readonly grants: readonly Grant[] },
  { kind, namespace }: { readonly kind: string; readonly namespace: string },
): string | undefined {
  // Whoever is on this machine could run `weft apply` as well: there the signature alone counts.
  const role = roleFor(kind);
  if (name === null || hasRole(grants, role, namespace)) return undefined;
  return `${kind}: role ${role} for ${namespace === '' ? 'all namespaces' : `namespace ${namespace}`} is needed`;
}
