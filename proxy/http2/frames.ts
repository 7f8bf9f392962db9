/**
 * Frames of HTTP/2 (RFC 9113 §4, §6): reading them from a byte stream. A pure state machine: where the input is cut
 * carries no meaning. Payloads of DATA are named in the caller's buffer; header blocks are gathered over CONTINUATION up to
 * a limit; everything else is small and gathered whole.
 * @module
 */

export const FRAME_BYTES = 9;
/** What a connection begins with (RFC 9113 §3.4). */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

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

export const FLAG = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** RFC 9113 §7. */
export const ERROR = {
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
  inadequateSecurity: 12,
  http11Required: 13,
} as const;
export type ErrorCode = (typeof ERROR)[keyof typeof ERROR];

export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

/** The largest payload we let a peer send, which is what it may send unasked (RFC 9113 §6.5.2). */
export const MAX_FRAME_BYTES = 16_384;
export const MAX_WINDOW = 0x7fff_ffff;

export interface FrameSink {
  /** A whole header block; `start` to `end` of `block` are valid within the call. */
  headers(stream: number, block: Buffer, start: number, end: number, endsStream: boolean): void;
  /**
   * A piece of a body. @param flow bytes that count against the windows: more than the piece where there is padding
   * @param endsStream with the last piece of the last frame
   */
  data(stream: number, bytes: Buffer, start: number, end: number, flow: number, endsStream: boolean): void;
  rstStream(stream: number, code: number): void;
  setting(id: number, value: number): void;
  /** After the last setting of a frame. */
  settingsEnd(): void;
  settingsAck(): void;
  ping(token: Buffer, isAck: boolean): void;
  goaway(lastStream: number, code: number): void;
  windowUpdate(stream: number, increment: number): void;
  /** What is wrong with one stream only. */
  streamError(stream: number, code: ErrorCode): void;
}

export interface FrameLimits {
  /** Most bytes of one header block, compressed. */
  readonly maxBlockBytes: number;
  /** Most CONTINUATION frames after one HEADERS. */
  readonly maxContinuations: number;
}

const EMPTY: Buffer = Buffer.alloc(0);

export class FrameReader {
  /** Why the connection cannot go on; `none` while it can. */
  error: ErrorCode = ERROR.none;
  /** Number of the header block that has begun and not ended, counted from 1; 0: none. */
  openBlock = 0;
  readonly #sink: FrameSink;
  readonly #limits: FrameLimits;
  readonly #header = Buffer.alloc(FRAME_BYTES);
  #has = 0;
  /** The preface of either side ends with SETTINGS (RFC 9113 §3.4). */
  #isFirst = true;
  #inPayload = false;
  #type = 0;
  #flags = 0;
  #stream = 0;
  #left = 0;
  /** A small payload, or a piece of a header block, that arrives in parts. */
  #payload: Buffer = EMPTY;
  #gathered = 0;
  /** DATA: padding that follows the data, once its length byte was read. */
  #padding = -1;
  /** A header block that goes on in CONTINUATION, and whose it is; 0: none. */
  #blockStream = 0;
  #blockEnds = false;
  #blocks: Buffer[] = [];
  #blockBytes = 0;
  #blockCount = 0;

  constructor(sink: FrameSink, limits: FrameLimits) {
    this.#sink = sink;
    this.#limits = limits;
  }

  /** Reads all of `chunk`. False: `error` says why, and nothing more may be read. */
  read(chunk: Buffer): boolean {
    let at = 0;
    while (this.error === ERROR.none) {
      if (!this.#inPayload) {
        const taken = Math.min(FRAME_BYTES - this.#has, chunk.length - at);
        chunk.copy(this.#header, this.#has, at, at + taken);
        this.#has += taken;
        at += taken;
        if (this.#has < FRAME_BYTES) return true;
        this.#has = 0;
        this.#begin();
        continue;
      }
      if (at === chunk.length && this.#left > 0) return true;
      at = this.#type === TYPE.data ? this.#data(chunk, at) : this.#small(chunk, at);
    }
    return false;
  }

  #begin(): void {
    const header = this.#header;
    this.#left = header.readUIntBE(0, 3);
    this.#type = header[3]!;
    this.#flags = header[4]!;
    this.#stream = header.readUInt32BE(5) & MAX_WINDOW; // the reserved bit is ignored
    this.#padding = (this.#flags & FLAG.padded) === 0 ? 0 : -1;
    this.#gathered = 0;
    this.#inPayload = true;
    this.error = this.#judge();
    if (this.#isFirst && this.error === ERROR.none) {
      const isSettings = this.#type === TYPE.settings && (this.#flags & FLAG.ack) === 0;
      if (!isSettings) this.error = ERROR.protocol;
      this.#isFirst = false;
    }
    if (this.#type === TYPE.headers) this.openBlock = ++this.#blockCount;
  }

  /** RFC 9113 §4.2, §6: what can be told from the header alone. */
  #judge(): ErrorCode {
    if (this.#left > MAX_FRAME_BYTES) return ERROR.frameSize;
    if (this.#blockStream !== 0 && (this.#type !== TYPE.continuation || this.#stream !== this.#blockStream)) {
      return ERROR.protocol;
    }
    const onStream = this.#stream > 0;
    switch (this.#type) {
      case TYPE.data:
      case TYPE.headers:
        return onStream ? ERROR.none : ERROR.protocol;
      case TYPE.priority:
        return onStream ? ERROR.none : ERROR.protocol;
      case TYPE.rstStream:
        if (!onStream) return ERROR.protocol;
        return this.#left === 4 ? ERROR.none : ERROR.frameSize;
      case TYPE.settings:
        if (onStream) return ERROR.protocol;
        if ((this.#flags & FLAG.ack) !== 0) return this.#left === 0 ? ERROR.none : ERROR.frameSize;
        return this.#left % 6 === 0 ? ERROR.none : ERROR.frameSize;
      case TYPE.pushPromise:
        return ERROR.protocol; // we allow none
      case TYPE.ping:
        if (onStream) return ERROR.protocol;
        return this.#left === 8 ? ERROR.none : ERROR.frameSize;
      case TYPE.goaway:
        if (onStream) return ERROR.protocol;
        return this.#left >= 8 ? ERROR.none : ERROR.frameSize;
      case TYPE.windowUpdate:
        return this.#left === 4 ? ERROR.none : ERROR.frameSize;
      case TYPE.continuation:
        return this.#blockStream === 0 ? ERROR.protocol : ERROR.none;
      default:
        return ERROR.none; // unknown types are read over (§5.5)
    }
  }

  #data(chunk: Buffer, from: number): number {
    let at = from;
    let flow = 0;
    if (this.#padding < 0) {
      if (this.#left === 0) return this.#refuse(ERROR.frameSize, at);
      this.#padding = chunk[at++]!;
      this.#left--;
      flow = 1;
      if (this.#padding > this.#left) return this.#refuse(ERROR.protocol, at);
    }
    const dataLeft = Math.max(0, this.#left - this.#padding);
    const end = Math.min(chunk.length, at + dataLeft);
    const padEnd = end === at + dataLeft ? Math.min(chunk.length, at + this.#left) : end;
    flow += padEnd - at;
    this.#left -= padEnd - at;
    this.#inPayload = this.#left > 0;
    const endsStream = !this.#inPayload && (this.#flags & FLAG.endStream) !== 0;
    this.#sink.data(this.#stream, chunk, at, end, flow, endsStream);
    return padEnd;
  }

  /** Everything but DATA: told once it is whole. */
  #small(chunk: Buffer, at: number): number {
    const length = this.#left + this.#gathered;
    const end = Math.min(chunk.length, at + this.#left);
    if (this.#gathered === 0 && end - at === length) {
      this.#left = 0;
      this.#inPayload = false;
      this.#tell(chunk, at, end);
      return end;
    }
    if (this.#gathered === 0) this.#payload = Buffer.allocUnsafe(length);
    chunk.copy(this.#payload, this.#gathered, at, end);
    this.#gathered += end - at;
    this.#left -= end - at;
    if (this.#left > 0) return end;
    this.#inPayload = false;
    const payload = this.#payload;
    this.#payload = EMPTY;
    this.#tell(payload, 0, payload.length);
    return end;
  }

  #tell(bytes: Buffer, start: number, end: number): void {
    const sink = this.#sink;
    switch (this.#type) {
      case TYPE.headers:
        this.#headers(bytes, start, end);
        return;
      case TYPE.continuation:
        this.#block(bytes, start, end);
        return;
      case TYPE.priority:
        // Priorities are read over (RFC 9113 §5.3.2), but must be well-formed.
        if (end - start !== 5) sink.streamError(this.#stream, ERROR.frameSize);
        return;
      case TYPE.rstStream:
        sink.rstStream(this.#stream, bytes.readUInt32BE(start));
        return;
      case TYPE.settings:
        if ((this.#flags & FLAG.ack) !== 0) {
          sink.settingsAck();
          return;
        }
        for (let at = start; at < end; at += 6) sink.setting(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2));
        sink.settingsEnd();
        return;
      case TYPE.ping:
        sink.ping(bytes.subarray(start, end), (this.#flags & FLAG.ack) !== 0);
        return;
      case TYPE.goaway:
        sink.goaway(bytes.readUInt32BE(start) & MAX_WINDOW, bytes.readUInt32BE(start + 4));
        return;
      case TYPE.windowUpdate:
        this.#windowUpdate(bytes.readUInt32BE(start) & MAX_WINDOW);
        return;
    }
  }

  #windowUpdate(increment: number): void {
    if (increment > 0) this.#sink.windowUpdate(this.#stream, increment);
    else if (this.#stream === 0) this.error = ERROR.protocol;
    else this.#sink.streamError(this.#stream, ERROR.protocol);
  }

  #headers(bytes: Buffer, from: number, to: number): void {
    let start = from;
    let end = to;
    if ((this.#flags & FLAG.padded) !== 0) {
      if (start === end) return void this.#refuse(ERROR.frameSize, 0);
      end -= bytes[start++]!;
    }
    if ((this.#flags & FLAG.priority) !== 0) {
      if (to - start < 5) return void this.#refuse(ERROR.frameSize, 0);
      start += 5;
    }
    if (end < start) return void this.#refuse(ERROR.protocol, 0);
    this.#blockEnds = (this.#flags & FLAG.endStream) !== 0;
    this.#blockStream = this.#stream;
    this.#block(bytes, start, end);
  }

  #block(bytes: Buffer, start: number, end: number): void {
    this.#blockBytes += end - start;
    const isTooMuch =
      this.#blockBytes > this.#limits.maxBlockBytes || this.#blocks.length > this.#limits.maxContinuations;
    if (isTooMuch) return void this.#refuse(ERROR.enhanceYourCalm, 0);
    if ((this.#flags & FLAG.endHeaders) === 0) {
      this.#blocks.push(Buffer.from(bytes.subarray(start, end)));
      return;
    }
    const stream = this.#blockStream;
    this.#blockStream = 0;
    this.openBlock = 0;
    this.#blockBytes = 0;
    if (this.#blocks.length === 0) this.#sink.headers(stream, bytes, start, end, this.#blockEnds);
    else {
      const block = Buffer.concat([...this.#blocks.splice(0), bytes.subarray(start, end)]);
      this.#sink.headers(stream, block, 0, block.length, this.#blockEnds);
    }
  }

  #refuse(error: ErrorCode, at: number): number {
    this.error = error;
    return at;
  }
}
