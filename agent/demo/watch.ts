/** The demo as people see it: a page redrawn once a second, or a line every few seconds where there is no terminal. @module */
import { setTimeout as delay } from 'node:timers/promises';
import type { EndpointView } from '../admin/views.ts';
import { ConsoleDoors } from './console-door.ts';
import { Histogram } from './histogram.ts';
import type { Load } from './load.ts';
import { DemoMesh, type DemoMeshOptions, type RunningAgent } from './mesh.ts';
import { Screen } from './screen.ts';
import { ServiceRates } from './service-rates.ts';
import { NAMESPACE, VICTIM } from './topology.ts';
import type { TrafficReport } from './traffic-report.ts';
import { type Picture, type Rates, renderPicture, type ServiceRow, summarize, type Try } from './view.ts';

const REDRAW_MS = 1_000;
const LINE_MS = 5_000;
const MAX_EVENTS = 5;
/** Rates are over the last reports: about five seconds. */
const RECENT_REPORTS = 10;

export interface WatchOptions {
  readonly mesh: Omit<DemoMeshOptions, 'onEvent'>;
  readonly signal: AbortSignal;
  /** A page redrawn in place, if the output is a terminal. */
  readonly isLive: boolean;
  /** Visits to the shop. */
  readonly perSecond: number;
  /** Ends by itself after this long; undefined: when the signal aborts. */
  readonly seconds: number | undefined;
  readonly say: (sentence: string) => void;
}

/** Runs until the signal aborts or time is up; both are a good end. */
export async function watchDemo(options: WatchOptions): Promise<void> {
  const { mesh: meshOptions, signal, isLive, perSecond, seconds, say } = options;
  const events = new Events();
  const startMs = performance.now();
  await using mesh = await DemoMesh.start({ ...meshOptions, onEvent: (event) => events.add(event) }, signal);
  say(`${mesh.topology.nodes.length} nodes on ${mesh.ground.description}; waiting until all see each other`);
  await mesh.waitUntilUp(signal);
  say(`everything is up after ${((performance.now() - startMs) / 1_000).toFixed(1)} s`);
  await using consoles = await ConsoleDoors.open(mesh);
  say(`the console: ${consoles.urls[0]} (any node has it: ${consoles.urls.slice(1).join(', ')})`);
  const recent = new Recent();
  const rates = new ServiceRates();
  await using load = mesh.startLoad({
    path: '/?user=visitor{n}',
    perSecond,
    onReport: (report) => recent.add(report),
  });
  using screen = isLive && process.stdout.isTTY ? new Screen(process.stdout) : undefined;
  if (!screen) for (const { what, command } of triesOf(mesh, consoles)) say(`try: ${what}: ${command}`);
  const endMs = seconds === undefined ? Number.POSITIVE_INFINITY : performance.now() + seconds * 1_000;
  while (!signal.aborted && performance.now() < endMs) {
    const picture = await takePicture({ mesh, consoles, load, recent, rates, events, startMs });
    if (screen) screen.draw(renderPicture(picture, screen));
    else process.stdout.write(`${summarize(picture)}\n`);
    const pauseMs = Math.min(screen ? REDRAW_MS : LINE_MS, endMs - performance.now());
    await delay(Math.max(0, pauseMs), undefined, { signal }).catch(() => {});
  }
  screen?.[Symbol.dispose]();
  await load.close();
  say(`${load.tally.requests} requests, ${load.tally.failed} failed; taking everything down`);
}

interface Scene {
  readonly mesh: DemoMesh;
  readonly consoles: ConsoleDoors;
  readonly load: Load;
  readonly recent: Recent;
  readonly rates: ServiceRates;
  readonly events: Events;
  readonly startMs: number;
}

async function takePicture({ mesh, consoles, load, recent, rates, events, startMs }: Scene): Promise<Picture> {
  const [view] = await Promise.all([firstView(mesh.agents), scrapeAll(mesh.agents, rates)]);
  const endpoints = view?.endpoints ?? [];
  const { requests, failed, failures } = load.tally;
  const lastFailure = failures.at(-1);
  return {
    headline: `Weft demo · ${mesh.topology.nodes.length} nodes, ${mesh.topology.pods.length} pods, ${mesh.ground.description}`,
    upMs: performance.now() - startMs,
    seenBy: view?.node,
    members: view?.members ?? [],
    services: mesh.services().map((name) => serviceRow(name, { mesh, endpoints, recent, rates })),
    traffic: {
      target: load.target,
      ...recent.rates(),
      requests,
      failed,
      lastFailure: lastFailure && `${lastFailure.at.slice(11, 19)} ${lastFailure.reason}`,
    },
    events: events.latest(),
    tries: triesOf(mesh, consoles),
    notes: mesh.ground.cannotShow,
  };
}

/** Of the first agent that answers: while one is down, the next one tells. */
async function firstView(agents: readonly RunningAgent[]) {
  for (const { node, client } of agents) {
    const [members, endpoints] = await Promise.all([client.members(), client.endpoints()]);
    if (members && endpoints) return { node: node.name, members, endpoints };
  }
  return undefined;
}

async function scrapeAll(agents: readonly RunningAgent[], rates: ServiceRates): Promise<void> {
  await Promise.all(
    agents.map(async ({ node, client }) => rates.add(node.name, await client.metrics(), performance.now())),
  );
}

interface ServiceFacts {
  readonly mesh: DemoMesh;
  readonly endpoints: readonly EndpointView[];
  readonly recent: Recent;
  readonly rates: ServiceRates;
}

function serviceRow(name: string, { mesh, endpoints, recent, rates }: ServiceFacts): ServiceRow {
  const own = endpoints.filter((endpoint) => endpoint.service === name);
  const versions = [...new Set(own.map((endpoint) => endpoint.version))].sort();
  return {
    name,
    ready: own.filter((endpoint) => endpoint.state === 'ready').length,
    total: mesh.topology.pods.filter((pod) => pod.service === name).length,
    versions: versions.map((version) => (name === 'catalog' ? recent.withShare(version) : version)),
    rates: rates.of(`${NAMESPACE}/${name}`),
  };
}

function triesOf(mesh: DemoMesh, consoles: ConsoleDoors): Try[] {
  const victim = mesh.agentOf(VICTIM);
  const stoppable = mesh.pods.find(({ pod }) => pod.name === 'catalog-v1');
  const client = mesh.topology.pods.find((pod) => pod.program.kind === 'traffic')!;
  const url = `${mesh.ground.podPlace(client).reach(client.calls[0]!).url}/`;
  const { weft, samplePolicy } = mesh.workspace;
  const [inPod, cut, heal] = ['in-pod', 'cut', 'heal'].map((name) => mesh.workspace.script(name));
  return [
    { what: 'look at it', command: consoles.urls[0]! },
    { what: `kill node ${VICTIM}`, command: `kill -9 ${victim.program.child.pid}` },
    ...(cut && heal ? [{ what: `cut off ${VICTIM}`, command: `${cut} ${VICTIM}; sleep 20; ${heal}` }] : []),
    ...(stoppable ? [{ what: `stop a pod`, command: `kill ${stoppable.program.child.pid}` }] : []),
    { what: 'call from a pod', command: inPod ? `${inPod} ${client.name} curl -s ${url}` : `curl -s ${url}` },
    { what: 'ask an agent', command: `${weft} status` },
    { what: 'deny a caller', command: `${weft} apply -f ${samplePolicy}` },
    { what: 'ask why', command: `${weft} explain GET / --from client --to web` },
    { what: 'let it in again', command: `${weft} undo AccessPolicy no-client -n ${NAMESPACE}` },
    { what: 'read a log', command: `tail -f ${mesh.workspace.log('agent-n1')}` },
  ];
}

/** What happened lately, with its time. */
class Events {
  readonly #events: string[] = [];

  add(sentence: string): void {
    this.#events.push(`${new Date().toTimeString().slice(0, 8)} ${sentence}`);
    this.#events.splice(0, this.#events.length - MAX_EVENTS);
  }

  latest(): readonly string[] {
    return this.#events;
  }
}

/** The last few reports of the load generator. */
class Recent {
  readonly #reports: TrafficReport[] = [];

  add(report: TrafficReport): void {
    this.#reports.push(report);
    this.#reports.splice(0, this.#reports.length - RECENT_REPORTS);
  }

  rates(): Rates {
    const latency = new Histogram();
    let requests = 0;
    let failed = 0;
    let spanMs = 0;
    for (const report of this.#reports) {
      latency.addSparse(report.latency);
      requests += report.requests;
      failed += report.failures.length + report.failuresUnlisted;
      spanMs += report.spanMs;
    }
    const settled = latency.total + failed;
    return {
      perSecond: spanMs > 0 ? (requests * 1_000) / spanMs : 0,
      successRatio: settled > 0 ? latency.total / settled : undefined,
      p50Ms: latency.quantile(0.5),
      p99Ms: latency.quantile(0.99),
    };
  }

  /** A catalog version with its share of the answers. */
  withShare(version: string): string {
    const counts = this.#reports.flatMap((report) => Object.entries(report.versions));
    const total = counts.reduce((sum, [, count]) => sum + count, 0);
    const own = counts.reduce((sum, [name, count]) => sum + (name === version ? count : 0), 0);
    return total > 0 ? `${version} ${Math.round((100 * own) / total)} %` : version;
  }
}
