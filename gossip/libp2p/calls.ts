/**
 * Questions to one member, each on a stream of its own: renewing a certificate, asking an issuer about a token. What is
 * asked and answered is opaque here.
 *
 * Bounded on both sides: the size of question and answer, the time for both, how many one member may ask a second, and how
 * many are being answered at once. Whoever is over a bound is hung up on, and asks somebody else.
 * @module
 */
import type { Connection, PeerId, Stream } from '@libp2p/interface';
import { lpStream } from '@libp2p/utils';
import type { Logger } from 'pino';
import type { NodeCredential } from '../edge/node-signer.ts';
import { GossipError } from '../errors.ts';
import type { MeshNode } from './node.ts';
import { TokenBucket } from './token-bucket.ts';

/** Who asks, as its connection proved. */
export interface Caller {
  readonly name: string;
  /** Of its node certificate, SubjectPublicKeyInfo in DER. */
  readonly publicKey: Uint8Array;
}

export type AnswerCall = (caller: Caller, question: Uint8Array) => Promise<Uint8Array>;

export interface CallsOptions {
  readonly node: Pick<MeshNode, 'handle'>;
  readonly admitted: (peer: PeerId) => NodeCredential | undefined;
  readonly answer: AnswerCall;
  readonly log: Logger;
}

const PROTOCOL = '/weft/call/1';
export const MAX_CALL_BYTES = 128 * 1024;
const TIMEOUT_MS = 5_000;
const PER_SECOND = 20;
const BURST = 100;
const MAX_RATED = 1_024;
const MAX_STREAMS = 4;
const MAX_ANSWERING = 64;

export class Calls {
  readonly #options: CallsOptions;
  readonly #rates = new Map<string, TokenBucket>();
  #answering = 0;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  /** Call before the node starts. */
  async register(): Promise<void> {
    await this.#options.node.handle(PROTOCOL, (stream, connection) => void this.#accept(stream, connection), {
      maxInboundStreams: MAX_STREAMS,
      maxOutboundStreams: MAX_STREAMS,
    });
  }

  /** Rejects when no answer came in time, or the other side hung up. */
  async ask(connection: Connection, question: Uint8Array): Promise<Uint8Array> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const stream = await connection.newStream(PROTOCOL, { signal });
    try {
      const frames = lpStream(stream, { maxDataLength: MAX_CALL_BYTES });
      await frames.write(question, { signal });
      const answer = (await frames.read({ signal })).subarray();
      await stream.close({ signal });
      return answer;
    } catch (cause) {
      const err = new GossipError('WEFT_GOSSIP_NO_ANSWER', connection.remotePeer.toString(), { cause });
      stream.abort(err);
      throw err;
    }
  }

  async #accept(stream: Stream, connection: Connection): Promise<void> {
    const caller = this.#options.admitted(connection.remotePeer);
    if (
      caller === undefined ||
      this.#answering >= MAX_ANSWERING ||
      !this.#rateOf(caller.name).take(performance.now())
    ) {
      stream.abort(new Error('weft: too many calls'));
      return;
    }
    this.#answering++;
    try {
      await this.#answer(stream, caller);
    } catch (err) {
      this.#options.log.debug({ err, member: caller.name }, 'a call was not answered');
      stream.abort(err instanceof Error ? err : new Error(String(err)));
    } finally {
      this.#answering--;
    }
  }

  async #answer(stream: Stream, { name, publicKey }: NodeCredential): Promise<void> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const frames = lpStream(stream, { maxDataLength: MAX_CALL_BYTES });
    const question = (await frames.read({ signal })).subarray();
    const key = publicKey.export({ type: 'spki', format: 'der' });
    await frames.write(await this.#options.answer({ name, publicKey: key }, question), { signal });
    await stream.close({ signal });
  }

  #rateOf(name: string): TokenBucket {
    let rate = this.#rates.get(name);
    if (rate === undefined) {
      const oldest = this.#rates.keys().next();
      if (this.#rates.size >= MAX_RATED && !oldest.done) this.#rates.delete(oldest.value);
      rate = new TokenBucket(PER_SECOND, BURST, performance.now());
      this.#rates.set(name, rate);
    }
    return rate;
  }
}
