/**
 * Looks after libp2p, which can get into two states that it does not leave by itself.
 *
 * A dial could hang in its queue past every timeout (js-libp2p #3289), and once that happened often enough no dial starts
 * any more. libp2p 3.3 gives up on a dial whose caller gave up, and ours always do; should one hang all the same, the node
 * is restarted: its links go down and come up again within a second or two, which costs less than a
 * node that cannot make new ones, and less than an agent that ends.
 *
 * A peer can fall out of gossipsub while its connection stays (js-libp2p #3427): it would get no broadcast again. Its
 * connection is closed, and whoever needs the link makes it anew.
 * @module
 */
import type { Connection } from '@libp2p/interface';
import type { MeshNode } from './node.ts';

export interface WatchdogOptions {
  readonly node: Pick<MeshNode, 'getDialQueue' | 'getConnections'> & {
    readonly services: { readonly pubsub: Pick<MeshNode['services']['pubsub'], 'getPeers'> };
  };
  /** Dials have hung for this long. */
  readonly stuck: (dials: number) => void;
  /** This connection carries no broadcasts. */
  readonly silent: (connection: Connection) => void;
  readonly nowMs?: () => number;
}

export const LOOK_MS = 10_000;
/** Six times the default timeout of a dial. */
const STUCK_MS = 30_000;
/** What identify and the first exchange of subscriptions may take. */
const SETTLING_MS = 10_000;

export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #nowMs: () => number;
  readonly #timer: NodeJS.Timeout;
  /** When each dial was first seen. */
  readonly #dials = new Map<string, number>();
  /** When each connection was first seen without its peer in gossipsub. */
  readonly #silent = new Map<Connection, number>();

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#timer = setInterval(() => this.look(), LOOK_MS);
  }

  /** Called every ten seconds. */
  look(): void {
    this.#lookAtDials();
    this.#lookAtPeers();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #lookAtDials(): void {
    const pending = this.#options.node.getDialQueue().map(({ id }) => id);
    const late = overdue(this.#dials, pending, this.#nowMs(), STUCK_MS);
    if (late.length === 0) return;
    this.#dials.clear();
    this.#options.stuck(late.length);
  }

  #lookAtPeers(): void {
    const { node, silent } = this.#options;
    const heard = new Set(node.services.pubsub.getPeers().map((peer) => peer.toString()));
    const odd = node.getConnections().filter(({ remotePeer }) => !heard.has(remotePeer.toString()));
    for (const connection of overdue(this.#silent, odd, this.#nowMs(), SETTLING_MS)) {
      this.#silent.delete(connection);
      silent(connection);
    }
  }
}

/** Notes what is there now, forgets what is not, and names what has been there for `patienceMs`. */
function overdue<T>(since: Map<T, number>, present: readonly T[], nowMs: number, patienceMs: number): T[] {
  const still = new Set(present);
  for (const one of since.keys()) if (!still.has(one)) since.delete(one);
  for (const one of still) if (!since.has(one)) since.set(one, nowMs);
  return present.filter((one) => nowMs - since.get(one)! >= patienceMs);
}
