/** One open stream of the Workload API: the caller is told what holds now, and again whenever that changes. @module */
import { type Refusal, type ServerCall, STATUS } from './grpc.ts';

/** A caller that has not taken a message of some kB after this reads none. */
const SLOW_READER_MS = 10_000;

export class Subscription {
  readonly #call: ServerCall;
  readonly #current: () => Buffer | Refusal;
  readonly #slowReaderMs: number;
  #sent: Buffer | undefined;
  #overdue: NodeJS.Timeout | undefined;

  /** @param current the message for this caller now, or why there is none, which ends the stream */
  constructor(call: ServerCall, current: () => Buffer | Refusal, slowReaderMs = SLOW_READER_MS) {
    this.#call = call;
    this.#current = current;
    this.#slowReaderMs = slowReaderMs;
    call.onClose(() => clearTimeout(this.#overdue));
  }

  /** Sends what is new. While a message is under way the next one waits, and only the newest is sent then. */
  update(): void {
    if (this.#overdue !== undefined) return;
    const current = this.#current();
    if (!Buffer.isBuffer(current)) {
      this.#call.refuse(current);
      return;
    }
    if (this.#sent?.equals(current)) return;
    this.#sent = current;
    this.#overdue = setTimeout(() => this.#call.cut(), this.#slowReaderMs).unref();
    this.#call.send(current, () => {
      clearTimeout(this.#overdue);
      this.#overdue = undefined;
      this.update();
    });
  }

  /** The agent stops; a client comes back to the next one. */
  close(): void {
    this.#call.refuse({ status: STATUS.unavailable, message: 'the agent is stopping; connect again' });
  }
}
