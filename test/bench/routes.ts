/**
 * What every set of proxies is asked to carry: the ways from an entry to backends. Each set makes its own configuration of
 * this one table, so that all of them do the same job.
 *
 * Every program has a loopback address of its own, as pods and nodes have, and ports are fixed: nothing else binds these
 * addresses.
 * @module
 */

export interface Route {
  readonly name: string;
  readonly protocol: 'http' | 'http2' | 'tcp';
  /** 1: plaintext in and out of one proxy. 2: through two proxies, with mutual TLS between them. */
  readonly hops: 1 | 2;
  /** Where requests enter; of the address of the set. */
  readonly entryPort: number;
  /** Addresses that answer on `BACKEND_PORT`. */
  readonly endpoints: readonly string[];
}

export const BACKEND_PORT = 8_080;

const TEN = Array.from({ length: 10 }, (_, i) => `127.0.11.${i + 21}`);
/** Where `backend-server.ts` listens, instead of nginx. */
export const SERVER_ADDRESSES = { http: '127.0.11.12', tcp: '127.0.11.13' } as const;
/** Where `load/slow.ts` listens. */
export const SLOW_ADDRESSES = { http: '127.0.11.15', http2: '127.0.11.16', tcp: '127.0.11.17' } as const;

export const ROUTES = {
  oneHop: { name: 'one-hop', protocol: 'http', hops: 1, entryPort: 9_000, endpoints: ['127.0.11.10'] },
  twoHops: { name: 'two-hops', protocol: 'http', hops: 2, entryPort: 9_001, endpoints: ['127.0.11.11'] },
  tenEndpoints: { name: 'ten-endpoints', protocol: 'http', hops: 2, entryPort: 9_002, endpoints: TEN },
  server: { name: 'server', protocol: 'http', hops: 2, entryPort: 9_003, endpoints: [SERVER_ADDRESSES.http] },
  tcp: { name: 'tcp', protocol: 'tcp', hops: 2, entryPort: 9_004, endpoints: [SERVER_ADDRESSES.tcp] },
} as const satisfies Record<string, Route>;

export const ALL_ROUTES: readonly Route[] = Object.values(ROUTES);
/** Those that end at nginx. */
export const WEB_ROUTES: readonly Route[] = [ROUTES.oneHop, ROUTES.twoHops, ROUTES.tenEndpoints];
export const TWO_HOPS: readonly Route[] = ALL_ROUTES.filter(({ hops }) => hops === 2);

/** What C proxies between the hops are reached at: for each endpoint an address of its own, of a network of the set. */
export function between(network: string, endpoint: string): string {
  return `${network}.${endpoint.split('.')[3]}:15008`;
}
