/**
 * The bytes of one stream, of a tunnel between agents or of CONNECT over HTTP/2 (RFC 9113 §8.5), as a socket to everybody who
 * reads and writes bytes: the relay, the engines of HTTP, who waits for first bytes. What a reader does not take stays within
 * the window of its stream, and stops the peer on that stream only; half-close is half-close, and a reset a reset, both ways.
 * @module
 */

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type CarriedStream, type Carrier, type Piece, RESET, type ResetCode } from './carrier.ts';
import { Window } from './credit.ts';
import { BodySender } from './sender.ts';

/** Kept for a reader beyond what the window of its stream allows to come. */
const BUFFER_BYTES = 65_536;

/** The end that a relay holds: what it asks for, the stream does. */
export class StreamSocket extends Duplex {
  readonly connecting = false;
  /** What carries the stream, and its number there, which is the same for both ends. */
  readonly carried: { readonly by: Socket; readonly stream: number };
  readonly #stream: StreamBytes;

  constructor(stream: StreamBytes, by: Socket) {
    super({ allowHalfOpen: true, highWaterMark: BUFFER_BYTES });
    this.#stream = stream;
    this.carried = { by, stream: stream.id };
    this.on('error', ignore);
  }

  override _read(): void {
    this.#stream.wanted();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#stream.send([chunk], done);
  }

  override _writev(chunks: { readonly chunk: Buffer }[], done: () => void): void {
    this.#stream.send(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: () => void): void {
    this.#stream.sendEnd();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#stream.closed();
    done(error);
  }

  /** As a TCP socket: closes once what was written has been sent. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** As a TCP socket: the other side sees it broken. */
  resetAndDestroy(): void {
    this.#stream.reject();
    this.destroy();
  }
}

/** The stream itself, as its connection sees it. Whoever makes it adds it to the connection. */
export class StreamBytes implements CarriedStream {
  readonly id: number;
  isTouched = false;
  /** The other end of these bytes: what is written to it leaves on the stream. */
  readonly socket: Socket;
  readonly #socket: StreamSocket;
  readonly #carrier: Carrier;
  readonly #window: Window;
  readonly #sender: BodySender;
  /** Pieces that nobody has asked for yet; bounded by the window. */
  readonly #kept: Buffer[] = [];
  #isWanted = false;
  #hasEnded = false;
  #hasSentEnd = false;
  #isGone = false;
  #written: (() => void) | undefined;

  constructor(id: number, carrier: Carrier) {
    this.id = id;
    this.#carrier = carrier;
    this.#window = new Window(carrier.budget);
    this.#sender = new BodySender(carrier);
    this.#sender.begin(id, carrier.peerCredit);
    this.#socket = new StreamSocket(this, carrier.socket);
    // It does what sockets are asked for here; that it has no address and no descriptor, nobody asks.
    this.socket = this.#socket as unknown as Socket;
  }

  // What the connection tells.

  /** Read by whoever made this stream. */
  head(_piece: Piece, ends: boolean): void {
    if (ends) this.#end();
  }

  data({ bytes, start, end }: Piece, ends: boolean): void {
    if (this.#isGone) return;
    if (!this.#window.receive(end - start)) {
      this.#fail(RESET.overrun);
      return;
    }
    if (end > start) {
      if (!this.#isWanted) this.#window.stalled();
      this.#kept.push(bytes.subarray(start, end));
    }
    if (ends) this.#hasEnded = true;
  }

  /** Trailers mean nothing to bytes. */
  end(): void {
    this.#end();
  }

  reset(_code: number): void {
    this.#break('the other side reset the stream');
  }

  credit(bytes: number): boolean {
    if (this.#isGone) return true;
    if (!this.#sender.grant(bytes)) return false;
    this.#carrier.schedule();
    this.writable();
    return true;
  }

  /** Pieces of one read are handed on in one go, so that a relay can make one write of them. */
  settle(): void {
    this.#pass();
  }

  writable(): void {
    if (this.#written === undefined || this.#sender.isWaiting || this.#carrier.isBlocked) return;
    const written = this.#written;
    this.#written = undefined;
    written();
  }

  gone(detail: string): void {
    this.#break(detail);
  }

  // What the socket asks for.

  wanted(): void {
    this.#isWanted = true;
    this.#pass();
  }

  send(chunks: readonly Buffer[], done: () => void): void {
    if (this.#isGone) return; // the socket is being destroyed, which calls back itself
    for (const chunk of chunks) this.#sender.data(chunk, 0, chunk.length);
    this.#carrier.schedule();
    this.#written = done;
    this.writable();
  }

  sendEnd(): void {
    if (this.#isGone) return;
    this.#hasSentEnd = true;
    this.#sender.end('');
    this.#carrier.schedule();
  }

  /** What the peer sent has no place here. */
  malformed(): void {
    this.#fail(RESET.malformed);
  }

  /** The connection behind broke. */
  reject(): void {
    this.#fail(RESET.broken);
  }

  /** Everything was said: a refusal, which ends the stream in order. */
  over(): void {
    if (this.#isGone) return;
    this.#leave();
    this.#socket.destroy();
  }

  closed(): void {
    if (this.#isGone) return;
    if (this.#hasSentEnd && this.#hasEnded) this.#leave();
    else this.#fail(RESET.cancelled);
  }

  #end(): void {
    if (this.#isGone) return;
    this.#hasEnded = true;
    this.#pass();
  }

  /** Hands on what came as long as it is wanted, and lets the peer send as much again. */
  #pass(): void {
    while (this.#isWanted && this.#kept.length > 0) {
      const piece = this.#kept.shift()!;
      this.#isWanted = this.#socket.push(piece);
      const granted = this.#window.take(piece.length);
      if (granted === 0 || this.#hasEnded || this.#isGone) continue;
      this.#carrier.writer.credit(this.id, granted);
      this.#carrier.schedule();
    }
    if (this.#hasEnded && this.#kept.length === 0 && !this.#isGone) this.#socket.push(null);
  }

  #fail(code: ResetCode): void {
    if (this.#isGone) return;
    this.#carrier.writer.reset(this.id, code);
    this.#carrier.schedule();
    this.#leave();
    this.#socket.destroy();
  }

  #break(detail: string): void {
    if (this.#isGone) return;
    this.#pass(); // what came before it broke
    if (this.#isGone) return;
    this.#leave();
    this.#socket.destroy(Object.assign(new Error(detail), { code: 'ECONNRESET' }));
  }

  #leave(): void {
    this.#isGone = true;
    this.#kept.length = 0;
    this.#window.reset();
    this.#carrier.remove(this);
  }
}

/** Who reads the socket hears of errors as well; between its owners nobody does. */
function ignore(): void {}
