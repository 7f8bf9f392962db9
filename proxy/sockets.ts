/**
 * Where the data plane gets its sockets from: declared here, implemented by the agent with capture, and plainly below for
 * a mesh without network namespaces.
 * @module
 */

import net from 'node:net';

export interface SocketOptions {
  /** To be given to the constructor of the socket; who ignores it only makes reading dearer. */
  readonly onread?: net.OnReadOpts | undefined;
  /** The address that the connection is to come from, somebody else's perhaps. Where that cannot be, it is the unit's own. */
  readonly source?: string | undefined;
}

export interface Sockets {
  /**
   * A fresh, unconnected TCP socket inside the unit's network namespace, marked so that capture leaves it alone. The
   * caller connects it and owns it from then on.
   *
   * @throws what the kernel says, on EMFILE and the like, and for a `source` that nobody may use
   */
  open(unit: string, family: 4 | 6, options?: SocketOptions): net.Socket;
  /**
   * Another connection that waits at a listener, not yet read from: Node itself accepts one a turn of the event loop. The
   * caller owns it; undefined: none waits, or it cannot be taken here.
   */
  acceptNext(server: net.Server, options: { readonly onread: net.OnReadOpts | undefined }): net.Socket | undefined;
  /** Where the client of a captured connection meant to go; undefined if the kernel does not know. */
  originalDestination(socket: net.Socket): { readonly address: string; readonly port: number } | undefined;
  /**
   * Whether the other side has ended this plaintext connection, or broken it, or said anything, that nobody has read yet.
   * One system call, for a connection on which nothing is expected; false where the kernel cannot be asked.
   */
  hasSpoken(socket: net.Socket): boolean;
}

/** Sockets of the process's own namespace, for loopback mode and tests. Nothing is captured, so nothing has a destination. */
export function plainSockets(): Sockets {
  return {
    open: (_unit, _family, { onread } = {}) =>
      new net.Socket({ allowHalfOpen: true, ...(onread === undefined ? {} : { onread }) }),
    acceptNext: () => undefined,
    originalDestination: () => undefined,
    hasSpoken: () => false,
  };
}

/** `::ffff:10.0.0.1` is 10.0.0.1 to everybody but the socket. */
export function plainAddress(address: string | undefined): string | undefined {
  return address?.startsWith('::ffff:') ? address.slice(7) : address;
}
