/**
 * What people mean by the two ends of a call: a service, a workload, an endpoint, an address, an identity.
 *
 * Pure: looks in what this node knows of the mesh. What is not there, or may mean several things, is said in words that
 * help to say it better.
 * @module
 */
import { isIP } from 'node:net';
import type { AccessCaller } from '../../proxy/access/peer.ts';
import type { Protocol } from '../../proxy/snapshot.ts';
import { parseSocketAddress } from '../addresses.ts';
import { nearest } from '../nearest.ts';

/** A workload somewhere in the mesh. */
export interface Place {
  readonly namespace: string;
  readonly service: string;
  readonly workload: string;
  readonly identity: string;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A port of one. */
export interface Port extends Place {
  /** `<node>/<namespace>/<workload>/<port name>`. */
  readonly id: string;
  /** Where the application listens. */
  readonly port: number;
  /** What callers dial. */
  readonly servicePort: number;
  readonly protocol: Protocol;
}

export interface Register {
  readonly trustDomain: string;
  /** Of all nodes. */
  readonly ports: readonly Port[];
  /** Workloads of this node, those without a port among them: other nodes do not know these. */
  readonly local: readonly Place[];
  readonly services: readonly {
    readonly namespace: string;
    readonly service: string;
    readonly vips: readonly string[];
  }[];
}

export interface Caller extends AccessCaller {
  /** '' outside the mesh. */
  readonly namespace: string;
  /** Worth saying about how it was understood; else ''. */
  readonly note: string;
}

export type Resolved<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

/** @param text a SPIFFE id, `ns/shop/sa/web`, namespace/service, a service or workload by name, or an IP address */
export function resolveCaller(text: string, register: Register): Resolved<Caller> {
  const places = [...register.ports, ...register.local];
  if (text.startsWith('spiffe://')) return { ok: true, value: byIdentity(text, places) };
  if (/^ns\/[^/]+\/sa\/[^/]+$/.test(text)) {
    return { ok: true, value: byIdentity(`spiffe://${register.trustDomain}/${text}`, places) };
  }
  if (isIP(text) !== 0) return byAddress(text, places);
  const found = named(text, places);
  if (found.length > 0) return oneIdentity(text, found);
  const [namespace, name, ...rest] = text.split('/');
  if (name === undefined || rest.length > 0) return { ok: false, problem: unknown(text, places) };
  const identity = `spiffe://${register.trustDomain}/ns/${namespace}/sa/${name}`;
  const note = `no workload of ${text} is known here; it is taken for one of that identity`;
  return { ok: true, value: { ...byIdentity(identity, places), note } };
}

/**
 * The ports that a call may reach, each once.
 *
 * @param text service[:port], namespace/service[:port], a workload, an endpoint's id, or address[:port]
 * @param nearby the namespace that a bare name is looked for first in
 */
export function resolveDestination(text: string, register: Register, nearby: string): Resolved<readonly Port[]> {
  const { ports } = register;
  const endpoint = ports.filter(({ id }) => id === text);
  if (endpoint.length > 0) return { ok: true, value: endpoint };
  const { host, port } = splitPort(text);
  const candidates = isIP(host) === 0 ? nearFirst(named(host, ports), nearby) : atAddress(host, register);
  if (candidates.length === 0) {
    const problem = isIP(host) === 0 ? unknown(host, ports) : `no workload of the mesh has the address ${host}`;
    return { ok: false, problem };
  }
  const asDialled = candidates.filter(({ servicePort }) => port === undefined || servicePort === port);
  const matching = asDialled.length > 0 ? asDialled : candidates.filter((candidate) => candidate.port === port);
  if (matching.length > 0) return oneService(host, matching);
  const known = [...new Set(candidates.map(({ servicePort }) => servicePort))].sort((a, b) => a - b);
  return { ok: false, problem: `${host} has no port ${port}; it has ${known.join(', ')}` };
}

function byIdentity(identity: string, places: readonly Place[]): Caller {
  const same = places.filter((place) => place.identity === identity);
  const note = same.length === 0 ? 'no workload of this identity is known here' : '';
  return { ...callerOf(identity, same), note };
}

function byAddress(address: string, places: readonly Place[]): Resolved<Caller> {
  const there = places.filter((place) => place.address === address);
  if (there.length > 0) return oneIdentity(address, there);
  const note = 'no workload of the mesh has this address: it is outside, and calls in plaintext';
  return { ok: true, value: { identity: undefined, address, labels: [], namespace: '', note } };
}

function oneIdentity(text: string, places: readonly Place[]): Resolved<Caller> {
  const identities = [...new Set(places.map(({ identity }) => identity))].sort();
  const [identity] = identities;
  if (identities.length === 1) return { ok: true, value: callerOf(identity!, places) };
  return { ok: false, problem: `${text} may be ${identities.join(' or ')}; name one of these` };
}

function callerOf(identity: string, places: readonly Place[]): Caller {
  const addresses = new Set(places.map(({ address }) => address));
  const labels = new Map(places.map((place) => [JSON.stringify(place.labels), place.labels]));
  return {
    identity,
    address: addresses.size === 1 ? places[0]!.address : undefined,
    labels: [...labels.values()],
    namespace: /\/ns\/([^/]+)\//.exec(identity)?.[1] ?? '',
    note: '',
  };
}

/** Those whose service or own name this is: `cart`, `shop/cart`, `cart.shop.weft`. A service goes before a workload. */
function named<T extends Place>(text: string, places: readonly T[]): readonly T[] {
  const asHost = /^([^.]+)\.([^.]+)\.weft\.?$/.exec(text);
  const [namespace, name] = asHost === null ? splitName(text) : [asHost[2], asHost[1]!];
  const inReach = places.filter((place) => namespace === undefined || place.namespace === namespace);
  const ofService = inReach.filter(({ service }) => service === name);
  return ofService.length > 0 ? ofService : inReach.filter(({ workload }) => workload === name);
}

function splitName(text: string): readonly [namespace: string | undefined, name: string] {
  const slash = text.indexOf('/');
  return slash === -1 ? [undefined, text] : [text.slice(0, slash), text.slice(slash + 1)];
}

function nearFirst(ports: readonly Port[], nearby: string): readonly Port[] {
  const near = ports.filter(({ namespace }) => namespace === nearby);
  return near.length > 0 ? near : ports;
}

function oneService(text: string, ports: readonly Port[]): Resolved<readonly Port[]> {
  const services = [...new Set(ports.map(({ namespace, service }) => `${namespace}/${service}`))].sort();
  if (services.length === 1) return { ok: true, value: ports };
  return { ok: false, problem: `${text} may be ${services.join(' or ')}; name one of these` };
}

/** A virtual address stands for its service. */
function atAddress(address: string, { ports, services }: Register): readonly Port[] {
  const service = services.find(({ vips }) => vips.includes(address));
  if (service === undefined) return ports.filter((port) => port.address === address);
  return ports.filter((port) => port.namespace === service.namespace && port.service === service.service);
}

/** `cart:80` in its two parts; an IPv6 address has its port behind brackets. */
export function splitPort(text: string): { readonly host: string; readonly port: number | undefined } {
  if (isIP(text) !== 0) return { host: text, port: undefined };
  const socket = parseSocketAddress(text);
  if (socket !== undefined) return { host: socket.address, port: socket.port };
  const [, host = text, digits] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  return { host, port: digits === undefined ? undefined : Number(digits) };
}

function unknown(text: string, places: readonly Place[]): string {
  const names = places.flatMap(({ namespace, service, workload }) => [service, `${namespace}/${service}`, workload]);
  const guess = nearest(text, [...new Set(names)]);
  const hint = guess === undefined ? 'weft services and weft endpoints show what there is' : `did you mean ${guess}?`;
  return `nothing in the mesh is called ${text}; ${hint}`;
}
