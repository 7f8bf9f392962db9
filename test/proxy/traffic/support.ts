/** Rules about traffic in few words, and a client that tells all of an answer. @module */

import { once } from 'node:events';
import http from 'node:http';
import { Circuit } from '../../../proxy/resilience/circuit.ts';
import type {
  Backend,
  CallTarget,
  Fault,
  HttpActions,
  HttpMatch,
  HttpRule,
  PolicySettings,
  RateLimit,
  ServiceRoutes,
  TrafficPolicy,
  TrafficRules,
} from '../../../proxy/traffic/rules.ts';
import { NO_TRAFFIC } from '../../../proxy/traffic/rules.ts';
import { eventually, type Mesh, SERVICE_PORT, TestServer, WEB } from '../mesh.ts';

export function target(changes: Partial<CallTarget> = {}): CallTarget {
  return { services: [], ports: [], routes: [], from: [], ...changes };
}

export function origin(kind: string, name: string, rule = '') {
  return { kind, namespace: 'shop', name, revision: '1', rule };
}

export function policy(settings: PolicySettings, about: Partial<CallTarget> = {}): TrafficPolicy {
  return { origin: origin('TrafficPolicy', 'p'), target: target(about), settings };
}

export function policies(...settings: readonly PolicySettings[]): TrafficRules {
  return { ...NO_TRAFFIC, policies: settings.map((one) => policy(one)) };
}

export function limit(changes: Partial<RateLimit> = {}): RateLimit {
  const common = { requestsPerSecond: 1, burst: 2, isShadow: false, per: 'target' } as const;
  return { origin: origin('RateLimit', 'l'), target: target(), ...common, ...changes };
}

export function fault(changes: Partial<Fault>): Fault {
  return { origin: origin('Fault', 'f'), target: target(), headers: [], untilMs: Date.now() + 60_000, ...changes };
}

export function to(service: string, changes: Partial<Backend> = {}): Backend {
  return { service: `shop/${service}`, port: SERVICE_PORT, weight: 1, ...changes };
}

export function match(changes: Partial<HttpMatch> = {}): HttpMatch {
  return { headers: [], query: [], cookies: [], sources: [], ...changes };
}

export function prefix(value: string): HttpMatch {
  return match({ path: { type: 'prefix', value } });
}

interface RuleChanges extends Partial<Omit<HttpRule, 'actions'>> {
  readonly actions?: Partial<HttpActions>;
}

/** A rule of the route of its name. */
export function rule(name: string, { actions, ...changes }: RuleChanges = {}): HttpRule {
  return {
    origin: origin('HTTPRoute', name, 'rule-1'),
    createdAtMs: 0,
    position: 0,
    matches: [],
    backends: [to('cart')],
    timeouts: {},
    ...changes,
    actions: { mirrors: [], ...actions },
  };
}

export function routes(...http: readonly HttpRule[]): TrafficRules {
  return { ...NO_TRAFFIC, cookieSecret: 'secret of the tests', routes: [routesOf(http)] };
}

export function routesOf(http: readonly HttpRule[], changes: Partial<ServiceRoutes> = {}): ServiceRoutes {
  return { service: 'shop/cart', port: SERVICE_PORT, http, streams: [], ...changes };
}

export interface Told {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: NodeJS.Dict<string>;
}

export interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string;
  readonly agent?: http.Agent;
  readonly trailers?: Record<string, string>;
}

/** One request, on a connection of its own unless an agent says otherwise. */
export async function ask(port: number, asked: Asked = {}): Promise<Told> {
  const { method = 'GET', path = '/', headers = {}, body, agent = false, trailers } = asked;
  const request = http.request({ port, host: '127.0.0.1', method, path, headers, agent });
  if (trailers !== undefined) request.addTrailers(trailers);
  request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  return { status: response.statusCode!, headers: response.headers, ...(await read(response)) };
}

export async function read(message: http.IncomingMessage): Promise<{ body: string; trailers: NodeJS.Dict<string> }> {
  let body = '';
  message.setEncoding('latin1').on('data', (text: string) => {
    body += text;
  });
  await once(message, 'end');
  return { body, trailers: message.trailers };
}

/** An application that remembers what it was asked. */
export interface App extends AsyncDisposable {
  readonly port: number;
  readonly asked: (Told & { readonly method: string; readonly url: string })[];
  readonly server: TestServer;
}

type Reply = (response: http.ServerResponse, asked: number, request: http.IncomingMessage) => void;

/** @param reply how it answers its n-th request, from 1 */
export async function app(reply: Reply): Promise<App> {
  const asked: App['asked'] = [];
  let count = 0;
  const server = await TestServer.of(
    http.createServer((request, response) => {
      const nth = ++count;
      const { method = '', url = '', headers } = request;
      void read(request).then(
        (got) => {
          asked.push({ status: 0, method, url, headers, ...got });
          reply(response, nth, request);
        },
        () => undefined, // the caller has left
      );
    }),
  );
  return { port: server.port, asked, server, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Answers with these statuses, and with the last one from then on. */
export function statuses(...all: readonly number[]): Promise<App> {
  return app((response, nth) => {
    const status = all[Math.min(nth, all.length) - 1]!;
    response.writeHead(status, { 'x-nth': nth });
    response.end(status === 200 ? `answer ${nth}` : '');
  });
}

const KINDS = ['connections', 'pending', 'requests', 'retries'] as const;

/** How many places of each kind the caller holds towards a service. */
export function held({ a }: Mesh, service = 'shop/cart'): Readonly<Record<(typeof KINDS)[number], number>> {
  const circuit = new Circuit(a.shared, WEB, service, SERVICE_PORT);
  const held = { connections: 0, pending: 0, requests: 0, retries: 0 };
  for (const kind of KINDS) held[kind] = circuit.active(kind);
  circuit.close();
  return held;
}

/** Everything that was taken is given back. */
export async function settled(mesh: Mesh, service = 'shop/cart'): Promise<void> {
  await eventually(() => Object.values(held(mesh, service)).every((count) => count === 0));
}
