/**
 * What every set of proxies is asked to carry: the ways from an entry to backends. Each set makes its own configuration of
 * this one table, so that all of them do the same job.
 *
 * Every program has a loopback address of its own, and ports are fixed: nothing else binds these addresses.
 * @module
 */

export interface Route {
  readonly name: string;
  readonly protocol: 'http' | 'tcp';
  /** 1: plaintext in and out of one proxy. 2: through two proxies, with mutual TLS between them. */
  readonly hops: 1 | 2;
  /** Where requests enter; of the address of the set. */
  readonly entryPort: number;
  /** Of `backendAddress`; each is an endpoint of its own. */
  readonly backendPorts: readonly number[];
}

/** Where each route ends: two hops on the second machine, as it were, one on the first. */
export const BACKEND_ADDRESSES = { 1: '127.0.11.1', 2: '127.0.11.2' } as const;

const WEB_PORT = 8_080;
const TEN_PORTS = Array.from({ length: 10 }, (_, i) => 8_081 + i);

/** What `backend-server.ts` listens on, of the second address. */
export const SERVER_PORTS = { http: 8_100, tcp: 8_101 } as const;

export const ROUTES = {
  oneHop: { name: 'one-hop', protocol: 'http', hops: 1, entryPort: 9_000, backendPorts: [WEB_PORT] },
  twoHops: { name: 'two-hops', protocol: 'http', hops: 2, entryPort: 9_001, backendPorts: [WEB_PORT] },
  tenEndpoints: { name: 'ten-endpoints', protocol: 'http', hops: 2, entryPort: 9_002, backendPorts: TEN_PORTS },
  server: { name: 'server', protocol: 'http', hops: 2, entryPort: 9_003, backendPorts: [SERVER_PORTS.http] },
  tcp: { name: 'tcp', protocol: 'tcp', hops: 2, entryPort: 9_004, backendPorts: [SERVER_PORTS.tcp] },
} as const satisfies Record<string, Route>;

export const ALL_ROUTES: readonly Route[] = Object.values(ROUTES);
/** Those that end at nginx. */
export const WEB_ROUTES: readonly Route[] = [ROUTES.oneHop, ROUTES.twoHops, ROUTES.tenEndpoints];

/** Where the second hop of C proxies listens for one endpoint. */
export function betweenPort(backendPort: number): number {
  return backendPort + 7_000;
}
