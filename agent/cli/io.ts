/** Everything a command touches outside itself, so that a test can be the terminal. @module */
export interface CliIo {
  readonly stdout: { write(text: string): void };
  readonly stderr: { write(text: string): void };
  readonly env: NodeJS.ProcessEnv;
  /** Aborts when the command is asked to stop (Ctrl-C, SIGTERM). */
  readonly signal: AbortSignal;
  readonly nowMs: () => number;
}

/**
 * The io of this process. The first SIGINT or SIGTERM asks the command to stop, the second ends the process at once; a
 * reader that goes away (`weft endpoints | head`) ends it quietly.
 */
export function processIo(): CliIo {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(signal));
  process.stdout.on('error', (err: NodeJS.ErrnoException) => {
    if (err.code !== 'EPIPE') throw err;
    stop.abort('EPIPE');
  });
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    signal: stop.signal,
    nowMs: Date.now,
  };
}
