/** The list of services narrowed: one small filter, and facets that write it. Parts are joined by and, values by or. @module */
import type { ServiceRow } from '../../../shapes/services.ts';

export const FACETS = ['health', 'owner', 'language', 'protocol', 'ns', 'tier'] as const;
export type Facet = (typeof FACETS)[number];

const NOTHING = 'none';

/** What a row has of a facet; `none` for what nobody said. */
export function facetValue(row: ServiceRow, facet: Facet): string {
  switch (facet) {
    case 'health':
      return row.health;
    case 'owner':
      return row.owner ?? NOTHING;
    case 'language':
      return row.language?.value.split(' ')[0] ?? NOTHING;
    case 'protocol':
      return row.protocol === '' ? NOTHING : row.protocol;
    case 'ns':
      return row.namespace;
    case 'tier':
      return row.tier ?? NOTHING;
  }
}

/** `health:bad owner:a,b -ns:kube p99>500 text`; what is not understood is looked for in the name. */
export function matches(row: ServiceRow, filter: string): boolean {
  return words(filter).every((word) => {
    const isNot = word.startsWith('-');
    return holds(row, isNot ? word.slice(1) : word) !== isNot;
  });
}

/** A facet's values with how many rows have each, were the filter without that facet; most first. */
export function countFacet(
  rows: readonly ServiceRow[],
  facet: Facet,
  filter: string,
): readonly { readonly value: string; readonly count: number; readonly isChosen: boolean }[] {
  const others = words(filter)
    .filter((word) => !word.startsWith(`${facet}:`))
    .join(' ');
  const chosen = chosenOf(filter, facet);
  const counts = new Map<string, number>(chosen.map((value) => [value, 0]));
  for (const row of rows) {
    if (!matches(row, others)) continue;
    const value = facetValue(row, facet);
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return [...counts]
    .map(([value, count]) => ({ value, count, isChosen: chosen.includes(value) }))
    .toSorted((a, b) => b.count - a.count || a.value.localeCompare(b.value));
}

/** The filter with one value of a facet put in or taken out. */
export function toggle(filter: string, facet: Facet, value: string): string {
  const chosen = chosenOf(filter, facet);
  const wanted = chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value];
  const others = words(filter).filter((word) => !word.startsWith(`${facet}:`));
  return [...others, ...(wanted.length === 0 ? [] : [`${facet}:${wanted.map(quoted).join(',')}`])].join(' ');
}

function chosenOf(filter: string, facet: Facet): readonly string[] {
  const word = words(filter).find((one) => one.startsWith(`${facet}:`));
  return word === undefined ? [] : values(word.slice(facet.length + 1));
}

function holds(row: ServiceRow, word: string): boolean {
  const [, key, relation, value = ''] = /^([a-z0-9]+)(:|>|<)(.+)$/.exec(word) ?? [];
  if (relation === ':' && FACETS.includes(key as Facet)) {
    return values(value).includes(facetValue(row, key as Facet));
  }
  if (relation === '>' || relation === '<') {
    const figure = key === 'p99' ? row.p99Ms : key === 'failed' ? failedPercent(row) : row.requestsPerSec;
    const bound = Number.parseFloat(value) * (key === 'p99' && /\ds$/.test(value) ? 1_000 : 1);
    if (figure === null || Number.isNaN(bound)) return false;
    return relation === '>' ? figure > bound : figure < bound;
  }
  return row.id.toLowerCase().includes(word.replaceAll('"', '').toLowerCase());
}

function failedPercent({ appFailedRatio, meshFailedRatio }: ServiceRow): number | null {
  return appFailedRatio === null && meshFailedRatio === null
    ? null
    : 100 * ((appFailedRatio ?? 0) + (meshFailedRatio ?? 0));
}

function words(filter: string): readonly string[] {
  return filter.match(/(?:[^\s"]|"[^"]*")+/g) ?? [];
}

function values(text: string): readonly string[] {
  return (text.match(/(?:[^,"]|"[^"]*")+/g) ?? []).map((value) => value.replaceAll('"', ''));
}

function quoted(value: string): string {
  return /[\s,]/.test(value) ? `"${value}"` : value;
}
