/**
 * Virtual addresses: the stable IP a service's name resolves to on this node.
 *
 * An address is a hash of the service's id, so every node and every restart arrives at the same one; only a collision
 * (two ids, one hash) moves the later comer to the next free address, and that choice is kept in a file. The addresses
 * never leave the node: capture turns them back into a service before anything is sent.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFileAtomic } from './files.ts';

/** 240.240.0.0/16 of the reserved class E, as other meshes use: routable by Linux, used by nobody. */
const V4_PREFIX = '240.240';
const V4_SIZE = 0x10000;
/** fd57:6566:7400::/48, unique local (RFC 4193); "Weft" in ASCII. */
const V6_PREFIX = 'fd57:6566:7400';

export class VipAllocator {
  readonly #file: string;
  readonly #slots = new Map<string, number>();
  readonly #taken = new Set<number>();
  #isSaved = true;

  /** @param file where choices are kept; an absent or unreadable file means that all addresses are hashed anew */
  constructor(file: string) {
    this.#file = file;
    for (const [id, slot] of Object.entries(readSlots(file))) this.#assign(id, slot);
  }

  /**
   * The addresses of a service, chosen on first call.
   *
   * @param id 'namespace/service'
   * @returns its IPv4 and IPv6 address; none when all 65,534 are given away
   */
  vips(id: string): readonly string[] {
    let slot = this.#slots.get(id);
    if (slot === undefined) {
      slot = this.#firstFree(hashSlot(id));
      if (slot === undefined) return [];
      this.#assign(id, slot);
      this.#isSaved = false;
    }
    return [`${V4_PREFIX}.${slot >> 8}.${slot & 0xff}`, `${V6_PREFIX}::${slot.toString(16)}`];
  }

  /** Writes the choices made since the last call; once for a batch of new services. */
  async save(): Promise<void> {
    if (this.#isSaved) return;
    this.#isSaved = true;
    await writeFileAtomic(this.#file, JSON.stringify(Object.fromEntries(this.#slots)));
  }

  #assign(id: string, slot: number): void {
    this.#slots.set(id, slot);
    this.#taken.add(slot);
  }

  #firstFree(preferred: number): number | undefined {
    for (let step = 0; step < V4_SIZE; step++) {
      const slot = (preferred + step) % V4_SIZE;
      if (slot !== 0 && slot !== V4_SIZE - 1 && !this.#taken.has(slot)) return slot;
    }
    return undefined;
  }
}

function hashSlot(id: string): number {
  return createHash('sha256').update(id).digest().readUInt16BE(0);
}

function readSlots(file: string): Record<string, number> {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof parsed !== 'object' || parsed === null) return {};
    const isSlot = (entry: [string, unknown]): entry is [string, number] =>
      Number.isInteger(entry[1]) && Number(entry[1]) > 0 && Number(entry[1]) < V4_SIZE - 1;
    return Object.fromEntries(Object.entries(parsed).filter(isSlot));
  } catch {
    return {}; // absent on the first start; damaged: addresses come from the hash again
  }
}
