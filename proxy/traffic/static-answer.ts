/** Answers that routes and policies have written out. @module */

import type { Answer } from '../http/answer.ts';
import type { StaticResponse } from './rules.ts';

/** @param lines complete header lines besides */
export function answerOf({ status, contentType, body }: StaticResponse, lines: string): Answer {
  if (status === 204 || status === 304) return { status, lines, body: '', trailers: '' }; // neither has a body
  const bytes = Buffer.from(body, 'utf8').toString('latin1'); // one byte a character
  const type = body === '' ? '' : `content-type: ${contentType}\r\n`;
  return { status, lines: type + lines, body: bytes, trailers: '' };
}
