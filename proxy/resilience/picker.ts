/**
 * Which endpoint a call goes to, for one cluster under the settings of one caller: of those of the subset that are ready and
 * not ejected, the near ones first, young ones with a part of their weight, in the order of a balancer.
 *
 * All of that is prepared when endpoints, their health or their age change. A pick is a look at one shared cell, at most one
 * draw among levels of nearness, and the pick of a balancer.
 * @module
 */

import type { Balanced, Balancer, Candidate, Chooser } from '../balancer/balanced.ts';
import { type BalancerName, createBalancer } from '../balancer/balancer.ts';
import type { PeakEwma } from '../balancer/peak-ewma.ts';
import type { Endpoint } from '../snapshot.ts';
import type { Locality, Outliers, PolicySettings, WarmUp } from '../traffic/rules.ts';
import type { EndpointHealth } from './endpoint-health.ts';
import { NEARNESS, nearness, type Place, shares } from './locality.ts';
import { isPanic } from './panic.ts';
import type { SharedTable } from './shared-table.ts';
import { isInSubset } from './subsets.ts';
import { warmth, warmUpStepMs } from './warm-up.ts';

export interface Pickable extends Candidate {
  readonly data: Pick<Endpoint, 'node' | 'zone' | 'labels' | 'version' | 'state'>;
  readonly health: EndpointHealth;
}

export interface PickerSettings {
  readonly balancer: { readonly name: BalancerName };
  readonly locality: Locality;
  readonly panicRatio: number;
  readonly outliers: Outliers | 'off';
  readonly subsets?: PolicySettings['subsets'];
  readonly warmUp?: WarmUp | undefined;
}

export interface PickerOptions {
  readonly table: SharedTable;
  /** Where this node is. */
  readonly here: Place;
  readonly settings: PickerSettings;
  /** undefined: all endpoints. */
  readonly subset?: string | undefined;
  /** Told of each request that is let through to an ejected endpoint. */
  readonly onProbe?: () => void;
}

/** An endpoint with the weight it has at the moment, in the eyes of this picker. */
class Share<T extends Pickable> implements Candidate {
  readonly endpoint: T;
  readonly weight: number;
  readonly capacity: number;

  constructor(endpoint: T, weight: number) {
    this.endpoint = endpoint;
    this.weight = weight;
    this.capacity = endpoint.weight;
  }

  get name(): string {
    return this.endpoint.name;
  }

  get latency(): PeakEwma {
    return this.endpoint.latency;
  }

  get outstanding(): number {
    return this.endpoint.outstanding;
  }

  set outstanding(count: number) {
    this.endpoint.outstanding = count;
  }
}

/** Endpoints that are equally near. */
interface Near<T extends Pickable> {
  /** What part of the traffic goes to them and to nearer ones. */
  readonly upTo: number;
  readonly balancer: Balancer<Share<T>>;
}

const HASHING: readonly BalancerName[] = ['ring-hash', 'maglev'];

export class EndpointPicker<T extends Pickable> {
  /** How many endpoints of the subset are ready, and how many of them are not ejected. */
  ready = 0;
  usable = 0;
  /** Whether so many are ejected that all are used. */
  isPanicking = false;
  readonly #options: PickerOptions;
  #members: readonly T[] = [];
  /** Those that may take traffic, with whether they could when all was prepared. */
  #candidates: { readonly endpoint: T; readonly isUsable: boolean }[] = [];
  #levels: Near<T>[] = [];
  #shares = new Map<Balanced, Share<T>>();
  #version = -1;
  /** When something changes by itself. */
  #stepAtMs = Number.POSITIVE_INFINITY;
  #probeAtMs = Number.POSITIVE_INFINITY;

  constructor(options: PickerOptions) {
    this.#options = options;
  }

  /** @param members all endpoints of the cluster, those that are not ready too */
  update(members: Iterable<T>, nowMs: number): void {
    const { subset, settings } = this.#options;
    this.#members = [...members].filter(({ data }) => isInSubset(data, subset, settings.subsets));
    this.#version = this.#options.table.healthVersion;
    this.#prepare(nowMs);
  }

  /**
   * @param tried endpoints that failed for this request already
   * @param nowMs on the clock of the table
   * @returns undefined where no other is ready
   */
  pick(chooser: Chooser, tried: readonly Balanced[], nowMs: number): T | undefined {
    const version = this.#options.table.healthVersion;
    if (version !== this.#version || nowMs >= this.#stepAtMs) this.#look(version, nowMs);
    if (tried.length > 0) return this.#pickOther(chooser, tried);
    if (nowMs >= this.#probeAtMs) {
      const probed = this.#probe(nowMs);
      if (probed !== undefined) return probed;
    }
    const levels = this.#levels;
    if (levels.length === 0) return undefined;
    return levels[levels[0]!.upTo === 1 ? 0 : this.#draw(chooser)]!.balancer.pick(chooser)?.endpoint;
  }

  #draw(chooser: Chooser): number {
    const { name } = this.#options.settings.balancer;
    const drawn = HASHING.includes(name) ? chooser.key / 2 ** 32 : chooser.random();
    return this.#levels.findIndex(({ upTo }) => drawn < upTo); // the last of them is 1
  }

  /** From the nearest that has one left. */
  #pickOther(chooser: Chooser, tried: readonly Balanced[]): T | undefined {
    const shares: Balanced[] = [];
    for (const endpoint of tried) {
      const share = this.#shares.get(endpoint);
      if (share !== undefined) shares.push(share);
    }
    for (const { balancer } of this.#levels) {
      const other = balancer.pickOther(chooser, shares);
      if (other !== undefined) return other.endpoint;
    }
    // Whoever is left is ejected, which is better than nobody.
    return this.#candidates.find(({ endpoint }) => !tried.includes(endpoint))?.endpoint;
  }

  /** An ejected endpoint whose time is over gets the one request that decides. */
  #probe(nowMs: number): T | undefined {
    const { outliers } = this.#options.settings;
    if (outliers === 'off') return undefined;
    for (const { endpoint } of this.#candidates) {
      if (!endpoint.health.tryProbe(nowMs, outliers)) continue;
      this.#learnProbes(nowMs);
      this.#options.onProbe?.();
      return endpoint;
    }
    this.#learnProbes(nowMs);
    return undefined;
  }

  #learnProbes(nowMs: number): void {
    let atMs = Number.POSITIVE_INFINITY;
    for (const { endpoint } of this.#candidates) atMs = Math.min(atMs, endpoint.health.probeAtMs(nowMs));
    this.#probeAtMs = this.#options.settings.outliers === 'off' ? Number.POSITIVE_INFINITY : atMs;
  }

  /** Prepares anew where it is one of these endpoints whose health has changed. */
  #look(version: number, nowMs: number): void {
    this.#version = version;
    const isOther = this.#candidates.some(({ endpoint, isUsable }) => this.#isUsable(endpoint) !== isUsable);
    if (isOther || nowMs >= this.#stepAtMs) this.#prepare(nowMs);
    else this.#learnProbes(nowMs);
  }

  #prepare(nowMs: number): void {
    const { panicRatio, locality } = this.#options.settings;
    this.#candidates = this.#members
      .filter(({ data }) => data.state === 'ready')
      .map((endpoint) => ({ endpoint, isUsable: this.#isUsable(endpoint) }));
    this.ready = this.#candidates.length;
    this.usable = this.#candidates.filter(({ isUsable }) => isUsable).length;
    this.isPanicking = isPanic(this.usable, this.ready, panicRatio);
    const taking = this.#candidates
      .filter(({ isUsable }) => isUsable || this.isPanicking)
      .map(({ endpoint }) => endpoint);
    this.#shares = this.#weigh(taking, nowMs);
    const near = Array.from({ length: NEARNESS }, () => ({ taking: [] as Share<T>[], all: 0 }));
    for (const endpoint of this.#members) {
      if (endpoint.data.state === 'draining') continue;
      const level = near[locality.mode === 'off' ? 0 : nearness(this.#options.here, endpoint.data)]!;
      const share = this.#shares.get(endpoint);
      level.all++;
      if (share !== undefined) level.taking.push(share);
    }
    this.#level(near);
    this.#learnProbes(nowMs);
  }

  #level(near: readonly { readonly taking: Share<T>[]; readonly all: number }[]): void {
    const { locality, balancer } = this.#options.settings;
    // Endpoints of weight 0, those of nodes that do not answer at the moment, are no reason to stay near.
    const weighted = near.map(({ taking, all }) => ({ well: taking.filter(({ weight }) => weight > 0).length, all }));
    const isAnyWeighted = weighted.some(({ well }) => well > 0);
    const parts = shares(
      isAnyWeighted ? weighted : near.map(({ taking, all }) => ({ well: taking.length, all })),
      locality,
    );
    const last = parts.findLastIndex((part) => part > 0);
    let upTo = 0;
    this.#levels = [];
    // Those without a part of the traffic are there for requests that failed elsewhere.
    for (const [i, { taking }] of near.entries()) {
      if (taking.length === 0) continue;
      upTo = i >= last ? 1 : upTo + parts[i]!;
      this.#levels.push({ upTo, balancer: createBalancer(balancer.name, taking) });
    }
  }

  #weigh(taking: readonly T[], nowMs: number): Map<Balanced, Share<T>> {
    const { warmUp } = this.#options.settings;
    const parts = taking.map(({ health }) =>
      warmUp === undefined ? 1 : warmth(health.ageMs(nowMs, warmUp.durationMs), warmUp),
    );
    const isWarming = parts.some((part) => part < 1);
    this.#stepAtMs = isWarming ? nowMs + warmUpStepMs(warmUp!) : Number.POSITIVE_INFINITY;
    // Balancers want whole numbers.
    const weightOf = (weight: number, part: number): number =>
      isWarming && weight > 0 ? Math.max(1, Math.round(weight * 100 * part)) : weight;
    return new Map(
      taking.map((endpoint, i): [Balanced, Share<T>] => [
        endpoint,
        new Share(endpoint, weightOf(endpoint.weight, parts[i]!)),
      ]),
    );
  }

  #isUsable({ health }: T): boolean {
    return this.#options.settings.outliers === 'off' || health.isUsable;
  }
}
