/**
 * Questions of `MeshQueries` and their answers as they cross gossip's calls. The first byte tells a question apart from
 * those about certificates, which are msgpack arrays: 0x51 opens none. A node too old to know them answers with such an array.
 * @module
 */
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import { pack, unpackGuarded } from '../../gossip/wire/pack.ts';
import type { AnswerCodec } from './shapes.ts';

const QUESTION = 0x51;
const ANSWER = 0x41;
/** Of one question, and of one answer as it crosses and as it is read. */
export const MAX_QUESTION_BYTES = 64 * 1024;
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const MAX_READ_BYTES = 32 * 1024 * 1024;
/** What one call carries of an answer; below MAX_CALL_BYTES of gossip's calls. */
export const PART_BYTES = 120 * 1024;
export const MAX_PARTS = Math.ceil(MAX_ANSWER_BYTES / PART_BYTES);

export type QueryMessage =
  | { readonly kind: 'ask'; readonly topic: string; readonly question: unknown }
  /** The next part of an answer that took more than one call; the first part is 0. */
  | { readonly kind: 'part'; readonly id: string; readonly part: number };

export type QueryReply =
  | { readonly kind: 'part'; readonly id: string; readonly parts: number; readonly bytes: Uint8Array }
  | { readonly kind: 'refused'; readonly why: string };

export function isQuery(bytes: Uint8Array): boolean {
  return bytes[0] === QUESTION;
}

/** @throws where the question is longer than MAX_QUESTION_BYTES */
export function encodeQuery(message: QueryMessage): Uint8Array {
  const fields =
    message.kind === 'ask'
      ? ['ask', JSON.stringify(message.question), message.topic]
      : ['part', message.id, message.part];
  const bytes = Buffer.concat([Buffer.from([QUESTION]), pack(fields)]);
  if (bytes.length > MAX_QUESTION_BYTES) {
    throw new RangeError(`a question of ${bytes.length} bytes, over ${MAX_QUESTION_BYTES}`);
  }
  return bytes;
}

/** @returns undefined for whatever is no query of ours */
export function decodeQuery(bytes: Uint8Array): QueryMessage | undefined {
  if (!isQuery(bytes) || bytes.length > MAX_QUESTION_BYTES) return undefined;
  const fields = unpackGuarded(bytes.subarray(1));
  if (!Array.isArray(fields)) return undefined;
  const [kind, first, second] = fields as unknown[];
  if (typeof first !== 'string') return undefined;
  if (kind === 'part') return isPart(second) ? { kind, id: first, part: second } : undefined;
  if (kind !== 'ask' || typeof second !== 'string') return undefined;
  try {
    return { kind, topic: second, question: JSON.parse(first) };
  } catch {
    return undefined;
  }
}

export function encodeReply(reply: QueryReply): Uint8Array {
  const fields =
    reply.kind === 'part' ? ['part', reply.id, reply.parts, reply.bytes] : ['refused', reply.why.slice(0, 500)];
  return Buffer.concat([Buffer.from([ANSWER]), pack(fields)]);
}

/** @returns undefined for whatever is no reply of ours, such as the refusal of an older node */
export function decodeReply(bytes: Uint8Array): QueryReply | undefined {
  const fields = bytes[0] === ANSWER ? unpackGuarded(bytes.subarray(1)) : undefined;
  if (!Array.isArray(fields)) return undefined;
  const [kind, first, parts, part] = fields as unknown[];
  if (typeof first !== 'string') return undefined;
  if (kind === 'refused') return { kind, why: first };
  if (kind !== 'part' || !isPart(parts) || parts === 0 || !(part instanceof Uint8Array)) return undefined;
  return { kind, id: first, parts, bytes: part };
}

const JSON_CODEC: AnswerCodec<unknown> = {
  encode: (answer) => Buffer.from(JSON.stringify(answer ?? null)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()),
};
const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** @throws where the answer is longer than MAX_ANSWER_BYTES; whoever asks had better ask for less */
export async function encodeAnswer(answer: unknown, codec: AnswerCodec<unknown> = JSON_CODEC): Promise<Uint8Array> {
  const bytes = await compress(codec.encode(answer));
  if (bytes.length > MAX_ANSWER_BYTES) throw new RangeError(`an answer of ${bytes.length} bytes; ask for less`);
  return bytes;
}

/** @throws for what is nothing of the codec in zstd, or more than 32 MB of it */
export async function decodeAnswer(bytes: Uint8Array, codec: AnswerCodec<unknown> = JSON_CODEC): Promise<unknown> {
  return codec.decode(await decompress(bytes, { maxOutputLength: MAX_READ_BYTES }));
}

function isPart(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_PARTS;
}
