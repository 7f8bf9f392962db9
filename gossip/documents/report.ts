/**
 * What a node says of its documents, in an entry of its own record: which revisions are not in use there and why, and a
 * sum by which equal nodes are known to be equal without a list.
 * @module
 */
import { pack, unpackGuarded } from '../wire/pack.ts';

/** `applied` = in use; `pending` = not yet, or waiting for others; `rejected` = tried and found unusable there. */
export type DocumentState = 'applied' | 'pending' | 'rejected';

export interface ReportLine {
  readonly id: string;
  readonly state: DocumentState;
  /** This node was chosen to take the revision before the others. */
  readonly isFirst: boolean;
  /** Why it is not applied; empty when it is. */
  readonly why: string;
}

export interface Report {
  /** `headsSum` of all revisions in force that this node has judged. */
  readonly heads: string;
  /** Revisions in force that are not applied and for which there was no room in `lines`. */
  readonly omitted: number;
  /** All that are not applied, as far as there is room, and the latest that are. */
  readonly lines: readonly ReportLine[];
}

/** A record has room for this much beside the most endpoints a node may have. */
const MAX_REPORT_BYTES = 6 * 1024;
const MAX_LINES = 64;
const MAX_WHY = 200;
const STATES: readonly DocumentState[] = ['applied', 'pending', 'rejected'];

/** Equal for nodes that have judged the same revisions, whatever the order: their ids, added bit by bit. */
export function headsSum(ids: Iterable<string>): string {
  let high = 0;
  let low = 0;
  for (const id of ids) {
    high ^= Number.parseInt(id.slice(0, 8), 16);
    low ^= Number.parseInt(id.slice(8, 16), 16);
  }
  return [high, low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}

/** Leaves out lines that do not fit, applied ones first; `report.lines` should begin with what matters most. */
export function encodeReport(report: Report): Uint8Array {
  let lines = report.lines.slice(0, MAX_LINES);
  let omitted = report.omitted + unapplied(report.lines.slice(MAX_LINES));
  for (;;) {
    const bytes = pack([1, report.heads, omitted, lines.map(toFields)]);
    if (bytes.length <= MAX_REPORT_BYTES) return bytes;
    omitted += unapplied(lines.slice(-1));
    lines = lines.slice(0, -1);
  }
}

/** @returns undefined for bytes that are no report, or one of a form this version does not know */
export function decodeReport(bytes: Uint8Array): Report | undefined {
  const fields = bytes.length > MAX_REPORT_BYTES ? undefined : unpackGuarded(bytes);
  if (!Array.isArray(fields)) return undefined;
  const [version, heads, omitted, list] = fields as unknown[];
  if (version !== 1 || typeof heads !== 'string' || !Number.isSafeInteger(omitted) || !Array.isArray(list)) {
    return undefined;
  }
  const lines = list.slice(0, MAX_LINES).map(toLine);
  if (!lines.every((line) => line !== undefined)) return undefined;
  return { heads, omitted: omitted as number, lines };
}

function toFields({ id, state, isFirst, why }: ReportLine): unknown[] {
  return [id, STATES.indexOf(state), isFirst, why.slice(0, MAX_WHY)];
}

function toLine(fields: unknown): ReportLine | undefined {
  if (!Array.isArray(fields)) return undefined;
  const [id, code, isFirst, why] = fields as unknown[];
  const state = STATES[code as number];
  if (typeof id !== 'string' || state === undefined || typeof isFirst !== 'boolean' || typeof why !== 'string') {
    return undefined;
  }
  return { id, state, isFirst, why: why.slice(0, MAX_WHY) };
}

function unapplied(lines: readonly ReportLine[]): number {
  return lines.filter((line) => line.state !== 'applied').length;
}
