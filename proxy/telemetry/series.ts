/** What the labels of rows may be, and which rows take what does not fit. @module */

import type { SeriesLabels } from './stats-table.ts';

/** Between whom. */
export type Parties = Pick<SeriesLabels, 'direction' | 'source' | 'sourceService' | 'destination'>;

/** Methods that have a label of their own; any other is 'OTHER', as clients may invent what they like. */
export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'] as const;
export const OTHER_METHOD = 'OTHER';

/** The route of requests whose head could not be read. */
export const UNREAD_ROUTE = '{unread}';
/** The route of what does not fit into the bound of routes of a destination. */
export const OTHER_ROUTE = '{other}';

/** Rows count connections or requests; the bytes of a request are in those of its connection too. */
export function isOfConnections({ route }: Pick<SeriesLabels, 'route'>): boolean {
  return route === '';
}

/** The same for the same labels only: no label but the method and the route, which come last, could contain a space. */
export function seriesKey(labels: SeriesLabels): string {
  const { direction, source, sourceService, destination, protocol, version, route, method } = labels;
  return `${direction} ${protocol} ${source} ${sourceService} ${destination} ${version} ${method} ${route}`;
}

/** The rows of a connection. */
export function connectionLabels(parties: Parties, protocol: 'http' | 'tcp'): SeriesLabels {
  return { ...parties, protocol, version: '', route: '', method: '' };
}

function overflow(direction: SeriesLabels['direction'], route: string): SeriesLabels {
  const parties = { direction, source: 'other', sourceService: '', destination: 'other' } as const;
  return { ...parties, protocol: 'http', version: '', route, method: '' };
}

/** Take what does not fit any more; their place here is their row. */
export const OVERFLOW: readonly SeriesLabels[] = [
  overflow('outbound', ''),
  overflow('outbound', OTHER_ROUTE),
  overflow('inbound', ''),
  overflow('inbound', OTHER_ROUTE),
];

export function overflowRow({ direction, route }: Pick<SeriesLabels, 'direction' | 'route'>): number {
  return (direction === 'outbound' ? 0 : 2) + (route === '' ? 0 : 1);
}
