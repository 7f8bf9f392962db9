/**
 * What a node says of endpoints of others that it has ejected, in an entry of its own record: their ids, and for how long. A
 * reader that does not know the entry keeps it unread and passes it on.
 *
 * Lengths of time instead of instants, because clocks differ. They count from when they are heard, and are only there for a
 * node that cannot withdraw its word any more and is not known to be gone yet.
 * @module
 */
import { pack, unpackGuarded } from '../wire/pack.ts';

export interface Accused {
  /** Endpoint id. */
  readonly endpoint: string;
  readonly forMs: number;
}

/** What one node may accuse at a time, and the bytes it may take; what does not fit is not said. */
export const MAX_ACCUSED = 256;
export const MAX_EVIDENCE_BYTES = 8 * 1024;
/** Nothing is believed for longer than this unless it is said again. */
export const MAX_ACCUSED_MS = 3_600_000;
const MAX_ID = 1_024;
const VERSION = 1;

/**
 * Leaves out what does not fit, from the end.
 *
 * @param seq another one each time, so that the same said again is news
 */
export function encodeEvidence(seq: number, accused: readonly Accused[]): Uint8Array {
  let lines = accused.slice(0, MAX_ACCUSED);
  for (;;) {
    const bytes = pack([VERSION, seq, lines.map(({ endpoint, forMs }) => [endpoint, Math.ceil(forMs)])]);
    if (bytes.length <= MAX_EVIDENCE_BYTES) return bytes;
    lines = lines.slice(0, Math.floor((lines.length * MAX_EVIDENCE_BYTES) / (bytes.length + 1)));
  }
}

/** @returns undefined for bytes that are no evidence, or of a form this version does not know */
export function decodeEvidence(bytes: Uint8Array): readonly Accused[] | undefined {
  const fields = bytes.length > MAX_EVIDENCE_BYTES ? undefined : unpackGuarded(bytes);
  if (!Array.isArray(fields)) return undefined;
  const [version, seq, list] = fields as unknown[];
  if (version !== VERSION || !Number.isSafeInteger(seq) || !Array.isArray(list)) return undefined;
  const accused = list.slice(0, MAX_ACCUSED).map(toAccused);
  return accused.every((one) => one !== undefined) ? accused : undefined;
}

function toAccused(fields: unknown): Accused | undefined {
  if (!Array.isArray(fields)) return undefined;
  const [endpoint, forMs] = fields as unknown[];
  if (typeof endpoint !== 'string' || endpoint.length > MAX_ID) return undefined;
  if (typeof forMs !== 'number' || !(forMs > 0)) return undefined;
  return { endpoint, forMs: Math.min(forMs, MAX_ACCUSED_MS) };
}
