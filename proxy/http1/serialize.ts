/**
 * Heads on their way to the next hop: the raw bytes as they came, in runs as long as possible, with splices where a hop must
 * edit (RFC 9110 §7.6; RFC 9112 §2.3, §3.2.2).
 * @module
 */

import { AS_IT_IS, FIELD_STRIDE, type Head } from './grammar/head.ts';
import type { Outbox } from './outbox.ts';

const ONE = 0x31;
/** Length of `HTTP/1.1 200`, a status line that lacks the space before its empty reason. */
const SHORT_STATUS_LINE = 12;

/**
 * Writes a request head.
 *
 * @param extra complete header lines to add, each with its CRLF
 */
export function writeRequestHead(out: Outbox, head: Head, extra: string): void {
  const { bytes, target } = head;
  out.reserve(head.end - head.start + target.prefix.length + extra.length + head.tail.length + 64);
  const isOneOne = bytes[head.lineEnd - 1] === ONE;
  if (target === AS_IT_IS && isOneOne) {
    writeFrom(out, head, head.start, extra);
  } else {
    out.copy(bytes, head.start, head.methodEnd + 1);
    if (target === AS_IT_IS) out.copy(bytes, head.targetStart, head.targetEnd);
    else {
      out.text(target.prefix);
      out.copy(bytes, target.pathStart, target.pathEnd);
    }
    out.text(target.authority === undefined ? ' HTTP/1.1\r\n' : ` HTTP/1.1\r\nHost: ${target.authority}\r\n`);
    writeFrom(out, head, head.lineEnd + 2, extra);
  }
}

/** Writes a response head, interim or final. */
export function writeResponseHead(out: Outbox, head: Head, extra: string): void {
  out.reserve(head.end - head.start + extra.length + 64);
  const { bytes } = head;
  const isOneOne = bytes[head.start + 7] === ONE;
  if (isOneOne && head.lineEnd - head.start > SHORT_STATUS_LINE) {
    writeFrom(out, head, head.start, extra);
  } else {
    out.text('HTTP/1.1');
    out.copy(bytes, head.start + 8, head.lineEnd);
    out.text(head.lineEnd - head.start > SHORT_STATUS_LINE ? '\r\n' : ' \r\n');
    writeFrom(out, head, head.lineEnd + 2, extra);
  }
}

/** Copies everything from `from` on, but the fields that are dropped, with `extra` before the empty line. */
function writeFrom(out: Outbox, head: Head, from: number, extra: string): void {
  let run = from;
  if (head.dropped > 0) {
    for (let field = 0; field < head.fieldCount; field++) {
      const at = field * FIELD_STRIDE;
      if (head.fields[at + 5] === 0) continue;
      out.copy(head.bytes, run, head.fields[at]!);
      run = field + 1 < head.fieldCount ? head.fields[at + FIELD_STRIDE]! : head.end - 2;
    }
  }
  const { tail } = head;
  if (tail.length > 0) {
    out.copy(head.bytes, run, head.end - 2);
    if (extra !== '') out.text(extra);
    out.copy(tail, 0, tail.length);
  } else if (extra === '') out.copy(head.bytes, run, head.end);
  else {
    out.copy(head.bytes, run, head.end - 2);
    out.text(`${extra}\r\n`);
  }
}
