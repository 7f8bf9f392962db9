/**
 * gRPC over HTTP/2, as much of it as a server needs that answers with streams of messages and reads none.
 *
 * Source: gRPC PROTOCOL-HTTP2. Sixty lines instead of a library, because no library tells which unix connection a call
 * came over, and because an agent has little memory to give.
 * @module
 */
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';

/** Status codes of gRPC that occur here. */
export const STATUS = {
  invalidArgument: 3,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  unavailable: 14,
} as const;

export interface Refusal {
  readonly status: (typeof STATUS)[keyof typeof STATUS];
  /** For people: what is wrong and what to do. */
  readonly message: string;
}

const CONTENT_TYPE = 'application/grpc';
/** Requests here are empty messages, or tokens we do not take: 16 kB is more than any. */
const MAX_REQUEST_BYTES = 16_384;
const PREFIX_BYTES = 5;

export class ServerCall {
  readonly path: string;
  readonly #headers: IncomingHttpHeaders;
  readonly #stream: ServerHttp2Stream;
  #refusal: Refusal | undefined;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.path = headers[':path'] ?? '';
    this.#headers = headers;
    this.#stream = stream;
    this.#discardRequest();
    stream.on('error', () => {}); // the caller left; 'close' follows
    stream.on('wantTrailers', () => stream.sendTrailers(this.#refusal === undefined ? {} : trailers(this.#refusal)));
  }

  /** The HTTP status for what is no call of gRPC at all; undefined when it is one. */
  get misfit(): number | undefined {
    if (this.#headers[':method'] !== 'POST') return 405;
    return (this.#headers['content-type'] ?? '').startsWith(CONTENT_TYPE) ? undefined : 415;
  }

  metadata(name: string): string | undefined {
    const value = this.#headers[name];
    return typeof value === 'string' ? value : undefined;
  }

  /** Called once, however the call ends. */
  onClose(listener: () => void): void {
    this.#stream.once('close', listener);
  }

  /** @param sent called once the caller's side has taken it; not when the call ends before */
  send(message: Buffer, sent: () => void): void {
    if (!this.#isOpen()) return;
    if (!this.#stream.headersSent) this.#respond({ ':status': 200 }, { waitForTrailers: true });
    const prefix = Buffer.alloc(PREFIX_BYTES); // the first byte says: not compressed
    prefix.writeUInt32BE(message.length, 1);
    this.#stream.write(Buffer.concat([prefix, message]), (err) => {
      if (!err) sent();
    });
  }

  /** Ends the call with an error. */
  refuse(refusal: Refusal): void {
    if (!this.#isOpen()) return;
    this.#refusal = refusal;
    if (this.#stream.headersSent) this.#stream.end();
    else this.#respond({ ':status': 200, ...trailers(refusal) }, { endStream: true });
  }

  /** Ends what is no call of gRPC. */
  reject(httpStatus: number): void {
    if (this.#isOpen()) this.#stream.respond({ ':status': httpStatus }, { endStream: true });
  }

  /** Ends the call and the connection it came over, at once. */
  cut(): void {
    this.#stream.session?.destroy();
  }

  #respond(
    headers: Record<string, string | number>,
    options: { waitForTrailers?: boolean; endStream?: boolean },
  ): void {
    this.#stream.respond({ 'content-type': CONTENT_TYPE, ...headers }, options);
  }

  #isOpen(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed && this.#refusal === undefined;
  }

  #discardRequest(): void {
    let bytes = 0;
    this.#stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_REQUEST_BYTES) this.#stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    });
  }
}

function trailers({ status, message }: Refusal): Record<string, string> {
  return { 'grpc-status': String(status), 'grpc-message': encodeURIComponent(message) };
}
