/** Drives parser, framing and body decoder over pieces of input, as a connection would, and writes down what they find. @module */

import { BodyDecoder, STEP } from '../../../proxy/http1/grammar/body.ts';
import { frameRequest, frameResponse } from '../../../proxy/http1/grammar/framing.ts';
import { BODY } from '../../../proxy/http1/grammar/head.ts';
import { HeadParser, NEED_MORE, REFUSED } from '../../../proxy/http1/grammar/head-parser.ts';

export interface ReadMessage {
  start: string;
  fields: [string, string][];
  body: string;
  trailers: [string, string][];
  complete: boolean;
  keepAlive: boolean;
}

export interface Reading {
  messages: ReadMessage[];
  refusal: string | undefined;
  /** Bytes taken, messages and refusal included. */
  consumed: number;
  /** Whether the input ended between two messages. */
  idle: boolean;
}

export const LIMITS = { maxHeadBytes: 32_768, maxFields: 128 };

export function readMessages(
  kind: 'request' | 'response',
  pieces: readonly Buffer[],
  options: { readonly toHead?: boolean; readonly limits?: typeof LIMITS } = {},
): Reading {
  const limits = options.limits ?? LIMITS;
  const parser = new HeadParser(kind, limits);
  const decoder = new BodyDecoder(limits);
  const reading: Reading = { messages: [], refusal: undefined, consumed: 0, idle: true };
  let inBody = false;
  let current: ReadMessage | undefined;
  let offset = 0;
  for (const piece of pieces) {
    let at = 0;
    while (at < piece.length || inBody) {
      if (!inBody) {
        const position = parser.parse(piece, at, piece.length);
        if (position === NEED_MORE) break;
        const refusal = position === REFUSED ? parser.refusal : judge(kind, parser, options.toHead ?? false);
        if (refusal !== undefined) {
          reading.refusal = refusal;
          reading.consumed = offset + Math.max(position, at);
          reading.idle = false;
          return reading;
        }
        at = position;
        const head = parser.head;
        current = {
          start: head.bytes.toString('latin1', head.start, head.lineEnd),
          fields: Array.from({ length: head.fieldCount }, (_, i): [string, string] => [head.name(i), head.value(i)]),
          body: '',
          trailers: [],
          complete: false,
          keepAlive: head.keepAlive,
        };
        reading.messages.push(current);
        decoder.begin(head.body, head.contentLength);
        inBody = true;
      }
      at = decoder.step(piece, at, piece.length);
      if (decoder.outcome === STEP.refused) {
        reading.refusal = decoder.refusal;
        reading.consumed = offset + at;
        reading.idle = false;
        return reading;
      }
      if (decoder.outcome === STEP.data) current!.body += piece.toString('latin1', decoder.dataStart, decoder.dataEnd);
      if (decoder.outcome === STEP.end) {
        const trailers = decoder.trailers;
        if (trailers !== undefined) {
          for (let i = 0; i < trailers.fieldCount; i++) current!.trailers.push([trailers.name(i), trailers.value(i)]);
        }
        current!.complete = true;
        inBody = false;
        if (!current!.keepAlive) {
          reading.consumed = offset + at; // whatever follows is not looked at
          return reading;
        }
      }
      if (decoder.outcome === STEP.more) break;
    }
    offset += piece.length;
  }
  reading.consumed = offset;
  reading.idle = !inBody && !parser.hasStarted;
  if (inBody && decoder.kind === BODY.untilClose) current!.complete = true;
  return reading;
}

function judge(kind: 'request' | 'response', parser: HeadParser, toHead: boolean): string | undefined {
  if (kind === 'response') return frameResponse(parser.head, toHead);
  return frameRequest(parser.head);
}

/** Every piece one byte long. */
export function byteByByte(input: Buffer): Buffer[] {
  return Array.from({ length: input.length }, (_, i) => input.subarray(i, i + 1));
}
