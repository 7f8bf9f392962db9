/** The data plane's sockets in the namespaces of captured workloads. One a worker thread. @module */
import { closeSync, openSync } from 'node:fs';
import { type OnReadOpts, type Server, Socket, type SocketConstructorOpts } from 'node:net';
import type { DatagramFlow, DnsSockets } from '../../proxy/dns/sockets.ts';
import type { SocketOptions } from '../../proxy/sockets.ts';
import { CaptureError } from './errors.ts';
import {
  type Destination,
  type Family,
  isSameNamespace,
  Linux,
  type NamespaceIdentity,
  namespaceIdentity,
} from './linux.ts';
import { UdpOrigins } from './udp-origins.ts';

/** Where a unit's namespace is, as plain data from the thread that holds it open. */
export interface UnitNamespace {
  readonly unit: string;
  /** `Namespace.path`, or any path of the namespace. */
  readonly path: string;
  /** What must be found there: a number of a descriptor may have been given to another file by then. */
  readonly identity: NamespaceIdentity;
  /** Whether answers to other addresses than its own come back to the sockets bound to them. Default: false. */
  readonly keepsClientAddress?: boolean;
}

/** What Node keeps of the handle below a socket, and does not publish. */
interface HandleHolder {
  readonly _handle?: { readonly fd?: number } | null;
}

/** undefined: closed meanwhile. */
export function descriptorOf(socket: Socket | Server): number | undefined {
  const fd = (socket as unknown as HandleHolder)._handle?.fd;
  return fd === undefined || fd < 0 ? undefined : fd;
}

/** This thread's own hold on a unit's namespace. */
interface HeldUnit {
  /** The home namespace of the thread where possible: no move is needed then. */
  readonly namespace: number;
  readonly isOwn: boolean;
  readonly keepsClientAddress: boolean;
  origins: UdpOrigins | undefined;
}

/** Implements what `proxy/` asks for in its `Sockets` and `DnsSockets`. */
export class CaptureSockets implements DnsSockets, Disposable {
  readonly #linux: Linux;
  readonly #units = new Map<string, HeldUnit>();

  constructor(linux: Linux) {
    this.#linux = linux;
  }

  /** Takes hold of a unit's namespace; once this returns, the other thread may let go. Replaces what the name meant. */
  set({ unit, path, identity, keepsClientAddress = false }: UnitNamespace): void {
    const fd = openSync(path, 'r');
    if (!isSameNamespace(namespaceIdentity(fd), identity)) {
      closeSync(fd);
      throw new CaptureError('WEFT_CAPTURE_NAMESPACE_GONE', `${unit} (${path})`);
    }
    const isOwn = !isSameNamespace(identity, this.#linux.homeIdentity);
    if (!isOwn) closeSync(fd);
    this.delete(unit);
    const namespace = isOwn ? fd : this.#linux.home;
    this.#units.set(unit, { namespace, isOwn, keepsClientAddress, origins: undefined });
  }

  /** Sockets that are open stay open. */
  delete(unit: string): void {
    const held = this.#units.get(unit);
    if (held === undefined) return;
    this.#units.delete(unit);
    held.origins?.close();
    if (held.isOwn) closeSync(held.namespace);
  }

  /** A fresh, unconnected TCP socket in the unit's namespace that capture leaves alone. A half-closed one stays open. */
  open(unit: string, family: Family, { onread, source }: SocketOptions = {}): Socket {
    const { namespace, keepsClientAddress } = this.#held(unit);
    const fd = this.#linux.openMarkedSocket(namespace, family, keepsClientAddress ? source : undefined);
    return new Socket({ allowHalfOpen: true, fd, ...(onread === undefined ? {} : { onread }) });
  }

  acceptNext(server: Server, { onread }: { readonly onread: OnReadOpts | undefined }): Socket | undefined {
    const listener = descriptorOf(server);
    const fd = listener === undefined ? undefined : this.#linux.acceptNext(listener);
    if (fd === undefined) return undefined;
    const reading = onread === undefined ? {} : { onread, manualStart: true };
    return new Socket({ fd, allowHalfOpen: true, readable: true, writable: true, ...reading } as SocketConstructorOpts);
  }

  originalDestination(socket: Socket): Destination | undefined {
    const fd = descriptorOf(socket);
    if (fd === undefined) return undefined;
    return this.#linux.originalDestination(fd, socket.localFamily === 'IPv6' ? 6 : 4);
  }

  hasSpoken(socket: Socket): boolean {
    const fd = descriptorOf(socket);
    return fd === undefined || this.#linux.hasSpoken(fd);
  }

  openUdp(unit: string, family: Family): number {
    return this.#linux.openMarkedUdp(this.#held(unit).namespace, family);
  }

  originalUdpDestination(unit: string, flow: DatagramFlow): Destination | undefined {
    const held = this.#held(unit);
    held.origins ??= new UdpOrigins(this.#linux, held.namespace);
    return held.origins.find(flow);
  }

  [Symbol.dispose](): void {
    for (const unit of [...this.#units.keys()]) this.delete(unit);
  }

  #held(unit: string): HeldUnit {
    const held = this.#units.get(unit);
    if (held === undefined) throw new Error(`no such capture unit: ${unit}`);
    return held;
  }
}

/** @param units data that may have come from another thread; the sockets are used by the thread that calls this */
export function captureSockets(units: readonly UnitNamespace[], linux: Linux = Linux.load()): CaptureSockets {
  const sockets = new CaptureSockets(linux);
  for (const unit of units) sockets.set(unit);
  return sockets;
}
