/** What workers are to watch for so that a tap sees what it asks for, and as little besides as can be said to them. Pure. @module */
import { REASONS, type ReasonCode } from '../../../proxy/reasons.ts';
import type { TapFilter } from '../../../proxy/telemetry/taps.ts';
import { durationBound, type FilterField, type FilterTerm } from '../record-filter.ts';

/** What stands for a name in records, which somebody may have copied from there: workers know names alone. */
const HASHED_USER = /^[0-9a-f]{16}$/;

export function watchOf(id: string, terms: readonly FilterTerm[], untilMs: number): TapFilter {
  const services = anyOf(terms, 'service');
  const sources = anyOf(terms, 'from');
  const destinations = anyOf(terms, 'to');
  const users = anyOf(terms, 'user');
  const path = only(terms, 'path');
  const method = only(terms, 'method');
  const status = only(terms, 'status');
  const reason = only(terms, 'reason');
  const duration = durationBound(only(terms, 'duration') ?? '');
  return {
    id,
    untilMs,
    ...(services === undefined ? {} : { services }),
    ...(sources === undefined ? {} : { sources }),
    ...(destinations === undefined ? {} : { destinations }),
    ...(users === undefined || users.some((user) => HASHED_USER.test(user)) ? {} : { users }),
    ...(path === undefined ? {} : { pathPrefix: path.split(/[*{]/, 1)[0]! }), // a brace stands for what was taken out
    ...(method === undefined ? {} : { method: method.toUpperCase() }),
    ...(status !== undefined && /^[1-5](?:xx|\d\d)$/i.test(status) ? { statusClass: Number(status[0]) } : {}),
    ...(reason !== undefined && isReason(reason) ? { reason } : {}),
    ...(duration?.isLonger === true ? { minMs: duration.ms } : {}),
  };
}

/** Values of which requests must have one in this field; of several such terms the first, as the others only ask for less. */
function anyOf(terms: readonly FilterTerm[], field: FilterField): readonly string[] | undefined {
  return terms.find((term) => term.field === field && !term.isNegated)?.values;
}

/** The value that requests must have in this field, where there is one alone. */
function only(terms: readonly FilterTerm[], field: FilterField): string | undefined {
  const values = terms.filter((term) => term.field === field && !term.isNegated && term.values.length === 1);
  return values[0]?.values[0];
}

function isReason(text: string): text is ReasonCode {
  return Object.hasOwn(REASONS, text);
}
