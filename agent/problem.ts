/** A mistake in a file that a person wrote. @module */

/** One mistake in one file. `line` and `column` count from 1. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Path of the field, such as `spec.ports[0].port`; empty when the whole document is meant. */
  readonly field: string;
  /** What is wrong, what is allowed, and the fix. */
  readonly message: string;
}

/** `file:line:column: field: message`, the form compilers and editors agree on. */
export function formatProblem({ file, line, column, field, message }: Problem): string {
  return `${file}:${line}:${column}: ${field === '' ? '' : `${field}: `}${message}`;
}
