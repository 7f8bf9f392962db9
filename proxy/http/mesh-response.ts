/** Responses that the mesh makes itself: plain text for people, `weft-reason` for programs. @module */

import { STATUS_CODES } from 'node:http';
import { REASONS, type ReasonCode } from '../reasons.ts';

export interface MeshResponseOptions {
  readonly reason: ReasonCode;
  /** One more sentence about this case; control characters are replaced. */
  readonly detail: string;
  readonly node: string;
  /** The access rule that decided, for `weft-policy`; '' for anything but a denial. */
  readonly policy: string;
  readonly close: boolean;
  /** HEAD gets the head only. */
  readonly toHead: boolean;
}

/** The whole response as Latin-1 text. */
export function meshResponse({ reason, detail, node, policy, close, toHead }: MeshResponseOptions): string {
  const { status, text } = REASONS[reason];
  const told = detail === '' ? '' : ` (${visible(detail)})`;
  const body = `weft: ${text}${told}\n`;
  const head =
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}\r\n` +
    'content-type: text/plain; charset=utf-8\r\n' +
    `content-length: ${body.length}\r\n` +
    `weft-reason: ${reason}\r\n` +
    `weft-node: ${node}\r\n` +
    (policy === '' ? '' : `weft-policy: ${visible(policy)}\r\n`) +
    (status === 405 ? 'allow: GET, HEAD, POST, PUT, DELETE, PATCH\r\n' : '') +
    (close ? 'connection: close\r\n\r\n' : '\r\n');
  return toHead ? head : head + body;
}

/** Short, and without anything that could end a line. */
function visible(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
}
