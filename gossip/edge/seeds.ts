/**
 * From what an operator wrote as a seed to a connection: names are resolved on every try, and all their addresses dialled.
 *
 * A name may stand for many nodes (a headless service of Kubernetes, a round-robin record), and its answer changes while
 * we run. So names are looked up again from time to time, and addresses that belong to no member we know are dialled: two
 * halves of a mesh that never met find each other when one name comes to list both.
 * @module
 */
import dns from 'node:dns/promises'; // whole: the servers set for the process apply to no name imported before
import { isIP } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { GossipError } from '../errors.ts';
import { formatHostPort, type HostPort, parseHostPort } from './address.ts';

/** `host:port`, or the name of an SRV record. */
export type Seed = ({ readonly kind: 'host' } & HostPort) | { readonly kind: 'srv'; readonly name: string };

const SRV_PREFIX = 'dns+srv:';
/** RFC 2782: two labels that begin with an underscore, then a domain name. */
const SRV_NAME = /^_[A-Za-z0-9-]{1,62}\._(?:tcp|udp)(?:\.[A-Za-z0-9_-]{1,63})+\.?$/;

/** Of one seed; those beyond are left out. */
const MAX_ADDRESSES = 16;
const RESOLVE_MS = 5_000;
const LOOK_AGAIN_MS = 30_000;

export function parseSeed(text: string): Seed | undefined {
  if (!text.startsWith(SRV_PREFIX)) {
    const address = parseHostPort(text);
    return address === undefined ? undefined : { kind: 'host', ...address };
  }
  const name = text.slice(SRV_PREFIX.length);
  return name.length <= 253 && SRV_NAME.test(name) ? { kind: 'srv', name } : undefined;
}

/** Whether what it stands for can change. */
export function isNamed(seed: Seed): boolean {
  return seed.kind === 'srv' || isIP(seed.host) === 0;
}

/** The addresses a seed stands for at this moment, best first. Rejects when it stands for none. */
export async function resolveSeed(seed: Seed): Promise<readonly HostPort[]> {
  const resolving = seed.kind === 'srv' ? resolveService(seed.name) : resolveHost(seed);
  const deadline = new AbortController();
  const late = wait(RESOLVE_MS, undefined, { signal: deadline.signal }).then(
    () => Promise.reject(new Error(`no answer of DNS in ${RESOLVE_MS} ms`)),
    () => [],
  );
  try {
    return (await Promise.race([resolving, late])).slice(0, MAX_ADDRESSES);
  } finally {
    deadline.abort();
  }
}

async function resolveHost({ host, port }: HostPort): Promise<HostPort[]> {
  const found = await dns.lookup(host, { all: true });
  return found.map(({ address }) => ({ host: address, port }));
}

/** Lower priorities first; within one, as DNS shuffled them. One target that has no address does not spoil the others. */
async function resolveService(name: string): Promise<HostPort[]> {
  const records = (await dns.resolveSrv(name)).sort((a, b) => a.priority - b.priority).slice(0, MAX_ADDRESSES);
  const targets = await Promise.allSettled(records.map(({ name: host, port }) => resolveHost({ host, port })));
  const found = targets.flatMap((target) => (target.status === 'fulfilled' ? target.value : []));
  if (found.length === 0) throw new Error(`none of the ${records.length} targets of ${name} has an address`);
  return found;
}

export interface SeedDiallerOptions {
  /** Connects, and tells the name of whoever answered. */
  readonly connect: (address: HostPort) => Promise<string>;
  /** Where the members live that we know, ourselves first. */
  readonly known: () => readonly string[];
  readonly log: Logger;
}

export class SeedDialler {
  readonly #options: SeedDiallerOptions;
  /** Seeds that stand for other addresses tomorrow, since they were first asked for. */
  readonly #named = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #isLooking = false;

  constructor(options: SeedDiallerOptions, everyMs: number = LOOK_AGAIN_MS) {
    this.#options = options;
    this.#timer = setInterval(() => void this.lookAgain(), everyMs);
  }

  /** Dials all that the seed stands for. Resolves with the name of the first that answers, and lets the others be. */
  async join(text: string): Promise<string> {
    const seed = parseSeed(text);
    if (seed === undefined) throw new GossipError('WEFT_GOSSIP_BAD_ADDRESS', text);
    if (isNamed(seed)) this.#named.add(text);
    const [own] = this.#options.known();
    const addresses = await resolveSeed(seed);
    const others = isNamed(seed) ? addresses.filter((address) => formatHostPort(address) !== own) : addresses;
    if (others.length === 0) throw new Error('stands for this node alone');
    try {
      return await Promise.any(others.map((address) => this.#options.connect(address)));
    } catch (err) {
      if (!(err instanceof AggregateError)) throw err;
      throw err.errors.length === 1 ? err.errors[0] : err;
    }
  }

  /** Dials what the named seeds stand for by now and no member lives at. Never rejects. */
  async lookAgain(): Promise<void> {
    if (this.#isLooking || this.#named.size === 0) return;
    this.#isLooking = true;
    try {
      for (const text of this.#named) await this.#lookAt(text);
    } finally {
      this.#isLooking = false;
    }
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#named.clear();
  }

  async #lookAt(text: string): Promise<void> {
    try {
      const known = new Set(this.#options.known());
      const addresses = await resolveSeed(parseSeed(text)!);
      const strangers = addresses.filter((address) => !known.has(formatHostPort(address)));
      await Promise.allSettled(strangers.map((address) => this.#options.connect(address)));
    } catch (err) {
      this.#options.log.debug({ err, seed: text }, 'seed could not be looked up again');
    }
  }
}
