/** What the files that define commands share. @module */
import type { ExitCode } from './exit-codes.ts';
import type { CliIo } from './io.ts';

/** What a command does, and the exit code that says how it went. */
export type Action<Options> = (options: Options, io: CliIo) => Promise<ExitCode>;

export interface Context {
  /** Wraps an action for commander: hands it the io and keeps its exit code. */
  action<Options>(action: Action<Options>): (options: Options) => Promise<void>;
}
