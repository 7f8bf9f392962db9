/** RESP, the protocol Redis speaks (redis.io/docs/reference/protocol-spec), as far as a shop needs it. @module */

export type Reply = string | number | null | Error | Reply[];

export function encodeCommand(parts: readonly string[]): string {
  return `*${parts.length}\r\n${parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`;
}

export function encodeReply(reply: Reply): string {
  if (reply === null) return '$-1\r\n';
  if (reply instanceof Error) return `-ERR ${reply.message}\r\n`;
  if (typeof reply === 'number') return `:${reply}\r\n`;
  if (typeof reply === 'string') return `$${Buffer.byteLength(reply)}\r\n${reply}\r\n`;
  return `*${reply.length}\r\n${reply.map(encodeReply).join('')}`;
}

/** The value that starts at `at` and where the next one starts; undefined when its end has not arrived yet. */
export function decode(bytes: Buffer, at: number): { readonly value: Reply; readonly next: number } | undefined {
  const end = bytes.indexOf('\r\n', at);
  if (end < 0) return undefined;
  const line = bytes.toString('utf8', at + 1, end);
  const next = end + 2;
  const kind = String.fromCharCode(bytes[at]!);
  if (kind === '+') return { value: line, next };
  if (kind === '-') return { value: new Error(line), next };
  if (kind === ':') return { value: Number(line), next };
  const size = Number(line);
  if (!'$*'.includes(kind) || !Number.isInteger(size) || size > 1024 * 1024)
    throw new Error(`not RESP: ${kind}${line}`);
  if (size < 0) return { value: null, next };
  if (kind === '$') {
    if (bytes.length < next + size + 2) return undefined;
    return { value: bytes.toString('utf8', next, next + size), next: next + size + 2 };
  }
  const values: Reply[] = [];
  let cursor = next;
  while (values.length < size) {
    const item = decode(bytes, cursor);
    if (!item) return undefined;
    values.push(item.value);
    cursor = item.next;
  }
  return { value: values, next: cursor };
}
