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
import type { Delta, Service } from '../proxy/snapshot.ts';
import { plainSockets } from '../proxy/sockets.ts';
import type { SeriesStats } from '../proxy/telemetry/stats-reader.ts';
import type { AccessKeeper } from './access/access-keeper.ts';
import { ClockWatch } from './access/clock-watch.ts';
import { explainWorld } from './access/explain-world.ts';
import { accessRoutes } from './admin/access-routes.ts';
import { AdminServer } from './admin/admin-server.ts';
import { agentRegistry } from './admin/agent-registry.ts';
import { auditRoutes } from './admin/audit-routes.ts';
import { catalogRoutes } from './admin/catalog-routes.ts';
import { documentRoutes } from './admin/document-routes.ts';
import { eventsRoutes } from './admin/events-routes.ts';
import { MetricsServer } from './admin/metrics-server.ts';
import { addObservationMetrics } from './admin/observation-metrics.ts';
import { observationRoutes } from './admin/observation-routes.ts';
import type { AdminRoutes } from './admin/routes.ts';
import { sloRoutes } from './admin/slo-routes.ts';
import { trafficRoutes } from './admin/traffic-routes.ts';
import { AuditTrail } from './audit/trail.ts';
import { Linux } from './capture/linux.ts';
import { Captures } from './captures.ts';
import { Catalog } from './catalog/catalog.ts';
import type { AgentConfig } from './config.ts';
import type { Console } from './console/console.ts';
import { startConsole } from './console/start.ts';
import { registerOf } from './console/world.ts';
import { AgentDocuments } from './documents/agent-documents.ts';
import { RememberedEndpoints } from './endpoints/remembered.ts';
import { capturedUnits } from './enrolment/captured-unit.ts';
import { Enrolment } from './enrolment/enrolment.ts';
import { explicitUnits } from './enrolment/explicit-unit.ts';
import { AgentError } from './errors.ts';
import { AgentEvents } from './events/events.ts';
import { watchedParts } from './events/watched.ts';
import { loadForeignIssuers } from './foreign-issuers.ts';
import { EjectionKeeper } from './health/ejection-keeper.ts';
import { reachChecks } from './health/reach-checks.ts';
import type { ReachKeeper } from './health/reach-keeper.ts';
import { History } from './history/history.ts';
import { Certificates } from './identity/certificates.ts';
import { renewIfExpired } from './identity/late-renewal.ts';
import { createLogger } from './log.ts';
import { MeshQueries } from './mesh-query/mesh-queries.ts';
import { withNodeIdentity } from './node-identity.ts';
import { HealthWatch } from './observe/health-watch.ts';
import { type SloSight, sightOf } from './observe/slo-list.ts';
import { RootFollower } from './rotation/root-follower.ts';
import { trustRoutes } from './rotation/routes.ts';
import type { Running } from './running.ts';
import { ServiceDirectory } from './services.ts';
import { adminSources } from './sources.ts';
import { SvidKeeper } from './svids.ts';
import { FORMAT, listensOf } from './takeover/inheritance.ts';
import { Predecessor } from './takeover/predecessor.ts';
import { type HandOver, takeoverRoutes } from './takeover/routes.ts';
import { meshFigures } from './telemetry/mesh-figures.ts';
import { Observation } from './telemetry/observation.ts';
import { trafficPage, wholeText } from './telemetry/traffic-page.ts';
import { DataPlane } from './threads/data-plane.ts';
import { MeshThread, type Succession } from './threads/mesh.ts';
import { declaredService } from './traffic/compiled.ts';
import { trafficWorld } from './traffic/explain/gather.ts';
import type { TrafficKeeper } from './traffic/traffic-keeper.ts';
import { VipAllocator } from './vips.ts';
import type { WorkloadApi } from './workload-api/workload-api.ts';
import { WorkloadDirectory } from './workloads/directory.ts';
import { HealthChecker } from './workloads/health.ts';
import { RefusedPorts } from './workloads/refused-ports.ts';

/** A joiner with seeds waits this long for one of them before it calls itself ready all the same. */
const SEED_PATIENCE_MS = 10_000;
/** An agent that has handed over answers one more request on idle connections, within this. */
const LAST_REQUEST_MS = 5_000;
/** A successor that let go of us has this long to be ready; it takes a few seconds. */
const SUCCESSION_MS = 60_000;

/** Runs until `signal` aborts, or a layer that cannot be done without fails. Rejects with the reason, all else closed. */
export async function runAgent(
  written: AgentConfig,
  signal: AbortSignal,
  options: { readonly takeOver?: boolean } = {},
): Promise<void> {
  const log = createLogger({ level: written.log.level, node: written.nodeName });
  await renewIfExpired(written, log);
  const { config, node } = withNodeIdentity(written, log);
  mkdirSync(config.dataDirectory, { recursive: true, mode: 0o700 });

  const stop = new AbortController();
  signal.addEventListener('abort', () => stop.abort(), { once: true });
  await using predecessor = options.takeOver === true ? await Predecessor.find(config, node, log) : undefined;
  await predecessor?.checkListens(config);
  await using agent = await Agent.start({ config, node, log, stop, predecessor });
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
  /** The running agent of this node, which is to hand over. */
  readonly predecessor: Predecessor | undefined;
}

class Agent implements AsyncDisposable {
  readonly #options: AgentOptions;
  /** Three parts, closed in this order: where others ask; what speaks with other nodes or writes to disk; what carries traffic. */
  readonly #doors = new AsyncDisposableStack();
  readonly #state = new AsyncDisposableStack();
  readonly #serving = new AsyncDisposableStack();
  readonly #services: ServiceDirectory;
  readonly #vips: VipAllocator;
  #plane!: DataPlane;
  #workloadApi: WorkloadApi | undefined;
  #ejections: EjectionKeeper | undefined;
  #reach: ReachKeeper | undefined;
  /** Wants to hear of services before the data plane does. */
  #traffic: TrafficKeeper | undefined;
  #failure: Error | undefined;
  /** From the moment on at which a successor has all but the data plane. */
  #isYielded = false;

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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#doors.disposeAsync();
    await this.#state.disposeAsync();
    if (this.#isYielded) await this.#plane.close(this.#options.config.upgrade.drainMs, LAST_REQUEST_MS);
    await this.#serving.disposeAsync();
  }

  async #start(): Promise<void> {
    const { config, node, log, stop, predecessor } = this.#options;
    const startedAtMs = Date.now();
    const foreignIssuers = loadForeignIssuers(config);
    const captures =
      config.capture.mode === 'namespace' ? this.#serving.use(Captures.load(config.dataDirectory)) : undefined;

    // Each thing is started before what uses it, and so closed after it. What calls back to a later one goes through these.
    let enrolment: Enrolment | undefined;
    let refused: RefusedPorts | undefined;
    let mesh: MeshThread | undefined;
    let audit: AuditTrail | undefined;
    let events: AgentEvents | undefined;
    let own: readonly Endpoint[] = [];
    if (captures !== undefined) captures.isTakingOver = predecessor !== undefined;

    const plane = await DataPlane.start({
      config: config.proxy,
      workers: config.workers,
      logLevel: config.log.level,
      isCapturing: captures !== undefined,
      maxSeries: config.telemetry.maxSeries,
      log,
      reopen: (worker) => enrolment?.reopen(worker) ?? [],
      unreachable: (workload, port) => refused?.suspect(workload, port),
    });
    this.#plane = this.#serving.use(plane);
    plane.apply({ trust: { ...trustOf(node), foreignIssuers } });

    const svids = this.#serving.use(
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
    const certificates = this.#state.use(
      new Certificates({
        config,
        node,
        revocations: () => documents.revocations,
        bundleChanged: () => void roots.catchUp(),
        record: (what) => audit?.record(what),
        log,
      }),
    );
    certificates.holder.onChange((identity) => {
      svids.identityChanged(identity);
      plane.apply({ trust: { ...trustOf(identity), foreignIssuers } });
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
    const health = this.#serving.use(
      new HealthChecker({
        open: (unit, family) => sockets.open(unit, family),
        random: Math.random,
        log,
        changed: () => enrolment?.healthChanged(),
      }),
    );
    refused = this.#serving.use(
      new RefusedPorts({
        open: (unit, family) => sockets.open(unit, family),
        random: Math.random,
        log,
        changed: (workload, isRefused) => {
          if (isRefused) health.doubt(workload);
          enrolment?.healthChanged();
        },
      }),
    );
    enrolment = this.#serving.use(
      new Enrolment({
        node: node.name,
        zone: config.zone,
        trustDomain: node.trustDomain,
        isCapturing: captures !== undefined,
        openUnit: captures === undefined ? explicitUnits(plane) : capturedUnits(captures, plane),
        svids,
        plane,
        health,
        refused,
        log,
        publish: (endpoints) => {
          own = endpoints;
          this.#publish(mesh, endpoints);
          this.#workloadApi?.refresh();
        },
      }),
    );
    const directory = this.#state.use(
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
    const queries = this.#state.use(new MeshQueries({ node: node.name, mesh: () => mesh }));
    const startMesh = (succeeds?: Promise<Succession>): Promise<MeshThread> =>
      MeshThread.start(
        {
          config: config.gossip,
          nodeBundleDirectory: config.certs.bundleDirectory,
          logLevel: config.log.level,
          events: {
            members: (members) => {
              remembered.members(members);
              queries.members(members);
              events?.members(members);
              documents.members();
              this.#reach?.changed();
              certificates.members(members);
            },
            asked: (caller, question) => queries.answer(caller, question) ?? certificates.answer(caller, question),
            endpoints: (delta) => {
              remembered.heard(delta);
              events?.endpoints(delta);
              this.#endpointsChanged(delta);
            },
            documents: (heads) => {
              events?.documents.heads(heads);
              documents.documents(heads);
            },
            documentsGone: (keys) => documents.documentsGone(keys),
            revocations: (entries) => documents.revocationsChanged(entries),
            noted: (notes) => documents.noted(notes),
            report: (name, report) => documents.report(name, report),
            evidence: (name, evidence) => ejections.heard(name, evidence),
            failed: (err) => this.#failed(err),
          },
          ...(succeeds === undefined ? {} : { succeeds }),
        },
        AbortSignal.any([stop.signal, giveUp.signal]),
      );
    // Loaded before it is our turn, so that peers miss this node for as short a time as can be.
    const giveUp = new AbortController();
    const succession = Promise.withResolvers<Succession>();
    const early = predecessor === undefined ? undefined : startMesh(succession.promise);
    early?.catch(() => {}); // told below, where it is waited for
    this.#state.defer(async () => {
      giveUp.abort();
      await early?.catch(() => {});
    });
    if (predecessor !== undefined) {
      await this.#serveBeside(predecessor, { enrolment, directory });
      await predecessor.yield(config.gossip.listen); // whatever fails from here on, it is our turn
      log.info({ pid: predecessor.inheritance.pid }, 'the running agent has handed over');
    }

    const observed = { config: config.telemetry, hub: plane.records, stats: plane.stats, query: queries, log };
    const place = { node: node.name, trustDomain: node.trustDomain, dataDirectory: config.dataDirectory };
    const observation = this.#state.use(await Observation.start({ ...observed, ...place }));
    audit = this.#state.use(await AuditTrail.open({ directory: join(config.dataDirectory, 'audit'), log }));
    events = this.#state.use(
      await AgentEvents.start({ ...config, node: node.name, config: config.history, queries, log }),
    );
    const documents = this.#state.use(
      new AgentDocuments({
        node: node.name,
        dataDirectory: config.dataDirectory,
        audit: events.documents.recording(audit),
        log,
        accessChanged: (access) => plane.apply({ access }),
        trafficChanged: (traffic) => {
          plane.apply({ traffic });
          this.#reach?.changed();
        },
        servicesWritten: (services) => this.#servicesChanged(this.#services.declare(services.flatMap(declaredService))),
        trustDomain: node.trustDomain,
        revoked: (revocations) => {
          plane.apply({ revocations: revocations.entries() });
          svids.revoked(revocations);
          this.#checkRevoked(certificates.holder.current, revocations);
        },
        followRoots: (rotation) => roots.follow(rotation),
        services: () => this.#services.services(),
        service: (id) => this.#services.service(id),
        endpoints: () => this.#services.endpoints(),
        callers: (service) => callersOf(service, plane.stats.series()),
      }),
    );
    this.#traffic = documents.traffic;
    const remembered = this.#state.use(
      new RememberedEndpoints({
        file: join(config.dataDirectory, 'endpoints.json'),
        node: node.name,
        trustDomain: node.trustDomain,
        log,
        forgotten: (delta) => this.#endpointsChanged(delta),
      }),
    );
    this.#endpointsChanged(withoutGone(remembered.recall(), predecessor?.inheritance.endpoints ?? [], own));
    const ejections = this.#state.use(
      new EjectionKeeper({
        node: node.name,
        table: plane.shared,
        endpoints: this.#services.endpointIds,
        accuse: (evidence) => mesh?.accuse(evidence),
        log,
      }),
    );
    this.#ejections = ejections;
    succession.resolve({ endpoints: own });
    mesh = this.#state.use(await (early ?? startMesh()));
    await predecessor?.releasePort();
    await certificates.start(mesh);
    const documentService = await documents.start(mesh);
    this.#state.use(watchClock(mesh, documents.access));
    await captures?.recover(directory.workloads(), log);
    if (captures !== undefined) captures.isTakingOver = false;
    if (predecessor !== undefined) await enrolment.assume();
    await enrolment.apply(directory.workloads());

    const history = this.#state.use(
      await History.start({ ...config, node: node.name, config: config.history, stats: plane.stats, queries, log }),
    );

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
      queries,
      history,
      observation,
      events,
      directory,
      services: this.#services,
      remembered,
      ejections,
      captures,
      meshConfig: () => documents.meshConfig(),
      documentDelay: documents.delay,
      trafficAdvice: () => documents.advisor.onAll(),
    };
    this.#reach = this.#state.use(
      reachChecks(running, {
        policies: () => documents.traffic.policies(),
        revocations: () => documents.revocations,
        log,
      }),
    );
    this.#reach.changed();
    const catalog = this.#state.use(
      new Catalog(running, {
        ...{ documents, log, records: plane.records },
        hasObjective: (service) => documents.objectives.has(service),
      }),
    );
    events.watch(watchedParts(running));
    const sight = (): SloSight => sightOf(running, documents.objectives);
    this.#state.use(
      new HealthWatch({
        ...{ node: node.name, events, log, sight },
        members: () => running.mesh.members(),
        register: () => registerOf(running),
        figures: (question) => history.figures(question),
      }),
    );
    await this.#startWorkloadApi(running);
    await predecessor?.drain();
    const console = this.#state.use(await startConsole(running, { documents, service: documentService, catalog, log }));
    await this.#startServers(running, console, [
      documentRoutes(documentService),
      auditRoutes(audit),
      eventsRoutes(events),
      sloRoutes(sight),
      trustRoutes({
        node: () => certificates.holder.current,
        sequence: () => roots.sequence,
        members: () => running.mesh.members(),
      }),
      takeoverRoutes(this.#handOver(running, documents)),
      accessRoutes({
        world: () => explainWorld(running, documents.access),
        traffic: () => trafficWorld(running, documents.access, documents.traffic),
        stats: () => plane.stats.access(),
      }),
      trafficRoutes(() => trafficWorld(running, documents.access, documents.traffic)),
      catalogRoutes(catalog),
      observationRoutes(queries),
    ]);
  }

  /** Loaded only where it is asked for, to spare the others its memory. */
  async #startWorkloadApi({ config, captures, enrolment, svids, certificates }: Running): Promise<void> {
    const { socket } = config.workloadApi;
    if (socket === undefined) return;
    const { WorkloadApi } = await import('./workload-api/workload-api.ts');
    const linux = captures?.linux ?? this.#serving.use(Linux.load());
    this.#workloadApi = this.#doors.use(
      await WorkloadApi.start({
        socket,
        mayReplace: this.#options.predecessor !== undefined,
        linux,
        units: () => enrolment.units(),
        svids: () => svids.svids(),
        trust: () => certificates.holder.current.trust,
        log: this.#options.log,
      }),
    );
  }

  /** Last of all: who can ask sees an agent that is whole. */
  async #startServers(running: Running, console: Console, routes: readonly AdminRoutes[]): Promise<void> {
    const { config, log, stop, predecessor } = this.#options;
    const waits = (): readonly string[] => waitingFor(running);
    const sources = adminSources(running, {
      metrics: async () => (await registry.metrics()) + (await wholeText(traffic())),
      waitingFor: waits,
      shutdown: () => stop.abort(),
    });
    const traffic = trafficPage(running);
    const registry = agentRegistry({
      agent: {
        status: sources.status,
        workloads: sources.workloads,
        proxy: running.plane.stats,
        gossip: () => running.mesh.stats(),
        workerRestarts: () => running.plane.restarted,
      },
      mesh: meshFigures(running),
      ejections: running.ejections,
      certs: { certificates: () => running.certificates.view(), svids: () => running.svids },
      console,
    });
    addObservationMetrics(registry, running.observation);
    const { listen } = config.metrics;
    this.#state.use(await MetricsServer.start({ listen, registry, traffic, waitingFor: waits, log }));
    const mayReplace = predecessor !== undefined;
    const admin = this.#doors.use(
      await AdminServer.start({ ...config.admin, mayReplace, sources, routes, console, log }),
    );
    this.#doors.defer(() => console.bye());
    this.#state.defer(() => admin.closeAddress());
    this.#state.defer(() => console.bye());
  }

  /** Listens beside the predecessor, and knows all it knows: from here on either may be given a new connection. */
  async #serveBeside(
    predecessor: Predecessor,
    { enrolment, directory }: { readonly enrolment: Enrolment; readonly directory: WorkloadDirectory },
  ): Promise<void> {
    const { log, stop } = this.#options;
    const { endpoints, access, revocations } = predecessor.inheritance;
    this.#plane.apply({ access, revocations });
    this.#route({ upsert: endpoints, remove: [] });
    await enrolment.apply(directory.workloads());
    await predecessor.untilServing(() => enrolment.view(), log, stop.signal);
    await this.#plane.settled();
  }

  /** What a successor asks of this agent. */
  #handOver(running: Running, documents: AgentDocuments): HandOver {
    const { config, log, stop } = this.#options;
    return {
      inheritance: () => ({
        format: FORMAT,
        node: running.node.name,
        trustDomain: running.node.trustDomain,
        pid: process.pid,
        listens: listensOf(config),
        endpoints: this.#services.endpoints(),
        access: documents.access.rules,
        revocations: documents.revocations.entries(),
      }),
      yield: async () => {
        if (this.#isYielded) return false;
        this.#isYielded = true;
        log.info('another agent takes over');
        await running.enrolment.handOver();
        await running.mesh.close(true);
        await this.#state.disposeAsync();
        const abandoned = setTimeout(
          () => this.#failed(new AgentError('WEFT_AGENT_TAKEOVER_ABANDONED', `no word in ${SUCCESSION_MS / 1_000} s`)),
          SUCCESSION_MS,
        );
        this.#doors.defer(() => clearTimeout(abandoned));
        return true;
      },
      drain: () => {
        if (this.#isYielded) setImmediate(() => stop.abort()); // after the answer is on its way
        return this.#isYielded;
      },
    };
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
    this.#route(delta);
    this.#vips.save().catch((err: unknown) => this.#options.log.error({ err }, 'virtual addresses could not be saved'));
  }

  #route(delta: EndpointDelta): void {
    this.#servicesChanged(this.#services.apply(delta), delta);
  }

  /** @param endpoints what they changed by */
  #servicesChanged(services: Delta<Service>, endpoints: EndpointDelta = { upsert: [], remove: [] }): void {
    this.#traffic?.servicesChanged([...services.upsert.map(({ id }) => id), ...services.remove]);
    this.#plane.apply({ services, endpoints });
    this.#ejections?.endpointsChanged();
    this.#reach?.changed();
    const nameless = services.upsert.filter(({ vips }) => vips.length === 0).map(({ id }) => id);
    if (nameless.length > 0) this.#options.log.error({ services: nameless }, 'no virtual address is left for services');
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

/** What is remembered, and away with what a predecessor told of that is neither there nor one of our own. */
function withoutGone(
  { upsert }: EndpointDelta,
  inherited: readonly Endpoint[],
  own: readonly Endpoint[],
): EndpointDelta {
  const known = new Set([...upsert, ...own].map(({ id }) => id));
  return { upsert, remove: inherited.flatMap(({ id }) => (known.has(id) ? [] : [id])) };
}

/** Who called a service, as the workers counted it: callers of this node, and whoever called what runs here. */
function callersOf(service: string, series: readonly SeriesStats[]): readonly string[] {
  const calls = series.filter(({ labels }) => labels.destination === service);
  return [...new Set(calls.map(({ labels }) => labels.source))]
    .filter((source) => source !== '' && source !== 'other')
    .sort();
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
