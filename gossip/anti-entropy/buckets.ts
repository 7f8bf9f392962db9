/**
 * A summary of all pages a node holds that two nodes can compare in a few bytes: 256 buckets by member name, each the
 * sum of its members' stamps. Sums are kept up to date as pages change, so comparing costs nothing on a quiet mesh.
 *
 * Adding modulo 2^64 makes order irrelevant and removal exact. A member could forge a collision and would hide only its
 * own news from anti-entropy, not from gossip.
 * @module
 */
import { LayeredMap } from '../layered-map.ts';
import { hashText, mix } from '../overlay/hash.ts';
import type { DigestItem } from '../wire/messages.ts';

export const BUCKETS = 256;

export function bucketOf(name: string): number {
  return hashText(name) & (BUCKETS - 1);
}

export class Buckets {
  /** Low and high halves of each bucket's sum. */
  readonly #sums: Uint32Array;
  readonly #items: LayeredMap<string, DigestItem>;
  /** Names by bucket; those of `#known` until a bucket changes. */
  readonly #members: (Set<string> | undefined)[] = new Array<Set<string> | undefined>(BUCKETS).fill(undefined);
  readonly #known: Buckets | undefined;

  /** @param known what to begin with; it must not change any more */
  constructor(known?: Buckets) {
    this.#known = known;
    this.#sums = known === undefined ? new Uint32Array(2 * BUCKETS) : Uint32Array.from(known.#sums);
    this.#items = new LayeredMap(known === undefined ? undefined : known.#items);
  }

  get count(): number {
    return this.#items.size;
  }

  /** Records that `item.name` is now held at this version. */
  put(item: DigestItem): void {
    this.remove(item.name);
    this.#items.set(item.name, item);
    this.#namesIn(bucketOf(item.name)).add(item.name);
    this.#add(item, 1);
  }

  remove(name: string): void {
    const item = this.#items.get(name);
    if (item === undefined) return;
    this.#items.delete(name);
    this.#namesIn(bucketOf(name)).delete(name);
    this.#add(item, -1);
  }

  get(name: string): DigestItem | undefined {
    return this.#items.get(name);
  }

  itemsOf(bucket: number): DigestItem[] {
    const names = this.#members[bucket] ?? (this.#known === undefined ? [] : (this.#known.#members[bucket] ?? []));
    return [...names].map((name) => this.#items.get(name)!);
  }

  /** One sum over all buckets: 8 bytes. */
  root(): Uint8Array {
    let low = 0;
    let high = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      low = mix(low ^ this.#sums[2 * bucket]!, bucket);
      high = mix(high ^ this.#sums[2 * bucket + 1]!, bucket + BUCKETS);
    }
    return encode(Uint32Array.of(low, high));
  }

  /** All sums: 2,048 bytes. */
  sums(): Uint8Array {
    return encode(this.#sums);
  }

  /** The buckets whose sums differ from another node's. */
  differing(theirs: Uint8Array): number[] {
    const ours = this.sums();
    if (theirs.length !== ours.length) return [];
    const buckets: number[] = [];
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const at = 8 * bucket;
      for (let i = at; i < at + 8; i++) {
        if (ours[i] === theirs[i]) continue;
        buckets.push(bucket);
        break;
      }
    }
    return buckets;
  }

  /** For writing to. */
  #namesIn(bucket: number): Set<string> {
    let names = this.#members[bucket];
    if (names === undefined) {
      names = new Set(this.#known === undefined ? [] : this.#known.#members[bucket]);
      this.#members[bucket] = names;
    }
    return names;
  }

  #add(item: DigestItem, sign: 1 | -1): void {
    const at = 2 * bucketOf(item.name);
    const [low, high] = stamp(item);
    if (sign === 1) {
      const sum = this.#sums[at]! + low;
      this.#sums[at] = sum;
      this.#sums[at + 1] = this.#sums[at + 1]! + high + (sum > 0xffff_ffff ? 1 : 0);
    } else {
      const difference = this.#sums[at]! - low;
      this.#sums[at] = difference;
      this.#sums[at + 1] = this.#sums[at + 1]! - high - (difference < 0 ? 1 : 0);
    }
  }
}

/** 64 bits that change with every field of the item. */
function stamp(item: DigestItem): [number, number] {
  const name = hashText(item.name);
  const fields = [item.epoch % 0x1_0000_0000, Math.floor(item.epoch / 0x1_0000_0000), item.ver, item.inc, item.rank];
  let low = name;
  let high = mix(name, 77);
  for (const field of fields) {
    low = mix(low ^ (field >>> 0), 1);
    high = mix(high ^ (field >>> 0), 2);
  }
  return [low, high];
}

/** Little-endian on every machine, so that all agree. */
function encode(words: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => {
    view.setUint32(4 * i, word, true);
  });
  return bytes;
}
