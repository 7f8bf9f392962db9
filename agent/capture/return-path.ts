/**
 * The way back of connections to an application that are made in a client's name, from its address.
 *
 * The application answers to that address, which is somebody else's. A table of our own says that every address is local,
 * and what the rules of capture mark as such an answer is routed by it. Without a mark nothing is.
 * @module
 */
import { CLIENT_MARK, CLIENT_RULE_PRIORITY, CLIENT_TABLE } from './constants.ts';
import { CaptureError, SystemCallError } from './errors.ts';
import type { Family, Linux } from './linux.ts';
import { type Change, readAcknowledgement, routeMessage, ruleMessage } from './rtnetlink.ts';

/** In every namespace the first interface. */
const LOOPBACK_INTERFACE = 1;
const ANSWER_BYTES = 1_024;
/** What says that it is as it should be already: EEXIST, and ENOENT or ESRCH; EAFNOSUPPORT where there is no IPv6. */
const IS_SO: Readonly<Record<Change, readonly string[]>> = {
  add: ['EEXIST'],
  delete: ['ENOENT', 'ESRCH', 'EAFNOSUPPORT', 'EOPNOTSUPP'],
};

/**
 * Twice is as good as once.
 *
 * @throws CaptureError where the kernel has no policy routing
 */
export function addReturnPath(linux: Linux, namespace: number, families: readonly Family[]): void {
  try {
    change(linux, namespace, 'add', families);
  } catch (cause) {
    removeReturnPath(linux, namespace);
    if (!(cause instanceof SystemCallError)) throw cause;
    throw new CaptureError('WEFT_CAPTURE_CLIENT_ADDRESS', 'return path', { cause });
  }
}

/** Where there is none, nothing happens. */
export function removeReturnPath(linux: Linux, namespace: number): void {
  change(linux, namespace, 'delete', [4, 6]);
}

function change(linux: Linux, namespace: number, kind: Change, families: readonly Family[]): void {
  const socket = linux.openRoutes(namespace);
  try {
    for (const family of families) {
      const table = CLIENT_TABLE;
      const rule = { family, table, mark: CLIENT_MARK, priority: CLIENT_RULE_PRIORITY };
      const messages = [routeMessage(kind, { family, table, interface: LOOPBACK_INTERFACE }), ruleMessage(kind, rule)];
      for (const message of messages) ask(linux, socket, message, IS_SO[kind]);
    }
  } finally {
    linux.close(socket);
  }
}

function ask(linux: Linux, socket: number, message: Buffer, isSo: readonly string[]): void {
  linux.sendNetlink(socket, message, message.length);
  const answer = Buffer.alloc(ANSWER_BYTES);
  const errno = readAcknowledgement(answer.subarray(0, linux.receiveNetlink(socket, answer)));
  if (errno === 0) return;
  const failure = new SystemCallError('rtnetlink', errno ?? 0, `table ${CLIENT_TABLE}`);
  if (!isSo.includes(failure.code)) throw failure;
}
