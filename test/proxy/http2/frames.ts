/** Frames of HTTP/2 written by hand, byte for byte, so that tests can send what no library would (RFC 9113 §4, §6). @module */

export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const PRIORITY = 0x20;

export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

export const CODE = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  connect: 10,
  enhanceYourCalm: 11,
} as const;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const TOKEN = Buffer.from('12345678');

export type Fields = readonly (readonly [name: string, value: string])[];

export function raw(type: number, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'hex') : payload;
  const header = Buffer.alloc(9);
  header.writeUIntBE(body.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, body]);
}

/** A header block of literals without indexing, names and values as they are (RFC 7541 §6.2.2). */
export function block(fields: Fields): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]));
}

function text(value: string): Buffer {
  return Buffer.concat([integer(value.length, 7), Buffer.from(value, 'latin1')]);
}

/** RFC 7541 §5.1, the bits before the prefix being zero. */
export function integer(value: number, prefixBits: number): Buffer {
  const mask = 2 ** prefixBits - 1;
  if (value < mask) return Buffer.of(value);
  const bytes = [mask];
  let rest = value - mask;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push(128 | (rest % 128));
  return Buffer.from([...bytes, rest]);
}

export interface Dependency {
  readonly on: number;
  readonly weight: number;
  readonly exclusive?: boolean;
}

export interface HeadersOptions {
  readonly endStream?: boolean;
  readonly endHeaders?: boolean;
  readonly padding?: number;
  readonly priority?: Dependency;
}

/** HEADERS; ends the block and the stream unless told otherwise. */
export function headers(stream: number, fields: Fields | Buffer, options: HeadersOptions = {}): Buffer {
  const { endStream = true, endHeaders = true, padding, priority: dependency } = options;
  let payload = Buffer.isBuffer(fields) ? fields : block(fields);
  let flags = (endStream ? END_STREAM : 0) | (endHeaders ? END_HEADERS : 0);
  if (dependency !== undefined) {
    flags |= PRIORITY;
    payload = Buffer.concat([dependencyBytes(dependency), payload]);
  }
  if (padding !== undefined) {
    flags |= PADDED;
    payload = Buffer.concat([Buffer.of(padding), payload, Buffer.alloc(padding)]);
  }
  return raw(TYPE.headers, flags, stream, payload);
}

export function continuation(stream: number, fields: Fields | Buffer, endHeaders = true): Buffer {
  const payload = Buffer.isBuffer(fields) ? fields : block(fields);
  return raw(TYPE.continuation, endHeaders ? END_HEADERS : 0, stream, payload);
}

export interface DataOptions {
  readonly endStream?: boolean;
  readonly padding?: number;
}

/** DATA; ends the stream unless told otherwise. */
export function data(stream: number, body: string | Buffer, { endStream = true, padding }: DataOptions = {}): Buffer {
  const bytes = Buffer.from(body);
  const flags = endStream ? END_STREAM : 0;
  if (padding === undefined) return raw(TYPE.data, flags, stream, bytes);
  return raw(TYPE.data, flags | PADDED, stream, Buffer.concat([Buffer.of(padding), bytes, Buffer.alloc(padding)]));
}

export function priority(stream: number, dependency: Dependency): Buffer {
  return raw(TYPE.priority, 0, stream, dependencyBytes(dependency));
}

function dependencyBytes({ on, weight, exclusive = false }: Dependency): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(exclusive ? on + 2 ** 31 : on);
  bytes[4] = weight - 1;
  return bytes;
}

export function rstStream(stream: number, code: number): Buffer {
  return raw(TYPE.rstStream, 0, stream, uint32(code));
}

export function settings(...values: (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(values.length * 6);
  for (const [i, [id, value]] of values.entries()) {
    payload.writeUInt16BE(id, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  }
  return raw(TYPE.settings, 0, 0, payload);
}

export const settingsAck: Buffer = raw(TYPE.settings, ACK, 0);

export function ping(isAck = false, token: Buffer = TOKEN): Buffer {
  return raw(TYPE.ping, isAck ? ACK : 0, 0, token);
}

export function goaway(lastStream: number, code: number): Buffer {
  return raw(TYPE.goaway, 0, 0, Buffer.concat([uint32(lastStream), uint32(code)]));
}

export function windowUpdate(stream: number, increment: number): Buffer {
  return raw(TYPE.windowUpdate, 0, stream, uint32(increment));
}

export function pushPromise(stream: number, promised: number, fields: Fields): Buffer {
  return raw(TYPE.pushPromise, END_HEADERS, stream, Buffer.concat([uint32(promised), block(fields)]));
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
