/**
 * The folder of one run: a trust domain, and for each node a bundle, agent.yaml, workload files and state, as an operator
 * would lay them out; gone when the run ends.
 *
 * @module
 */
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { issueNodeBundle } from '../../certs/node-bundle.ts';
import { createTrustDomain } from '../../certs/trust-domain.ts';
import { makeFolder, removeOrphanedFolders } from '../lab/folders.ts';
import type { Ground } from './ground.ts';
import { RESOLV_CONF } from './namespace-ground.ts';
import { grantOf, NAMESPACE, type NodeSpec, type PodSpec, podsOf, type Topology, TRUST_DOMAIN } from './topology.ts';

const FOLDER_PREFIX = 'weft-demo';
const GOSSIP_PORT = 7946;
export const ADMIN_PORT = 15_000;
export const METRICS_PORT = 15_020;
/** The policy of the walk-through, in deploy/sample and in the folder of a run. */
const SAMPLE_POLICY = 'deny-client.yaml';
const TRUST_TTL_MS = 7 * 86_400_000;
/** A unix socket's path ends at 107 characters, and ours needs 40 of them. */
const MAX_TEMP_PATH = 60;

export class Workspace implements Disposable {
  readonly directory: string;
  readonly #scripts: readonly string[];

  private constructor(directory: string, scripts: readonly string[]) {
    this.directory = directory;
    this.#scripts = scripts;
  }

  /** Also removes folders of runs that were killed before they could. */
  static create(topology: Topology, ground: Ground): Workspace {
    const parent = tempDirectory();
    removeOrphanedFolders(FOLDER_PREFIX, parent);
    const directory = makeFolder(FOLDER_PREFIX, parent);
    try {
      const trustDirectory = join(directory, 'trust');
      const ttl = { rootTtlMs: TRUST_TTL_MS, issuerTtlMs: TRUST_TTL_MS, operatorTtlMs: TRUST_TTL_MS };
      createTrustDomain({ trustDomain: TRUST_DOMAIN, directory: trustDirectory, operator: 'demo', ...ttl });
      mkdirSync(join(directory, 'logs'));
      for (const node of topology.nodes) writeNode(directory, { node, topology, ground });
      copyFileSync(new URL(`../../deploy/sample/${SAMPLE_POLICY}`, import.meta.url), join(directory, SAMPLE_POLICY));
      return new Workspace(directory, writeScripts(directory, ground, topology.nodes[0]!));
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  agentConfig(node: NodeSpec): string {
    return join(this.directory, node.name, 'agent.yaml');
  }

  socket(node: NodeSpec): string {
    return join(this.directory, node.name, 'agent.sock');
  }

  log(program: string): string {
    return join(this.directory, 'logs', `${program}.log`);
  }

  /** A policy to try. */
  get samplePolicy(): string {
    return join(this.directory, SAMPLE_POLICY);
  }

  /** `weft`, asking the first agent and signing as the operator of this run. */
  get weft(): string {
    return join(this.directory, 'weft');
  }

  /** Path of a script of the ground; undefined where it has none of that name. */
  script(name: string): string | undefined {
    return this.#scripts.includes(name) ? join(this.directory, name) : undefined;
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

interface Writing {
  readonly node: NodeSpec;
  readonly topology: Topology;
  readonly ground: Ground;
}

function writeNode(directory: string, writing: Writing): void {
  const { node, topology, ground } = writing;
  const home = join(directory, node.name);
  const workloads = join(home, 'workloads.d');
  mkdirSync(workloads, { recursive: true });
  issueNodeBundle({
    trustDirectory: join(directory, 'trust'),
    name: node.name,
    grant: grantOf(topology, node),
    directory: join(home, 'bundle'),
  });
  writeFileSync(join(home, 'agent.yaml'), stringify(agentYaml(writing)));
  for (const pod of podsOf(topology.pods, node)) {
    writeFileSync(join(workloads, `${pod.name}.yaml`), stringify(workloadYaml(pod, ground)));
  }
}

function agentYaml({ node, topology, ground }: Writing): unknown {
  const { address, loopback } = ground.nodePlace(node);
  const others = topology.nodes.filter((other) => other !== node);
  return {
    nodeName: node.name,
    dataDirectory: 'data',
    workloadsDirectory: 'workloads.d',
    workers: 1,
    capture: { mode: ground.captureMode },
    certs: { bundleDirectory: 'bundle' },
    gossip: {
      listen: `${address}:${GOSSIP_PORT}`,
      advertise: `${address}:${GOSSIP_PORT}`,
      seeds: others.map((other) => `${ground.nodePlace(other).address}:${GOSSIP_PORT}`),
    },
    admin: { socket: 'agent.sock', listen: `${loopback}:${ADMIN_PORT}` },
    console: { loopback: 'all' },
    metrics: { listen: `${loopback}:${METRICS_PORT}` },
  };
}

function workloadYaml(pod: PodSpec, ground: Ground): unknown {
  const place = ground.podPlace(pod);
  const upstreams = pod.calls.flatMap((call) => {
    const { listen } = place.reach(call);
    return listen ? [{ service: `${NAMESPACE}/${call.service}`, port: call.port, listen }] : [];
  });
  return {
    apiVersion: 'weft.dev/v1alpha1',
    kind: 'Workload',
    metadata: { name: pod.name, namespace: NAMESPACE, labels: { app: pod.service } },
    spec: {
      service: pod.service,
      version: pod.version,
      runs: place.runs,
      address: place.address,
      ...(pod.serves ? { ports: [{ name: 'main', ...pod.serves }], healthCheck: healthCheck(pod.serves) } : {}),
      ...(upstreams.length > 0 ? { upstreams } : {}),
    },
  };
}

function healthCheck({ appProtocol }: NonNullable<PodSpec['serves']>): unknown {
  const often = { intervalMs: 1_000 };
  return appProtocol === 'http' ? { http: { path: '/healthz', ...often } } : { tcp: often };
}

/** @returns their names */
function writeScripts(directory: string, ground: Ground, asked: NodeSpec): string[] {
  const resolvConf = join(directory, 'resolv.conf');
  writeFileSync(resolvConf, RESOLV_CONF);
  const scripts = Object.entries(ground.scripts(resolvConf));
  writeFileSync(join(directory, 'weft'), weftScript(directory, asked), { mode: 0o700 });
  for (const [name, text] of scripts) writeFileSync(join(directory, name), text, { mode: 0o700 });
  return scripts.map(([name]) => name);
}

function weftScript(directory: string, asked: NodeSpec): string {
  const main = fileURLToPath(new URL(`../main${extname(import.meta.filename)}`, import.meta.url));
  return `#!/bin/sh
export WEFT_SOCKET="\${WEFT_SOCKET:-${join(directory, asked.name, 'agent.sock')}}"
export WEFT_OPERATOR="${join(directory, 'trust')}"
exec "${process.execPath}" "${main}" "$@"
`;
}

function tempDirectory(): string {
  return tmpdir().length <= MAX_TEMP_PATH ? tmpdir() : '/tmp';
}
