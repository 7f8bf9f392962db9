/**
 * The register: a copy of every other node's record, each no older than we have ever seen it.
 *
 * A record is taken when its chain reaches our root and names its owner, its signature covers it whole, and its version
 * is above ours. A delta is taken when it starts no later than our copy ends and no tombstone in between was dropped;
 * otherwise there is a gap, and whoever showed it to us is asked for the rest.
 * @module
 */
import type { Context } from '../effects.ts';
import { LayeredMap } from '../layered-map.ts';
import type { Credential } from '../ports.ts';
import type { Endpoint } from './endpoint.ts';
import { decodeEndpoint } from './endpoint.ts';
import type { Meta, NodeRecord, RecordDelta } from './record.ts';
import { applyDelta, compareVersion, MAX_RECORD_BYTES, MAX_RECORD_ENTRIES, recordStatement } from './record.ts';

export interface Replica {
  readonly record: NodeRecord;
  readonly credential: Credential;
  /** The record's live entries as far as we understand them, by id. */
  readonly endpoints: ReadonlyMap<string, Endpoint>;
}

export type Offer = 'news' | 'old' | 'gap' | 'refused';

export class Register {
  readonly #context: Context;
  readonly #replicas: LayeredMap<string, Replica>;

  /** @param known what to begin with; it must not change any more */
  constructor(context: Context, known?: Register) {
    this.#context = context;
    this.#replicas = new LayeredMap(known === undefined ? undefined : known.#replicas);
  }

  get(name: string): Replica | undefined {
    return this.#replicas.get(name);
  }

  /** Where it said that its gossip listens, `ip:port`. */
  addressOf(name: string): string | undefined {
    return this.#replicas.get(name)?.record.meta.address;
  }

  forget(name: string): void {
    this.#replicas.delete(name);
  }

  offer(record: NodeRecord): Offer {
    const known = this.#replicas.get(record.name);
    if (known !== undefined && compareVersion(record, known.record) <= 0) return 'old';
    return this.#take(record, known);
  }

  offerDelta(delta: RecordDelta): Offer {
    const known = this.#replicas.get(delta.name);
    if (known === undefined) return 'gap';
    const { epoch, ver } = known.record;
    if (delta.epoch < epoch || (delta.epoch === epoch && delta.to <= ver)) return 'old';
    if (delta.epoch > epoch || delta.from > ver || delta.gcVer > ver) return 'gap';
    return this.#take(applyDelta(known.record, delta), known);
  }

  #take(record: NodeRecord, known: Replica | undefined): Offer {
    const { dropped } = this.#context.stats;
    if (contentBytes(record) > MAX_RECORD_BYTES || record.entries.size > MAX_RECORD_ENTRIES) {
      dropped['too-large']++;
      return 'refused';
    }
    const sameChain = known !== undefined && isSameChain(known.record.meta, record.meta);
    const credential = sameChain ? known.credential : this.#context.signer.admit(record.meta.chain);
    if (credential?.name !== record.name) {
      dropped.certificate++;
      return 'refused';
    }
    const statement = recordStatement(this.#context.trustDomain, record, this.#context.signer);
    if (!this.#context.signer.verify(credential, statement, record.signature)) {
      dropped.signature++;
      return 'refused';
    }
    this.#replicas.set(record.name, { record, credential, endpoints: this.#endpointsOf(record, credential, known) });
    return 'news';
  }

  /** Decodes what changed and keeps the objects of what did not, so that an unchanged endpoint stays the same object. */
  #endpointsOf(record: NodeRecord, credential: Credential, known: Replica | undefined): ReadonlyMap<string, Endpoint> {
    const endpoints = new Map<string, Endpoint>();
    const isSameLife = known?.record.epoch === record.epoch && known.credential === credential;
    for (const [key, entry] of record.entries) {
      if (entry.value === null) continue;
      const id = `${record.name}/${key}`;
      const before = isSameLife ? known.record.entries.get(key) : undefined;
      const endpoint =
        before?.ver === entry.ver ? known?.endpoints.get(id) : this.#decode(record.name, key, entry.value, credential);
      if (endpoint !== undefined) endpoints.set(id, endpoint);
    }
    return endpoints;
  }

  /** Traffic to an endpoint outside its node's grant would be refused by TLS anyway: better not to route to it. */
  #decode(node: string, key: string, value: Uint8Array, credential: Credential): Endpoint | undefined {
    const endpoint = decodeEndpoint(node, key, value);
    if (endpoint === undefined || this.#context.signer.mayClaim(credential, endpoint.identity)) return endpoint;
    this.#context.stats.dropped['outside-grant']++;
    return undefined;
  }
}

/** About what the record takes on the wire. */
export function contentBytes({ meta, entries }: Pick<NodeRecord, 'meta' | 'entries'>): number {
  let bytes = 200;
  for (const der of meta.chain) bytes += der.length;
  for (const [key, { value }] of entries) bytes += entryBytes(key, value);
  return bytes;
}

export function entryBytes(key: string, value: Uint8Array | null): number {
  return key.length + 12 + (value?.length ?? 0);
}

function isSameChain(a: Meta, b: Meta): boolean {
  return a.chain.length === b.chain.length && a.chain.every((der, i) => isSameBytes(der, b.chain[i]!));
}

export function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
