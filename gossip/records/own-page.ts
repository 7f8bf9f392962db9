/**
 * The one record this node writes. Publishing compares with what stands there, so that only real changes get a version;
 * deletions become tombstones, and the floor rises past them once they are old or there is no room for more.
 * @module
 */
import type { Context } from '../effects.ts';
import type { Endpoint } from './endpoint.ts';
import { encodeEndpoint, endpointKey } from './endpoint.ts';
import type { Entry, Meta, NodeRecord, RecordDelta } from './record.ts';
import { MAX_RECORD_BYTES, MAX_RECORD_ENTRIES, recordStatement } from './record.ts';
import { contentBytes, entryBytes, isSameBytes } from './register.ts';

/** How long a deletion is spelled out; whoever was away longer replaces its whole copy. */
const TOMBSTONE_KEPT_MS = 15 * 60_000;

export class OwnPage {
  readonly #context: Context;
  #meta: Meta;
  #isMetaChanged = false;
  #record: NodeRecord;
  #endpoints: ReadonlyMap<string, Endpoint> = new Map();
  /** Entries that are no endpoints; their keys hold no slash, as those of endpoints do. */
  readonly #notes = new Map<string, Uint8Array>();
  readonly #spare = new Map<string, Uint8Array>();
  /** When each tombstone was written. */
  readonly #deletedAtMs = new Map<string, number>();

  constructor(context: Context, meta: Meta, epoch: number) {
    this.#context = context;
    this.#meta = meta;
    this.#record = this.#sign(epoch, 1, 0, new Map());
  }

  get record(): NodeRecord {
    return this.#record;
  }

  /** By id, as `publish` gave them. */
  get endpoints(): ReadonlyMap<string, Endpoint> {
    return this.#endpoints;
  }

  /** Says something beside the endpoints, from the next `publish` on. Readers that do not know the key keep it unread. */
  note(key: string, value: Uint8Array): void {
    this.#notes.set(key, value);
  }

  /** The same for what the record can do without: it is left out where it would be too large, and nothing to say is undefined. */
  noteIfRoom(key: string, value: Uint8Array | undefined): void {
    if (value === undefined) this.#spare.delete(key);
    else this.#spare.set(key, value);
  }

  /** Shows a renewed certificate chain, from the next `publish` or epoch on. */
  renew(chain: readonly Uint8Array[]): void {
    this.#meta = { ...this.#meta, chain };
    this.#isMetaChanged = true;
  }

  /** Writes what changed; undefined when nothing did. Check the bounds with `fitsRecord` first. */
  publish(endpoints: readonly Endpoint[]): RecordDelta | undefined {
    const ver = this.#record.ver + 1;
    const entries = new Map(this.#record.entries);
    const changed: [string, number, Uint8Array | null][] = [];
    const live = new Map<string, Endpoint>();
    const keys = new Set<string>();
    for (const endpoint of endpoints) {
      const key = endpointKey(endpoint);
      const value = encodeEndpoint(endpoint);
      const before = entries.get(key)?.value;
      keys.add(key);
      if (before !== undefined && before !== null && isSameBytes(before, value)) {
        live.set(endpoint.id, this.#endpoints.get(endpoint.id) ?? endpoint);
        continue;
      }
      live.set(endpoint.id, endpoint);
      entries.set(key, { ver, value });
      changed.push([key, ver, value]);
      this.#deletedAtMs.delete(key);
    }
    for (const [key, value] of [...this.#notes, ...this.#spareThatFits(endpoints)]) {
      const before = entries.get(key)?.value;
      keys.add(key);
      if (before !== undefined && before !== null && isSameBytes(before, value)) continue;
      entries.set(key, { ver, value });
      changed.push([key, ver, value]);
    }
    for (const [key, entry] of entries) {
      if (entry.value === null || keys.has(key)) continue;
      entries.set(key, { ver, value: null });
      changed.push([key, ver, null]);
      this.#deletedAtMs.set(key, this.#context.nowMs);
    }
    if (changed.length === 0 && !this.#isMetaChanged) return undefined;
    const meta = this.#isMetaChanged ? this.#meta : null;
    const from = this.#record.ver;
    const gcVer = this.#raiseFloor(entries);
    this.#endpoints = live;
    this.#record = this.#sign(this.#record.epoch, ver, gcVer, entries);
    const { name, epoch, signature } = this.#record;
    return { name, epoch, from, to: ver, gcVer, meta, entries: changed, signature };
  }

  /** The same endpoints in a new life: versions and tombstones start over. */
  beginEpoch(epoch: number): void {
    const entries = new Map<string, Entry>();
    for (const [key, entry] of this.#record.entries) if (entry.value !== null) entries.set(key, { ...entry, ver: 1 });
    this.#deletedAtMs.clear();
    this.#record = this.#sign(epoch, 1, 0, entries);
  }

  /** Room is counted as if all that was ever said were still there, tombstones too. */
  #spareThatFits(endpoints: readonly Endpoint[]): [string, Uint8Array][] {
    if (this.#spare.size === 0) return [];
    const entries = new Map(this.#record.entries);
    for (const key of this.#spare.keys()) entries.delete(key);
    for (const [key, value] of this.#notes) entries.set(key, { ver: 0, value });
    for (const endpoint of endpoints) entries.set(endpointKey(endpoint), { ver: 0, value: encodeEndpoint(endpoint) });
    let room = MAX_RECORD_BYTES - contentBytes({ meta: this.#meta, entries });
    return [...this.#spare].filter(([key, value]) => {
      const bytes = entryBytes(key, value);
      if (bytes > room) return false;
      room -= bytes;
      return true;
    });
  }

  /** Drops tombstones that are old, or the oldest when there are too many. Never one of the change in progress. */
  #raiseFloor(entries: Map<string, Entry>): number {
    const tombstones = [...entries]
      .filter(([, entry]) => entry.value === null && entry.ver <= this.#record.ver)
      .sort(([, a], [, b]) => a.ver - b.ver);
    let gcVer = this.#record.gcVer;
    let excess = entries.size - MAX_RECORD_ENTRIES;
    for (const [key, entry] of tombstones) {
      const ageMs = this.#context.nowMs - (this.#deletedAtMs.get(key) ?? 0);
      if (excess <= 0 && ageMs < TOMBSTONE_KEPT_MS && entry.ver > gcVer) break;
      gcVer = Math.max(gcVer, entry.ver);
      entries.delete(key);
      this.#deletedAtMs.delete(key);
      excess--;
    }
    return gcVer;
  }

  #sign(epoch: number, ver: number, gcVer: number, entries: ReadonlyMap<string, Entry>): NodeRecord {
    this.#isMetaChanged = false;
    const unsigned = { name: this.#context.self, epoch, ver, gcVer, meta: this.#meta, entries };
    const statement = recordStatement(this.#context.trustDomain, unsigned, this.#context.signer);
    return { ...unsigned, signature: this.#context.signer.sign(statement) };
  }
}
