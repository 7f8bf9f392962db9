/** What the labels of rows may be, and which rows take what does not fit. @module */

import type { Parties } from './parties.ts';

/**
 * What a row counts: requests of one caller to one destination by route, method and version, or connections between the two.
 * No label names a pod, an address or a user.
 */
export interface SeriesLabels {
  readonly direction: 'outbound' | 'inbound';
  /** SPIFFE id of the calling workload; 'plaintext' or empty where it showed none. */
  readonly source: string;
  /** 'namespace/service' of the calling workload; empty on inbound rows, where only its identity is known. */
  readonly sourceService: string;
  /** 'namespace/service', or 'passthrough' for what lies outside the mesh. */
  readonly destination: string;
  readonly protocol: 'http' | 'grpc' | 'tcp';
  /** Of the endpoint that the request went to; empty for none, and for connections. */
  readonly version: string;
  /** `/v1/accounts/{id}`: of the route that matched, or of path templating; `/pkg.Service/Method` of gRPC. Empty: a row of connections. */
  readonly route: string;
  /** One of `METHODS`; empty for connections, and for requests that could not be read. */
  readonly method: string;
}

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

/** Between whom. Where calls come in it is the caller's identity that counts, whatever else is known of it. */
export function partyLabels({ direction, source, sourceService, destination }: Parties): Parties {
  if (direction === 'outbound') return { direction, source, sourceService, destination };
  return { direction, source: source || 'plaintext', sourceService: '', destination };
}

/** The rows of a connection. */
export function connectionLabels(parties: Parties, protocol: 'http' | 'tcp'): SeriesLabels {
  return { ...partyLabels(parties), protocol, version: '', route: '', method: '' };
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
