/**
 * What other nodes offered when this one last heard of them, on disk: an agent that starts with nobody in reach serves its
 * workloads from there, and says how old it is.
 *
 * What is remembered counts until gossip has its own word for it. That is so for each endpoint that is told anew, for each
 * node that is known to be gone, and for all the rest a while after the first peer was met, who knows the whole mesh. Until
 * then one that does not answer is for the data plane to avoid. Nobody is believed for being remembered: the handshake asks
 * every endpoint for the identity it was remembered with.
 * @module
 */
import { readFileSync, statSync } from 'node:fs';
import { utimes } from 'node:fs/promises';
import type { Logger } from 'pino';
import { withChecksum } from '../../gossip/edge/store.ts';
import type { EndpointDelta } from '../../gossip/effects.ts';
import { decodeEndpoint, type Endpoint, encodeEndpoint, endpointKey } from '../../gossip/records/endpoint.ts';
import type { Member } from '../../gossip/view.ts';
import { systemCode } from '../errors.ts';
import { writeFileAtomic } from '../files.ts';

export interface RememberedOptions {
  readonly file: string;
  /** Whose memory it is: another node's, or one of another trust domain, says nothing here. */
  readonly node: string;
  readonly trustDomain: string;
  readonly log: Logger;
  /** Takes out what was remembered and is not so. */
  readonly forgotten: (delta: EndpointDelta) => void;
  /** How long after the first peer was met the rest is forgotten. */
  readonly settleMs?: number;
  readonly nowMs?: () => number;
}

interface Contents {
  readonly version: 1;
  readonly trustDomain: string;
  readonly name: string;
  /** Node, then key: an endpoint as it is on the wire, base64. */
  readonly endpoints: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** More than a mesh of thousands of nodes offers; those beyond are not remembered. */
const MAX_REMEMBERED = 50_000;
/** A peer's comparison of tables takes one or two seconds after the link is up. */
const SETTLE_MS = 5_000;
/** Changes are written together, and writing takes at most a fiftieth of the time. */
const SAVE_MS = 1_000;
const SAVE_SHARE = 50;
/** The time of the file says when there last was a peer, within this. */
const TOUCH_MS = 10_000;

export class RememberedEndpoints implements AsyncDisposable {
  readonly #options: RememberedOptions;
  readonly #nowMs: () => number;
  /** What is to be found on disk, by id. */
  readonly #kept = new Map<string, Endpoint>();
  /** Ids that gossip has said nothing of since the start. */
  readonly #unconfirmed = new Set<string>();
  #states: ReadonlyMap<string, Member['state']> = new Map();
  #hasPeer = false;
  /** When there last was a peer; undefined: never, as far as is known. */
  #heardAtMs: number | undefined;
  #settle: NodeJS.Timeout | undefined;
  #save: NodeJS.Timeout | undefined;
  #saveMs = SAVE_MS;
  readonly #touch: NodeJS.Timeout;
  #writing: Promise<void> = Promise.resolve();

  /** Reads the file; one that cannot be read is as good as none. */
  constructor(options: RememberedOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#touch = setInterval(() => this.#touched(), TOUCH_MS).unref();
    const { file, log } = options;
    try {
      for (const endpoint of this.#read()) this.#kept.set(endpoint.id, endpoint);
      if (this.#kept.size > 0) this.#heardAtMs = statSync(file).mtimeMs;
    } catch (err) {
      if (systemCode(err) !== 'ENOENT') log.warn({ err, file }, 'the endpoints of other nodes are not remembered');
    }
  }

  /** What to begin with, once. */
  recall(): EndpointDelta {
    for (const id of this.#kept.keys()) this.#unconfirmed.add(id);
    const { log } = this.#options;
    if (this.#kept.size > 0) log.info({ endpoints: this.#kept.size, ageMs: this.ageMs }, 'endpoints are remembered');
    return { upsert: [...this.#kept.values()], remove: [] };
  }

  /** How many endpoints are in use that gossip has not confirmed since the start. */
  get unconfirmed(): number {
    return this.#unconfirmed.size;
  }

  /** Time since there last was a peer; 0 while there is one, and on a node that never had any. */
  get ageMs(): number {
    if (this.#hasPeer || this.#heardAtMs === undefined) return 0;
    return Math.max(0, this.#nowMs() - this.#heardAtMs);
  }

  /** From gossip, before its endpoints of the same moment. */
  members(members: readonly Member[]): void {
    const others = members.filter(({ isSelf }) => !isSelf);
    this.#states = new Map(others.map(({ name, state }) => [name, state]));
    const had = this.#hasPeer;
    this.#hasPeer = others.some(({ state }) => state === 'alive');
    if (had || this.#hasPeer) this.#heardAtMs = this.#nowMs();
    this.#forget((name) => this.#states.get(name) === 'left' || this.#states.get(name) === 'dead');
    if (!this.#hasPeer || this.#settle !== undefined) return;
    const { settleMs = SETTLE_MS } = this.#options;
    this.#settle = setTimeout(() => this.#forget(() => true), settleMs).unref();
  }

  /** From gossip. */
  heard({ upsert, remove }: EndpointDelta): void {
    for (const endpoint of upsert) {
      this.#unconfirmed.delete(endpoint.id);
      if (endpoint.node === this.#options.node) continue;
      if (this.#kept.has(endpoint.id) || this.#kept.size < MAX_REMEMBERED) this.#kept.set(endpoint.id, endpoint);
    }
    for (const id of remove) {
      this.#unconfirmed.delete(id);
      const node = this.#kept.get(id)?.node ?? '';
      // A node that lost everybody at once is more likely cut off than alone: it remembers those it knew.
      if (this.#hasPeer || this.#states.get(node) !== 'dead') this.#kept.delete(id);
    }
    this.#saveSoon();
  }

  /** Resolves when all that was heard is on disk, or could not be written. Nothing is written after that. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#settle);
    clearInterval(this.#touch);
    if (this.#save !== undefined) this.#saveNow();
    this.#touched();
    await this.#writing;
  }

  #forget(isGone: (node: string) => boolean): void {
    const gone = [...this.#unconfirmed].filter((id) => isGone(this.#kept.get(id)?.node ?? ''));
    if (gone.length === 0) return;
    for (const id of gone) {
      this.#unconfirmed.delete(id);
      this.#kept.delete(id);
    }
    this.#options.log.info({ endpoints: gone.length }, 'remembered endpoints are gone');
    this.#options.forgotten({ upsert: [], remove: gone });
    this.#saveSoon();
  }

  #saveSoon(): void {
    this.#save ??= setTimeout(() => this.#saveNow(), this.#saveMs).unref();
  }

  #saveNow(): void {
    clearTimeout(this.#save);
    this.#save = undefined;
    const startedMs = performance.now();
    const { file, node: name, trustDomain, log } = this.#options;
    const endpoints: Record<string, Record<string, string>> = {};
    for (const endpoint of this.#kept.values()) {
      endpoints[endpoint.node] ??= {};
      endpoints[endpoint.node]![endpointKey(endpoint)] = Buffer.from(encodeEndpoint(endpoint)).toString('base64');
    }
    const contents: Contents = { version: 1, trustDomain, name, endpoints };
    const text = withChecksum(JSON.stringify(contents));
    this.#saveMs = Math.max(SAVE_MS, SAVE_SHARE * (performance.now() - startedMs));
    this.#writing = this.#writing
      .then(() => writeFileAtomic(file, text))
      .catch((err: unknown) => log.error({ err }, 'the endpoints of other nodes could not be saved'));
    this.#touched();
  }

  /** The file says when there last was a peer, however long ago it changed. */
  #touched(): void {
    if (this.#hasPeer) this.#heardAtMs = this.#nowMs();
    if (this.#heardAtMs === undefined) return;
    const at = new Date(this.#heardAtMs);
    this.#writing = this.#writing.then(() => utimes(this.#options.file, at, at)).catch(() => {}); // not there yet
  }

  #read(): Endpoint[] {
    const { file, node, trustDomain } = this.#options;
    const text = readFileSync(file, 'utf8');
    const json = text.slice(0, text.indexOf('\n'));
    if (text !== withChecksum(json)) throw new TypeError('its checksum is not that of its contents');
    const contents = JSON.parse(json) as Partial<Contents>; // ours: the checksum holds
    if (contents.version !== 1) throw new TypeError(`version ${String(contents.version)}; this one reads 1`);
    if (contents.name !== node || contents.trustDomain !== trustDomain) return [];
    const found = Object.entries(contents.endpoints ?? {}).flatMap(([name, ofNode]) =>
      Object.entries(ofNode).map(([key, value]) => decodeEndpoint(name, key, Buffer.from(value, 'base64'))),
    );
    return found.filter((endpoint) => endpoint !== undefined && endpoint.node !== node) as Endpoint[];
  }
}
