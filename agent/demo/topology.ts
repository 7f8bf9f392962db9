/**
 * What the demo runs: a shop on three nodes, and who calls whom. Only this file knows the cast; nothing here runs.
 *
 * Node n3 holds nothing but catalog v2, so that killing it takes away one of two versions of one service and nothing
 * that stands alone.
 *
 * @module
 */

export const TRUST_DOMAIN = 'demo.weft';
export const NAMESPACE = 'shop';
/** The node that --check kills, and what it must hold alone. */
export const VICTIM = 'n3';
/** Where the load generator comes in. */
export const FRONT_SERVICE = 'web';

export interface NodeSpec {
  readonly name: string;
  /** Counts from 1. */
  readonly index: number;
}

export interface PodSpec {
  readonly name: string;
  /** Counts from 1 over all pods. */
  readonly index: number;
  readonly node: NodeSpec;
  readonly service: string;
  readonly version: string;
  readonly program: Program;
  /** Absent for a pod that only calls. */
  readonly serves?: { readonly port: number; readonly appProtocol: string };
  readonly calls: readonly Call[];
}

export type Program =
  /** A file of deploy/sample, without its extension. */
  | { readonly kind: 'sample'; readonly file: string }
  /** redis-server where it is installed, else our stand-in. */
  | { readonly kind: 'redis' }
  /** The load generator, which the demo starts when everything is up. */
  | { readonly kind: 'traffic' };

/** A service a pod needs, and the environment variable that tells its program where it is, unless the name will do. */
export interface Call {
  readonly service: string;
  readonly scheme: 'http' | 'redis';
  readonly port: number;
  readonly variable: string;
}

export interface Topology {
  readonly nodes: readonly NodeSpec[];
  readonly pods: readonly PodSpec[];
}

const HTTP_PORT = 8080;
const REDIS_PORT = 6379;

export function shopTopology(): Topology {
  const [n1, n2, n3] = [1, 2, 3].map((index) => ({ name: `n${index}`, index })) as [NodeSpec, NodeSpec, NodeSpec];
  const http = { port: HTTP_PORT, appProtocol: 'http' };
  const sample = (file: string): Program => ({ kind: 'sample', file });
  const web = { service: 'web', version: 'v1', program: sample('web'), serves: http };
  const webCalls = [
    httpCall('catalog', 'CATALOG_URL'),
    httpCall('cart', 'CART_URL'),
    httpCall('payments', 'PAYMENTS_URL'),
  ];
  const catalog = { service: 'catalog', program: sample('catalog'), serves: http, calls: [] };
  const redisCall: Call = { service: 'redis', scheme: 'redis', port: REDIS_PORT, variable: 'REDIS_URL' };
  const pods: readonly Omit<PodSpec, 'index'>[] = [
    { name: 'web-1', node: n1, ...web, calls: webCalls },
    { name: 'web-2', node: n2, ...web, calls: webCalls },
    {
      name: 'cart',
      node: n1,
      service: 'cart',
      version: 'v1',
      program: sample('cart'),
      serves: http,
      calls: [redisCall],
    },
    { name: 'catalog-v1', node: n2, version: 'v1', ...catalog },
    { name: 'catalog-v2', node: n3, version: 'v2', ...catalog },
    {
      name: 'payments',
      node: n2,
      service: 'payments',
      version: 'v1',
      program: sample('payments'),
      serves: http,
      calls: [],
    },
    {
      name: 'redis',
      node: n2,
      service: 'redis',
      version: 'v1',
      program: { kind: 'redis' },
      serves: { port: REDIS_PORT, appProtocol: 'redis' },
      calls: [],
    },
    {
      name: 'client',
      node: n1,
      service: 'client',
      version: 'v1',
      program: { kind: 'traffic' },
      calls: [httpCall(FRONT_SERVICE, 'WEB_URL')],
    },
  ];
  return { nodes: [n1, n2, n3], pods: pods.map((pod, i) => ({ ...pod, index: i + 1 })) };
}

/** What a node's certificate must allow it to speak for: what runs there, and no more. */
export function grantOf({ pods }: Topology, node: NodeSpec): string[] {
  return [...new Set(podsOf(pods, node).map((pod) => `ns/${NAMESPACE}/sa/${pod.service}`))];
}

export function podsOf(pods: readonly PodSpec[], node: NodeSpec): PodSpec[] {
  return pods.filter((pod) => pod.node.name === node.name);
}

/** Services somebody can call; the client only calls. */
export function servicesOf({ pods }: Topology): string[] {
  return [...new Set(pods.filter((pod) => pod.serves).map((pod) => pod.service))];
}

/** The address a program in the mesh uses for a call. */
export function meshUrl({ scheme, service, port }: Call): string {
  return `${scheme}://${service}.${NAMESPACE}.weft:${port}`;
}

function httpCall(service: string, variable: string): Call {
  return { service, scheme: 'http', port: HTTP_PORT, variable };
}
