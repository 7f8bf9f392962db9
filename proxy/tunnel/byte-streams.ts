/**
 * How streams of bytes begin on a tunnel of `weft-tcp/3` (docs/tunnel.md): the head of who dialled is one byte, and that of who
 * accepted says nothing, or why not.
 * @module
 */

import { REASONS, type ReasonCode } from '../reasons.ts';

/** What the bytes of a stream are. */
export const BYTES = {
  /** Whatever the client and the application say. */
  opaque: 0,
  /** Requests that may turn into bytes, on a connection of HTTP/1.1 of their own. */
  http1: 1,
} as const;
export type Bytes = (typeof BYTES)[keyof typeof BYTES];

/** The head of a stream that is let through. */
export const OPEN = '';

export function isBytes(kind: number | undefined): kind is Bytes {
  return kind === BYTES.opaque || kind === BYTES.http1;
}

/** @param head of a stream that is not let through, as who accepted wrote it: a reason code that we may not know */
export function reasonIn(head: string): ReasonCode {
  return Object.hasOwn(REASONS, head) ? (head as ReasonCode) : 'tunnel-refused';
}
