/**
 * The agent: reads what it is told, starts the layers, connects them, and closes them in reverse.
 *
 * Closing order is what keeps requests whole: first the mesh is told that this node leaves, so that nobody picks its
 * endpoints any more; then rules and listeners go; then the workers drain what is open.
 * @module
 */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { NodeIdentity } from '../certs/node-bundle.ts';
import type { Revocations } from '../certs/revocation.ts';
import { verifyChain } from '../certs/verify.ts';
import type { EndpointDelta } from '../gossip/effects.ts';
import type { Endpoint } from '../gossip/records/endpoint.ts';
import { plainSockets } from '../proxy/sockets.ts';
import type { AccessKeeper } from './access/access-keeper.ts';
import { ClockWatch } from './access/clock-watch.ts';
import { explainWorld } from './access/explain-world.ts';
import { accessRoutes } from './admin/access-routes.ts';
import { AdminServer } from './admin/admin-server.ts';
import { auditRoutes } from './admin/audit-routes.ts';
import { addCertsMetrics } from './admin/certs-metrics.ts';
import { documentRoutes } from './admin/document-routes.ts';
import { buildRegistry } from './admin/metrics.ts';
import { MetricsServer } from './admin/metrics-server.ts';
import type { AdminRoutes } from './admin/routes.ts';
import { addGauge } from './admin/scraped.ts';
import { AuditTrail } from './audit/trail.ts';
import { Linux } from './capture/linux.ts';
import { Captures } from './captures.ts';
import type { AgentConfig } from './config.ts';
import { AgentDocuments } from './documents/agent-documents.ts';
import { RememberedEndpoints } from './endpoints/remembered.ts';
import { capturedUnits } from './enrolment/captured-unit.ts';
import { Enrolment } from './enrolment/enrolment.ts';
import { explicitUnits } from './enrolment/explicit-unit.ts';
import { Certificates } from './identity/certificates.ts';
import { renewIfExpired } from './identity/late-renewal.ts';
import { createLogger } from './log.ts';
import { withNodeIdentity } from './node-identity.ts';
import { RootFollower } from './rotation/root-follower.ts';
import { trustRoutes } from './rotation/routes.ts';
import { ServiceDirectory } from './services.ts';
import { adminSources, type Running } from './sources.ts';
import { SvidKeeper } from './svids.ts';
import { DataPlane } from './threads/data-plane.ts';
import { MeshThread } from './threads/mesh.ts';
import { VipAllocator } from './vips.ts';
import type { WorkloadApi } from './workload-api/workload-api.ts';
import { WorkloadDirectory } from './workloads/directory.ts';
import { HealthChecker } from './workloads/health.ts';

/** A joiner with seeds waits this long for one of them before it calls itself ready all the same. */
const SEED_PATIENCE_MS = 10_000;

/** Runs until `signal` aborts, or a layer that cannot be done without fails. Rejects with the reason, all else closed. */
export async function runAgent(written: AgentConfig, signal: AbortSignal): Promise<void> {
  const log = createLogger({ level: written.log.level, node: written.nodeName });
  await renewIfExpired(written, log);
  const { config, node } = withNodeIdentity(written, log);
  mkdirSync(config.dataDirectory, { recursive: true, mode: 0o700 });

  const stop = new AbortController();
  signal.addEventListener('abort', () => stop.abort(), { once: true });
  await using agent = await Agent.start({ config, node, log, stop });
  log.info({ trustDomain: node.trustDomain, admin: config.admin.socket, workers: config.workers }, 'agent is running');
  if (signal.aborted) stop.abort();
  if (!stop.signal.aborted) await once(stop.signal, 'abort');
  log.info('agent is stopping');
  agent.checkFailure();
}

interface AgentOptions {
  readonly config: AgentConfig;
  readonly node: NodeIdentity;
  readonly log: Logger;
  readonly stop: AbortController;
}

class Agent implements AsyncDisposable {
  readonly #options: AgentOptions;
  readonly #owned = new AsyncDisposableStack();
  readonly #services: ServiceDirectory;
  readonly #vips: VipAllocator;
  #plane!: DataPlane;
  #workloadApi: WorkloadApi | undefined;
  #failure: Error | undefined;

  private constructor(options: AgentOptions) {
    this.#options = options;
    this.#vips = new VipAllocator(join(options.config.dataDirectory, 'vips.json'));
    this.#services = new ServiceDirectory(this.#vips);
  }

  static async start(options: AgentOptions): Promise<Agent> {
    const agent = new Agent(options);
    try {
      await agent.#start();
      return agent;
    } catch (err) {
      await agent[Symbol.asyncDispose]();
      throw err;
    }
  }

  /** @throws what brought a layer down while the agent ran */
  checkFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }

  async #start(): Promise<void> {
    const { config, node, log, stop } = this.#options;
    const startedAtMs = Date.now();
    const captures =
      config.capture.mode === 'namespace' ? this.#owned.use(Captures.load(config.dataDirectory)) : undefined;

    // Each thing is started before what uses it, and so closed after it. What calls back to a later one goes through these.
    let enrolment: Enrolment | undefined;
    let mesh: MeshThread | undefined;

    const audit = this.#owned.use(await AuditTrail.open({ directory: join(config.dataDirectory, 'audit'), log }));
    const plane = await DataPlane.start({
      config: config.proxy,
      workers: config.workers,
      logLevel: config.log.level,
      isCapturing: captures !== undefined,
      log,
      reopen: (worker) => enrolment?.reopen(worker) ?? [],
    });
    this.#plane = this.#owned.use(plane);
    plane.apply({ trust: trustOf(node) });

    const svids = this.#owned.use(
      new SvidKeeper({
        node,
        ttlMs: config.certs.svidTtlMs,
        log,
        random: Math.random,
        renewed: (svid) => {
          enrolment?.renewed(svid);
          this.#workloadApi?.refresh();
        },
      }),
    );
    const certificates = this.#owned.use(
      new Certificates({
        config,
        node,
        revocations: () => documents.revocations,
        bundleChanged: () => void roots.catchUp(),
        record: (what) => audit.record(what),
        log,
      }),
    );
    certificates.holder.onChange((identity) => {
      svids.identityChanged(identity);
      plane.apply({ trust: trustOf(identity) });
      mesh?.identityChanged();
      this.#workloadApi?.refresh();
    });
    const roots = new RootFollower({
      directory: config.certs.bundleDirectory,
      holder: certificates.holder,
      issuersCertified: (issuers) => certificates.issuersCertified(issuers),
      renewNow: () => certificates.renewNow(),
      renewSoon: () => certificates.renewSoon(),
      settled: async () => {
        await svids.settled();
        await plane.settled();
      },
      log,
    });
    await roots.catchUp();
    const sockets = captures?.sockets ?? plainSockets();
    const health = this.#owned.use(
      new HealthChecker({
        open: (unit, family) => sockets.open(unit, family),
        random: Math.random,
        log,
        changed: () => enrolment?.healthChanged(),
      }),
    );
    enrolment = this.#owned.use(
      new Enrolment({
        node: node.name,
        zone: config.zone,
        trustDomain: node.trustDomain,
        isCapturing: captures !== undefined,
        openUnit: captures === undefined ? explicitUnits(plane) : capturedUnits(captures, plane),
        svids,
        plane,
        health,
        log,
        publish: (endpoints) => {
          this.#publish(mesh, endpoints);
          this.#workloadApi?.refresh();
        },
      }),
    );
    const documents = this.#owned.use(
      new AgentDocuments({
        node: node.name,
        dataDirectory: config.dataDirectory,
        audit,
        log,
        accessChanged: (access) => plane.apply({ access }),
        revoked: (revocations) => {
          plane.apply({ revocations: revocations.entries() });
          svids.revoked(revocations);
          this.#checkRevoked(certificates.holder.current, revocations);
        },
        followRoots: (rotation) => roots.follow(rotation),
        services: () => this.#services.services(),
      }),
    );
    const remembered = this.#owned.use(
      new RememberedEndpoints({
        file: join(config.dataDirectory, 'endpoints.json'),
        node: node.name,
        trustDomain: node.trustDomain,
        log,
        forgotten: (delta) => this.#endpointsChanged(delta),
      }),
    );
    this.#endpointsChanged(remembered.recall());
    mesh = this.#owned.use(
      await MeshThread.start(
        {
          config: config.gossip,
          nodeBundleDirectory: config.certs.bundleDirectory,
          logLevel: config.log.level,
          events: {
            members: (members) => {
              remembered.members(members);
              documents.members();
              certificates.members(members);
            },
            asked: (caller, question) => certificates.answer(caller, question),
            endpoints: (delta) => {
              remembered.heard(delta);
              this.#endpointsChanged(delta);
            },
            documents: (heads) => documents.documents(heads),
            documentsGone: (keys) => documents.documentsGone(keys),
            revocations: (entries) => documents.revocationsChanged(entries),
            noted: (notes) => documents.noted(notes),
            report: (name, report) => documents.report(name, report),
            failed: (err) => this.#failed(err),
          },
        },
        stop.signal,
      ),
    );
    await certificates.start(mesh);
    const documentService = await documents.start(mesh);
    this.#owned.use(watchClock(mesh, documents.access));
    const directory = this.#owned.use(
      await WorkloadDirectory.start(
        {
          directory: config.workloadsDirectory,
          isCapturing: captures !== undefined,
          log,
          changed: (workloads) => void enrolment.apply(workloads),
        },
        stop.signal,
      ),
    );
    await captures?.recover(directory.workloads(), log);
    await enrolment.apply(directory.workloads());

    const running: Running = {
      config,
      get node() {
        return certificates.holder.current;
      },
      certificates,
      startedAtMs,
      plane,
      svids,
      enrolment,
      mesh,
      directory,
      services: this.#services,
      remembered,
      captures,
      meshConfig: () => documents.meshConfig(),
    };
    await this.#startWorkloadApi(running);
    await this.#startServers(running, [
      documentRoutes(documentService),
      auditRoutes(audit),
      trustRoutes({
        node: () => certificates.holder.current,
        sequence: () => roots.sequence,
        members: () => running.mesh.members(),
      }),
      accessRoutes({ world: () => explainWorld(running, documents.access), stats: () => plane.stats.access() }),
    ]);
  }

  /** Loaded only where it is asked for, to spare the others its memory. */
  async #startWorkloadApi({ config, captures, enrolment, svids, certificates }: Running): Promise<void> {
    const { socket } = config.workloadApi;
    if (socket === undefined) return;
    const { WorkloadApi } = await import('./workload-api/workload-api.ts');
    const linux = captures?.linux ?? this.#owned.use(Linux.load());
    this.#workloadApi = this.#owned.use(
      await WorkloadApi.start({
        socket,
        linux,
        units: () => enrolment.units(),
        svids: () => svids.svids(),
        trust: () => certificates.holder.current.trust,
        log: this.#options.log,
      }),
    );
  }

  /** Last of all: who can ask sees an agent that is whole. */
  async #startServers(running: Running, routes: readonly AdminRoutes[]): Promise<void> {
    const { config, log, stop } = this.#options;
    const waits = (): readonly string[] => waitingFor(running);
    const sources = adminSources(running, {
      metrics: () => registry.metrics(),
      waitingFor: waits,
      shutdown: () => stop.abort(),
    });
    const registry = buildRegistry({
      status: sources.status,
      workloads: sources.workloads,
      proxy: running.plane.stats,
      gossip: () => running.mesh.stats(),
      workerRestarts: () => running.plane.restarted,
    });
    addGauge(registry, {
      name: 'weft_gossip_state_age_seconds',
      help: 'How old what this node knows of the others is: time since it last had a peer. 0 while it has one.',
      read: () => [[{}, running.remembered.ageMs / 1_000]],
    });
    addCertsMetrics(registry, { certificates: () => running.certificates.view(), svids: () => running.svids });
    const { listen } = config.metrics;
    this.#owned.use(await MetricsServer.start({ listen, registry, waitingFor: waits, log }));
    this.#owned.use(await AdminServer.start({ ...config.admin, sources, routes, log }));
  }

  /** What cannot be published, such as too many endpoints, leaves what was published before. */
  #publish(mesh: MeshThread | undefined, endpoints: readonly Endpoint[]): void {
    try {
      mesh?.publish(endpoints);
    } catch (err) {
      this.#options.log.error({ err, endpoints: endpoints.length }, 'endpoints could not be published');
    }
  }

  #endpointsChanged(delta: EndpointDelta): void {
    const services = this.#services.apply(delta);
    this.#plane.apply({ services, endpoints: delta });
    const nameless = services.upsert.filter(({ vips }) => vips.length === 0).map(({ id }) => id);
    if (nameless.length > 0) this.#options.log.error({ services: nameless }, 'no virtual address is left for services');
    this.#vips.save().catch((err: unknown) => this.#options.log.error({ err }, 'virtual addresses could not be saved'));
  }

  /** It may well not hear of it: others cut it off at once. */
  #checkRevoked({ chain, trust, spiffeId }: NodeIdentity, revocations: Revocations): void {
    const verdict = verifyChain(chain, { trust, role: 'node', nowMs: Date.now(), revocations });
    if (verdict.ok || verdict.reason !== 'revoked') return;
    this.#options.log.error({ spiffeId }, 'this node is revoked: all others refuse it until its bundle is issued anew');
  }

  /** Without gossip the node would serve old news for ever without saying so: better to stop and be restarted. */
  #failed(err: Error): void {
    this.#options.log.fatal({ err }, 'a thread the agent cannot do without has failed');
    this.#failure = err;
    this.#options.stop.abort();
  }
}

/** Rules with a time need a clock that agrees with those of the others. */
function watchClock(mesh: MeshThread, access: AccessKeeper): ClockWatch {
  return new ClockWatch({
    peers: async () => (await mesh.stats()).peers,
    compared: (skewMs) => access.clockCompared(skewMs),
  });
}

function trustOf({ trustDomain, trust }: NodeIdentity) {
  return { trustDomain, rootsPem: trust.roots.map((root) => root.toString()) };
}

/** What the agent still waits for before it should be relied on; empty when it is ready. */
function waitingFor({ config, mesh, startedAtMs }: Running): readonly string[] {
  const hasPeer = mesh.members().some(({ isSelf, state }) => !isSelf && state === 'alive');
  const isPatient = Date.now() - startedAtMs < SEED_PATIENCE_MS;
  return config.gossip.seeds.length > 0 && !hasPeer && isPatient ? ['an answer of a seed in gossip.seeds'] : [];
}
