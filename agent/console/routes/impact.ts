/** What documents mean for the calls of the last hour: whose they are about, and how many would end differently. @module */
import { type DocumentKey, keyText } from '../../../gossip/documents/revision.ts';
import { compileSource } from '../../../proxy/access/compile.ts';
import type { Dimension, FiguresQuestion } from '../../history/figures.ts';
import type { Coverage } from '../../mesh-query/shapes.ts';
import type { FiguresCache } from '../figures-cache.ts';
import { aboutInUse, candidateOf } from '../replay/candidate.ts';
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
const MAX_AFFECTED = 200;
const MAX_CALLERS = 200;
const PARTIES: readonly Dimension[] = ['source', 'sourceService', 'destination', 'protocol'];

type Namespaces = ReadonlySet<string> | undefined;
type Callers = ReadonlyMap<string, readonly string[]>;

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
  async of(
    key: DocumentKey,
    value: unknown,
    namespaces: Namespaces,
  ): Promise<Pick<DocumentCheck, 'affected' | 'affectedCoverage'>> {
    const candidate = value === undefined ? undefined : candidateOf(key, value, this.#world.documents);
    if (candidate === undefined) return { affected: [], affectedCoverage: null };
    const { before, after, isAbout } = candidate;
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
    return { affected, affectedCoverage: coverageOf([outbound.coverage, inbound.coverage]) };
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
