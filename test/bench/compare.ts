/**
 * One case with all sets of proxies: rounds that take turns, so that a machine whose speed drifts drifts for all, and what
 * they say. Figures are medians of the rounds; ratios are medians of the ratio in each round.
 * @module
 */
import { loadavg } from 'node:os';
import type { BenchCase } from './cases.ts';
import { type Load, type LoadResult, runLoad, type SteadyLoad, type Target } from './load/load.ts';
import { cpuSeconds, rssMb } from './machine.ts';
import { median } from './own-case.ts';
import type { Proxies } from './proxies.ts';
import { BACKEND_PORT } from './routes.ts';

/** So that few connections are not measured before what they do is compiled. */
const WARM_UP_CONNECTIONS = 32;
/** What the generator of a fixed rate keeps up with. */
const MOST_PER_SECOND = 2_500;

export type SetName = 'weft' | 'nginx' | 'haproxy' | 'haproxyH2';
export type Sets = Readonly<Record<SetName, Proxies>>;

/** Of one set in one case; `failed` is the worst of the rounds. */
export interface RequestFigures {
  readonly reqPerSec: number;
  /** User and system time of all processes of the set. */
  readonly cpuUsPerRequest: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly rssMb: number;
  /** How much of their core the proxies had: what is missing to 1 was idle, or taken by others on this machine. */
  readonly coreShare: number;
  readonly failed: number;
}

/** Of a long stream; MB and GB are powers of ten. */
export interface BulkFigures {
  readonly mbPerSec: number;
  readonly cpuSecondsPerGb: number;
  readonly rssMb: number;
  readonly coreShare: number;
  readonly failed: number;
}

export type Figures = RequestFigures | BulkFigures;

/** Weft over another set: below 1, Weft is cheaper, slower, sooner. */
export interface Ratios {
  readonly cpu: number;
  readonly rate: number;
  /** Not of bulk. */
  readonly p50?: number;
  readonly p99?: number;
}

export interface CaseResult {
  readonly name: string;
  /** Connections at a time; 0 where a rate is given instead. */
  readonly concurrency: number;
  /** Where a rate is given. */
  readonly requestsPerSecond?: number;
  /** Of the machine, of one minute: this many threads wanted its cores, the benchmark's own four among them. */
  readonly loadAverage: number;
  readonly proxies: Readonly<Record<string, Figures>>;
  /** The same load straight to the backend, where the case asks for it. */
  readonly direct?: Figures;
  readonly against: Readonly<Record<string, Ratios>>;
  /** Against the cheapest of the others. */
  readonly ratioCpu: number;
  /** Against the fastest of the others: requests a second, or for bulk bytes a second. */
  readonly ratioReqPerSec: number;
}

export interface CompareOptions {
  readonly rounds: number;
  readonly seconds: number;
  /** V8 compiles for good what some ten thousand requests found hot, so Weft wants more; C is as fast as it will be at once. */
  readonly warmUpSeconds: { readonly weft: number; readonly others: number };
  /** A file that holds the wrk script. */
  readonly script: string;
}

export function compare(benchCase: BenchCase, sets: Sets, options: CompareOptions): CaseResult {
  const { name, route, withDirect = false } = benchCase;
  const names = (Object.keys(sets) as SetName[]).filter(
    (set) => set !== 'haproxyH2' || (route.protocol === 'http' && route.hops === 2), // elsewhere it is the same HAProxy
  );
  const runSet = (set: SetName, load: SteadyLoad, seconds: number): Figures => {
    const { address, pids } = sets[set];
    return measure(load, { host: address, port: route.entryPort }, pids, { ...options, seconds });
  };
  const warmUp = (set: SetName, load: SteadyLoad): void => {
    const { weft, others } = options.warmUpSeconds;
    const warming =
      load.kind === 'requests' ? { ...load, connections: Math.max(load.connections, WARM_UP_CONNECTIONS) } : load;
    runSet(set, warming, set === 'weft' ? weft : others);
  };
  const saturate = (connections: number): number[] =>
    names.map((set) => {
      const saturated: SteadyLoad = { kind: 'requests', connections, path: '/' };
      warmUp(set, saturated);
      const managed = Array.from(
        { length: options.rounds },
        () => (runSet(set, saturated, options.seconds) as RequestFigures).reqPerSec,
      );
      return Math.min(...managed);
    });
  const load = steady(benchCase.load, saturate);
  const backend: Target = { host: route.endpoints[0]!, port: BACKEND_PORT };
  const rounds = new Map<SetName, Figures[]>(names.map((set) => [set, []]));
  const direct: Figures[] = [];
  const loads: number[] = [];
  for (const set of names) warmUp(set, load);
  for (let round = 0; round < options.rounds; round++) {
    for (const set of names) rounds.get(set)!.push(runSet(set, load, options.seconds));
    if (withDirect) direct.push(measure(load, backend, [], options));
    loads.push(loadavg()[0]!);
  }
  const weft = rounds.get('weft')!;
  const against = Object.fromEntries(
    names.filter((set) => set !== 'weft').map((set) => [set, ratios(weft, rounds.get(set)!)]),
  );
  return {
    name,
    concurrency: load.kind === 'bulk' ? 1 : load.kind === 'open-loop' ? 0 : load.connections,
    ...(load.kind === 'open-loop' ? { requestsPerSecond: load.requestsPerSecond } : {}),
    loadAverage: median(loads),
    proxies: Object.fromEntries(names.map((set) => [set, medians(rounds.get(set)!)])),
    ...(withDirect ? { direct: medians(direct) } : {}),
    against,
    ratioCpu: Math.max(...Object.values(against).map(({ cpu }) => cpu)),
    ratioReqPerSec: Math.min(...Object.values(against).map(({ rate }) => rate)),
  };
}

/**
 * @param saturate measures how many requests a second each set manages at its worst, having warmed it up
 * @returns the load itself, or for half the saturation a rate: of the slowest, so that all are asked for the same
 */
export function steady(load: Load, saturate: (connections: number) => readonly number[]): SteadyLoad {
  if (load.kind !== 'half') return load;
  const halfOfSlowest = Math.min(...saturate(load.connections)) / 2;
  return { kind: 'open-loop', requestsPerSecond: Math.round(Math.min(halfOfSlowest, MOST_PER_SECOND)) };
}

export function isBulk(figures: Figures): figures is BulkFigures {
  return 'mbPerSec' in figures;
}

function measure(load: SteadyLoad, target: Target, pids: readonly number[], options: CompareOptions): Figures {
  const before = cpuSeconds(pids);
  const startedMs = performance.now();
  const result = runLoad(load, target, options);
  const wallSeconds = (performance.now() - startedMs) / 1_000;
  const cpu = cpuSeconds(pids) - before;
  const ofSet = { rssMb: rssMb(pids), coreShare: cpu / wallSeconds, failed: result.failed };
  return load.kind === 'bulk'
    ? { ...bulkFigures(result, cpu), ...ofSet }
    : { ...requestFigures(result, cpu), ...ofSet };
}

function requestFigures({ count, seconds, p50Ms, p99Ms, p999Ms }: LoadResult, cpu: number) {
  return { reqPerSec: count / seconds, cpuUsPerRequest: (cpu * 1e6) / count, p50Ms, p99Ms, p999Ms };
}

function bulkFigures({ count, seconds }: LoadResult, cpu: number) {
  return { mbPerSec: count / 1e6 / seconds, cpuSecondsPerGb: cpu / (count / 1e9) };
}

function medians(rounds: readonly Figures[]): Figures {
  const keys = Object.keys(rounds[0]!) as (keyof Figures)[];
  const of = (key: keyof Figures): number => {
    const values = rounds.map((figures) => figures[key]);
    return key === 'failed' ? Math.max(...values) : median(values);
  };
  return Object.fromEntries(keys.map((key) => [key, of(key)])) as unknown as Figures;
}

function ratios(ours: readonly Figures[], theirs: readonly Figures[]): Ratios {
  const of = (figure: (figures: Figures) => number): number =>
    median(ours.map((figures, round) => figure(figures) / figure(theirs[round]!)));
  const costAndRate = {
    cpu: of((figures) => (isBulk(figures) ? figures.cpuSecondsPerGb : figures.cpuUsPerRequest)),
    rate: of((figures) => (isBulk(figures) ? figures.mbPerSec : figures.reqPerSec)),
  };
  if (isBulk(ours[0]!)) return costAndRate;
  return {
    ...costAndRate,
    p50: of((figures) => (figures as RequestFigures).p50Ms),
    p99: of((figures) => (figures as RequestFigures).p99Ms),
  };
}
