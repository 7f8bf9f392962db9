/**
 * What routes cost a request: finding its rule in the table of the port that was dialled, head already parsed. Beside one
 * route: a thousand of other services, which lie in tables of their own, and a thousand of the same port.
 * @module
 */
import { peerOf } from '../../proxy/access/peer.ts';
import type { Head } from '../../proxy/http1/grammar/head.ts';
import { HeadParser } from '../../proxy/http1/grammar/head-parser.ts';
import { HeadRouteRequest } from '../../proxy/routing/request.ts';
import { compileRoutes, type RouteTable } from '../../proxy/routing/table.ts';
import type { HttpMatch, HttpRule, ServiceRoutes } from '../../proxy/traffic/rules.ts';
import { median, type OwnCase } from './own-case.ts';

const ROUTES = 1_000;
const MATCHES = 100_000;
const CALLER = peerOf({ identity: 'spiffe://bench.example/ns/shop/sa/web', address: '10.0.0.9', labels: [] });
const KEY = 'shop/cart:80';

interface Part {
  readonly name: string;
  /** Tables by the port that is dialled, as workers keep them. */
  readonly tables: ReadonlyMap<string, RouteTable>;
  readonly heads: readonly Head[];
}

export const ROUTE_TABLE: OwnCase = {
  name: 'routes',
  measure: ({ rounds }) => {
    const parts = makeParts();
    const taken = parts.map((): number[] => []);
    for (const part of parts) measure(part); // warm up
    // In turns, so that a busy moment of the machine meets all of them.
    for (let round = 0; round < Math.max(rounds, 5); round++) {
      for (const [i, part] of parts.entries()) taken[i]!.push(measure(part));
    }
    const figures = parts.map(({ name }, i) => ({ name, medianNs: median(taken[i]!) }));
    const otherHosts = figures[1]!.medianNs / figures[0]!.medianNs;
    const sameHost = figures[2]!.medianNs / figures[0]!.medianNs;
    const lines = [
      ...figures.map(({ name, medianNs }) => `routes, ${name}: ${medianNs.toFixed(0)} ns a match`),
      `routes, 1,000 of other services against none: ${otherHosts.toFixed(2)}x; of the same: ${sameHost.toFixed(2)}x`,
    ];
    return Promise.resolve({ figures: { parts: figures, otherHosts, sameHost }, lines });
  },
};

function makeParts(): readonly Part[] {
  const one = tableOf('shop/cart', [prefix('/v1/items7')]);
  const others = Array.from({ length: ROUTES }, (_, i) => tableOf(`shop/other${i}`, [prefix(`/v1/items${i}`)]));
  const same = tableOf(
    'shop/cart',
    Array.from({ length: ROUTES }, (_, i) =>
      i % 2 === 0
        ? prefix(`/v1/items${i}`)
        : { ...ANYTHING, path: { type: 'exact' as const, value: `/v1/items${i}/7` } },
    ),
  );
  const everything = tableOf('shop/cart', [prefix('/')]);
  const ask = (numbers: readonly number[]) =>
    numbers.map((i) => parsed(`GET /v1/items${i}/7?q=1 HTTP/1.1\r\nHost: cart.shop.weft\r\nAccept: */*\r\n\r\n`));
  const known = ask([7]);
  return [
    { name: 'one', tables: new Map([one]), heads: known },
    { name: `${ROUTES} of other services`, tables: new Map([...others, one]), heads: known },
    {
      name: `${ROUTES} of the same port`,
      tables: new Map([same]),
      heads: ask(Array.from({ length: 97 }, (_, i) => i * 10 + (i % 2))),
    },
    { name: 'one that takes everything', tables: new Map([everything]), heads: known },
  ];
}

const ANYTHING: HttpMatch = { headers: [], query: [], cookies: [], sources: [] };

function prefix(value: string): HttpMatch {
  return { ...ANYTHING, path: { type: 'prefix', value } };
}

function tableOf(service: string, matches: readonly HttpMatch[]): readonly [string, RouteTable] {
  const http = matches.map(
    (match, i): HttpRule => ({
      origin: { kind: 'HTTPRoute', namespace: 'shop', name: `r${i}`, revision: '1', rule: 'rule-1' },
      createdAtMs: 0,
      position: 0,
      matches: [match],
      actions: { mirrors: [] },
      backends: [{ service, port: 80, weight: 1 }],
      timeouts: {},
    }),
  );
  const routes: ServiceRoutes = { service, port: 80, http, streams: [] };
  return [`${service}:80`, compileRoutes(routes)];
}

/** Nanoseconds a match. */
function measure({ tables, heads }: Part): number {
  const view = new HeadRouteRequest();
  let found = 0;
  const start = process.hrtime.bigint();
  for (let i = 0; i < MATCHES; i++) {
    const taken = tables.get(KEY)!.match(view.of(heads[i % heads.length]!), CALLER, Math.random);
    if (taken !== undefined) found++;
  }
  const tookNs = Number(process.hrtime.bigint() - start);
  if (found !== MATCHES) throw new Error(`${MATCHES - found} requests found no route`);
  return tookNs / MATCHES;
}

function parsed(text: string): Head {
  const bytes = Buffer.from(text, 'latin1');
  const parser = new HeadParser('request', { maxHeadBytes: 4_096, maxFields: 16 });
  if (parser.parse(bytes, 0, bytes.length) !== bytes.length) throw new Error(`not a request: ${text}`);
  return parser.head;
}
