/**
 * Reading plain sockets through one buffer for the whole worker.
 *
 * By default Node takes a fresh 64 kB for every read and gives most of it back; under load the collector runs for little
 * else. With `onread` all sockets read into one buffer, and what arrived is copied out into a piece of its own size. It is
 * still told as 'data', so nobody else has to know.
 * @module
 */

import { Buffer } from 'node:buffer'; // the global is a getter, which would be called for each read
import net from 'node:net';

/** A full one is one full frame of the tunnel, which with its header fills four TLS records. */
const BUFFER_BYTES = 65_528;

/** Read options for one socket to come. */
export interface ReadOptions {
  readonly onread: net.OnReadOpts;
  /** To be called with the socket that was made with them, before it reads. */
  readonly bind: (socket: net.Socket) => void;
}

export class SharedReader {
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);

  options(): ReadOptions {
    const buffer = this.#buffer;
    let bound: net.Socket | undefined;
    return {
      onread: {
        buffer,
        callback: (bytes: number): boolean => {
          const chunk = Buffer.allocUnsafe(bytes);
          buffer.copy(chunk, 0, 0, bytes);
          bound?.emit('data', chunk);
          return true; // pause() stops the reading by itself
        },
      },
      bind: (socket) => {
        bound = socket;
      },
    };
  }

  /**
   * Moves an accepted connection, not yet read from, to a socket that reads this way. A server has no option for it, so the
   * handle is taken over; where there is none to take, the socket stays as it is. Reading starts with the first listener.
   */
  adopt(accepted: net.Socket): net.Socket {
    const owner = accepted as unknown as { _handle: object | null | undefined };
    const handle = owner._handle;
    if (handle === null || handle === undefined) return accepted;
    const { onread, bind } = this.options();
    const options = { handle, onread, allowHalfOpen: true, manualStart: true };
    const socket = new net.Socket(options as net.SocketConstructorOpts);
    owner._handle = null;
    bind(socket);
    return socket;
  }
}
