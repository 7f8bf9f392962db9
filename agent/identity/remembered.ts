/** Where issuers welcomed joiners when they were last seen: for a node whose certificate expires while it knows nobody. @module */
import { existsSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { writeFileAtomic } from '../files.ts';

const MAX_ADDRESSES = 16;
const stored = z.object({ version: z.literal(1), addresses: z.array(z.string().max(300)).max(MAX_ADDRESSES) });

export class RememberedIssuers {
  readonly #file: string;
  #addresses: readonly string[];

  /** A file that cannot be read is as good as none. */
  constructor(file: string) {
    this.#file = file;
    this.#addresses = read(file);
  }

  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** Who is seen now replaces who was seen before; when nobody is, those before stay. */
  async remember(addresses: readonly string[]): Promise<void> {
    const next = [...new Set(addresses)].sort().slice(0, MAX_ADDRESSES);
    if (next.length === 0 || isDeepStrictEqual(next, this.#addresses)) return;
    this.#addresses = next;
    await writeFileAtomic(this.#file, `${JSON.stringify({ version: 1, addresses: next })}\n`);
  }
}

function read(file: string): readonly string[] {
  try {
    return existsSync(file) ? stored.parse(JSON.parse(readFileSync(file, 'utf8'))).addresses : [];
  } catch {
    return [];
  }
}
