/**
 * What a large mesh costs an agent in memory: 1,000 nodes with 20 endpoints each, told to one real agent over one real
 * connection, beside the same agent that knows nobody.
 *
 * The agent has its three threads (control, mesh, one data-plane worker). The thousand are names with certificates, keys
 * and signed records, of which only the teller runs. Resident memory is read when it has come to rest.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { issueNodeBundle, loadNodeBundle, type NodeIdentity } from '../../certs/node-bundle.ts';
import { createTrustDomain } from '../../certs/trust-domain.ts';
import { NodeSigner } from '../../gossip/edge/node-signer.ts';
import { aliveStatement } from '../../gossip/members/standing.ts';
import type { Endpoint } from '../../gossip/records/endpoint.ts';
import { encodeEndpoint, endpointKey } from '../../gossip/records/endpoint.ts';
import { recordStatement } from '../../gossip/records/record.ts';
import type { Page } from '../../gossip/wire/messages.ts';
import { accepting, atRest, freePorts, PROXY_CORE, pinned, stop } from './machine.ts';
import { median, type OwnCase } from './own-case.ts';
import { Teller } from './teller.ts';

const NODES = 1_000;
const ENDPOINTS_EACH = 20;
/** Endpoints of one service; each node runs that many services. */
const SERVICES = 500;
const TRUST_DOMAIN = 'bench.example';
const LOOK_MS = 1_000;

export const MEMORY: OwnCase = {
  name: 'memory',
  async measure({ rounds }) {
    const directory = mkdtempSync(join(tmpdir(), 'weft-memory-'));
    try {
      createTrustDomain({ trustDomain: TRUST_DOMAIN, directory: join(directory, 'trust') });
      const pages = Array.from({ length: NODES }, (_, i) => pageOf(identity(directory, `node-${i}`), i));
      const taken = [];
      for (let round = 0; round < rounds; round++) taken.push(await measureOnce(directory, pages));
      return report(taken);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

interface Taken {
  readonly emptyMb: number;
  readonly fullMb: number;
}

async function measureOnce(directory: string, pages: readonly Page[]): Promise<Taken> {
  const home = mkdtempSync(join(directory, 'agent-'));
  const [gossip, admin, metrics] = (await freePorts(3)) as [number, number, number];
  const agent = startAgent(home, directory, { gossip, admin, metrics });
  try {
    await accepting(metrics);
    const emptyMb = await atRest(agent.pid!);
    await using teller = await Teller.start(identity(directory, 'teller'), gossip);
    await teller.tell(pages);
    await known(metrics, NODES * ENDPOINTS_EACH);
    return { emptyMb, fullMb: await atRest(agent.pid!) };
  } finally {
    await stop(agent);
  }
}

function startAgent(home: string, directory: string, ports: Record<'gossip' | 'admin' | 'metrics', number>) {
  const bundleDirectory = bundle(directory, 'agent');
  const workloadsDirectory = join(home, 'workloads.d');
  mkdirSync(workloadsDirectory);
  const config = {
    nodeName: 'agent',
    dataDirectory: join(home, 'data'),
    workloadsDirectory,
    workers: 1,
    capture: { mode: 'none' },
    certs: { bundleDirectory },
    gossip: { listen: `127.0.0.1:${ports.gossip}` },
    admin: { socket: join(home, 'agent.sock'), listen: `127.0.0.1:${ports.admin}` },
    metrics: { listen: `127.0.0.1:${ports.metrics}` },
  };
  const file = join(home, 'agent.yaml');
  writeFileSync(file, stringify(config));
  const main = join(import.meta.dirname, '../../dist/agent/main.js'); // what users install
  return pinned(PROXY_CORE, [process.execPath, ...process.execArgv, main, 'agent', '-c', file], join(home, 'log'));
}

function identity(directory: string, name: string): NodeIdentity {
  return loadNodeBundle(bundle(directory, name));
}

function bundle(directory: string, name: string): string {
  const bundleDirectory = join(directory, 'nodes', name);
  issueNodeBundle({
    trustDirectory: join(directory, 'trust'),
    name,
    grant: ['ns/shop/*'],
    directory: bundleDirectory,
  });
  return bundleDirectory;
}

function pageOf(node: NodeIdentity, index: number): Page {
  const signer = new NodeSigner(node);
  const { name } = node;
  const entries = new Map(
    Array.from({ length: ENDPOINTS_EACH }, (_, i) => {
      const endpoint = endpointOf(name, index, i);
      return [endpointKey(endpoint), { ver: 2, value: encodeEndpoint(endpoint) }] as const;
    }),
  );
  // A port that refuses: the agent watches a few of them, and none of the others would bear it out.
  const meta = { schema: 1, address: '127.0.0.1:1', chain: node.chain.map((certificate) => certificate.raw) };
  const unsigned = { name, epoch: 1, ver: 2, gcVer: 0, meta, entries };
  const record = { ...unsigned, signature: signer.sign(recordStatement(TRUST_DOMAIN, unsigned, signer)) };
  const signature = signer.sign(aliveStatement(TRUST_DOMAIN, name, 1, 0));
  return { name, standing: { kind: 'alive', epoch: 1, inc: 0, signature }, record, delta: null };
}

function endpointOf(node: string, index: number, i: number): Endpoint {
  const service = `service-${(index * ENDPOINTS_EACH + i) % SERVICES}`;
  const workload = `${service}-${(index * 7_919 + i).toString(36)}`;
  return {
    id: `${node}/${workload}/http`,
    node,
    namespace: 'shop',
    service,
    workload,
    identity: `spiffe://${TRUST_DOMAIN}/ns/shop/sa/${service}`,
    address: `10.${index >> 8}.${index & 255}.${i + 1}`,
    port: 8_080,
    servicePort: 80,
    portName: 'http',
    protocol: 'http',
    tunnelPort: 15_008,
    version: `v${index % 3}`,
    labels: { app: service, version: `v${index % 3}`, tier: 'back', 'pod-template-hash': (index % 5).toString(36) },
    zone: `zone-${index % 3}`,
    weight: 1,
    state: 'ready',
  };
}

/** Resolves once the agent says that it may route to so many endpoints. */
async function known(metricsPort: number, endpoints: number): Promise<void> {
  for (const deadlineMs = performance.now() + 60_000; performance.now() < deadlineMs; await pause(LOOK_MS)) {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    if (Number(/^weft_gossip_endpoints(?:\{.*?\})? (\d+)/m.exec(text)?.[1]) >= endpoints) return;
  }
  throw new Error(`the agent does not know ${endpoints} endpoints after a minute`);
}

function pause(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, ms);
  return promise;
}

function report(taken: readonly Taken[]) {
  const figures = {
    nodes: NODES,
    endpoints: NODES * ENDPOINTS_EACH,
    emptyMb: median(taken.map(({ emptyMb }) => emptyMb)),
    fullMb: median(taken.map(({ fullMb }) => fullMb)),
    attributableMb: median(taken.map(({ emptyMb, fullMb }) => fullMb - emptyMb)),
  };
  const { emptyMb, fullMb, attributableMb } = figures;
  const bytesEach = (attributableMb * 1e6) / figures.endpoints;
  const lines = [
    `memory of an agent, ${figures.nodes} nodes with ${figures.endpoints} endpoints: ${attributableMb.toFixed(0)} MB`,
    `  ${emptyMb.toFixed(0)} MB alone, ${fullMb.toFixed(0)} MB with them; ${bytesEach.toFixed(0)} bytes an endpoint`,
  ];
  return { figures, lines };
}
