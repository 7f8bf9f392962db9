/**
 * Tells other nodes which endpoints this one has ejected, and the workers which ones other nodes have. A node says only what
 * it found out itself, never what it heard, so that a rumour does not feed itself.
 *
 * An endpoint that fails everybody is ejected on all nodes within a moment. The first few to say so are enough: a node that
 * hears of it from as many keeps silent, so what the mesh carries does not grow with the number of callers.
 * @module
 */
import type { Logger } from 'pino';
import { type Accused, decodeEvidence, encodeEvidence, MAX_ACCUSED_MS } from '../../gossip/records/evidence.ts';
import { Evidence, OwnEjections } from '../../proxy/resilience/evidence.ts';
import type { SharedTable } from '../../proxy/resilience/shared-table.ts';

export interface EjectionKeeperOptions {
  readonly node: string;
  readonly table: SharedTable;
  /** Endpoints of the mesh, as this node knows them. */
  readonly endpoints: { readonly ids: () => Iterable<string>; readonly has: (id: string) => boolean };
  /** Tells the mesh; undefined when there is nothing to say any more. */
  readonly accuse: (evidence: Uint8Array | undefined) => void;
  readonly log: Logger;
  readonly intervalMs?: number;
}

interface Heard {
  readonly accused: readonly { readonly endpoint: string; readonly untilMs: number }[];
}

const INTERVAL_MS = 250;
/** Two are believed; twice as many, because some of them may go. */
const ENOUGH_ACCUSERS = 4;
/** A word is withdrawn when it is no longer true; where that cannot be, it is believed for so much longer. */
const SLACK_MS = 5_000;
/** What a failed check says is said again before it is over, as long as the checks fail. */
const CHECKED_MS = 60_000;

export class EjectionKeeper implements Disposable {
  readonly #options: EjectionKeeperOptions;
  readonly #evidence: Evidence;
  readonly #own: OwnEjections;
  readonly #timer: NodeJS.Timeout;
  /** What other nodes say, by node. */
  readonly #heard = new Map<string, Heard>();
  /** Endpoints that this node's checks do not reach. */
  #unreached: ReadonlySet<string> = new Set();
  #ejected: ReadonlySet<string> = new Set();
  /** What the mesh was told last: until when, by endpoint. */
  #said: ReadonlyMap<string, number> = new Map();
  #saidAtMs = 0;
  #seq = 0;
  /** When something that was heard is over, at the earliest. */
  #overAtMs = Number.POSITIVE_INFINITY;
  #areEndpointsChanged = false;

  constructor(options: EjectionKeeperOptions) {
    this.#options = options;
    this.#evidence = new Evidence(options.table);
    this.#own = new OwnEjections(options.table);
    this.#timer = setInterval(() => this.look(), options.intervalMs ?? INTERVAL_MS).unref();
  }

  /** How many endpoints this node has ejected. */
  get ejected(): number {
    return this.#ejected.size;
  }

  /** Ids of these. */
  get ejectedIds(): ReadonlySet<string> {
    return this.#ejected;
  }

  /** How many endpoints are left out here because of what other nodes say. */
  get believed(): number {
    return this.#evidence.believed;
  }

  /** How many accusations count at the moment. */
  get accusations(): number {
    return this.#evidence.accusations;
  }

  /** What another node says; undefined when it says nothing any more. What cannot be read counts as nothing. */
  heard(node: string, evidence: Uint8Array | undefined): void {
    const accused = evidence === undefined ? undefined : decodeEvidence(evidence);
    if (accused === undefined) {
      this.#heard.delete(node);
      this.#evidence.replace(node, []);
      return;
    }
    const nowMs = this.#options.table.nowMs();
    this.#heard.set(node, { accused: accused.map(({ endpoint, forMs }) => ({ endpoint, untilMs: nowMs + forMs })) });
    this.#believe(node, nowMs);
  }

  /** Endpoints came or went: what was said of one that was not known yet may count from now on. */
  endpointsChanged(): void {
    this.#areEndpointsChanged = true;
  }

  /** All endpoints that this node's checks do not reach at the moment. It counts here as the word of any other node does. */
  checked(unreached: ReadonlySet<string>): void {
    this.#unreached = unreached;
    this.#evidence.replace(this.#options.node, [...unreached]);
    this.look();
  }

  /** Compares what is so with what was said. */
  look(): void {
    const nowMs = this.#options.table.nowMs();
    if (this.#areEndpointsChanged || nowMs >= this.#overAtMs) this.#believeAnew(nowMs);
    const own = this.#own.list(nowMs, this.#options.endpoints.ids);
    if (own.length === 0 && this.#unreached.size === 0 && this.#said.size === 0 && this.#ejected.size === 0) return;
    this.#note(new Set(own.map(({ endpoint }) => endpoint)));
    const toSay = new Map<string, number>();
    for (const endpoint of this.#unreached) {
      const saidUntilMs = this.#said.get(endpoint) ?? 0;
      toSay.set(endpoint, saidUntilMs - nowMs > CHECKED_MS / 2 ? saidUntilMs : nowMs + CHECKED_MS);
    }
    for (const { endpoint, untilMs } of own) {
      if (toSay.has(endpoint)) continue;
      if (!this.#said.has(endpoint) && this.#evidence.accusersOf(endpoint) >= ENOUGH_ACCUSERS) continue;
      toSay.set(endpoint, untilMs);
    }
    this.#say(toSay, nowMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #say(toSay: ReadonlyMap<string, number>, nowMs: number): void {
    const isSame =
      toSay.size === this.#said.size && [...toSay].every(([id, until]) => isNear(this.#said.get(id), until));
    const isForgotten = toSay.size > 0 && nowMs - this.#saidAtMs > MAX_ACCUSED_MS / 2;
    if (isSame && !isForgotten) return;
    this.#said = toSay;
    this.#saidAtMs = nowMs;
    const accused: Accused[] = [...toSay].map(([endpoint, untilMs]) => ({
      endpoint,
      forMs: Math.max(0, untilMs - nowMs) + SLACK_MS,
    }));
    this.#options.accuse(accused.length === 0 ? undefined : encodeEvidence(++this.#seq, accused));
  }

  #note(ejected: ReadonlySet<string>): void {
    const { log } = this.#options;
    for (const endpoint of ejected.difference(this.#ejected)) log.warn({ endpoint }, 'endpoint is ejected');
    for (const endpoint of this.#ejected.difference(ejected))
      log.info({ endpoint }, 'endpoint is not ejected any more');
    this.#ejected = ejected;
  }

  #believeAnew(nowMs: number): void {
    this.#areEndpointsChanged = false;
    this.#overAtMs = Number.POSITIVE_INFINITY;
    for (const node of this.#heard.keys()) this.#believe(node, nowMs);
  }

  /** Only of endpoints that are known here: a node cannot fill the table with names. */
  #believe(node: string, nowMs: number): void {
    const { has } = this.#options.endpoints;
    const current = this.#heard.get(node)!.accused.filter(({ untilMs }) => untilMs > nowMs);
    for (const { untilMs } of current) this.#overAtMs = Math.min(this.#overAtMs, untilMs);
    this.#evidence.replace(
      node,
      current.flatMap(({ endpoint }) => (has(endpoint) ? [endpoint] : [])),
    );
  }
}

/** Instants are rounded on their way. */
function isNear(a: number | undefined, b: number): boolean {
  return a !== undefined && Math.abs(a - b) < 100;
}
