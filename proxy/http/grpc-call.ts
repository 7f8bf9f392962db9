/** What tells a call of gRPC from other requests, and how it ended. @module */

import { spells } from '../http1/grammar/characters.ts';
import { FIELD_STRIDE, type Head } from '../http1/grammar/head.ts';

const PLUS = 0x2b;
const SEMICOLON = 0x3b;
const NAME = 'content-type';
const MEDIA_TYPE = 'application/grpc';
const STATUS = 'grpc-status';

/** Whether a request is a call of gRPC: its media type is that one, alone or with a format or parameters behind it. */
export function isGrpcCall({ bytes, fields, fieldCount }: Head): boolean {
  for (let at = 0; at < fieldCount * FIELD_STRIDE; at += FIELD_STRIDE) {
    if (!spells(bytes, fields[at]!, fields[at + 1]!, NAME)) continue;
    const start = fields[at + 2]!;
    const end = start + MEDIA_TYPE.length;
    if (fields[at + 3]! < end || !spells(bytes, start, end, MEDIA_TYPE)) return false;
    return fields[at + 3] === end || bytes[end] === PLUS || bytes[end] === SEMICOLON;
  }
  return false;
}

/** @param head of trailers, or of a response that has none; @returns -1 where it does not say */
export function grpcStatusIn({ bytes, fields, fieldCount }: Head): number {
  for (let at = 0; at < fieldCount * FIELD_STRIDE; at += FIELD_STRIDE) {
    if (spells(bytes, fields[at]!, fields[at + 1]!, STATUS)) return statusOf(bytes, fields[at + 2]!, fields[at + 3]!);
  }
  return -1;
}

/** The same of lines that the mesh writes itself. */
export function grpcStatusOf(lines: string): number {
  return Number(/^grpc-status: (\d{1,2})\r$/m.exec(lines)?.[1] ?? -1);
}

function statusOf(bytes: Buffer, start: number, end: number): number {
  if (end === start || end - start > 2) return -1;
  let status = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    status = status * 10 + digit;
  }
  return status;
}
