/**
 * Documents on disk: a log of revisions that only grows, and is written anew when most of it is history.
 *
 * The file is a header, then records of {length, checksum, revision}. A crash leaves at most a torn record at the end,
 * and what stands before it is a state this node really was in. So the first record that is torn or damaged ends what is
 * believed; the file as it was is kept beside for whoever wants to look, and peers bring back the rest. Nothing is trusted
 * for being on disk: the library judges every revision again.
 * @module
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { copyFile, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Revision } from '../documents/revision.ts';
import { GossipError } from '../errors.ts';
import { decodeMessage, encodeMessage } from '../wire/codec.ts';
import { LIMITS } from '../wire/messages.ts';
import { syncDirectory } from './sync-directory.ts';

const MAGIC = 'weft documents 1\n';
const CHECKSUM_BYTES = 8;
const PREFIX_BYTES = 4 + CHECKSUM_BYTES;
/** The log is written anew when it holds this many times what is kept, and at least this much. */
const REWRITE_RATIO = 3;
const REWRITE_BYTES = 4 * 1024 * 1024;
/** Writes that may wait for the disk. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

export interface OpenedStore {
  readonly store: DocumentStore;
  readonly revisions: readonly Revision[];
  /** What was lost, in words for the log; undefined when nothing was. */
  readonly damage: string | undefined;
}

export class DocumentStore {
  readonly #file: string;
  readonly #header: Uint8Array;
  readonly #kept: () => Iterable<Revision>;
  #handle: FileHandle;
  /** Where the last whole record ends: what is behind it is cut off before the next is written. */
  #goodBytes: number;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;

  private constructor(options: {
    file: string;
    header: Uint8Array;
    handle: FileHandle;
    goodBytes: number;
    kept: () => Iterable<Revision>;
  }) {
    this.#file = options.file;
    this.#header = options.header;
    this.#handle = options.handle;
    this.#goodBytes = options.goodBytes;
    this.#kept = options.kept;
  }

  /**
   * @param kept what is worth keeping when the log is written anew
   * @throws GossipError when the file cannot be used, or belongs to another trust domain
   */
  static async open(directory: string, trustDomain: string, kept: () => Iterable<Revision>): Promise<OpenedStore> {
    const file = join(directory, 'documents.log');
    const header = encodeHeader(trustDomain);
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const bytes = await readOrNothing(file);
      const found = readLog(bytes, header, file);
      if (found.damage !== undefined) await copyFile(file, `${file}.damaged`);
      const handle = await open(file, bytes.length === 0 ? 'w+' : 'r+', 0o600);
      const goodBytes = Math.max(found.goodBytes, header.length);
      if (found.goodBytes === 0) await handle.write(header, 0, header.length, 0);
      await handle.truncate(goodBytes);
      await handle.sync();
      await syncDirectory(directory);
      const store = new DocumentStore({ file, header, handle, goodBytes, kept });
      return { store, revisions: found.revisions, damage: found.damage };
    } catch (err) {
      if (err instanceof GossipError) throw err;
      throw new GossipError('WEFT_GOSSIP_STORE_FAILED', file, { cause: err });
    }
  }

  /** Resolves when these revisions, and all before them, are on disk. What fails now is tried again with the next. */
  keep(revisions: readonly Revision[]): Promise<void> {
    for (const revision of revisions) {
      const record = encodeRecord(revision);
      if (this.#waitingBytes + record.length > MAX_WAITING_BYTES) {
        const subject = `${this.#file} (${this.#waitingBytes} bytes wait for the disk)`;
        return Promise.reject(new GossipError('WEFT_GOSSIP_STORE_FAILED', subject));
      }
      this.#waiting.push(record);
      this.#waitingBytes += record.length;
    }
    return this.#flush();
  }

  async close(): Promise<void> {
    await this.#writing?.catch(() => undefined);
    await this.#handle.close();
  }

  #flush(): Promise<void> {
    const before = this.#writing ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(() => this.#write());
    this.#writing = mine;
    return mine;
  }

  async #write(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const records = this.#waiting;
    const bytes = Buffer.concat(records);
    this.#waiting = [];
    try {
      await writeFully(this.#handle, bytes, this.#goodBytes);
      await this.#handle.sync();
    } catch (err) {
      // Written or not, they are written again at the same place next time.
      this.#waiting = [...records, ...this.#waiting];
      await this.#handle.truncate(this.#goodBytes).catch(() => undefined);
      throw new GossipError('WEFT_GOSSIP_STORE_FAILED', this.#file, { cause: err });
    }
    this.#goodBytes += bytes.length;
    this.#waitingBytes -= bytes.length;
    await this.#rewriteIfLong().catch(() => undefined); // the long log is as good; the next write tries again
  }

  async #rewriteIfLong(): Promise<void> {
    if (this.#goodBytes < REWRITE_BYTES) return;
    const records = [...this.#kept()].map(encodeRecord);
    const bytes = Buffer.concat([this.#header, ...records]);
    if (this.#goodBytes < bytes.length * REWRITE_RATIO) return;
    const beside = `${this.#file}.tmp`;
    const handle = await open(beside, 'w+', 0o600);
    try {
      await writeFully(handle, bytes, 0);
      await handle.sync();
      await rename(beside, this.#file);
      await syncDirectory(dirname(this.#file));
    } catch (err) {
      await handle.close();
      await unlink(beside).catch(() => undefined);
      throw err;
    }
    await this.#handle.close();
    this.#handle = handle;
    this.#goodBytes = bytes.length;
  }
}

interface FoundLog {
  readonly revisions: readonly Revision[];
  readonly goodBytes: number;
  readonly damage: string | undefined;
}

function readLog(bytes: Buffer, header: Uint8Array, file: string): FoundLog {
  const revisions: Revision[] = [];
  if (bytes.length === 0) return { revisions, goodBytes: 0, damage: undefined };
  const headerProblem = checkHeader(bytes, header, file);
  if (headerProblem !== undefined) return { revisions, goodBytes: 0, damage: headerProblem };
  let at = header.length;
  while (at < bytes.length) {
    const record = readRecord(bytes, at);
    if (record === undefined) {
      const lost = `${bytes.length - at} bytes from byte ${at} on were dropped`;
      const damage = `${file}: a record is torn or damaged, ${lost}; as it was it is in ${file}.damaged`;
      return { revisions, goodBytes: at, damage };
    }
    revisions.push(record.revision);
    at = record.end;
  }
  return { revisions, goodBytes: at, damage: undefined };
}

/** @returns what is wrong, when that is only damage. @throws GossipError for the file of another trust domain */
function checkHeader(bytes: Buffer, header: Uint8Array, file: string): string | undefined {
  if (bytes.length >= header.length && bytes.subarray(0, header.length).equals(header)) return undefined;
  const length = bytes.length >= MAGIC.length + PREFIX_BYTES ? bytes.readUInt32BE(MAGIC.length) : 0;
  const start = MAGIC.length + PREFIX_BYTES;
  const name = bytes.subarray(start, start + Math.min(length, 255));
  const isWhole =
    bytes.toString('latin1', 0, MAGIC.length) === MAGIC &&
    name.length === length &&
    length > 0 &&
    checksum(name).equals(bytes.subarray(start - CHECKSUM_BYTES, start));
  if (isWhole) {
    throw new GossipError('WEFT_GOSSIP_STORE_FOREIGN', `${file} (of trust domain ${name.toString('utf8')})`);
  }
  return `${file}: its header is damaged, nothing of it is used`;
}

function encodeHeader(trustDomain: string): Uint8Array {
  const name = Buffer.from(trustDomain, 'utf8');
  return Buffer.concat([Buffer.from(MAGIC, 'latin1'), prefixOf(name), name]);
}

function encodeRecord(revision: Revision): Uint8Array {
  const payload = encodeMessage({ kind: 'doc', revision });
  return Buffer.concat([prefixOf(payload), payload]);
}

function prefixOf(payload: Uint8Array): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(payload.length);
  checksum(payload).copy(prefix, 4);
  return prefix;
}

function readRecord(bytes: Buffer, at: number): { revision: Revision; end: number } | undefined {
  if (bytes.length - at < PREFIX_BYTES) return undefined;
  const length = bytes.readUInt32BE(at);
  const start = at + PREFIX_BYTES;
  if (length > LIMITS.bulkFrameBytes || length > bytes.length - start) return undefined;
  const payload = bytes.subarray(start, start + length);
  if (!checksum(payload).equals(bytes.subarray(at + 4, start))) return undefined;
  const message = decodeMessage(payload);
  return message?.kind === 'doc' ? { revision: message.revision, end: start + length } : undefined;
}

function checksum(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest().subarray(0, CHECKSUM_BYTES);
}

async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

async function readOrNothing(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw err;
  }
}
