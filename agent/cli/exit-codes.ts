/** What the exit code of `weft` means. One table: --help prints it, scripts rely on it. @module */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  refused: 4,
  denied: 5,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_MEANING: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'done; for check and demo: all is well',
  failed: 'it was tried and failed; for check: something needs attention',
  usage: 'the command line is wrong',
  unreachable: 'no agent answers',
  refused: 'the configuration or another input file is refused',
  denied: 'for explain: the call is not let in, or not always',
  interrupted: 'it was stopped before it was done',
};

export function exitCodeHelp(): string {
  const lines = Object.entries(EXIT).map(
    ([name, code]) => `  ${String(code).padEnd(5)}${EXIT_MEANING[name as keyof typeof EXIT]}`,
  );
  return `\nExit codes:\n${lines.join('\n')}\n`;
}
