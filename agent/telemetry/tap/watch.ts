/** What workers are to watch for so that a tap sees what it asks for, and as little besides as can be said to them. Pure. @module */
import { REASONS, type ReasonCode } from '../../../proxy/reasons.ts';
import type { TapFilter } from '../../../proxy/telemetry/taps.ts';
import type { FilterField, FilterTerm } from '../record-filter.ts';

export function watchOf(id: string, terms: readonly FilterTerm[], untilMs: number): TapFilter {
  const source = only(terms, 'from');
  const destination = only(terms, 'to');
  const path = only(terms, 'path');
  const method = only(terms, 'method');
  const status = only(terms, 'status');
  const reason = only(terms, 'reason');
  return {
    id,
    untilMs,
    // Where requests come in only identities are known, so that a service would miss those.
    ...(source?.startsWith('spiffe://') ? { source } : {}),
    ...(destination?.includes('/') ? { destination } : {}),
    ...(path === undefined ? {} : { pathPrefix: path.split('*', 1)[0]! }),
    ...(method === undefined ? {} : { method: method.toUpperCase() }),
    ...(status !== undefined && /^[1-5](?:xx|\d\d)$/i.test(status) ? { statusClass: Number(status[0]) } : {}),
    ...(reason !== undefined && isReason(reason) ? { reason } : {}),
  };
}

/** The value that requests must have in this field, where there is one alone. */
function only(terms: readonly FilterTerm[], field: FilterField): string | undefined {
  const values = terms.filter((term) => term.field === field && !term.isNegated && term.values.length === 1);
  return values[0]?.values[0];
}

function isReason(text: string): text is ReasonCode {
  return Object.hasOwn(REASONS, text);
}
