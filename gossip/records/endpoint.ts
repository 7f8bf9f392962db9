/**
 * An endpoint: one address and port of one workload, as the node it runs on describes it. It travels as opaque bytes
 * inside the node's record, so that an older agent can store, verify and pass on fields it has never heard of.
 * @module
 */
import ipaddr from 'ipaddr.js';
import { pack, unpackGuarded } from '../wire/pack.ts';

export type EndpointState = 'ready' | 'unready' | 'draining';

/** What a node says about one port of one of its workloads. */
export interface Endpoint {
  /** `<node>/<workload>/<portName>`, unique in the mesh. */
  readonly id: string;
  readonly node: string;
  readonly namespace: string;
  readonly service: string;
  readonly workload: string;
  /** SPIFFE id. */
  readonly identity: string;
  /** IP literal, v4 or v6. */
  readonly address: string;
  /** Where the application listens. */
  readonly port: number;
  /** What callers dial. */
  readonly servicePort: number;
  readonly portName: string;
  /** From appProtocol; `auto` sniffs. */
  readonly protocol: 'http' | 'http2' | 'tcp' | 'auto';
  /** Where its agent accepts mTLS, normally 15008. */
  readonly tunnelPort: number;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly zone: string;
  /** Share of traffic relative to its siblings. 0 = its node does not answer probes right now: last choice. */
  readonly weight: number;
  readonly state: EndpointState;
}

/** Their places are on the wire: new ones go last. */
const PROTOCOLS = ['http', 'tcp', 'auto', 'http2'] as const;
const STATES = ['ready', 'unready', 'draining'] as const;

/** The longest text any single field may hold; a SPIFFE id is the longest that we know of. */
const MAX_TEXT = 2048;
const MAX_LABELS = 64;
const FIELDS = 15;
/** Less than a record may hold, so that there is room for its certificates and tombstones. */
const MAX_PUBLISHED = 400;
const MAX_PUBLISHED_BYTES = 48 * 1024;

/** Why these endpoints cannot be what `node` publishes, or undefined when they can. */
export function endpointProblem(
  node: string,
  endpoints: readonly Endpoint[],
): { code: 'WEFT_GOSSIP_BAD_ENDPOINT' | 'WEFT_GOSSIP_TOO_MANY_ENDPOINTS'; subject: string } | undefined {
  const code = 'WEFT_GOSSIP_BAD_ENDPOINT';
  const ids = new Set<string>();
  let bytes = 0;
  for (const endpoint of endpoints) {
    const { id } = endpoint;
    if (endpoint.node !== node || !id.startsWith(`${node}/`)) {
      return { code, subject: `${id} (its id must begin with ${node}/, its node be ${node})` };
    }
    if (ids.has(id)) return { code, subject: `${id} (named twice)` };
    ids.add(id);
    const value = encodeEndpoint(endpoint);
    bytes += value.length + id.length;
    if (decodeEndpoint(node, endpointKey(endpoint), value) === undefined) {
      return { code, subject: `${id} (a field is missing, too long or out of range)` };
    }
  }
  if (endpoints.length <= MAX_PUBLISHED && bytes <= MAX_PUBLISHED_BYTES) return undefined;
  const subject = `${endpoints.length} endpoints, ${bytes} bytes (at most ${MAX_PUBLISHED} and ${MAX_PUBLISHED_BYTES})`;
  return { code: 'WEFT_GOSSIP_TOO_MANY_ENDPOINTS', subject };
}

/** The part of an endpoint's id after its node's name: the key of its entry in the node's record. */
export function endpointKey(endpoint: Endpoint): string {
  return endpoint.id.slice(endpoint.node.length + 1);
}

/** The same endpoint always gives the same bytes: labels travel sorted. */
export function encodeEndpoint(endpoint: Endpoint): Uint8Array {
  const labels = Object.keys(endpoint.labels)
    .sort()
    .flatMap((name) => [name, endpoint.labels[name]!]);
  return pack([
    endpoint.namespace,
    endpoint.service,
    endpoint.workload,
    endpoint.portName,
    endpoint.identity,
    endpoint.address,
    endpoint.port,
    endpoint.servicePort,
    PROTOCOLS.indexOf(endpoint.protocol),
    endpoint.tunnelPort,
    endpoint.version,
    labels,
    endpoint.zone,
    endpoint.weight,
    STATES.indexOf(endpoint.state),
  ]);
}

/**
 * Reads an endpoint another node wrote. Fields after those we know are ignored; anything that we could not route to
 * yields undefined, and the entry is kept but not shown to the proxy.
 */
export function decodeEndpoint(node: string, key: string, value: Uint8Array): Endpoint | undefined {
  const fields = unpackGuarded(value);
  if (!Array.isArray(fields) || fields.length < FIELDS) return undefined;
  const [namespace, service, workload, portName, identity, address, port, servicePort] = fields;
  const [protocolCode, tunnelPort, version, labelList, zone, weight, stateCode] = fields.slice(8);
  const protocol = PROTOCOLS[protocolCode as number];
  const state = STATES[stateCode as number];
  const labels = decodeLabels(labelList);
  if (protocol === undefined || state === undefined || labels === undefined) return undefined;
  if (!isText(namespace) || !isText(service) || !isText(workload) || !isText(portName)) return undefined;
  if (!isText(identity) || !isText(version) || !isText(zone)) return undefined;
  if (!isText(address) || !isIpLiteral(address)) return undefined;
  if (!isPort(port) || !isPort(servicePort) || !isPort(tunnelPort)) return undefined;
  if (typeof weight !== 'number' || !Number.isFinite(weight) || weight < 0) return undefined;
  const id = `${node}/${key}`;
  return {
    id,
    node,
    namespace,
    service,
    workload,
    identity,
    address,
    port,
    servicePort,
    portName,
    protocol,
    tunnelPort,
    version,
    labels,
    zone,
    weight,
    state,
  };
}

function decodeLabels(list: unknown): Record<string, string> | undefined {
  if (!Array.isArray(list) || list.length % 2 !== 0 || list.length > 2 * MAX_LABELS) return undefined;
  const labels: Record<string, string> = Object.create(null) as Record<string, string>;
  for (let i = 0; i < list.length; i += 2) {
    const name: unknown = list[i];
    const value: unknown = list[i + 1];
    if (!isText(name) || !isText(value)) return undefined;
    labels[name] = value;
  }
  return { ...labels }; // a plain object again: it crosses threads, and callers may print it
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT;
}

/** Strict: no shorthand IPv4, no zone. */
function isIpLiteral(address: string): boolean {
  if (address.includes('%')) return false;
  return ipaddr.IPv4.isValidFourPartDecimal(address) || ipaddr.IPv6.isValid(address);
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535;
}
