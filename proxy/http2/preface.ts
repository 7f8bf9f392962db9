/** What a client says first (RFC 9113 §3.4), which may arrive in pieces. @module */

import { PREFACE } from './frames.ts';

export class PrefaceReader {
  #read = 0;

  /** @returns where frames begin in the chunk, which is its length while the preface goes on; or -1: it is another */
  read(chunk: Buffer): number {
    const wanted = PREFACE.length - this.#read;
    if (wanted === 0) return 0;
    const size = Math.min(wanted, chunk.length);
    if (PREFACE.compare(chunk, 0, size, this.#read, this.#read + size) !== 0) return -1;
    this.#read += size;
    return size;
  }
}
