/**
 * What gossip keeps across restarts: its epoch, which must never go back, and a few peers to try when no seed answers.
 *
 * One line of JSON and one with its checksum, replaced atomically: written beside, synced, renamed. A file that is damaged
 * is set aside and said so; the epoch then comes from the clock alone, and if that is behind, the first peer that knows better raises it.
 * @module
 */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GossipError } from '../errors.ts';
import { syncDirectory } from './sync-directory.ts';

interface Contents {
  readonly version: 1;
  readonly trustDomain: string;
  readonly name: string;
  readonly epoch: number;
  readonly peers: readonly string[];
}

const MAX_PEERS = 256;
const MAX_PEER_LENGTH = 300;

export class GossipStore {
  readonly #file: string;
  #contents: Contents;
  /** Writes follow each other: one in progress, and at most one more for whatever changed meanwhile. */
  #writing: Promise<void> | undefined;
  #isDirty = false;

  private constructor(file: string, initial: Contents) {
    this.#file = file;
    this.#contents = initial;
  }

  /**
   * Opens the file and starts a new epoch in it, on disk when this resolves: above the last, and at least `nowMs`.
   *
   * @throws GossipError when it cannot be written, or belongs to another trust domain
   */
  static async open(
    directory: string,
    owner: { trustDomain: string; name: string },
    nowMs: number,
  ): Promise<{ store: GossipStore; damage: unknown }> {
    const file = join(directory, 'gossip.json');
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const { found, damage } = await read(file);
      if (found !== undefined && found.trustDomain !== owner.trustDomain) {
        throw new GossipError('WEFT_GOSSIP_STORE_FOREIGN', `${file} (of trust domain ${found.trustDomain})`);
      }
      const isOurs = found?.name === owner.name; // what another node of the mesh was says nothing about this one
      const epoch = Math.max(nowMs, isOurs ? found.epoch + 1 : 0);
      const store = new GossipStore(file, { version: 1, ...owner, epoch, peers: isOurs ? found.peers : [] });
      await store.#write();
      return { store, damage };
    } catch (err) {
      if (err instanceof GossipError) throw err;
      throw new GossipError('WEFT_GOSSIP_STORE_FAILED', file, { cause: err });
    }
  }

  get epoch(): number {
    return this.#contents.epoch;
  }

  get peers(): readonly string[] {
    return this.#contents.peers;
  }

  keepEpoch(epoch: number): Promise<void> {
    this.#contents = { ...this.#contents, epoch: Math.max(epoch, this.#contents.epoch) };
    return this.#save();
  }

  rememberPeers(peers: readonly string[]): Promise<void> {
    const isSame =
      peers.length === this.#contents.peers.length && peers.every((one) => this.#contents.peers.includes(one));
    // A node that is alone remembers those it knew, not that it is alone.
    if (isSame || peers.length === 0) return Promise.resolve();
    this.#contents = { ...this.#contents, peers: [...peers] };
    return this.#save();
  }

  async #save(): Promise<void> {
    this.#isDirty = true;
    this.#writing ??= this.#writeWhileDirty().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #writeWhileDirty(): Promise<void> {
    while (this.#isDirty) {
      this.#isDirty = false;
      await this.#write();
    }
  }

  async #write(): Promise<void> {
    const temporary = `${this.#file}.${process.pid}.tmp`;
    try {
      const handle = await open(temporary, 'w', 0o600);
      try {
        await handle.writeFile(withChecksum(JSON.stringify(this.#contents)));
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, this.#file);
      await syncDirectory(dirname(this.#file));
    } catch (err) {
      await unlink(temporary).catch(() => undefined);
      throw err;
    }
  }
}

async function read(file: string): Promise<{ found: Contents | undefined; damage: unknown }> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return { found: undefined, damage: undefined };
    throw err;
  }
  try {
    return { found: parseContents(text), damage: undefined };
  } catch (err) {
    await rename(file, `${file}.damaged`);
    return { found: undefined, damage: err };
  }
}

/** By hand: a schema library would cost the mesh thread 7 MB for these five fields. */
function parseContents(text: string): Contents {
  const json = text.slice(0, text.indexOf('\n'));
  if (text !== withChecksum(json)) throw new TypeError('its checksum is not that of its contents');
  const { version, trustDomain, name, epoch, peers } = (JSON.parse(json) ?? {}) as Partial<
    Record<keyof Contents, unknown>
  >;
  const isPeer = (peer: unknown): peer is string => typeof peer === 'string' && peer.length <= MAX_PEER_LENGTH;
  if (version !== 1) throw new TypeError(`version ${String(version)}; this one writes 1`);
  if (typeof trustDomain !== 'string' || typeof name !== 'string') throw new TypeError('trustDomain and name: no text');
  if (!Number.isSafeInteger(epoch) || Number(epoch) < 0) throw new TypeError('epoch: not a whole number of 0 or more');
  if (!Array.isArray(peers) || peers.length > MAX_PEERS || !peers.every(isPeer))
    throw new TypeError('peers: not a list');
  return { version, trustDomain, name, epoch: Number(epoch), peers };
}

/** @param json one line */
export function withChecksum(json: string): string {
  return `${json}\n${createHash('sha256').update(json).digest('hex')}\n`;
}
