/**
 * A node's record: everything one node says about itself, written by that node alone and signed by its key.
 *
 * Versions are (epoch, ver): `epoch` rises with every start of the node, `ver` with every change inside it. A deleted
 * entry stays as a tombstone until the floor `gcVer` rises past it. Whoever holds (epoch, ver) holds exactly the same
 * entries and tombstones as everybody else at that version, so one signature over all of them is enough, and it still
 * verifies after the record was brought up to date by deltas.
 * @module
 */
import type { Signer } from '../ports.ts';

/** Encoded size of a whole record, and live entries plus tombstones in it. */
export const MAX_RECORD_BYTES = 64 * 1024;
export const MAX_RECORD_ENTRIES = 500;

/**
 * The entry that says how the node fares with the documents, the one by which an issuer says that it is one, and the one that
 * names endpoints the node has ejected.
 */
export const REPORT_KEY = 'documents';
export const ISSUER_KEY = 'issuer';
export const EVIDENCE_KEY = 'ejected';

/** One entry: the version that last touched it, and its bytes; null = deleted at that version. */
export interface Entry {
  readonly ver: number;
  readonly value: Uint8Array | null;
}

export interface Meta {
  readonly schema: number;
  /** `ip:port` where the node's gossip listens. */
  readonly address: string;
  /** The node's certificate chain, leaf first, DER. */
  readonly chain: readonly Uint8Array[];
}

export interface NodeRecord {
  readonly name: string;
  readonly epoch: number;
  readonly ver: number;
  /** Tombstones up to this version are gone: whoever knows less must replace its whole copy. */
  readonly gcVer: number;
  readonly meta: Meta;
  readonly entries: ReadonlyMap<string, Entry>;
  readonly signature: Uint8Array;
}

/** Entries changed after `from`, up to `to`. `meta` only when it changed as well. */
export interface RecordDelta {
  readonly name: string;
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
  readonly gcVer: number;
  readonly meta: Meta | null;
  readonly entries: readonly (readonly [key: string, ver: number, value: Uint8Array | null])[];
  /** Over the whole record at version `to`. */
  readonly signature: Uint8Array;
}

/** Above 0 when (a.epoch, a.ver) is newer. */
export function compareVersion(a: { epoch: number; ver: number }, b: { epoch: number; ver: number }): number {
  return a.epoch - b.epoch || a.ver - b.ver;
}

/** What brings a copy at version `from` up to this record, or undefined when `from` lies below the floor. */
export function deltaSince(record: NodeRecord, from: number): RecordDelta | undefined {
  if (from < record.gcVer) return undefined;
  const entries: [string, number, Uint8Array | null][] = [];
  for (const [key, entry] of record.entries) if (entry.ver > from) entries.push([key, entry.ver, entry.value]);
  return {
    name: record.name,
    epoch: record.epoch,
    from,
    to: record.ver,
    gcVer: record.gcVer,
    meta: record.meta,
    entries,
    signature: record.signature,
  };
}

/** The record after the delta; its signature is the delta's and has yet to be verified. */
export function applyDelta(record: NodeRecord, delta: RecordDelta): NodeRecord {
  const entries = new Map(record.entries);
  for (const [key, ver, value] of delta.entries) entries.set(key, { ver, value });
  for (const [key, entry] of entries) if (entry.value === null && entry.ver <= delta.gcVer) entries.delete(key);
  return {
    name: record.name,
    epoch: record.epoch,
    ver: delta.to,
    gcVer: delta.gcVer,
    meta: delta.meta ?? record.meta,
    entries,
    signature: delta.signature,
  };
}

/** The bytes a record's owner signs: a header and the digest of all content, entries in the order of their keys. */
export function recordStatement(
  trustDomain: string,
  record: Omit<NodeRecord, 'signature'>,
  signer: Signer,
): Uint8Array {
  const { name, epoch, ver, gcVer, meta } = record;
  const parts: Uint8Array[] = [...meta.chain];
  let index = `${meta.schema}\n${meta.address}\n${meta.chain.map((der) => der.length).join(' ')}\n`;
  for (const key of [...record.entries.keys()].sort()) {
    const entry = record.entries.get(key)!;
    index += `${key.length} ${key} ${entry.ver} ${entry.value === null ? '-' : entry.value.length}\n`;
    if (entry.value !== null) parts.push(entry.value);
  }
  const header = encoder.encode(`weft record 1\n${trustDomain}\n${name}\n${epoch}\n${ver}\n${gcVer}\n`);
  return concat([header, signer.digest(concat([encoder.encode(index), ...parts]))]);
}

const encoder = new TextEncoder();

function concat(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
