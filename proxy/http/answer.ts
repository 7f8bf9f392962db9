/** Responses that the mesh makes itself: refusals, in plain text for people and `weft-reason` for programs, and what routes say. @module */

import { STATUS_CODES } from 'node:http';
import { REASONS, type ReasonCode } from '../reasons.ts';

export interface Answer {
  readonly status: number;
  /** Complete header lines, without any that say how long the body is. */
  readonly lines: string;
  /** One byte a character. */
  readonly body: string;
  /** Complete lines; '' for none. Where there are some, the body is empty. */
  readonly trailers: string;
  /** Why the mesh says no; left out where it does not. */
  readonly reason?: ReasonCode;
}

/** Why a request is refused, and what more is to be said of it. */
export interface RefusalOptions {
  readonly reason: ReasonCode;
  /** One more sentence about this case; control characters are replaced. */
  readonly detail: string;
  readonly node: string;
  /** The access rule that decided, for `weft-policy`; '' for anything but a denial. */
  readonly policy: string;
  /** Complete header lines besides, such as Retry-After. */
  readonly lines?: string;
  /** A call of gRPC is answered as gRPC does: with a status in trailers. */
  readonly isGrpc?: boolean;
}

export function refusal({ reason, detail, node, policy, lines = '', isGrpc = false }: RefusalOptions): Answer {
  const { status, text } = REASONS[reason];
  const told = detail === '' ? '' : ` (${visible(detail)})`;
  const mesh =
    `weft-reason: ${reason}\r\nweft-node: ${node}\r\n` +
    (policy === '' ? '' : `weft-policy: ${visible(policy)}\r\n`) +
    lines;
  if (isGrpc) {
    const trailers = `grpc-status: ${grpcStatusOf(status)}\r\ngrpc-message: ${grpcMessage(`weft: ${text}${told}`)}\r\n`;
    return { status: 200, lines: `content-type: application/grpc\r\n${mesh}`, body: '', trailers, reason };
  }
  const allow = status === 405 ? 'allow: GET, HEAD, POST, PUT, DELETE, PATCH\r\n' : '';
  return {
    status,
    lines: `content-type: text/plain; charset=utf-8\r\n${mesh}${allow}`,
    body: `weft: ${text}${told}\n`,
    trailers: '',
    reason,
  };
}

/** Status line and header lines of an answer, with the empty line. @param connection lines about this hop */
export function answerHead({ status, lines, body, trailers }: Answer, connection: string): string {
  const framing =
    trailers === '' ? (status === 204 ? '' : `content-length: ${body.length}\r\n`) : 'transfer-encoding: chunked\r\n';
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n${lines}${framing}${connection}\r\n`;
}

/** What a status of HTTP is to a client of gRPC (grpc/doc/http-grpc-status-mapping.md), with 429 and 504 named exactly. */
function grpcStatusOf(status: number): number {
  switch (status) {
    case 400:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
      return 8;
    case 408:
    case 504:
      return 4;
    default:
      return status >= 500 ? 14 : 2;
  }
}

/** Percent-encoded, as gRPC writes messages. */
function grpcMessage(text: string): string {
  return text.replace(/%/g, '%25');
}

/** Short, and without anything that could end a line. */
function visible(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
}
