/** What documents mean for the calls of the last hour: whose they are about, and how many would end differently. @module */
import { type DocumentKey, keyText } from '../../../gossip/documents/revision.ts';
import { compileSource } from '../../../proxy/access/compile.ts';
import { isAtDestination } from '../../../proxy/traffic/rules.ts';
import type { Dimension, FiguresQuestion } from '../../history/figures.ts';
import type { Coverage } from '../../mesh-query/shapes.ts';
import type { CompiledLimit } from '../../traffic/compiled.ts';
import type { FiguresCache } from '../figures-cache.ts';
import { aboutInUse, type Candidate, candidateOf, candidateWithout } from '../replay/candidate.ts';
import { type CountedSteps, replayLimit } from '../replay/limit-replay.ts';
import type { ObservedCall } from '../replay/observed.ts';
import { type Places, sourceHolds } from '../replay/places.ts';
import { replay } from '../replay/replay.ts';
import type { DocumentCheck } from '../shapes/mesh.ts';
import { callsOf } from '../views/calls.ts';
import { isSeen } from '../views/service.ts';
import { type ConsoleWorld, coverageOf, placesOf, registerOf } from '../world.ts';

const HOUR_MS = 3_600_000;
/** An hour does not change much in this time. */
const KEPT_MS = 15_000;
const STEP_MS = 10_000;
const MAX_AFFECTED = 200;
const MAX_CALLERS = 200;
const PARTIES: readonly Dimension[] = ['source', 'sourceService', 'destination', 'protocol'];

/** By no call. */
const UNFELT = { affected: [], affectedCoverage: null, counted: 0 };

type Namespaces = ReadonlySet<string> | undefined;
type Callers = ReadonlyMap<string, readonly string[]>;
type Impact = Pick<DocumentCheck, 'affected' | 'affectedCoverage'> & {
  /** All requests that it was held against. */
  readonly counted: number;
};

export class ImpactRoutes {
  readonly #world: ConsoleWorld;
  readonly #cache: FiguresCache;
  /** Of the list that was asked for last: it is asked for each tick, and takes a while where there are many documents. */
  #callers: { readonly atMs: number; readonly asked: string; readonly answer: Promise<Callers> } | undefined;

  constructor(world: ConsoleWorld, cache: FiguresCache) {
    this.#world = world;
    this.#cache = cache;
  }

  /** Services that called lately what documents in use are about, by `keyText`. */
  callers(keys: readonly DocumentKey[], namespaces: Namespaces): Promise<Callers> {
    const asked = JSON.stringify([keys.map(keyText), namespaces === undefined ? null : [...namespaces]]);
    const nowMs = Date.now();
    const known = this.#callers;
    if (known !== undefined && known.asked === asked && nowMs - known.atMs < KEPT_MS) return known.answer;
    const answer = this.#callersOf(keys, namespaces);
    this.#callers = { atMs: nowMs, asked, answer };
    answer.catch(() => {
      this.#callers = undefined;
    });
    return answer;
  }

  /** @param value what the document compiles to; undefined where it does not */
  async of(key: DocumentKey, value: unknown, namespaces: Namespaces): Promise<Impact> {
    const candidate = value === undefined ? undefined : candidateOf(key, value, this.#world.documents);
    if (candidate === undefined) return UNFELT;
    const limited = key.kind === 'RateLimit' ? await this.#limited(key, value as CompiledLimit, namespaces) : undefined;
    return limited ?? this.#replayed(candidate, namespaces);
  }

  /** The same where the document is deleted. */
  async without(key: DocumentKey, namespaces: Namespaces): Promise<Impact> {
    const candidate = candidateWithout(key, this.#world.documents);
    return candidate === undefined ? UNFELT : this.#replayed(candidate, namespaces);
  }

  async #replayed({ before, after, isAbout }: Candidate, namespaces: Namespaces): Promise<Impact> {
    const by = [...PARTIES, 'method', 'route'] as const;
    const [outbound, inbound] = await Promise.all([this.#calls('outbound', by), this.#calls('inbound', by)]);
    const found = replay(
      { outbound: outbound.calls, inbound: inbound.calls },
      { before, after: after ?? before },
      { places: placesOf(this.#world.running), isAbout, nowMs: Date.now() },
    );
    const seen = found.filter(({ caller, to }) => isSeen(caller, namespaces) || isSeen(to, namespaces));
    const affected = seen.slice(0, MAX_AFFECTED).map(({ caller: service, to, requests, changed, unknown, how }) => {
      if (after === undefined) return { service, to, requests, changed: null, unknown: requests, how: [] };
      return { service, to, requests, changed, unknown, how: [...how] };
    });
    // Most calls are counted at both ends.
    const counted = Math.max(...[outbound, inbound].map(({ calls }) => sumOf(calls.map(({ count }) => count))));
    return { affected, affectedCoverage: coverageOf([outbound.coverage, inbound.coverage]), counted };
  }

  /** @returns undefined where what was counted does not say: of limits by route, by port, for some callers, or of several services */
  async #limited(key: DocumentKey, limit: CompiledLimit, namespaces: Namespaces): Promise<Impact | undefined> {
    const { traffic, advisor } = this.#world.documents;
    const { ports, routes, from } = limit.target;
    const [service, ...others] = advisor.targets(key, limit);
    const isNarrow = ports.length + routes.length + from.length > 0 || limit.per === 'route';
    if (service === undefined || others.length > 0 || isNarrow || traffic.inUse(key) !== undefined) return undefined;
    const toMs = Date.now();
    const direction = isAtDestination(limit) ? 'inbound' : 'outbound';
    const by: Dimension[] = [...PARTIES, 'node'];
    const question = { fromMs: toMs - HOUR_MS, toMs, stepMs: STEP_MS, service, by, direction } as const;
    const { figures, coverage } = await this.#cache.ask(question, KEPT_MS);
    const register = registerOf(this.#world.running);
    const rows = figures.rows.filter(({ labels }) => labels.destination === service && labels.protocol !== 'tcp');
    const counted = rows.map(({ labels: { source, sourceService, node = '' }, requests }): CountedSteps => {
      const workloads = new Set(
        register.endpointsOf(service).flatMap((one) => (one.node === node ? [one.workload] : [])),
      );
      const caller = register.callerOf(source, sourceService);
      return {
        caller,
        to: service,
        node,
        requests,
        buckets: direction === 'inbound' ? Math.max(1, workloads.size) : 1,
      };
    });
    const seen = replayLimit(counted, limit, STEP_MS).filter(
      ({ caller, to }) => isSeen(caller, namespaces) || isSeen(to, namespaces),
    );
    const affected = seen
      .slice(0, MAX_AFFECTED)
      .map(({ caller, how, ...one }) => ({ service: caller, ...one, how: [...how] }));
    return { affected, affectedCoverage: coverage, counted: sumOf(counted.flatMap(({ requests }) => requests)) };
  }

  async #callersOf(keys: readonly DocumentKey[], namespaces: Namespaces): Promise<Callers> {
    const { calls } = await this.#calls('outbound', PARTIES);
    const places = placesOf(this.#world.running);
    const seen = calls.filter((call) => isSeen(call.caller, namespaces) || isSeen(call.destination, namespaces));
    const byService = Map.groupBy(seen, ({ destination }) => destination);
    return new Map(keys.map((key) => [keyText(key), this.#callersOfOne(key, byService, places)]));
  }

  #callersOfOne(
    key: DocumentKey,
    byService: ReadonlyMap<string, readonly ObservedCall[]>,
    places: Places,
  ): readonly string[] {
    const about = aboutInUse(key, this.#world.documents);
    if (about === undefined) return [];
    const from = about.from.map((source) => compileSource(source, 'surely', keyText(key)));
    const isFrom = ({ source }: ObservedCall): boolean =>
      from.length === 0 || from.some((matcher) => sourceHolds(matcher, places.peer(source)) !== 'no');
    const own = [...byService].flatMap(([service, calls]) => (about.isAbout(service) ? calls.filter(isFrom) : []));
    return [...new Set(own.map(({ caller }) => caller))].sort().slice(0, MAX_CALLERS);
  }

  async #calls(
    direction: FiguresQuestion['direction'],
    by: readonly Dimension[],
  ): Promise<{ readonly calls: readonly ObservedCall[]; readonly coverage: Coverage }> {
    const toMs = Date.now();
    const question = { fromMs: toMs - HOUR_MS, toMs, stepMs: null, service: null, by: [...by], direction };
    const { figures, coverage } = await this.#cache.ask(question, KEPT_MS);
    return { calls: callsOf(figures.rows, registerOf(this.#world.running)), coverage };
  }
}

function sumOf(counts: readonly (number | null)[]): number {
  return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
}
