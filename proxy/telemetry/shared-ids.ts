/**
 * Ids of a trace that both ends of a TLS connection come to by themselves, so that nothing has to be said between them: keys are
 * exported from the connection (RFC 8446 §7.5), under a label of our own, which tells nothing of those that protect it. An older
 * agent at the other end does not do so, and tells of a trace of its own.
 * @module
 */

import type { Socket } from 'node:net';
import tls from 'node:tls';

const LABEL = 'EXPORTER-weft-trace';
/** Of the trace, and of the span of who dialled. */
const BYTES = 24;
const NO_CONTEXT = Buffer.alloc(0);

/** To be asked while the connection is open. @returns six words; undefined where this is no end of a TLS connection */
export function sharedIds(socket: Socket): Int32Array | undefined {
  if (!(socket instanceof tls.TLSSocket)) return undefined;
  try {
    const bytes = socket.exportKeyingMaterial(BYTES, LABEL, NO_CONTEXT);
    return Int32Array.from({ length: BYTES / 4 }, (_, i) => bytes.readInt32BE(4 * i));
  } catch {
    return undefined; // it has closed meanwhile
  }
}
