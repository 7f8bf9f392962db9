/** Ending a connection so that the peer sees it broken, not finished. @module */

import type { Socket } from 'node:net';

/**
 * Sends a reset and closes. `transport` is the TCP socket below TLS, or `socket` itself.
 *
 * Below TLS the order matters: the TLS layer must let go before the TCP handle is closed, or it writes into freed memory
 * (Node 26 crashes). So the TLS socket is destroyed, which destroys its transport in turn, and the transport has been told
 * to reset. Node has no public word for that; a test holds it to what it does.
 */
export function reset({ socket, transport }: { readonly socket: Socket; readonly transport: Socket }): void {
  if (socket.destroyed) return;
  if (socket !== transport) {
    (transport as { resetAndClosing?: boolean }).resetAndClosing = true;
    socket.destroy();
  } else if (transport.connecting) socket.destroy();
  else transport.resetAndDestroy();
}
