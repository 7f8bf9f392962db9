/**
 * Messages to bytes and back. Decoding is where a peer's bytes become types the cores can trust: every field is checked
 * for kind and bound, and a message that fails is counted and dropped by the caller. Elements after those we know are
 * ignored, so that a newer agent may add some.
 * @module
 */
import { MAX_HELD } from '../documents/chain.ts';
import type { Revision } from '../documents/revision.ts';
import { MAX_BODY_BYTES, MAX_DOCUMENT_CERTIFICATE_BYTES, MAX_KEY_LENGTH } from '../documents/revision.ts';
import type { Accusation, Standing, StandingLine } from '../members/standing.ts';
import { RANK } from '../members/standing.ts';
import type { Entry, Meta, NodeRecord, RecordDelta } from '../records/record.ts';
import { MAX_RECORD_ENTRIES } from '../records/record.ts';
import type { DigestItem, DocumentDigest, DocumentPull, Message, Page, PullItem } from './messages.ts';
import { CAUSES, KIND, LIMITS } from './messages.ts';
import { pack, unpackGuarded } from './pack.ts';

export function encodeMessage(message: Message): Uint8Array {
  return pack([KIND[message.kind], ...fieldsOf(message)]);
}

export function decodeMessage(bytes: Uint8Array): Message | undefined {
  const list = unpackGuarded(bytes);
  if (!Array.isArray(list)) return undefined;
  try {
    return readMessage(new Fields(list));
  } catch (err) {
    if (err instanceof Malformed) return undefined;
    throw err;
  }
}

function fieldsOf(message: Message): unknown[] {
  switch (message.kind) {
    case 'ping':
      return upToAbsent(message.seq, message.wallMs, message.rttMs);
    case 'ack':
      return upToAbsent(message.seq, message.wallMs);
    case 'ask':
      return [message.about];
    case 'tell':
      return [message.about, message.ageMs];
    case 'suspect':
      return [message.about, message.epoch, message.inc, writeAccusation(message.accusation)];
    case 'veto':
      return [message.about, message.epoch, message.forMs];
    case 'standing':
      return [message.name, writeStanding(message.standing)];
    case 'news':
    case 'contest':
      return [message.lines.map((line) => [line.name, line.epoch, line.inc, line.rank])];
    case 'hello':
      return [writePage(message.page)];
    case 'delta':
      return message.sentAtMs === undefined
        ? writeDelta(message.delta)
        : [...writeDelta(message.delta), message.sentAtMs];
    case 'pull':
      return [message.items.map((item) => [item.name, item.epoch, item.ver])];
    case 'pages':
      return [message.pages.map(writePage)];
    case 'ae-root':
      return [message.root, message.count];
    case 'ae-sums':
      return [message.sums, message.count];
    case 'ae-equal':
      return [];
    case 'ae-digest':
      return [
        message.buckets,
        message.items.map((item) => [item.name, item.epoch, item.ver, item.inc, item.rank]),
        message.answer,
      ];
    case 'doc':
      return [writeRevision(message.revision)];
    case 'doc-have':
      return [message.items];
    case 'doc-root':
      return [message.root, message.count];
    case 'doc-equal':
      return [];
    case 'doc-sums':
      return [message.sums, message.count];
    case 'doc-digest':
      return [
        message.buckets,
        message.items.map((item) => [item.key, item.ms, item.count, item.set, item.size]),
        message.answer,
      ];
    case 'doc-pull':
      return [message.items.map((item) => [item.key, item.known])];
    case 'doc-pages':
      return [message.revisions.map(writeRevision), message.served];
  }
}

function readMessage(fields: Fields): Message | undefined {
  switch (fields.uint()) {
    case KIND.ping:
      return {
        kind: 'ping',
        seq: fields.uint(),
        ...optional('wallMs', fields.uintOrEnd()),
        ...optional('rttMs', fields.uintOrEnd()),
      };
    case KIND.ack:
      return { kind: 'ack', seq: fields.uint(), ...optional('wallMs', fields.uintOrEnd()) };
    case KIND.ask:
      return { kind: 'ask', about: fields.name() };
    case KIND.tell:
      return { kind: 'tell', about: fields.name(), ageMs: fields.orNull(() => fields.uint()) };
    case KIND.suspect:
      return {
        kind: 'suspect',
        about: fields.name(),
        epoch: fields.uint(),
        inc: fields.uint(),
        accusation: readAccusation(fields.nested()),
      };
    case KIND.veto:
      return { kind: 'veto', about: fields.name(), epoch: fields.uint(), forMs: fields.uint() };
    case KIND.standing:
      return { kind: 'standing', name: fields.name(), standing: readStanding(fields.nested()) };
    case KIND.contest:
      return { kind: 'contest', lines: fields.list(LIMITS.lines, readStandingLine) };
    case KIND.news:
      return { kind: 'news', lines: fields.list(LIMITS.lines, readStandingLine) };
    case KIND.hello:
      return { kind: 'hello', page: readPage(fields.nested()) };
    case KIND.delta:
      return { kind: 'delta', delta: readDelta(fields), ...optional('sentAtMs', fields.uintOrEnd()) };
    case KIND.pull:
      return { kind: 'pull', items: fields.list(LIMITS.pullItems, readPullItem) };
    case KIND.pages:
      return { kind: 'pages', pages: fields.list(LIMITS.pages, readPage) };
    case KIND['ae-root']:
      return { kind: 'ae-root', root: fields.bytes(8), count: fields.uint() };
    case KIND['ae-sums']:
      return { kind: 'ae-sums', sums: fields.bytes(2048), count: fields.uint() };
    case KIND['ae-equal']:
      return { kind: 'ae-equal' };
    case KIND['ae-digest']:
      return {
        kind: 'ae-digest',
        buckets: fields.list(256, (line) => line.byte(), 'plain'),
        items: fields.list(LIMITS.digestItems, readDigestItem),
        answer: fields.bool(),
      };
    case KIND.doc:
      return { kind: 'doc', revision: readRevision(fields.nested()) };
    case KIND['doc-have']:
      return { kind: 'doc-have', items: fields.list(LIMITS.documentPulls, (line) => [line.key(), line.id()] as const) };
    case KIND['doc-root']:
      return { kind: 'doc-root', root: fields.bytes(8), count: fields.uint() };
    case KIND['doc-equal']:
      return { kind: 'doc-equal' };
    case KIND['doc-sums']:
      return { kind: 'doc-sums', sums: fields.bytes(2048), count: fields.uint() };
    case KIND['doc-digest']:
      return {
        kind: 'doc-digest',
        buckets: fields.list(256, (line) => line.byte(), 'plain'),
        items: fields.list(LIMITS.documentDigests, readDocumentDigest),
        answer: fields.bool(),
      };
    case KIND['doc-pull']:
      return { kind: 'doc-pull', items: fields.list(LIMITS.documentPulls, readDocumentPull) };
    case KIND['doc-pages']:
      return {
        kind: 'doc-pages',
        revisions: fields.list(LIMITS.documentsInPages, readRevision),
        served: fields.uint(),
      };
    default:
      return undefined; // a kind of a newer agent
  }
}

function writeStanding(standing: Standing): unknown[] {
  switch (standing.kind) {
    case 'alive':
      return [RANK.alive, standing.epoch, standing.inc, standing.signature];
    case 'left':
      return [RANK.left, standing.epoch, standing.signature];
    case 'dead':
      return [RANK.dead, standing.epoch, standing.inc, standing.accusations.map(writeAccusation)];
  }
}

function readStanding(fields: Fields): Standing {
  switch (fields.uint()) {
    case RANK.alive:
      return { kind: 'alive', epoch: fields.uint(), inc: fields.uint(), signature: fields.signature() };
    case RANK.left:
      return { kind: 'left', epoch: fields.uint(), signature: fields.signature() };
    case RANK.dead:
      return {
        kind: 'dead',
        epoch: fields.uint(),
        inc: fields.uint(),
        accusations: fields.list(LIMITS.accusations, readAccusation),
      };
    default:
      throw new Malformed();
  }
}

function writeAccusation(accusation: Accusation): unknown[] {
  return [accusation.by, CAUSES.indexOf(accusation.cause), accusation.signature];
}

function readAccusation(fields: Fields): Accusation {
  const by = fields.name();
  const cause = CAUSES[fields.uint()];
  if (cause === undefined) throw new Malformed();
  return { by, cause, signature: fields.signature() };
}

function writePage(page: Page): unknown[] {
  const record = page.record === null ? null : writeRecord(page.record);
  return [page.name, writeStanding(page.standing), record, page.delta === null ? null : writeDelta(page.delta)];
}

function readPage(fields: Fields): Page {
  const page = {
    name: fields.name(),
    standing: readStanding(fields.nested()),
    record: fields.orNull(() => readRecord(fields.nested())),
    delta: fields.orNull(() => readDelta(fields.nested())),
  };
  // A page speaks of one node; a record of another inside it would pass the checks made for the first.
  if ((page.record?.name ?? page.name) !== page.name || (page.delta?.name ?? page.name) !== page.name) {
    throw new Malformed();
  }
  return page;
}

function writeRecord(record: NodeRecord): unknown[] {
  const entries = [...record.entries].map(([key, entry]) => [key, entry.ver, entry.value]);
  return [record.name, record.epoch, record.ver, record.gcVer, writeMeta(record.meta), entries, record.signature];
}

function readRecord(fields: Fields): NodeRecord {
  const [name, epoch, ver, gcVer] = [fields.name(), fields.uint(), fields.uint(), fields.uint()];
  const meta = readMeta(fields.nested());
  const entries = new Map<string, Entry>();
  for (const [key, entryVer, value] of fields.list(MAX_RECORD_ENTRIES, readEntry)) {
    entries.set(key, { ver: entryVer, value });
  }
  return { name, epoch, ver, gcVer, meta, entries, signature: fields.signature() };
}

function writeDelta(delta: RecordDelta): unknown[] {
  const meta = delta.meta === null ? null : writeMeta(delta.meta);
  return [delta.name, delta.epoch, delta.from, delta.to, delta.gcVer, meta, delta.entries, delta.signature];
}

function readDelta(fields: Fields): RecordDelta {
  return {
    name: fields.name(),
    epoch: fields.uint(),
    from: fields.uint(),
    to: fields.uint(),
    gcVer: fields.uint(),
    meta: fields.orNull(() => readMeta(fields.nested())),
    entries: fields.list(MAX_RECORD_ENTRIES, readEntry),
    signature: fields.signature(),
  };
}

function writeMeta(meta: Meta): unknown[] {
  return [meta.schema, meta.address, meta.chain];
}

function readMeta(fields: Fields): Meta {
  return {
    schema: fields.uint(),
    address: fields.text(LIMITS.nameLength + 8),
    chain: fields.list(LIMITS.chainLength, (line) => line.bytes(LIMITS.certificateBytes), 'plain'),
  };
}

function readEntry(fields: Fields): readonly [string, number, Uint8Array | null] {
  return [fields.text(512), fields.uint(), fields.orNull(() => fields.bytes(32 * 1024))];
}

function readPullItem(fields: Fields): PullItem {
  return { name: fields.name(), epoch: fields.uint(), ver: fields.uint() };
}

function readStandingLine(fields: Fields): StandingLine {
  return { name: fields.name(), epoch: fields.uint(), inc: fields.uint(), rank: fields.uint() };
}

function readDigestItem(fields: Fields): DigestItem {
  return { name: fields.name(), epoch: fields.uint(), ver: fields.uint(), inc: fields.uint(), rank: fields.uint() };
}

function writeRevision(revision: Revision): unknown[] {
  const { kind, namespace, name, number, base, hlc, author, body, certificate, signature } = revision;
  return [kind, namespace, name, number, base, hlc.ms, hlc.count, author, body, certificate, signature];
}

/** Shape only: what a revision says is judged by documents/library.ts. */
function readRevision(fields: Fields): Revision {
  return {
    kind: fields.text(64),
    namespace: fields.text(64),
    name: fields.name(),
    number: fields.uint(),
    base: fields.text(32),
    hlc: { ms: fields.uint(), count: fields.uint() },
    author: fields.text(2_048),
    body: fields.orNull(() => fields.bytes(MAX_BODY_BYTES)),
    certificate: fields.bytes(MAX_DOCUMENT_CERTIFICATE_BYTES),
    signature: fields.signature(),
  };
}

function readDocumentDigest(fields: Fields): DocumentDigest {
  return { key: fields.key(), ms: fields.uint(), count: fields.uint(), set: fields.uint(), size: fields.byte() };
}

function readDocumentPull(fields: Fields): DocumentPull {
  return { key: fields.key(), known: fields.list(MAX_HELD, (line) => line.id(), 'plain') };
}

/** A field may be absent only together with all after it. */
function upToAbsent(...fields: (number | undefined)[]): unknown[] {
  const end = fields.indexOf(undefined);
  return end === -1 ? fields : fields.slice(0, end);
}

function optional<K extends string>(key: K, value: number | undefined): { readonly [P in K]?: number } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]: number });
}

/** Thrown inside this file only: the message is not one of ours. */
class Malformed extends Error {}

/** Reads the elements of one array in order, each as what the reader says it must be. */
class Fields {
  readonly #list: readonly unknown[];
  #next = 0;

  constructor(list: readonly unknown[]) {
    this.#list = list;
  }

  uint(): number {
    const value = this.#take();
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw new Malformed();
    return value as number;
  }

  /** For what was added later: undefined when the sender is older. */
  uintOrEnd(): number | undefined {
    return this.#next < this.#list.length ? this.uint() : undefined;
  }

  byte(): number {
    const value = this.uint();
    if (value > 255) throw new Malformed();
    return value;
  }

  bool(): boolean {
    const value = this.#take();
    if (typeof value !== 'boolean') throw new Malformed();
    return value;
  }

  text(maxLength: number): string {
    const value = this.#take();
    if (typeof value !== 'string' || value.length > maxLength || value.includes('\n')) throw new Malformed();
    return value;
  }

  name(): string {
    const value = this.text(LIMITS.nameLength);
    if (value === '') throw new Malformed();
    return value;
  }

  key(): string {
    return this.text(MAX_KEY_LENGTH);
  }

  id(): string {
    return this.text(32);
  }

  bytes(maxBytes: number): Uint8Array {
    const value = this.#take();
    if (!(value instanceof Uint8Array) || value.length > maxBytes) throw new Malformed();
    return value;
  }

  signature(): Uint8Array {
    return this.bytes(LIMITS.signatureBytes);
  }

  nested(): Fields {
    const value = this.#take();
    if (!Array.isArray(value)) throw new Malformed();
    return new Fields(value);
  }

  orNull<T>(read: () => T): T | null {
    if (this.#list[this.#next] !== null) return read();
    this.#next++;
    return null;
  }

  /** `plain`: each element is a value of its own instead of an array of fields. */
  list<T>(maxLength: number, read: (fields: Fields) => T, shape: 'fields' | 'plain' = 'fields'): T[] {
    const value = this.#take();
    if (!Array.isArray(value) || value.length > maxLength) throw new Malformed();
    return value.map((element: unknown) => {
      if (shape === 'plain') return read(new Fields([element]));
      if (!Array.isArray(element)) throw new Malformed();
      return read(new Fields(element));
    });
  }

  #take(): unknown {
    return this.#list[this.#next++];
  }
}
