/** Weft beside others: what is carried, over which route, under which load. @module */
import type { Load } from './load/load.ts';
import { ROUTES, type Route } from './routes.ts';

export interface BenchCase {
  readonly name: string;
  readonly route: Route;
  readonly load: Load;
  /** Whether the same load without a proxy is measured too, so that what a proxy adds can be told. */
  readonly withDirect?: boolean;
}

const CONNECTIONS = [1, 4, 32, 128, 512] as const;
const GIBIBYTE = 1_073_741_824;

/** Sizes of the files that the backend serves, by path. */
export const FILES = { '/1k': 1_024, '/64k': 65_536, '/bulk': GIBIBYTE } as const;

export const CASES: readonly BenchCase[] = [
  ...CONNECTIONS.map((connections) => requests(`two-hops-mtls-${connections}`, ROUTES.twoHops, connections)),
  ...CONNECTIONS.map((connections) => requests(`ten-endpoints-${connections}`, ROUTES.tenEndpoints, connections)),
  requests('same-node', ROUTES.oneHop, 32),
  requests('body-1k', ROUTES.twoHops, 32, '/1k'),
  requests('body-64k', ROUTES.twoHops, 32, '/64k'),
  { name: 'download', route: ROUTES.twoHops, load: { kind: 'bulk', way: 'download', bytes: GIBIBYTE } },
  { name: 'upload', route: ROUTES.server, load: { kind: 'bulk', way: 'upload', bytes: GIBIBYTE } },
  {
    name: 'new-connection',
    route: ROUTES.twoHops,
    load: { kind: 'requests', connections: 32, path: '/', isOnce: true },
  },
  { name: 'websocket', route: ROUTES.server, load: { kind: 'ping-pong', connections: 32, over: 'websocket' } },
  { name: 'tcp-bulk', route: ROUTES.tcp, load: { kind: 'bulk', way: 'tcp', bytes: GIBIBYTE } },
  { name: 'tcp-ping-pong', route: ROUTES.tcp, load: { kind: 'ping-pong', connections: 32, over: 'tcp' } },
  {
    name: 'tcp-new-connection',
    route: ROUTES.tcp,
    load: { kind: 'ping-pong', connections: 8, over: 'tcp', isOnce: true },
  },
  {
    name: 'latency-1000',
    route: ROUTES.twoHops,
    load: { kind: 'open-loop', requestsPerSecond: 1_000 },
    withDirect: true,
  },
  {
    name: 'latency-half',
    route: ROUTES.twoHops,
    load: { kind: 'half', connections: 32 },
    withDirect: true,
  },
];

/** Those of this name, or whose name goes on after it: `two-hops-mtls` are five. */
export function isNamed(name: string, wanted: string): boolean {
  return name === wanted || name.startsWith(`${wanted}-`);
}

function requests(name: string, route: Route, connections: number, path = '/'): BenchCase {
  return { name, route, load: { kind: 'requests', connections, path } };
}
