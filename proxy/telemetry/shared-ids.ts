/**
 * Ids of a trace that both ends of a TLS connection come to by themselves, so that nothing has to be said between them: keys are
 * exported from the connection (RFC 8446 §7.5), under a label of our own, which tells nothing of those that protect it. An older
 * agent at the other end does not do so, and tells of a trace of its own.
 * @module
 */

import type { Socket } from 'node:net';
import tls from 'node:tls';
import { StreamSocket } from '../streams/stream-socket.ts';

const LABEL = 'EXPORTER-weft-trace';
/** Of the trace, and of the span of who dialled. */
const BYTES = 24;
const NO_CONTEXT = Buffer.alloc(0);

/**
 * To be asked while the connection is open. Streams of one connection are told apart by their numbers.
 *
 * @returns six words; undefined where this is no end of a TLS connection, nor of a stream of one
 */
export function sharedIds(end: Socket): Int32Array | undefined {
  const { socket, context } = below(end);
  if (!(socket instanceof tls.TLSSocket)) return undefined;
  try {
    const bytes = socket.exportKeyingMaterial(BYTES, LABEL, context);
    return Int32Array.from({ length: BYTES / 4 }, (_, i) => bytes.readInt32BE(4 * i));
  } catch {
    return undefined; // it has closed meanwhile
  }
}

function below(end: unknown): { readonly socket: unknown; readonly context: Buffer } {
  if (!(end instanceof StreamSocket)) return { socket: end, context: NO_CONTEXT };
  const context = Buffer.alloc(4);
  context.writeUInt32BE(end.carried.stream);
  return { socket: end.carried.by, context };
}
