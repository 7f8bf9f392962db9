/**
 * The network of the second tier: libp2p's memory transport under addresses of TCP, with parts that do not reach each
 * other and processes that are gone.
 *
 * A connection into another part breaks when the parts come apart, and no dial or probe between them is answered. Whoever
 * was killed refuses.
 * @module
 */
import {
  ConnectionFailedError,
  type CreateListenerOptions,
  type DialTransportOptions,
  type Listener,
  type MultiaddrConnection,
  type Transport,
  transportSymbol,
  type Upgrader,
} from '@libp2p/interface';
import { type MemoryTransportComponents, memory } from '@libp2p/memory';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import type { ProbeOutcome } from '../../gossip/effects.ts';
import type { Carrier } from '../../gossip/libp2p/carrier.ts';

/** One way, of every chunk. */
const LATENCY_MS = 2;
const PROBE_TIMEOUT_MS = 400;

interface Wire {
  readonly from: string;
  readonly to: string;
  readonly connection: MultiaddrConnection;
}

export class Fabric {
  /** Which part an address is in; all are in part 0 when there are none. */
  readonly #parts = new Map<string, number>();
  readonly #gone = new Set<string>();
  readonly #listening = new Set<string>();
  readonly #wires = new Set<Wire>();
  /** Apart from those of other fabrics in the process. */
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** For the node that is to listen at this address. */
  carrier(own: string): Carrier {
    return {
      transport: (components) => this.#transport(own, components),
      probe: async ({ host, port }, signal) => this.#probe(own, `${host}:${port}`, signal),
    };
  }

  /** From now on only those of one group reach each other. */
  partition(groups: readonly (readonly string[])[]): void {
    for (const [part, addresses] of groups.entries()) for (const address of addresses) this.#parts.set(address, part);
    this.#breakWires();
  }

  heal(): void {
    this.#parts.clear();
  }

  /** The process at this address is gone without a word: its connections break, and its port refuses. */
  kill(address: string): void {
    this.#gone.add(address);
    this.#breakWires();
  }

  #breakWires(): void {
    for (const wire of this.#wires) {
      if (this.#reach(wire.from, wire.to) === 'connected') continue;
      this.#wires.delete(wire);
      wire.connection.abort(new ConnectionFailedError('the network broke'));
    }
  }

  #reach(from: string, to: string): ProbeOutcome {
    if ((this.#parts.get(from) ?? 0) !== (this.#parts.get(to) ?? 0)) return 'silent';
    const isGone = this.#gone.has(from) || this.#gone.has(to) || !this.#listening.has(to);
    return isGone ? 'refused' : 'connected';
  }

  async #probe(from: string, to: string, signal: AbortSignal): Promise<ProbeOutcome> {
    const outcome = this.#reach(from, to);
    await after(outcome === 'silent' ? PROBE_TIMEOUT_MS : 2 * LATENCY_MS, signal).catch(() => undefined);
    return outcome;
  }

  #transport(own: string, components: MemoryTransportComponents): Transport {
    const inner = memory({ latency: LATENCY_MS })(components);
    const dial = async (target: Multiaddr, options: DialTransportOptions) => {
      const to = textOf(target);
      const outcome = this.#reach(own, to);
      if (outcome === 'silent') await after(Number.POSITIVE_INFINITY, options.signal);
      await after(2 * LATENCY_MS, options.signal);
      if (outcome === 'refused') throw new ConnectionFailedError(`${to} refused`);
      const { upgrader } = options;
      const upgradeOutbound: Upgrader['upgradeOutbound'] = (connection, rest) => {
        const wire = { from: own, to, connection };
        this.#wires.add(wire);
        connection.addEventListener('close', () => void this.#wires.delete(wire));
        return upgrader.upgradeOutbound(connection, rest);
      };
      const watched = Object.assign(Object.create(upgrader) as Upgrader, { upgradeOutbound });
      return inner.dial(this.#memoryAddress(to), { ...options, upgrader: watched });
    };
    return {
      [transportSymbol]: true,
      [Symbol.toStringTag]: '@weft/fabric',
      dial,
      createListener: (options) => this.#listener(inner, options),
      listenFilter: (addresses) => addresses,
      dialFilter: (addresses) => addresses,
    } as Transport;
  }

  /** The memory transport's listener, which says that it listens at an address of TCP. */
  #listener(inner: Transport, options: CreateListenerOptions): Listener {
    const listener = inner.createListener(options);
    const listen = listener.listen.bind(listener);
    let at: Multiaddr | undefined;
    listener.listen = async (address) => {
      at = address;
      await listen(this.#memoryAddress(textOf(address)));
      this.#listening.add(textOf(address));
    };
    listener.getAddrs = () => (at === undefined ? [] : [at]);
    listener.addEventListener('close', () => {
      if (at !== undefined) this.#listening.delete(textOf(at));
    });
    return listener;
  }

  #memoryAddress(address: string): Multiaddr {
    return multiaddr(`/memory/${this.#prefix}-${address.replaceAll(/[.:]/g, '-')}`);
  }
}

/** `ip:port` of an address of TCP. */
function textOf(address: Multiaddr): string {
  const parts = new Map(address.getComponents().map(({ name, value }) => [name, value]));
  return `${parts.get('ip4')}:${parts.get('tcp')}`;
}

/** Rejects when the signal aborts first. */
function after(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = ms === Number.POSITIVE_INFINITY ? undefined : setTimeout(resolve, ms);
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    reject(signal.reason);
  });
  return promise;
}
