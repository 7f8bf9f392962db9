/** The parts of agents that have to do with documents, joined by real gossip on loopback, with the CLI in front. @module */
import { join } from 'node:path';
import { pino } from 'pino';
import { AdminServer } from '../../../agent/admin/admin-server.ts';
import { auditRoutes } from '../../../agent/admin/audit-routes.ts';
import { documentRoutes } from '../../../agent/admin/document-routes.ts';
import { AuditTrail } from '../../../agent/audit/trail.ts';
import { runCli } from '../../../agent/cli/cli.ts';
import { AgentDocuments } from '../../../agent/documents/agent-documents.ts';
import type { DocumentService } from '../../../agent/documents/service.ts';
import { MeshThread } from '../../../agent/threads/mesh.ts';
import { gossipConfig } from '../../../gossip/config.ts';
import type { AccessRules } from '../../../proxy/access/policy.ts';
import type { TrafficRules } from '../../../proxy/traffic/rules.ts';
import type { Realm } from '../../gossip/support/mesh.ts';
import { TRUST_DOMAIN } from '../../gossip/support/mesh.ts';
import { sources } from '../admin/fixtures.ts';

const log = pino({ level: process.env.WEFT_TEST_LOG ?? 'silent' });

const SERVICES = [
  { id: 'shop/web', namespace: 'shop', service: 'web', ports: [{ port: 80, protocol: 'http' as const }] },
  { id: 'shop/cart', namespace: 'shop', service: 'cart', ports: [{ port: 80, protocol: 'http' as const }] },
];

export class DocumentNode implements AsyncDisposable {
  readonly name: string;
  readonly socket: string;
  readonly mesh: MeshThread;
  readonly service: DocumentService;
  readonly documents: AgentDocuments;
  /** Every set of rules that went to the data plane. */
  readonly access: readonly AccessRules[];
  readonly traffic: readonly TrafficRules[];
  readonly #owned: AsyncDisposableStack;

  private constructor(parts: {
    name: string;
    socket: string;
    mesh: MeshThread;
    service: DocumentService;
    documents: AgentDocuments;
    access: readonly AccessRules[];
    traffic: readonly TrafficRules[];
    owned: AsyncDisposableStack;
  }) {
    this.name = parts.name;
    this.socket = parts.socket;
    this.mesh = parts.mesh;
    this.service = parts.service;
    this.documents = parts.documents;
    this.access = parts.access;
    this.traffic = parts.traffic;
    this.#owned = parts.owned;
  }

  static async start(realm: Realm, name: string, seeds: readonly string[] = []): Promise<DocumentNode> {
    const dataDirectory = join(realm.directory, 'data', name);
    const owned = new AsyncDisposableStack();
    const access: AccessRules[] = [];
    const traffic: TrafficRules[] = [];
    const audit = owned.use(await AuditTrail.open({ directory: join(dataDirectory, 'audit'), log }));
    const parts = { node: name, dataDirectory, audit, log };
    const documents = owned.use(
      new AgentDocuments({
        ...parts,
        accessChanged: (rules) => access.push(rules),
        trafficChanged: (rules) => traffic.push(rules),
        servicesWritten: () => {},
        trustDomain: TRUST_DOMAIN,
        service: (id) => SERVICES.find((one) => one.id === id),
        endpoints: () => [{ namespace: 'shop', service: 'cart', labels: { version: 'v1' }, version: 'v1' }],
        callers: (id) => (id === 'shop/cart' ? [`spiffe://${TRUST_DOMAIN}/ns/shop/sa/web`] : []),
        revoked: () => {},
        followRoots: async () => {},
        services: () => SERVICES,
      }),
    );
    const config = gossipConfig.parse({ listen: '127.0.0.1:0', seeds, dataDirectory, antiEntropyIntervalMs: 500 });
    const events = {
      members: () => documents.members(),
      endpoints: () => {},
      documents: documents.documents.bind(documents),
      documentsGone: documents.documentsGone.bind(documents),
      revocations: documents.revocationsChanged.bind(documents),
      noted: documents.noted.bind(documents),
      report: documents.report.bind(documents),
      failed: (err: Error) => {
        throw err;
      },
    };
    const options = { config, nodeBundleDirectory: realm.bundle(name), logLevel: 'fatal' as const, events };
    const mesh = owned.use(await MeshThread.start(options, new AbortController().signal));
    const service = await documents.start(mesh);
    const socket = join(realm.directory, `${name}.sock`);
    const status = { ...(await sources().status()), trustDomain: TRUST_DOMAIN, node: name };
    const admin = { socket, listen: '127.0.0.1:0', log, routes: [documentRoutes(service), auditRoutes(audit)] };
    const mine = sources({ status: () => ({ ...status, mesh: documents.meshConfig() }) });
    owned.use(await AdminServer.start({ ...admin, sources: mine }));
    return new DocumentNode({ name, socket, mesh, service, documents, access, traffic, owned });
  }

  /** `weft ARGV` against this node. */
  async weft(...argv: readonly string[]): Promise<{ code: number; out: string; err: string }> {
    let out = '';
    let err = '';
    const code = await runCli([...argv, '-s', this.socket], {
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (err += text) },
      env: {},
      signal: new AbortController().signal,
      nowMs: Date.now,
    });
    return { code, out, err };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }
}

/** Looks every 20 ms: what is awaited happens in other threads. Vitest's own timeout ends a wait in vain. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
}
