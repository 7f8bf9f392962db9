/**
 * The agent: reads what it is told, starts its parts (agent/parts/) in order, connects them, and closes them in reverse. One
 * that takes over from a running agent serves beside it first, and goes on from what that one knew.
 * @module
 */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import type { Logger } from 'pino';
import type { NodeIdentity } from '../certs/node-bundle.ts';
import type { Endpoint } from '../gossip/records/endpoint.ts';
import { ClockWatch } from './access/clock-watch.ts';
import type { AgentConfig } from './config.ts';
import { startConsole } from './console/start.ts';
import type { DocumentService } from './documents/service.ts';
import { loadForeignIssuers } from './foreign-issuers.ts';
import { History } from './history/history.ts';
import { renewIfExpired } from './identity/late-renewal.ts';
import { createLogger } from './log.ts';
import { MeshQueries } from './mesh-query/mesh-queries.ts';
import { withNodeIdentity } from './node-identity.ts';
import { openDoors, routesOf } from './parts/doors.ts';
import { type Identity, startIdentity } from './parts/identity.ts';
import { Lifetimes } from './parts/lifetimes.ts';
import { meshEvents } from './parts/mesh-events.ts';
import { MeshStart } from './parts/mesh-start.ts';
import { ServiceNews } from './parts/service-news.ts';
import { type Serving, startServing } from './parts/serving.ts';
import { openState, type State } from './parts/state.ts';
import { startWatchers, type Watchers } from './parts/watchers.ts';
import { type Running, runningOf } from './running.ts';
import { AgentHandOver } from './takeover/hand-over.ts';
import { Predecessor } from './takeover/predecessor.ts';
import { takeoverRoutes } from './takeover/routes.ts';
import { succeed } from './takeover/succeed.ts';
import type { MeshThread } from './threads/mesh.ts';
import { startWorkloadApi } from './workload-api/start.ts';
import type { WorkloadApi } from './workload-api/workload-api.ts';
import { WorkloadDirectory } from './workloads/directory.ts';

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
  readonly #lifetimes = new Lifetimes();
  /** What earlier parts call back to, from when it is there. */
  #mesh: MeshThread | undefined;
  #workloadApi: WorkloadApi | undefined;
  #watchers: Watchers | undefined;
  /** Endpoints of this node's workloads. */
  #own: readonly Endpoint[] = [];
  #failure: Error | undefined;

  private constructor(options: AgentOptions) {
    this.#options = options;
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
    return this.#lifetimes[Symbol.asyncDispose]();
  }

  async #start(): Promise<void> {
    const { config, node, log, stop, predecessor } = this.#options;
    const owner = this.#lifetimes.state;
    const startedAtMs = Date.now();
    const isSuccessor = predecessor !== undefined;
    const common = { config, node, foreignIssuers: loadForeignIssuers(config), log };

    const serving = await startServing(this.#lifetimes.serving, {
      ...common,
      isTakingOver: isSuccessor,
      publish: (endpoints) => this.#publish(endpoints),
      renewed: () => this.#workloadApi?.refresh(),
    });
    const news = new ServiceNews({ ...config, plane: serving.plane, log });
    const identity = await startIdentity(owner, {
      ...common,
      serving,
      revocations: () => state.documents.revocations,
      record: (what) => state.audit.record(what),
      changed: () => {
        this.#mesh?.identityChanged();
        this.#workloadApi?.refresh();
      },
    });
    const directory = owner.use(await this.#readWorkloads(serving));
    const queries = owner.use(new MeshQueries({ node: node.name, mesh: () => this.#mesh }));
    const checksChanged = (): void => this.#watchers?.reach.changed();
    const meshStart = owner.use(
      new MeshStart({
        config: config.gossip,
        nodeBundleDirectory: config.certs.bundleDirectory,
        logLevel: config.log.level,
        isSuccessor,
        events: meshEvents({
          ...{ news, queries, identity },
          state: () => state,
          checkersChanged: checksChanged,
          failed: (err) => this.#failed(err),
        }),
        signal: stop.signal,
      }),
    );
    if (predecessor !== undefined) {
      await succeed(predecessor, { config, serving, news, directory, signal: stop.signal, log });
    }

    const state = await openState(owner, {
      ...{ config, serving, identity, news, queries, checksChanged, log },
      place: { node: node.name, trustDomain: node.trustDomain },
      mesh: () => this.#mesh,
      inherited: predecessor?.inheritance.endpoints ?? [],
      own: () => this.#own,
    });
    const mesh = owner.use(await meshStart.now({ endpoints: this.#own }));
    this.#mesh = mesh;
    await predecessor?.releasePort();
    await identity.certificates.start(mesh);
    const service = await state.documents.start(mesh);
    owner.use(
      new ClockWatch({
        peers: async () => (await mesh.stats()).peers,
        compared: (skewMs) => state.documents.access.clockCompared(skewMs),
      }),
    );
    await this.#enrol(serving, directory);
    const history = owner.use(
      await History.start({
        ...{ ...config, node: node.name, config: config.history, queries, log },
        stats: serving.plane.stats,
      }),
    );
    const parts = { ...serving, ...state, directory, queries, mesh, history, services: news.services };
    const running = runningOf({ ...parts, config, startedAtMs, certificates: identity.certificates });
    await this.#open(running, { state, identity, service });
  }

  #readWorkloads({ enrolment, captures }: Serving): Promise<WorkloadDirectory> {
    const { config, stop, log } = this.#options;
    return WorkloadDirectory.start(
      {
        directory: config.workloadsDirectory,
        isCapturing: captures !== undefined,
        log,
        changed: (workloads) => void enrolment.apply(workloads),
      },
      stop.signal,
    );
  }

  /** Workloads come in now that rules and endpoints are known. */
  async #enrol({ captures, enrolment }: Serving, directory: WorkloadDirectory): Promise<void> {
    const { predecessor, log } = this.#options;
    await captures?.recover(directory.workloads(), log);
    if (captures !== undefined) captures.isTakingOver = false;
    if (predecessor !== undefined) await enrolment.assume();
    await enrolment.apply(directory.workloads());
  }

  async #open(running: Running, { state, identity, service }: Told): Promise<void> {
    const { predecessor, stop, log } = this.#options;
    const { documents, audit } = state;
    const mayReplace = predecessor !== undefined;
    const shutdown = (): void => stop.abort();
    const watchers = startWatchers(this.#lifetimes.state, running, { documents, log });
    this.#watchers = watchers;
    this.#workloadApi = await startWorkloadApi(this.#lifetimes, running, { mayReplace, log });
    await predecessor?.drain();
    const { catalog } = watchers;
    const console = this.#lifetimes.state.use(await startConsole(running, { documents, service, catalog, log }));
    const handOver = new AgentHandOver({
      ...{ running, documents, lifetimes: this.#lifetimes, log },
      stop: shutdown,
      failed: (err) => this.#failed(err),
    });
    await openDoors(this.#lifetimes, running, {
      ...{ console, mayReplace, shutdown, log },
      routes: [
        ...routesOf(running, { documents, service, audit, roots: identity.roots, watchers }),
        takeoverRoutes(handOver),
      ],
    });
  }

  /** What cannot be published, such as too many endpoints, leaves what was published before. */
  #publish(endpoints: readonly Endpoint[]): void {
    this.#own = endpoints;
    try {
      this.#mesh?.publish(endpoints);
    } catch (err) {
      this.#options.log.error({ err, endpoints: endpoints.length }, 'endpoints could not be published');
    }
    this.#workloadApi?.refresh();
  }

  /** Without gossip the node would serve old news for ever without saying so: better to stop and be restarted. */
  #failed(err: Error): void {
    this.#options.log.fatal({ err }, 'a thread the agent cannot do without has failed');
    this.#failure = err;
    this.#options.stop.abort();
  }
}

interface Told {
  readonly state: State;
  readonly identity: Identity;
  readonly service: DocumentService;
}
