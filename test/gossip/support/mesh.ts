/** Real gossip nodes on loopback, and waiting for what they see instead of sleeping. @module */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { issueNodeBundle, loadNodeBundle, type NodeIdentity } from '../../../certs/node-bundle.ts';
import { loadOperatorBundle } from '../../../certs/operator-bundle.ts';
import { afterRevocationMs } from '../../../certs/revocation.ts';
import { createTrustDomain } from '../../../certs/trust-domain.ts';
import { CLOCK_SKEW_MS } from '../../../certs/verify.ts';
import { type GossipConfig, gossipConfig } from '../../../gossip/config.ts';
import type { Held, Revision } from '../../../gossip/documents/revision.ts';
import { signRevision } from '../../../gossip/edge/sign-revision.ts';
import type { EndpointDelta } from '../../../gossip/effects.ts';
import type { GossipDeps } from '../../../gossip/gossip.ts';
import { Gossip } from '../../../gossip/gossip.ts';
import type { Endpoint } from '../../../gossip/records/endpoint.ts';
import type { Member } from '../../../gossip/view.ts';

export const TRUST_DOMAIN = 'test.example';

/** A trust domain in a directory of its own, removed on dispose. */
export class Realm implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'weft-gossip-'));
  readonly #trust = join(this.directory, 'trust');

  /** @param nowMs when it was made */
  constructor(trustDomain = TRUST_DOMAIN, nowMs = Date.now()) {
    createTrustDomain({ trustDomain, directory: this.#trust, nowMs });
  }

  /** The directory of a fresh bundle. */
  bundle(name: string): string {
    const directory = join(this.directory, 'nodes', name);
    issueNodeBundle({ trustDirectory: this.#trust, name, grant: ['ns/shop/*'], directory });
    return directory;
  }

  identity(name: string): NodeIdentity {
    return loadNodeBundle(this.bundle(name));
  }

  /** A node whose certificate is refused after `forMs`: it has expired already, but for the skew that verifiers allow. */
  identityEndingIn(name: string, forMs: number): NodeIdentity {
    const nowMs = Date.now() - CLOCK_SKEW_MS;
    const directory = join(this.directory, 'nodes', name);
    issueNodeBundle({ trustDirectory: this.#trust, name, grant: ['ns/shop/*'], directory, nowMs, ttlMs: forMs });
    return loadNodeBundle(directory);
  }

  /** Certified in the next second: what was revoked until now does not cover it. */
  laterIdentity(name: string): NodeIdentity {
    const directory = join(this.directory, 'nodes', name);
    const nowMs = afterRevocationMs(Date.now());
    issueNodeBundle({ trustDirectory: this.#trust, name, grant: ['ns/shop/*'], directory, nowMs });
    return loadNodeBundle(directory, nowMs);
  }

  /** As the first operator signs it, of all certificates of this subject until now. */
  revocation(subject: string): Revision {
    const admin = loadOperatorBundle(this.#trust);
    const key = { kind: 'Revocation', namespace: 'weft-system', name: subject.replaceAll('/', '.') };
    const nowMs = Date.now();
    const body = Buffer.from(JSON.stringify({ spec: { subject, before: new Date(nowMs).toISOString() } }));
    return signRevision(admin, { key, base: undefined, body, nowMs }).revision;
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** One node with what it was told so far. */
export class Peer implements AsyncDisposable {
  readonly gossip: Gossip;
  readonly view: View;

  private constructor(gossip: Gossip, view: View) {
    this.gossip = gossip;
    this.view = view;
  }

  static async start(
    realm: Realm,
    name: string,
    config: Partial<GossipConfig> = {},
    changes: Partial<GossipDeps> = {},
  ): Promise<Peer> {
    const view = new View();
    const full = gossipConfig.parse({
      listen: '127.0.0.1:0',
      dataDirectory: join(realm.directory, 'data', name),
      ...config,
    });
    const deps = {
      identity: realm.identity(name),
      events: view,
      log: pino({ level: process.env.WEFT_TEST_LOG ?? 'silent' }),
      ...changes,
    };
    const gossip = await Gossip.start(full, deps, new AbortController().signal);
    return new Peer(gossip, view);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.gossip.close();
  }
}

/** What a node told its owner: the member list and the endpoints that follow from all deltas. */
export class View {
  members_: readonly Member[] = [];
  readonly endpoints_ = new Map<string, Endpoint>();
  /** Ids of the documents' revisions in force, in the order they were told. */
  readonly heads: string[] = [];
  /** What the other nodes say of their documents. */
  readonly reports = new Map<string, string>();
  readonly #waiting = new Set<() => void>();

  members(members: readonly Member[]): void {
    this.members_ = members;
    this.#changed();
  }

  endpoints(delta: EndpointDelta): void {
    for (const endpoint of delta.upsert) this.endpoints_.set(endpoint.id, endpoint);
    for (const id of delta.remove) this.endpoints_.delete(id);
    this.#changed();
  }

  documents(heads: readonly Held[]): void {
    this.heads.push(...heads.map((held) => held.id));
    this.#changed();
  }

  report(node: string, report: Uint8Array | undefined): void {
    if (report === undefined) this.reports.delete(node);
    else this.reports.set(node, Buffer.from(report).toString());
    this.#changed();
  }

  state(name: string): Member['state'] | undefined {
    return this.members_.find((member) => member.name === name)?.state;
  }

  get ids(): string[] {
    return [...this.endpoints_.keys()].sort();
  }

  /** Resolves once `isSo` holds, looking again whenever this view changes. */
  until(isSo: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (!isSo()) return;
      this.#waiting.delete(look);
      resolve();
    };
    this.#waiting.add(look);
    look();
    return promise;
  }

  untilEndpoints(...ids: string[]): Promise<void> {
    const wanted = ids.toSorted().join();
    return this.until(() => this.ids.join() === wanted);
  }

  #changed(): void {
    for (const look of [...this.#waiting]) look();
  }
}

export function endpoint(node: string, workload = 'web', changes: Partial<Endpoint> = {}): Endpoint {
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
    labels: { tier: 'front' },
    zone: 'a',
    weight: 1,
    state: 'ready',
    ...changes,
  };
}
