/** Whose requests of the last hour would end differently, as text. @module */
import type { AffectedView, ImpactView } from '../documents/views.ts';
import { type Column, table } from './output.ts';

const MAX_ROWS = 20;

const COLUMNS: readonly Column<AffectedView>[] = [
  { heading: 'CALLER', text: ({ service }) => service },
  { heading: 'CALLED', text: ({ to }) => to },
  { heading: 'REQUESTS', text: ({ requests }) => String(requests) },
  { heading: 'DIFFERENT', text: ({ changed }) => (changed === null ? '-' : String(changed)) },
  { heading: 'NOT KNOWN', text: ({ unknown }) => String(unknown) },
  { heading: 'HOW', text: ({ how }) => how.join('; ') },
];

/** Lines that are indented, to stand below the document they are about. */
export function impactText({ counted, affected, coverage }: ImpactView): string {
  const { asked, answered, missing } = coverage;
  const without =
    missing.length === 0 ? '' : `, not ${missing.map(({ node, reason }) => `${node} (${reason})`).join(', ')}`;
  const by = `${answered} of ${asked} nodes answered${without}`;
  if (counted === 0)
    return `  whose requests would end differently is not known: none of the last hour was counted (${by})\n`;
  if (affected.length === 0) return `  of ${counted} requests of the last hour none would end differently (${by})\n`;
  const more = affected.length - MAX_ROWS;
  const rows = table(affected.slice(0, MAX_ROWS), COLUMNS).trimEnd().split('\n');
  return [
    `  of the last hour (${by}):`,
    ...rows.map((row) => `    ${row}`),
    ...(more > 0 ? [`    and ${more} more; -o json has them all`] : []),
    '',
  ].join('\n');
}
