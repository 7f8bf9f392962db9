/** Rows of figures as calls that rules can be held against. Pure. @module */
import type { FiguresRow } from '../../history/figures.ts';
import type { ObservedCall } from '../replay/observed.ts';
import { hasIdentity, type Register } from './register.ts';
import { totalsOf } from './signals.ts';

/** What did not fit into the table of a node has no destination, and is left out. */
export function callsOf(rows: readonly FiguresRow[], register: Register): readonly ObservedCall[] {
  const calls = rows.map((row) => callOf(row, register));
  return calls.filter(({ count, destination }) => count > 0 && destination.includes('/'));
}

/** Counts requests; of what is not HTTP, connections. */
export function callOf(row: FiguresRow, register: Register): ObservedCall {
  const { source = '', sourceService, destination = '', method = '', route = '' } = row.labels;
  const protocol = row.labels.protocol === 'tcp' || row.labels.protocol === 'grpc' ? row.labels.protocol : 'http';
  const { requests, connections } = totalsOf(row);
  const identity = hasIdentity(source) ? source : '';
  return {
    source: identity,
    caller: register.callerOf(identity, sourceService),
    destination,
    protocol,
    method,
    route,
    count: protocol === 'tcp' ? connections : (requests ?? 0),
  };
}
