/**
 * Standard output without blocking: `process.stdout` writes to a pipe synchronously, so a reader that stalls would stall the
 * agent. This writes on the thread pool, and waits a moment where a pipe takes no more. @module
 */
import { write } from 'node:fs';
import { promisify } from 'node:util';
import { systemCode } from '../../errors.ts';
import type { LineSink } from './line-writer.ts';

const writeTo = promisify(write);
const FULL_MS = 20;

export function standardOutput(fd = 1): LineSink {
  return {
    write: async (lines) => {
      for (let done = 0; done < lines.length; ) {
        try {
          done += (await writeTo(fd, lines, done, lines.length - done)).bytesWritten;
        } catch (err) {
          if (systemCode(err) !== 'EAGAIN') throw err;
          await new Promise((resolve) => setTimeout(resolve, FULL_MS).unref());
        }
      }
    },
    close: async () => {},
  };
}
