/**
 * Looks every two seconds at what is registered and what was called, and keeps the inventory of it.
 *
 * A look takes at most a fiftieth of the time, however large the mesh is: after a long one the next comes later. The file is written a
 * minute after something changed, and at the end; a node that loses power has forgotten a minute.
 * @module
 */
import type { Logger } from 'pino';
import type { Endpoint } from '../../gossip/records/endpoint.ts';
import { systemCode } from '../errors.ts';
import { serviceId } from '../services.ts';
import { Inventory } from './inventory.ts';
import { loadInventory, saveInventory } from './inventory-file.ts';
import { type CountedSeries, TrafficGains } from './traffic-gains.ts';

export interface ObserverOptions {
  readonly file: string;
  readonly trustDomain: string;
  readonly forgetAfterMs: number;
  readonly endpoints: () => readonly Pick<Endpoint, 'namespace' | 'service' | 'identity'>[];
  /** Of this node, with or without ports. */
  readonly workloads: () => readonly { readonly service: string; readonly identity: string }[];
  readonly series: () => Iterable<CountedSeries>;
  readonly log: Logger;
  readonly lookMs?: number;
  readonly nowMs?: () => number;
}

const LOOK_MS = 2_000;
const LOOK_SHARE = 50;
const SAVE_MS = 60_000;

export class CatalogObserver implements AsyncDisposable {
  readonly #options: ObserverOptions;
  readonly #nowMs: () => number;
  readonly #inventory: Inventory;
  readonly #gains = new TrafficGains();
  #looking: NodeJS.Timeout | undefined;
  #saving: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: ObserverOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#inventory = this.#load();
    this.look();
  }

  get inventory(): Inventory {
    return this.#inventory;
  }

  look(): void {
    clearTimeout(this.#looking);
    const { endpoints, workloads, series, forgetAfterMs, lookMs = LOOK_MS } = this.#options;
    const startedMs = performance.now();
    const registered = endpoints();
    const own = workloads();
    // Of several services under one identity none is named, but by the rows that name it themselves.
    const byIdentity = new Map<string, string | undefined>();
    for (const one of [...registered.map((endpoint) => ({ ...endpoint, service: serviceId(endpoint) })), ...own]) {
      const known = byIdentity.has(one.identity) ? byIdentity.get(one.identity) : one.service;
      byIdentity.set(one.identity, known === one.service ? known : undefined);
    }
    const gains = this.#gains.since(series(), (identity) => byIdentity.get(identity));
    const services = new Set([...registered.map(serviceId), ...own.map(({ service }) => service)]);
    const nowMs = this.#nowMs();
    this.#inventory.saw({ services, ...gains }, nowMs);
    this.#inventory.forget(nowMs, forgetAfterMs);
    this.#saving ??= setTimeout(() => this.#save(), SAVE_MS).unref();
    const tookMs = performance.now() - startedMs;
    this.#looking = setTimeout(() => this.look(), Math.max(lookMs, LOOK_SHARE * tookMs)).unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#looking);
    this.look();
    clearTimeout(this.#looking);
    this.#save();
    await this.#writing;
  }

  #save(): void {
    clearTimeout(this.#saving);
    this.#saving = undefined;
    const { file, trustDomain, log } = this.#options;
    const { state } = this.#inventory;
    this.#writing = this.#writing
      .then(() => saveInventory(file, trustDomain, state))
      .catch((err: unknown) => log.error({ err }, 'the catalog could not be saved'));
  }

  #load(): Inventory {
    const { file, trustDomain, log } = this.#options;
    try {
      return loadInventory(file, trustDomain);
    } catch (err) {
      if (systemCode(err) !== 'ENOENT') log.warn({ err, file }, 'the catalog begins anew');
      return new Inventory();
    }
  }
}
