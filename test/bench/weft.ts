/** Two Weft agents doing the job: mTLS between them, one worker each, explicit listeners instead of capture. @module */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { issueNodeBundle } from '../../certs/node-bundle.ts';
import { createTrustDomain } from '../../certs/trust-domain.ts';
import { accepting, PROXY_CORE, pinned, stop } from './machine.ts';
import type { Proxies } from './proxies.ts';

/** Loopback addresses keep the agents' fixed ports (15008, 7946) apart. */
const NODES = {
  client: { name: 'bench-client', address: '127.0.11.1' },
  server: { name: 'bench-server', address: '127.0.11.2' },
} as const;
/** Where requests enter, and where the application listens. */
export const WEFT_ENTRY = { address: NODES.client.address, port: 9_000 } as const;
export const WEFT_BACKEND = { address: NODES.server.address, port: 8_080 } as const;

export async function startWeft(directory: string): Promise<Proxies> {
  const trust = join(directory, 'trust');
  createTrustDomain({ trustDomain: 'bench.example', directory: trust });
  const server = start(directory, trust, NODES.server, {
    ports: [{ name: 'http', port: WEFT_BACKEND.port, appProtocol: 'http' }],
  });
  const client = start(directory, trust, NODES.client, {
    upstreams: [
      { service: 'bench/server', port: WEFT_BACKEND.port, listen: `${WEFT_ENTRY.address}:${WEFT_ENTRY.port}` },
    ],
  });
  const url = `http://${WEFT_ENTRY.address}:${WEFT_ENTRY.port}/`;
  await accepting(WEFT_ENTRY.port, WEFT_ENTRY.address);
  await answering(url);
  return {
    url,
    pids: [client.pid!, server.pid!],
    [Symbol.asyncDispose]: async () => {
      await stop(client);
      await stop(server);
    },
  };
}

function start(directory: string, trust: string, node: (typeof NODES)['client' | 'server'], spec: object) {
  const home = join(directory, node.name);
  const bundleDirectory = join(home, 'bundle');
  issueNodeBundle({ trustDirectory: trust, name: node.name, grant: ['ns/bench/*'], directory: bundleDirectory });
  const workloads = join(home, 'workloads.d');
  mkdirSync(workloads, { recursive: true });
  const service = node === NODES.client ? 'client' : 'server';
  const workload = {
    apiVersion: 'weft.dev/v1alpha1',
    kind: 'Workload',
    metadata: { name: service, namespace: 'bench' },
    spec: { service, runs: { host: {} }, address: node.address, ...spec },
  };
  writeFileSync(join(workloads, 'workload.yaml'), stringify(workload));
  const config = {
    nodeName: node.name,
    dataDirectory: join(home, 'data'),
    workloadsDirectory: workloads,
    workers: 1,
    capture: { mode: 'none' },
    certs: { bundleDirectory },
    gossip: {
      listen: `${node.address}:7946`,
      seeds: Object.values(NODES)
        .filter((other) => other !== node)
        .map(({ address }) => `${address}:7946`),
    },
    admin: { socket: join(home, 'agent.sock'), listen: `${node.address}:15000` },
    metrics: { listen: `${node.address}:15020` },
  };
  const file = join(home, 'agent.yaml');
  writeFileSync(file, stringify(config));
  const main = join(import.meta.dirname, '../../dist/agent/main.js'); // what users install
  return pinned(PROXY_CORE, [process.execPath, ...process.execArgv, main, 'agent', '-c', file], join(home, 'log'));
}

/** The agents have met when a request comes through. */
async function answering(url: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (performance.now() < deadline) {
    const status = await fetch(url).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${url} does not answer 200 after twenty seconds; the agents' logs say why`);
}
