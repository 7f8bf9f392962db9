/** Parts of a cluster by name: as a policy defines them by labels, else the endpoints of the version of that name. @module */

import type { PolicySettings } from '../traffic/rules.ts';

export interface Labelled {
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string;
}

/** @param name undefined: all endpoints */
export function isInSubset(endpoint: Labelled, name: string | undefined, subsets: PolicySettings['subsets']): boolean {
  if (name === undefined) return true;
  const labels = subsets !== undefined && Object.hasOwn(subsets, name) ? subsets[name] : undefined;
  if (labels === undefined) return endpoint.version === name;
  return Object.entries(labels).every(
    ([label, value]) => Object.hasOwn(endpoint.labels, label) && endpoint.labels[label] === value,
  );
}

/** Names of all subsets there are. */
export function subsetNames(endpoints: Iterable<Labelled>, subsets: PolicySettings['subsets']): readonly string[] {
  const names = new Set(Object.keys(subsets ?? {}));
  for (const { version } of endpoints) if (version !== '') names.add(version);
  return [...names].sort();
}
