/**
 * A mesh of real nodes in one process: production gossip over libp2p, with its admission, its streams and gossipsub, on the
 * memory transport and under virtual time. Nothing but carrier and clock is replaced.
 *
 * It shows what the first tier has to assume: that libp2p does what simulations/world/ models.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { issueNodeBundle, loadNodeBundle } from '../../certs/node-bundle.ts';
import { loadOperatorBundle } from '../../certs/operator-bundle.ts';
import { createTrustDomain } from '../../certs/trust-domain.ts';
import { gossipConfig } from '../../gossip/config.ts';
import type { DocumentKey, Held } from '../../gossip/documents/revision.ts';
import { keyText } from '../../gossip/documents/revision.ts';
import { signRevision } from '../../gossip/edge/sign-revision.ts';
import { Gossip } from '../../gossip/gossip.ts';
import type { Endpoint } from '../../gossip/records/endpoint.ts';
import type { Member } from '../../gossip/view.ts';
import { Fabric } from './fabric.ts';
import { VirtualClock } from './virtual-clock.ts';

const TRUST_DOMAIN = 'memory.example';
const STEP_MS = 50;
/** Longest that a start or a stop takes; virtual time, so the disk takes none of it. */
const PATIENCE_MS = 30_000;
const SEEDS = 2;

export class MemoryNode {
  readonly name: string;
  readonly address: string;
  readonly endpoints = new Map<string, Endpoint>();
  /** Members that it ever took for dead, in that order. */
  readonly deaths: string[] = [];
  /** Set once it has started. */
  gossip!: Gossip;
  isAlive = true;

  constructor(name: string, address: string) {
    this.name = name;
    this.address = address;
  }

  /** Who is there, as it sees it. */
  alive(): string[] {
    const members = this.gossip.members().filter(({ state }) => state === 'alive');
    return members.map(({ name }) => name).sort();
  }

  heads(): string[] {
    return [...this.gossip.documents.chains()].map(([key, chain]) => `${key} ${chain.head.id}`).sort();
  }

  sees(members: readonly Member[]): void {
    const dead = members.filter(({ state }) => state === 'dead').map(({ name }) => name);
    this.deaths.push(...dead.filter((name) => !this.deaths.includes(name)));
  }
}

export class MemoryMesh implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly nodes: MemoryNode[] = [];
  readonly #fabric: Fabric;
  readonly #directory = mkdtempSync(join(tmpdir(), 'weft-memory-'));
  readonly #trust = join(this.#directory, 'trust');
  readonly #published = new Map<string, readonly string[]>();

  private constructor() {
    this.#fabric = new Fabric(this.#directory.slice(-6));
    createTrustDomain({ trustDomain: TRUST_DOMAIN, directory: this.#trust, nowMs: Date.now() });
  }

  /** Starts all at once; they know the first two to begin with. */
  static async start(count: number): Promise<MemoryMesh> {
    const mesh = new MemoryMesh();
    try {
      for (let i = 0; i < count; i++) mesh.nodes.push(new MemoryNode(`n${i}`, `10.0.0.${i + 1}:7946`));
      const starting = Promise.all(mesh.nodes.map((node) => mesh.#startNode(node)));
      await mesh.clock.runUntil(starting, PATIENCE_MS);
    } catch (err) {
      await mesh[Symbol.asyncDispose]();
      throw err;
    }
    return mesh;
  }

  get alive(): readonly MemoryNode[] {
    return this.nodes.filter((node) => node.isAlive);
  }

  publish(node: MemoryNode, workloads: readonly string[]): void {
    const endpoints = workloads.map((workload) => endpointOf(node.name, workload));
    this.#published.set(
      node.name,
      endpoints.map(({ id }) => id),
    );
    node.gossip.publish(endpoints);
  }

  /** As an operator does at this node. @param text null = deleted */
  async write(node: MemoryNode, name: string, text: string | null): Promise<Held> {
    const key: DocumentKey = { kind: 'Note', namespace: 'shop', name };
    const operator = loadOperatorBundle(this.#trust);
    const head = node.gossip.documents.chain(keyText(key))?.head;
    const base = head && { id: head.id, number: head.revision.number, hlc: head.revision.hlc };
    const body = text === null ? null : new TextEncoder().encode(JSON.stringify({ text }));
    const held = signRevision(operator, { key, base, body, nowMs: Date.now() });
    const writing = node.gossip.documents.write(held.revision);
    const outcome = await this.clock.runUntil(writing, PATIENCE_MS);
    if (outcome.kind !== 'written') throw new Error(`not written: ${JSON.stringify(outcome)}`);
    return held;
  }

  partition(groups: readonly (readonly MemoryNode[])[]): void {
    this.#fabric.partition(groups.map((group) => group.map(({ address }) => address)));
  }

  heal(): void {
    this.#fabric.heal();
  }

  /** The process is gone; others hear nothing from it again. What is left of it is stopped with the mesh. */
  kill(node: MemoryNode): void {
    node.isAlive = false;
    this.#fabric.kill(node.address);
  }

  /** Lets time pass until `isSo`. @returns how many virtual milliseconds that took; throws after `withinMs` */
  async until(isSo: () => boolean, withinMs: number): Promise<number> {
    const startedMs = this.clock.nowMs;
    while (!isSo()) {
      if (this.clock.nowMs - startedMs >= withinMs)
        throw new Error(`not so after ${withinMs} ms: ${this.disagreements()}`);
      await this.clock.runFor(STEP_MS);
    }
    return this.clock.nowMs - startedMs;
  }

  /** What is not as it should be once all that happened has been dealt with; empty when all views are equal and true. */
  disagreements(nodes: readonly MemoryNode[] = this.alive): string[] {
    const names = nodes.map(({ name }) => name).sort();
    const ids = nodes.flatMap(({ name }) => this.#published.get(name) ?? []).sort();
    const found: string[] = [];
    for (const node of nodes) {
      if (node.alive().join() !== names.join()) found.push(`${node.name} holds ${node.alive().join(' ')} alive`);
      const shown = [...node.endpoints.keys()].sort();
      if (shown.join() !== ids.join()) found.push(`${node.name} shows ${shown.join(' ')}`);
    }
    for (const [what, of] of Object.entries({
      digests: digestOf,
      documents: (node: MemoryNode) => node.heads().join(),
    })) {
      if (new Set(nodes.map(of)).size > 1) found.push(`${what} differ`);
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = Promise.all(this.nodes.map((node) => node.gossip?.close()));
    try {
      await this.clock.runUntil(closing, PATIENCE_MS);
    } finally {
      this.clock[Symbol.dispose]();
      rmSync(this.#directory, { recursive: true, force: true });
    }
  }

  async #startNode(node: MemoryNode): Promise<void> {
    const directory = join(this.#directory, 'nodes', node.name);
    issueNodeBundle({ trustDirectory: this.#trust, name: node.name, grant: ['ns/shop/*'], directory });
    const seeds = this.nodes.slice(0, SEEDS).filter((seed) => seed !== node);
    const config = gossipConfig.parse({
      listen: node.address,
      dataDirectory: join(this.#directory, 'data', node.name),
      seeds: seeds.map(({ address }) => address),
    });
    const events = {
      members: (members: readonly Member[]) => node.sees(members),
      endpoints: ({ upsert, remove }: { upsert: readonly Endpoint[]; remove: readonly string[] }) => {
        for (const endpoint of upsert) node.endpoints.set(endpoint.id, endpoint);
        for (const id of remove) node.endpoints.delete(id);
      },
    };
    const log = pino({ level: process.env.WEFT_TEST_LOG ?? 'silent' }).child({ node: node.name });
    const carrier = this.#fabric.carrier(node.address);
    const deps = { identity: loadNodeBundle(directory), events, log, carrier };
    node.gossip = await Gossip.start(config, deps, new AbortController().signal);
  }
}

function digestOf({ gossip }: MemoryNode): string {
  return String(gossip.stats().registerDigest);
}

function endpointOf(node: string, workload: string): Endpoint {
  return {
    id: `${node}/${workload}/http`,
    node,
    namespace: 'shop',
    service: workload,
    workload,
    identity: `spiffe://${TRUST_DOMAIN}/ns/shop/sa/${workload}`,
    address: '10.1.2.3',
    port: 8080,
    servicePort: 80,
    portName: 'http',
    protocol: 'http',
    tunnelPort: 15008,
    version: 'v1',
    labels: {},
    zone: 'a',
    weight: 1,
    state: 'ready',
  };
}
