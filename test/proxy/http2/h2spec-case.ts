/** What a case of h2spec does and what has to come of it, told in frames. @module */

import type { Peer } from './peer.ts';

export type Outcome =
  /** GOAWAY with this code, then the end of the connection. */
  | { readonly kind: 'connection-error'; readonly code: number }
  /** RST_STREAM with this code, and the connection lives on. */
  | { readonly kind: 'stream-error'; readonly code: number; readonly stream?: number }
  /** HEADERS with a status; END_STREAM sooner or later. */
  | { readonly kind: 'response'; readonly status: string }
  /** A DATA frame on stream 1, of this size where it is said. */
  | { readonly kind: 'data'; readonly bytes?: number }
  | { readonly kind: 'ping-ack'; readonly token?: string }
  | { readonly kind: 'settings-ack' }
  /** The first frame of Weft is SETTINGS. */
  | { readonly kind: 'preface' }
  | { readonly kind: 'handshake' }
  /** Taken for HTTP/1.1 and answered so. */
  | { readonly kind: 'http1-refusal' };

/** Bytes to send, or something to wait for. */
export type Step = Buffer | ((peer: Peer) => Promise<unknown>);

export interface Case {
  /** For Weft as server: settings of the tester's preface. For Weft as client: what stands in place of its first settings. */
  readonly settings?: readonly (readonly [number, number])[];
  /** Nothing is exchanged before the first step. */
  readonly isBare?: boolean;
  readonly sends: readonly Step[];
  readonly expect: Outcome;
}

export const connectionError = (code: number): Outcome => ({ kind: 'connection-error', code });
export const streamError = (code: number, stream = 1): Outcome => ({ kind: 'stream-error', code, stream });
export const response = (status = '200'): Outcome => ({ kind: 'response', status });
export const pingAck: Outcome = { kind: 'ping-ack' };

/** A block that is valid HPACK and too large for nothing. */
export const DUMMY = [['x-dummy0', 'x'.repeat(4_000)]] as const;
