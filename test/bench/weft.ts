/** Two Weft agents doing the job: mTLS between them, one worker each, explicit listeners instead of capture. @module */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { issueNodeBundle } from '../../certs/node-bundle.ts';
import { createTrustDomain } from '../../certs/trust-domain.ts';
import { PROXY_CORE, pinned, together } from './machine.ts';
import type { Proxies } from './proxies.ts';
import { ALL_ROUTES, BACKEND_PORT, type Route } from './routes.ts';

/** Loopback addresses keep the agents' fixed ports (15008, 7946) apart. */
function nodesOf(network: string) {
  return {
    client: { name: 'bench-client', address: `${network}.1` },
    server: { name: 'bench-server', address: `${network}.2` },
  } as const;
}
type Nodes = ReturnType<typeof nodesOf>;
type Node = Nodes['client' | 'server'];

export interface WeftOptions {
  /** Of the addresses of the two nodes: two pairs at a time need two. */
  readonly network?: string;
  /** Of agent.yaml, besides. */
  readonly settings?: object;
}

export async function startWeft(
  directory: string,
  routes: readonly Route[] = ALL_ROUTES,
  { network = '127.0.11', settings = {} }: WeftOptions = {},
): Promise<Proxies> {
  const nodes = nodesOf(network);
  const trust = join(directory, 'trust');
  createTrustDomain({ trustDomain: 'bench.example', directory: trust });
  const ofHops = (count: Route['hops']) => routes.filter(({ hops }) => hops === count).flatMap(serving);
  const { client, server } = nodes;
  const upstreams = routes.map((route) => leading(route, client));
  const calling = workload('client', { service: 'client', address: client.address, upstreams });
  return together(async (own) => {
    const pids = [
      own(start({ directory, trust, node: server, nodes, settings }, ofHops(2))),
      own(start({ directory, trust, node: client, nodes, settings }, [...ofHops(1), calling])),
    ];
    for (const { protocol, entryPort } of routes)
      if (protocol !== 'tcp') await answering(`http://${client.address}:${entryPort}/`);
    return { address: client.address, pids };
  });
}

/** One workload an endpoint. */
function serving({ name, protocol, endpoints }: Route) {
  const ports = [{ name: 'port', port: BACKEND_PORT, appProtocol: protocol }];
  return endpoints.map((address, i) => workload(`${name}-${i}`, { service: name, address, ports }));
}

/** The listener of the client that leads to a service. */
function leading({ name, entryPort }: Route, client: Node) {
  return { service: `bench/${name}`, port: BACKEND_PORT, listen: `${client.address}:${entryPort}` };
}

function workload(name: string, spec: object) {
  return {
    apiVersion: 'weft.dev/v1alpha1',
    kind: 'Workload',
    metadata: { name, namespace: 'bench' },
    spec: { runs: { host: {} }, ...spec },
  };
}

interface Start {
  readonly directory: string;
  readonly trust: string;
  readonly node: Node;
  readonly nodes: Nodes;
  readonly settings: object;
}

function start({ directory, trust, node, nodes, settings }: Start, workloads: readonly object[]) {
  const home = join(directory, node.name);
  const bundleDirectory = join(home, 'bundle');
  issueNodeBundle({ trustDirectory: trust, name: node.name, grant: ['ns/bench/*'], directory: bundleDirectory });
  const workloadsDirectory = join(home, 'workloads.d');
  mkdirSync(workloadsDirectory, { recursive: true });
  writeFileSync(join(workloadsDirectory, 'workloads.yaml'), workloads.map((one) => stringify(one)).join('---\n'));
  const config = {
    nodeName: node.name,
    dataDirectory: join(home, 'data'),
    workloadsDirectory,
    workers: 1,
    capture: { mode: 'none' },
    certs: { bundleDirectory },
    gossip: {
      listen: `${node.address}:7946`,
      seeds: Object.values(nodes)
        .filter((other) => other !== node)
        .map(({ address }) => `${address}:7946`),
    },
    admin: { socket: join(home, 'agent.sock'), listen: `${node.address}:15000` },
    metrics: { listen: `${node.address}:15020` },
    ...settings,
  };
  const file = join(home, 'agent.yaml');
  writeFileSync(file, stringify(config));
  const main = join(import.meta.dirname, '../../dist/agent/main.js'); // what users install
  return pinned(PROXY_CORE, [process.execPath, ...process.execArgv, main, 'agent', '-c', file], join(home, 'log'));
}

/** The agents have met when a request comes through. */
async function answering(url: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (performance.now() < deadline) {
    const status = await fetch(url).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${url} does not answer 200 after a minute; the agents' logs say why`);
}
