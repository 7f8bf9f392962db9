/**
 * How many bytes a message takes, without making them: encoding ten thousand nodes' pings would cost more than the nodes
 * themselves. A test holds these numbers to those of the real codec.
 * @module
 */
import type { Accusation, Standing } from '../../gossip/members/standing.ts';
import type { Meta, NodeRecord, RecordDelta } from '../../gossip/records/record.ts';
import { encodeMessage } from '../../gossip/wire/codec.ts';
import type { Message, Page } from '../../gossip/wire/messages.ts';

/** Around each message: our frame's length, yamux's header, noise's length and tag. */
const FRAME_BYTES = 4 + 12 + 18;
/** IPv4 and TCP with timestamps. Acks of TCP's own are not counted. */
const SEGMENT_BYTES = 52;
const MSS = 1_448;

/** On the wire, with all that carries it. */
export function wireBytes(payloadBytes: number): number {
  const bytes = payloadBytes + FRAME_BYTES;
  return bytes + SEGMENT_BYTES * Math.ceil(bytes / MSS);
}

/** What `encodeMessage` would yield. */
export function payloadBytes(message: Message): number {
  switch (message.kind) {
    case 'ping':
    case 'ack':
      return 2 + uint(message.seq);
    case 'ask':
      return 2 + text(message.about);
    case 'tell':
      return 2 + text(message.about) + (message.ageMs === null ? 1 : uint(message.ageMs));
    case 'suspect':
      return 2 + text(message.about) + uint(message.epoch) + uint(message.inc) + accusation(message.accusation);
    case 'veto':
      return 2 + text(message.about) + uint(message.epoch) + uint(message.forMs);
    case 'standing':
      return 2 + text(message.name) + standing(message.standing);
    case 'news':
    case 'contest':
      return (
        2 + list(message.lines, (line) => 1 + text(line.name) + uint(line.epoch) + uint(line.inc) + uint(line.rank))
      );
    case 'hello':
      return 2 + page(message.page);
    case 'delta':
      return 1 + delta(message.delta);
    case 'pull':
      return 2 + list(message.items, (item) => 1 + text(item.name) + uint(item.epoch) + uint(item.ver));
    case 'pages':
      return 2 + list(message.pages, page);
    case 'ae-root':
      return 3 + bytes(message.root) - 1 + uint(message.count);
    case 'ae-sums':
      return 3 + bytes(message.sums) - 1 + uint(message.count);
    case 'ae-equal':
      return 2;
    case 'ae-digest':
      return (
        3 +
        list(message.buckets, uint) +
        list(
          message.items,
          (item) => 1 + text(item.name) + uint(item.epoch) + uint(item.ver) + uint(item.inc) + uint(item.rank),
        )
      );
    default:
      return encodeMessage(message).length; // rare enough to be encoded for its size
  }
}

function standing(one: Standing): number {
  const head = 2 + uint(one.epoch);
  if (one.kind === 'left') return head + bytes(one.signature);
  if (one.kind === 'alive') return head + uint(one.inc) + bytes(one.signature);
  return head + uint(one.inc) + list(one.accusations, accusation);
}

function accusation(one: Accusation): number {
  return 2 + text(one.by) + bytes(one.signature);
}

function page(one: Page): number {
  return (
    1 +
    text(one.name) +
    standing(one.standing) +
    (one.record === null ? 1 : record(one.record)) +
    (one.delta === null ? 1 : delta(one.delta))
  );
}

function record(one: NodeRecord): number {
  let size = array(one.entries.size);
  for (const [key, entry] of one.entries) size += 1 + text(key) + uint(entry.ver) + bytesOrNull(entry.value);
  const numbers = uint(one.epoch) + uint(one.ver) + uint(one.gcVer);
  return 1 + text(one.name) + numbers + meta(one.meta) + size + bytes(one.signature);
}

function delta(one: RecordDelta): number {
  const numbers = uint(one.epoch) + uint(one.from) + uint(one.to) + uint(one.gcVer);
  const entries = list(one.entries, ([key, ver, value]) => 1 + text(key) + uint(ver) + bytesOrNull(value));
  return 1 + text(one.name) + numbers + (one.meta === null ? 1 : meta(one.meta)) + entries + bytes(one.signature);
}

function meta(one: Meta): number {
  return 1 + uint(one.schema) + text(one.address) + list(one.chain, bytes);
}

function list<T>(items: readonly T[], size: (item: T) => number): number {
  let total = array(items.length);
  for (const item of items) total += size(item);
  return total;
}

function array(length: number): number {
  return length < 16 ? 1 : length < 65_536 ? 3 : 5;
}

function uint(value: number): number {
  if (value < 128) return 1;
  if (value < 256) return 2;
  if (value < 65_536) return 3;
  return value < 4_294_967_296 ? 5 : 9;
}

/** Names and keys of a simulation are ASCII. */
function text(value: string): number {
  return value.length + (value.length < 32 ? 1 : value.length < 256 ? 2 : 3);
}

function bytes(value: Uint8Array): number {
  return value.length + (value.length < 256 ? 2 : value.length < 65_536 ? 3 : 5);
}

function bytesOrNull(value: Uint8Array | null): number {
  return value === null ? 1 : bytes(value);
}
