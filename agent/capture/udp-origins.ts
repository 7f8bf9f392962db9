/** Where redirected UDP datagrams of one namespace were going. @module */
import { ANSWER_BYTES, REQUEST_BYTES, type RedirectedFlow, readFlowAnswer, writeFlowRequest } from './conntrack.ts';
import { SystemCallError } from './errors.ts';
import type { Destination, Linux } from './linux.ts';

/** Answers left over from questions that were given up, skipped before the socket counts as broken. */
const MAX_STALE_ANSWERS = 8;

export class UdpOrigins implements Disposable {
  readonly #linux: Linux;
  readonly #socket: number;
  readonly #request = Buffer.alloc(REQUEST_BYTES);
  readonly #answer = Buffer.alloc(ANSWER_BYTES);
  #sequence = 0;
  #isOpen = true;

  constructor(linux: Linux, namespace: number) {
    this.#linux = linux;
    this.#socket = linux.openNetfilter(namespace);
  }

  /**
   * Asks the kernel, synchronously: about ten microseconds. Ask while the datagram is fresh; the kernel forgets a
   * one-way flow after 30 s (nf_conntrack_udp_timeout).
   *
   * @returns undefined when the kernel knows no such flow
   * @throws SystemCallError when it can not be asked
   */
  find(flow: RedirectedFlow): Destination | undefined {
    this.#sequence = (this.#sequence + 1) >>> 0;
    const bytes = writeFlowRequest(this.#request, this.#sequence, flow);
    this.#linux.sendNetlink(this.#socket, this.#request, bytes);
    for (let attempt = 0; attempt <= MAX_STALE_ANSWERS; attempt++) {
      const received = this.#linux.receiveNetlink(this.#socket, this.#answer);
      const answer = readFlowAnswer(this.#answer.subarray(0, received), this.#sequence);
      if (answer.kind === 'found') return answer.destination;
      if (answer.kind === 'refused') throw new SystemCallError('sendto', answer.errno, 'connection tracking');
      if (answer.kind !== 'stale') return undefined;
    }
    return undefined;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#linux.close(this.#socket);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
